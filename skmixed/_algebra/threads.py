"""The surroundings of numerical work: threads of the linear algebra library, and floats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

THREADS_PAY = 2000  # order of a matrix from which a second BLAS thread gains more than it risks


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


def blas_threads(order: int = 0) -> AbstractContextManager:
    """Context with one BLAS thread for small matrices.

    A second thread gains little there, and waiting for it costs up to twenty times the work on a
    busy machine.
    """
    return nullcontext() if order >= THREADS_PAY else _blas().limit(limits=1)


@contextmanager
def computing(order: int = 0) -> Iterator[None]:
    """The same, and no words about floats: overflow far from an optimum makes a step unattainable,
    which is not worth a warning.
    """
    with blas_threads(order), np.errstate(all="ignore"):
        yield
