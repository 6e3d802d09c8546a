"""Cholesky factors of dense matrices, by LAPACK alone or by compiled products of large blocks.

With numpy C order in mind: triangles are lower ones, row by row, and what is above them is never
read.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import cython_blas, cython_lapack, lapack

from ..machine import library_threads, threads
from .choice import CHOICE

LARGEST = 1e6  # diagonal entry of I + A from which halves are not inverted to factor the rest


class Factor:
    """``S = LL'`` of a positive definite matrix, in its place.

    Attributes
    ----------
    upper : L', column by column
    """

    def __init__(self, S):
        self.upper = self._factored(S)

    def _factored(self, S):
        with library_threads(len(S)):
            upper, failed = lapack.dpotrf(S.T, lower=0, clean=0, overwrite_a=1)
        return _unless(failed, upper)

    @property
    def log_determinant(self):
        return 2.0 * np.sum(np.log(np.diag(self.upper)))

    def whiten(self, rows):
        """``L^-1 rows``."""
        return lapack.dtrtrs(self.upper, rows, lower=0, trans=1)[0]

    def unwhiten(self, rows):
        """``L'^-1 rows``."""
        return lapack.dtrtrs(self.upper, rows, lower=0)[0]

    @cached_property
    def inverse_root(self):
        """``L^-1``."""
        return lapack.dtrtri(self.upper, lower=0)[0].T

    @property
    def inverse(self):
        """``S^-1``."""
        with library_threads(len(self.upper)):
            return lapack.dpotri(self.upper, lower=0)[0].T


class HalvedFactor(Factor):
    """The same by halves: the first one's inverse, which is wanted anyway, gives the rest as a
    product, which takes half as long as solving.
    """

    def _factored(self, S):
        self._partial = np.empty_like(S)
        return _unless(not CHOICE.native.factor_dense(S, self._partial, threads()), S.T)

    @cached_property
    def inverse_root(self):
        CHOICE.native.invert_dense(self.upper.T, self._partial, threads())
        return self._partial

    @property
    def inverse(self):
        return lapack.dlauum(self.inverse_root.T, lower=0)[0].T


def _unless(failed, upper):
    if failed:
        raise np.linalg.LinAlgError("the dense block lost its positive definiteness to rounding")
    return upper


def factored(S):
    """The factor of ``S``, lower triangle row by row, which is overwritten.

    Raises
    ------
    LinAlgError
        Where S is not positive definite.
    """
    return (HalvedFactor if HALVES and np.max(np.diag(S)) < LARGEST else Factor)(S)


def _hand_over(native):
    """Whether the compiled module may call scipy's linear algebra."""
    try:
        native.use_blas(cython_blas.__pyx_capi__, cython_lapack.__pyx_capi__)
    except (AttributeError, KeyError, ValueError):  # no module, or functions with other arguments
        return False
    return True


HALVES = _hand_over(CHOICE.native)
