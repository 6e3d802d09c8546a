"""Parameters and variance components as statsmodels writes them down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["MixedLMParams", "VCSpec"]


class VCSpec:
    """Variance components: per component and group a matrix of independent random effects.

    Parameters
    ----------
    names : list of str
        Of the components.
    colnames : list of list of list of str
        ``colnames[k][i]`` names the columns of component k in group i, groups being sorted.
    mats : list of list of array-like of shape (n_rows_of_group, n_columns)
        ``mats[k][i]`` are these columns; the numbers of columns may differ between groups.

    Examples
    --------
    >>> import numpy as np
    >>> from skmixed.statsmodels import VCSpec
    >>> VCSpec(["slope"], [[["x"], ["x"]]], [[np.ones((3, 1)), np.ones((2, 1))]]).names
    ['slope']
    """

    def __init__(
        self,
        names: Sequence[str],
        colnames: Sequence[Sequence[Sequence[str]]],
        mats: Sequence[Sequence[Any]],
    ) -> None:
        self.names = list(names)
        self.colnames = colnames
        self.mats = mats


class MixedLMParams:
    """Fixed effects, and variances in units of the residual variance.

    Parameters
    ----------
    k_fe : int
        Number of fixed effects.
    k_re : int
        Number of correlated random effects.
    k_vc : int
        Number of variance components.

    Attributes
    ----------
    fe_params : ndarray of shape (k_fe,)
        Fixed effects.
    cov_re : ndarray of shape (k_re, k_re)
        Covariance matrix of the random effects, divided by the residual variance.
    vcomp : ndarray of shape (k_vc,)
        Variance components, divided by it.
    k_re2, k_tot : int
        Numbers of different entries of ``cov_re``, and of all parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from skmixed.statsmodels import MixedLMParams
    >>> free = MixedLMParams(k_fe=3, k_re=2, k_vc=0)
    >>> free.cov_re = np.eye(2)  # for fit(free=free): no correlations
    >>> free.k_tot
    6
    """

    def __init__(self, k_fe: int, k_re: int, k_vc: int) -> None:
        self.k_fe = k_fe
        self.k_re = k_re
        self.k_vc = k_vc
        self.k_re2 = k_re * (k_re + 1) // 2
        self.k_tot = k_fe + self.k_re2 + k_vc
        self.fe_params = np.zeros(k_fe)
        self.cov_re = np.zeros((k_re, k_re))
        self.vcomp = np.zeros(k_vc)

    @classmethod
    def from_components(
        cls,
        fe_params: ArrayLike | None = None,
        cov_re: ArrayLike | None = None,
        cov_re_sqrt: ArrayLike | None = None,
        vcomp: ArrayLike | None = None,
    ) -> Self:
        """Parameters from their parts.

        Parameters
        ----------
        fe_params : array-like of shape (k_fe,), default=None
            Fixed effects.
        cov_re : array-like of shape (k_re, k_re), default=None
            Covariance matrix in units of the residual variance.
        cov_re_sqrt : array-like of shape (k_re, k_re), default=None
            L of ``cov_re = L L'``, in its place.
        vcomp : array-like of shape (k_vc,), default=None
            Variance components in units of the residual variance.

        Returns
        -------
        MixedLMParams

        Examples
        --------
        >>> from skmixed.statsmodels import MixedLMParams
        >>> MixedLMParams.from_components([1.0], cov_re_sqrt=[[2.0]]).cov_re
        array([[4.]])
        """
        fixed, variances = (np.array([] if v is None else v, float) for v in (fe_params, vcomp))
        matrix = np.array(np.empty((0, 0)) if cov_re is None else cov_re, dtype=float)
        if cov_re_sqrt is not None:
            root = np.asarray(cov_re_sqrt, dtype=float)
            matrix = root @ root.T
        found = cls(len(fixed), len(matrix), len(variances))
        found.fe_params, found.cov_re, found.vcomp = fixed, matrix, variances
        return found

    @classmethod
    def from_packed(
        cls, params: ArrayLike, k_fe: int, k_re: int, use_sqrt: bool, has_fe: bool
    ) -> Self:
        """Parameters from one vector.

        Parameters
        ----------
        params : array-like of shape (k,)
            Fixed effects, if ``has_fe``; the lower triangle of ``cov_re`` row by row; variance
            components.
        k_fe, k_re : int
            Numbers of fixed and of correlated random effects.
        use_sqrt : bool
            Whether the vector holds a lower triangular root of ``cov_re`` and square roots of the
            variance components in their place.
        has_fe : bool
            Whether it begins with the fixed effects; they are zero otherwise.

        Returns
        -------
        MixedLMParams

        Examples
        --------
        >>> from skmixed.statsmodels import MixedLMParams
        >>> MixedLMParams.from_packed([3.0, 2.0, 0.5], 1, 1, use_sqrt=False, has_fe=True).vcomp
        array([0.5])
        """
        packed = np.asarray(params, dtype=float)
        start = k_fe if has_fe else 0
        stop = start + k_re * (k_re + 1) // 2
        found = cls(k_fe, k_re, len(packed) - stop)
        found.fe_params = packed[:start].copy() if has_fe else np.zeros(k_fe)
        lower = np.zeros((k_re, k_re))
        lower[np.tril_indices(k_re)] = packed[start:stop]
        found.cov_re = lower @ lower.T if use_sqrt else lower + np.tril(lower, -1).T
        found.vcomp = packed[stop:] ** 2 if use_sqrt else packed[stop:].copy()
        return found

    def get_packed(self, use_sqrt: bool, has_fe: bool = False) -> np.ndarray:
        """All parameters in one vector.

        Parameters
        ----------
        use_sqrt : bool
            Whether a lower triangular root of ``cov_re`` and square roots of ``vcomp`` take their
            place; the root needs a positive definite matrix.
        has_fe : bool, default=False
            Whether the vector begins with the fixed effects.

        Returns
        -------
        ndarray of shape (k,)

        Raises
        ------
        ValueError
            For the root of a matrix that has none.

        Examples
        --------
        >>> from skmixed.statsmodels import MixedLMParams
        >>> MixedLMParams.from_components([1.0], cov_re=[[4.0]]).get_packed(True, has_fe=True)
        array([1., 2.])
        """
        matrix = _root(self.cov_re) if use_sqrt else np.asarray(self.cov_re)
        variances = np.sqrt(self.vcomp) if use_sqrt else self.vcomp
        triangle = matrix[np.tril_indices(len(matrix))]
        return np.concatenate([self.fe_params if has_fe else [], triangle, variances])

    def copy(self) -> MixedLMParams:
        """The same parameters in arrays of their own.

        Returns
        -------
        MixedLMParams

        Examples
        --------
        >>> from skmixed.statsmodels import MixedLMParams
        >>> MixedLMParams.from_components([1.0]).copy().fe_params
        array([1.])
        """
        return MixedLMParams.from_components(self.fe_params, self.cov_re, vcomp=self.vcomp)


def _root(matrix: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "cov_re is singular, and has no lower triangular root of full rank.\n"
            "Pack it with use_sqrt=False."
        ) from error
