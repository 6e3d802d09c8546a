"""Results under statsmodels' names."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Self

import numpy as np

from ...results import MixedResults
from .._likelihood import profiled
from .rows import RowValues
from .summary import print_summary
from .tests import Tests

__all__ = ["MixedLMResults"]


class MixedLMResults(Tests, RowValues):
    """Results of a :class:`MixedLM` with the attributes and shapes of statsmodels.

    Made by ``fit``.  Vectors and matrices are labelled where the data were pandas tables.

    Parameters
    ----------
    model : MixedLM
        What was fitted.
    found : Found
        What the fit found.
    reml : bool
        Whether the likelihood was restricted.
    hist : list of dict, default=None
        What is said of the search.

    Attributes
    ----------
    params : of length k_fe + k_re2 + k_vc
        Fixed effects; then the lower triangle of ``cov_re`` row by row and ``vcomp``, both divided
        by ``scale``.
    bse, tvalues, pvalues : of the same length
        Standard errors, and normal tests.
    fe_params, bse_fe : of length k_fe
        Fixed effects and their standard errors.
    cov_re : of shape (k_re, k_re)
        Covariance matrix of the random effects; ``cov_re_unscaled`` is divided by ``scale``.
    vcomp : ndarray of shape (k_vc,)
        Variance components.
    bse_re : of length k_re2 + k_vc
        Standard errors of the lower triangle of ``cov_re`` and of ``vcomp`` themselves, from the
        observed information; NaN at the boundary.
    scale : float
        Residual variance.
    llf, aic, bic : float
        (Restricted) log-likelihood, and the criteria from it, for REML too.
    results_ : MixedResults
        The same fit under this library's names: degrees of freedom, robust standard errors,
        profile and bootstrap limits of the variances, tests.
    method, converged, nobs, df_resid, df_modelwc, use_t, k_fe, k_re, k_re2, k_vc
        As in statsmodels.

    Examples
    --------
    >>> import skmixed.statsmodels as sm
    >>> from skmixed.datasets import make_mixed_regression
    >>> X, y = make_mixed_regression(random_state=0)
    >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
    >>> result.fe_params.round(2).to_dict()
    {'Intercept': 0.03, 'x0': 1.1, 'x1': 2.0}
    >>> result.params.index.to_list()
    ['Intercept', 'x0', 'x1', 'group Var']
    """

    def __repr__(self) -> str:
        return (
            f"<MixedLMResults: {self.nobs} observations, log-likelihood {self.llf:.4f}; "
            "summary() prints the tables>"
        )

    def summary(
        self,
        yname: str | None = None,
        xname_fe: list[str] | None = None,
        xname_re: list[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
    ) -> Any:
        """Printed tables in statsmodels' arrangement.

        Standard errors of variances are those of the variances that are printed beside them.

        Parameters
        ----------
        yname : str, default=None
            Name of the response.
        xname_fe, xname_re : list of str, default=None
            Names of the fixed effects, and of the variances and covariances.
        title : str, default=None
            Of the whole.
        alpha : float, default=0.05
            One less the level of the confidence limits.

        Returns
        -------
        statsmodels.iolib.summary2.Summary

        Raises
        ------
        ValueError
            For another number of names.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> print(str(result.summary()).splitlines()[0].strip())
        Mixed Linear Model Regression Results
        """
        known = self.model.data.param_names
        fixed = _renamed("xname_fe", xname_fe, known[: self.k_fe])
        effects = _renamed("xname_re", xname_re, known[self.k_fe :])
        return print_summary(self, yname, [*fixed, *effects], title, alpha)

    def profile_re(
        self,
        re_ix: int | str,
        vtype: str,
        num_low: int = 5,
        dist_low: float = 1.0,
        num_high: int = 5,
        dist_high: float = 1.0,
        **fit_kwargs: Any,
    ) -> np.ndarray:
        """Profile of the log-likelihood in one variance.

        The others are where it is largest.  ``results_.variance_table("profile")`` has limits.

        Parameters
        ----------
        re_ix : int or str
            Position of the random effect, or the name of the component.
        vtype : {"re", "vc"}
            Which of the two.
        num_low : int, default=5
            Number of points below the estimate.
        dist_low : float, default=1.0
            How far they reach.
        num_high : int, default=5
            Number of points above it.
        dist_high : float, default=1.0
            How far they reach.
        **fit_kwargs
            Taken for statsmodels' sake.

        Returns
        -------
        ndarray of shape (num_low + num_high + 1, 2)
            The variance and the log-likelihood.

        Raises
        ------
        ValueError
            For an unknown ``vtype`` or component, and points below zero.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.profile_re(0, "re", num_low=1, dist_low=0.5, num_high=1)[1].round(1)
        array([ 1.3000e+00, -1.6817e+03])
        """
        which = self._position(re_ix, vtype)
        variances = np.concatenate([np.diag(self.params_object.cov_re), self.params_object.vcomp])
        low = variances[which] - dist_low / self.scale
        if not low > 0:
            raise ValueError(
                f"dist_low={dist_low} is too large and would result in a negative variance.\n"
                "Try a smaller value."
            )
        left = np.linspace(low, variances[which], num_low + 1)
        right = np.linspace(
            variances[which], variances[which] + dist_high / self.scale, num_high + 1
        )[1:]
        found = self.model.unconstrained(self.reml)
        points = np.concatenate([left, right])
        return np.array([profiled(found, self.params_object, which, point) for point in points])

    def _position(self, re_ix: int | str, vtype: str) -> int:
        if vtype not in ("re", "vc"):
            raise ValueError(f"vtype={vtype!r} is not known.\nUse 're' or 'vc'.")
        if vtype == "re":
            return int(re_ix)
        names = [component.name for component in self.model.components]
        if re_ix not in names:
            raise ValueError(
                f"re_ix={re_ix!r} is no variance component.\nThe components are {', '.join(names)}."
            )
        return self.k_re + names.index(str(re_ix))

    def remove_data(self) -> None:
        """Leave out the rows: estimates, tests and the summary stay.

        Returns
        -------
        None

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.remove_data()
        >>> result.model.endog is None
        True
        """
        self.model.remove_data()
        self._found = self._found._replace(
            assembled=pickle.loads(pickle.dumps(self._found.assembled))
        )
        self.results_ = MixedResults(self._found.assembled.fitted)

    def save(self, fname: str | Path, remove_data: bool = False) -> None:
        """Pickle the results.

        Parameters
        ----------
        fname : str or Path
            Name of the file.
        remove_data : bool, default=False
            Whether to leave out the rows first.

        Returns
        -------
        None

        Examples
        --------
        >>> import tempfile, pathlib
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> with tempfile.TemporaryDirectory() as place:
        ...     result.save(pathlib.Path(place) / "fit.pickle")
        ...     sm.MixedLMResults.load(pathlib.Path(place) / "fit.pickle").nobs
        1000
        """
        if remove_data:
            self.remove_data()
        Path(fname).write_bytes(pickle.dumps(self))

    @classmethod
    def load(cls, fname: str | Path) -> Self:
        """Results from a file of :meth:`save`; only from sources that are trusted.

        Parameters
        ----------
        fname : str or Path
            Name of the file.

        Returns
        -------
        MixedLMResults

        Examples
        --------
        >>> import tempfile, pathlib
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> with tempfile.TemporaryDirectory() as place:
        ...     result.save(pathlib.Path(place) / "fit.pickle")
        ...     sm.MixedLMResults.load(pathlib.Path(place) / "fit.pickle").method
        'REML'
        """
        return pickle.loads(Path(fname).read_bytes())


def _renamed(argument: str, names: list[str] | None, known: list[str]) -> list[str]:
    if names is None:
        return known
    if len(names) != len(known):
        raise ValueError(
            f"{argument} should be a list of length {len(known)}, it has {len(names)} names.\n"
            f"Name {', '.join(known)}."
        )
    return list(names)
