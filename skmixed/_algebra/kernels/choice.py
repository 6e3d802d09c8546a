"""Which kernels run: the compiled ones where they are there, those of numpy elsewhere.

The environment variable ``SKMIXED_KERNELS`` is read when the package is imported: ``numpy`` leaves
compiled ones out, ``native`` demands them, ``baseline`` demands them without AVX2.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SKMIXED_KERNELS"
WISHES = ("", "numpy", "native", "baseline")
MOST_EFFECTS = 4  # of a level, where loops know their number
INTERFACE = 3  # what the module compiled from these sources says of itself


class Choice:
    """The kernels of this process.

    Attributes
    ----------
    native : the compiled module; None where numpy does the work
    description : of what runs, and why
    """

    def __init__(self, wish, load):
        if wish not in WISHES:
            raise ImportError(f"{VARIABLE} is {wish!r}.\nIt may be unset, {', '.join(WISHES[1:])}.")
        self.native = None
        self.description = f"numpy, as {VARIABLE} says"
        if wish != "numpy":
            self._load(wish, load)

    def _load(self, wish, load):
        try:
            native = load()
        except ImportError as error:
            if wish:
                raise ImportError(
                    f"{VARIABLE} is {wish!r}, but there are no compiled kernels: {error}\n"
                    "Install the package again where a C++ compiler is, with "
                    "SKMIXED_BUILD=require to see what it says, or unset the variable."
                ) from error
            self.description = f"numpy; {error}"
            return
        instructions = native.use("baseline" if wish == "baseline" else "best")
        self.native = native
        self.description = f"compiled, {instructions}"


def load():
    """The compiled module, if it is the one of these sources."""
    try:
        from . import _native
    except ImportError as error:
        is_there = any(Path(__file__).parent.glob("_native.*"))
        raise ImportError(str(error) if is_there else "none were compiled") from error
    if getattr(_native, "INTERFACE", None) != INTERFACE:
        raise ImportError("those compiled are of another version: install the package again")
    return _native


CHOICE = Choice(os.environ.get(VARIABLE, ""), load)
