"""Memory that a computation will take, compared with what there is before it begins."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

try:
    import resource
except ImportError:  # Windows has no limits of that kind
    resource = None

MEMORY = Path("/proc/meminfo")
OWN_PAGES = Path("/proc/self/statm")
GIB = 2.0**30
FLOAT = np.dtype(np.float64).itemsize


def available() -> float:
    """Bytes that this process may still take; infinite where the system does not say."""
    return min(_free(), _allowed())


def _free():
    """What the system could give without swapping."""
    if not MEMORY.exists():
        return np.inf
    found = re.search(r"MemAvailable:\s*(\d+) kB", MEMORY.read_text())
    return 1024.0 * int(found[1]) if found else np.inf


def _allowed():
    """What the limit of this process's address space leaves."""
    if resource is None or not OWN_PAGES.exists():
        return np.inf
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return np.inf
    return limit - int(OWN_PAGES.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def check_memory(n_floats: float, what: str, advice: str) -> None:
    """Raise where so many floats cannot be held; ``what`` says what holds them.

    Raises
    ------
    ValueError
        With the memory that is needed, and the memory that is left.
    """
    needed = FLOAT * n_floats
    if needed < GIB:
        return
    left = available()
    if needed > left:
        raise ValueError(
            f"{what} about {needed / GIB:,.1f} GiB of memory, of which {left / GIB:,.1f} are left."
            f"\n{advice}"
        )
