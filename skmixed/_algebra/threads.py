"""How many threads the linear algebra library may use."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

THREADS_PAY = 2000  # order of a matrix from which a second BLAS thread gains more than it risks


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


def blas_threads(packed_order=0):
    """Context with one BLAS thread for small matrices.

    A second thread gains little there, and waiting for it costs up to twenty times the work on a
    busy machine.
    """
    return nullcontext() if packed_order >= THREADS_PAY else _blas().limit(limits=1)
