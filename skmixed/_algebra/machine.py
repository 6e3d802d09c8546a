"""The machine: threads of the linear algebra library, words about floats, and memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from pathlib import Path

import joblib
import numpy as np
from threadpoolctl import ThreadpoolController

try:
    import resource
except ImportError:  # Windows has no limits of that kind
    resource = None

THREADS_PAY = 2000  # order of a matrix from which a second BLAS thread gains more than it risks
WANTED_PAY = 500  # the same where threads were asked for
MEMORY = Path("/proc/meminfo")
OWN_PAGES = Path("/proc/self/statm")
GIB = 2.0**30
FLOAT = np.dtype(np.float64).itemsize


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


_wanted: ContextVar[int | None] = ContextVar("threads", default=None)


@contextmanager
def using_threads(n_jobs: int | None) -> Iterator[None]:
    """Context with as many threads as joblib makes of ``n_jobs``; None leaves it at the default
    unless joblib has been told otherwise.
    """
    count = joblib.effective_n_jobs(n_jobs)
    token = _wanted.set(None if n_jobs is None and count == 1 else count)
    try:
        yield
    finally:
        _wanted.reset(token)


def threads() -> int:
    """Threads that compiled loops may start: they end with the loop."""
    return _wanted.get() or 1


def library_threads(order: int) -> AbstractContextManager:
    """Context in which BLAS may use the threads that were asked for, for matrices that pay."""
    count = threads()
    return nullcontext() if count == 1 or order < WANTED_PAY else _blas().limit(limits=count)


def blas_threads(order: int = 0) -> AbstractContextManager:
    """Context with one BLAS thread for small matrices, and for all where threads of our own are
    asked for.

    A second thread gains little there, and waiting for it costs up to twenty times the work on a
    busy machine.
    """
    blas = _blas()
    is_free = order >= THREADS_PAY and _wanted.get() is None
    if is_free or all(lib.num_threads == 1 for lib in blas.lib_controllers):
        return nullcontext()
    return blas.limit(limits=1)


@contextmanager
def computing(order: int = 0) -> Iterator[None]:
    """The same, and no words about floats: overflow far from an optimum makes a step unattainable,
    which is not worth a warning.
    """
    with blas_threads(order), np.errstate(all="ignore"):
        yield


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
