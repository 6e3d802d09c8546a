"""One answer from models of several completed data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ..._data.checks import check_level
from ..._fit.model import FittedModel
from ..._report.tables import WholeTable
from .._arguments import fitted_model
from .._coefficients.hypotheses import read_hypothesis
from .._coefficients.rules import generalised_coefficients, linear_coefficients
from .._variances import VarianceEstimates
from .rubin import Rubin

READ = {True: linear_coefficients, False: generalised_coefficients}


class PooledTest(NamedTuple):
    """A joint test of pooled coefficients.

    Attributes
    ----------
    F : float
    num_df : int
    den_df : float
    pvalue : float
    """

    F: float
    num_df: int
    den_df: float
    pvalue: float

    def __repr__(self):
        return f"F({self.num_df}, {self.den_df:.1f}) = {self.F:.4g}, p = {self.pvalue:.4g}"


class Pooled(WholeTable):
    """Pooled coefficients.

    Made by :func:`pool`.  Slices and copies of it are plain DataFrames.

    Attributes
    ----------
    n_imputations : int
        Number of data sets.
    variances : DataFrame
        ``factor, effect, effect2, estimate`` of the variance components: means over the data sets.
    """

    _metadata = ["n_imputations", "variances", "_rubin", "_complete"]

    def __repr__(self):
        variances = self.variances.to_string(index=False, float_format=_number)
        heading = f"Pooled from {self.n_imputations} data sets by Rubin's rules"
        table = pd.DataFrame(self).to_string(float_format=_number, formatters=FORMATTERS)
        return f"{heading}\n{table}\n\nVariance components (means)\n{variances}"

    def _repr_html_(self):
        table = pd.DataFrame(self).to_html(float_format=_number, formatters=FORMATTERS, border=0)
        variances = self.variances.to_html(index=False, float_format=_number, border=0)
        return (
            f"<p>Pooled from {self.n_imputations} data sets by Rubin's rules</p>{table}"
            f"<p>Variance components (means)</p>{variances}"
        )

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the pooled coefficients, ``U + (1 + 1/m) B``.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> from sklearn.base import clone
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import pool
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group")
        >>> fits = [clone(model).fit(X, y + 0.01 * k * X["x1"]) for k in (0, 1)]
        >>> pool(fits).cov_params().shape
        (3, 3)
        """
        return pd.DataFrame(self._rubin.total, index=self.index, columns=self.index)

    def wald_test(self, spec: Any) -> PooledTest:
        """Test all rows of a linear hypothesis together (Li, Raghunathan and Rubin 1991).

        Parameters
        ----------
        spec : str, list of str, dict, array-like or pair
            As in ``results_.wald_test``; the name of a term tests all of its coefficients.

        Returns
        -------
        PooledTest
            ``F, num_df, den_df, pvalue``.  Li, Raghunathan and Rubin's degrees of freedom are for
            large samples; those of the complete data reduce them as in Barnard and Rubin's.

        Raises
        ------
        ValueError
            For no hypothesis about the coefficients.

        Examples
        --------
        >>> from sklearn.base import clone
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import pool
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group")
        >>> fits = [clone(model).fit(X, y + 0.01 * k * X["x1"]) for k in (0, 1)]
        >>> pool(fits).wald_test("x0 = 1, x1 = 2").num_df
        2
        """
        first, _ = self._complete[0]
        L, c = read_hypothesis(spec, first.names, first.terms)
        complete = [found.joint(L[:, np.argsort(order)], c)[2] for found, order in self._complete]
        return PooledTest(*self._rubin.joint(L, c, float(np.mean(complete))))


def pool(
    models: Sequence[Any],
    *,
    df: Literal["residual", "satterthwaite", "kenward-roger", "normal"] = "residual",
    cov: Literal["model", "CR0", "CR1", "CR2", "CR3"] = "model",
    clusters: Any = None,
    level: float = 0.95,
) -> Pooled:
    """Pool the fits of one model to several data sets, multiply imputed, by Rubin's rules.

    The coefficients are means over the m data sets; their variances are ``U + (1 + 1/m) B``, with U
    the mean of the variances and B the variance of the estimates between data sets; degrees of
    freedom are those of Barnard and Rubin.

    Parameters
    ----------
    models : list of fitted estimators
        The same model of two or more completed data sets.
    df : {"residual", "satterthwaite", "kenward-roger", "normal"}, default="residual"
        Degrees of freedom if nothing were missing, means over the data sets: observations less
        coefficients, as in R's mice; or Satterthwaite's or Kenward and Roger's, which are right
        for effects between few groups too; "normal" for infinitely many, which leaves Rubin's.
    cov, clusters
        Covariance of the coefficients, as in ``results_.coef_table``.
    level : float, default=0.95
        Of the confidence limits.

    Returns
    -------
    DataFrame
        By coefficient ``coef, std_err, df, t, p_value, ci_low, ci_high``, ``riv``, the relative
        increase of the variance by what is missing, and ``fmi``, the fraction of missing
        information.  ``variances`` has the means of the variance components; ``cov_params()`` and
        ``wald_test("C(region)")`` go on from there.

    Raises
    ------
    ValueError
        For fewer than two models, models with different coefficients or of different kinds, and as
        ``results_.coef_table``.

    References
    ----------
    Rubin (1987), Multiple Imputation for Nonresponse in Surveys.  Barnard and Rubin (1999),
    Small-sample degrees of freedom with multiple imputation, Biometrika 86.  Li, Raghunathan and
    Rubin (1991), Large-sample significance levels from multiply imputed data using moment-based
    statistics and an F reference distribution, J. American Statistical Association 86.

    Examples
    --------
    >>> import numpy as np
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import pool
    >>> X, y = make_mixed_regression(random_state=0)
    >>> rng = np.random.default_rng(0)
    >>> missing = rng.random(len(X)) < 0.2
    >>> fits = []
    >>> for _ in range(5):
    ...     drawn = np.where(missing, rng.permutation(X["x1"]), X["x1"])
    ...     fits.append(MixedLinearRegressor(groups="group").fit(X.assign(x1=drawn), y))
    >>> pool(fits)["fmi"].round(1).to_dict()
    {'Intercept': 0.0, 'x0': 0.2, 'x1': 0.5}
    """
    check_level(level)
    fitted = _same_model(models)
    found = [READ[m.fit.family.has_residual](m, df, cov, clusters) for m in fitted]
    identity = np.eye(len(found[0].names))
    orders = [np.array([c.names.index(n) for n in found[0].names], dtype=int) for c in found]
    ordered = list(zip(found, orders, strict=True))
    rubin = Rubin(
        np.array([c.estimates[k] for c, k in ordered]),
        np.array([c.covariance[np.ix_(k, k)] for c, k in ordered]),
        np.mean([c.df(identity)[k] for c, k in ordered], axis=0),
    )
    out = Pooled(_columns(rubin, level), index=found[0].names)
    out.n_imputations = len(fitted)
    out.variances = _variances(fitted)
    out._rubin = rubin
    out._complete = ordered
    return out


def _columns(rubin: Rubin, level: float) -> dict[str, np.ndarray]:
    std_err = np.sqrt(np.diag(rubin.total))
    t = rubin.mean / std_err
    half = stats.t.ppf(0.5 + level / 2.0, rubin.df) * std_err
    return {
        "coef": rubin.mean,
        "std_err": std_err,
        "df": rubin.df,
        "t": t,
        "p_value": 2.0 * stats.t.sf(np.abs(t), rubin.df),
        "ci_low": rubin.mean - half,
        "ci_high": rubin.mean + half,
        "riv": rubin.increase,
        "fmi": rubin.missing_information,
    }


def _probability(value):
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


FORMATTERS = {"p_value": _probability}


def _number(value):
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def _same_model(models: Sequence[Any]) -> list[FittedModel]:
    """The fitted models, which have the same coefficients."""
    fitted = [fitted_model(est, "models") for est in models]
    if len(fitted) < 2:
        raise ValueError(
            f"models: {len(fitted)} of them, and pooling needs two or more.\n"
            "Pass a fit of the model to every completed data set."
        )
    first = fitted[0]
    for k, model in enumerate(fitted[1:], 2):
        if model.fit.criterion != first.fit.criterion:
            raise ValueError(
                f"models: model {k} is of another kind than the first, or fitted by another "
                "method.\nPool fits of one and the same model."
            )
        other = set(model.coefficient_names) ^ set(first.coefficient_names)
        if other or model.names.terms != first.names.terms:
            which = ", ".join(sorted(other)) or "the random effects"
            raise ValueError(
                f"models: model {k} is another than the first: {which}.\n"
                "Pool fits of one and the same model; a category that one data set lacks can be "
                "kept by a pandas Categorical, or drop the column from all."
            )
    return fitted


def _variances(fitted: Sequence[FittedModel]) -> pd.DataFrame:
    """Means of the variance components."""
    found = [VarianceEstimates.of(model.fit) for model in fitted]
    names = fitted[0].names
    rows = [names.entry(*entry) for entry in found[0].entries]
    rows += [("Residual", "", "")] * (len(found[0].estimates) - len(rows))
    means = np.mean([v.estimates for v in found], axis=0)
    table = pd.DataFrame(rows, columns=["factor", "effect", "effect2"])
    return table.assign(estimate=means)
