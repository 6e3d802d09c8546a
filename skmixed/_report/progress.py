"""How far long work has come: lines for those who ask, through logging where it is set up."""

from __future__ import annotations

import logging
import math
import sys
from types import TracebackType
from typing import Any, Self

LOG = logging.getLogger("skmixed")


def say(line: str) -> None:
    """Log a line; print it where nobody has set up logging."""
    if LOG.hasHandlers():
        LOG.info(line)
    else:
        print(line)


def say_iteration(deviance: float, decrease: float, radius: float) -> None:
    """A line about a search, which may not know the deviance."""
    start = "" if math.isnan(deviance) else f"deviance {deviance:.8g}   "
    say(f"{start}predicted decrease {decrease:.3g}   radius {radius:.3g}")


class Counter:
    """A line that counts, rewritten in place on stderr: what there is without tqdm."""

    def __init__(self, total: int | None, desc: str, unit: str):
        self.total = total
        self.desc = desc
        self.unit = unit
        self.done = 0

    def update(self, n: int) -> None:
        """Count n more."""
        self.done += n
        of_all = "" if self.total is None else f" of {self.total}"
        line = f"\r{self.desc}: {self.done}{of_all} {self.unit}s"
        print(line, end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line."""
        print(file=sys.stderr, flush=True)


class Progress:
    """Counts the parts of some work, by tqdm where it is installed; silent unless wanted."""

    def __init__(self, total: int | None, what: str, unit: str, wanted: bool):
        self.bar: Any = _bar(total, what, unit) if wanted else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.close()

    def advance(self, n: int = 1) -> None:
        """n more parts are done."""
        if self.bar is not None:
            self.bar.update(n)


def _bar(total: int | None, what: str, unit: str) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return Counter(total, desc=what, unit=unit)
    return tqdm(total=total, desc=what, unit=unit)
