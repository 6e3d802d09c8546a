"""Influence of rows and of levels on the estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..._algebra.machine import computing
from ..._data.tables import unknown_column
from ..._fit.base import Fit, needs_solutions
from ..._fit.model import FittedModel
from ..._report.progress import Progress
from ..._report.tables import rounded_html
from .._arguments import fitted_model
from .._variances import VarianceEstimates
from .deletions import (
    Deleted,
    positions,
    rows_of,
    without_levels,
    without_levels_read_again,
    without_rows,
)
from .refits import displacement_of, refits

ROW = "row"
SHOWN = 5  # units that are printed


@dataclass(frozen=True, eq=False)
class Influence:
    """What the estimates are without each of some units: one grouping factor's levels, or rows.

    Tables and series have an entry per unit, in the order of the levels or of the rows.

    Attributes
    ----------
    by : str
        The grouping factor whose levels are left out, or "row".
    refit : bool
        Whether the covariances were estimated anew.
    coefficients, std_errors : DataFrame
        Without each unit.
    variances : DataFrame
        Variances and covariances without each unit; where the relative covariances are kept they
        go with the residual variance.
    loglik : Series
        Log-likelihoods of the refits, NaN where there are none.
    likelihood_displacement : Series
        Twice the fall of the log-likelihood of all data at the parameters without the unit (Cook
        1986): for a regressor at its covariances and residual variance, for a classifier at all
        parameters.  NaN without refits.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import influence
    >>> X, y = make_mixed_regression(random_state=0)
    >>> found = influence(MixedLinearRegressor(groups="group").fit(X, y), by="group")
    >>> found.cooks_distance.idxmax() in X["group"].to_numpy()
    True
    """

    by: str
    refit: bool
    coefficients: pd.DataFrame
    std_errors: pd.DataFrame
    variances: pd.DataFrame
    loglik: pd.Series
    likelihood_displacement: pd.Series
    _all: Full = field(repr=False)
    _covariances: np.ndarray = field(repr=False)

    @property
    def dfbeta(self) -> pd.DataFrame:
        """Coefficients of all data less those without the unit."""
        return self._all.coefficients - self.coefficients

    @property
    def dfbetas(self) -> pd.DataFrame:
        """The same in standard errors of the coefficients without the unit."""
        return self.dfbeta / self.std_errors

    @property
    def dfbetas_full_se(self) -> pd.DataFrame:
        """The same in standard errors of those of all data."""
        return self.dfbeta / np.sqrt(np.diag(self._all.covariance))

    @property
    def cooks_distance(self) -> pd.Series:
        """``(b - b_u)' V^-1 (b - b_u) / p``, V the covariance of b (Cook 1977)."""
        d = self.dfbeta.to_numpy()
        return self._series(_mean_squares(d, self._all.covariance), "cooks_distance")

    @property
    def mdffits(self) -> pd.Series:
        """The same with the covariance of the coefficients without the unit."""
        d = self.dfbeta.to_numpy()
        return self._series(_mean_squares(d, self._covariances), "mdffits")

    @property
    def covratio(self) -> pd.Series:
        """``det V_u / det V``."""
        logarithm = np.linalg.slogdet(self._relative)[1]
        return self._series(np.exp(logarithm), "covratio")

    @property
    def covtrace(self) -> pd.Series:
        """``|tr(V^-1 V_u) - p|``."""
        trace = np.trace(self._relative, axis1=1, axis2=2)
        return self._series(np.abs(trace - len(self._all.covariance)), "covtrace")

    @property
    def relative_variance_change(self) -> pd.DataFrame:
        """Variance parameters without the unit, over those of all data, less one."""
        return self.variances / self._all.variances - 1.0

    @property
    def _relative(self):
        """``V^-1 V_u``, in units in which V has ones on its diagonal."""
        sd = np.sqrt(np.diag(self._all.covariance))
        units = np.outer(sd, sd)
        return np.linalg.solve(self._all.covariance / units, self._covariances / units)

    def _series(self, values, name):
        return pd.Series(values, index=self.coefficients.index, name=name)

    def to_frame(self) -> pd.DataFrame:
        """Cook's distance, MDFFITS, COVRATIO, COVTRACE, and DFBETAS of every coefficient.

        Returns
        -------
        DataFrame
            A row per unit.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import influence
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> influence(model, by="group").to_frame().columns.to_list()[:3]
        ['cooks_distance', 'mdffits', 'covratio']
        """
        overall = [self.cooks_distance, self.mdffits, self.covratio, self.covtrace]
        return pd.concat([*overall, self.dfbetas.add_prefix("dfbetas_")], axis=1)

    def __str__(self) -> str:
        return f"{self._head}\n{self._largest.to_string(float_format='{:.4g}'.format)}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._head)}</p>{rounded_html(self._largest)}"

    @property
    def _head(self):
        how = "refitted without each" if self.refit else "covariances kept"
        count = len(self.coefficients)
        return f"Influence of {self.by}s on the estimates, {how}; the largest of {count}:"

    @property
    def _largest(self):
        return self.to_frame().sort_values("cooks_distance", ascending=False).head(SHOWN)


@dataclass(frozen=True, eq=False)
class Full:
    """Estimates of all data: coefficients, their covariance, and variance parameters."""

    coefficients: pd.Series
    covariance: np.ndarray
    variances: pd.Series


def _mean_squares(d, covariances):
    """``d'V^-1 d / p`` of every row d."""
    solved = np.linalg.solve(np.broadcast_to(covariances, (len(d), *d.shape[1:] * 2)), d[..., None])
    return np.sum(d * solved[..., 0], axis=1) / d.shape[1]


def influence(
    est: Any, by: str | None = None, refit: bool = False, *, progress: bool = False
) -> Influence:
    """What each level of a grouping factor, or each row, does to the estimates.

    Without a refit the relative covariances of the random effects are kept, and everything follows
    in closed form: with ``P = V^-1 - V^-1 X C X'V^-1`` the coefficients without the rows I are
    ``b - C (X'V^-1)_I (P_II)^-1 (Py)_I`` (Christensen, Pearson and Johnson 1992), and the residual
    variance is estimated from the rows that are left.  For a classifier that is done in the working
    linear model: one Newton step.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted: its training rows are needed, or chunks that can be read again.
    by : str, default=None
        Name of a grouping factor; None or "row" for single rows.
    refit : bool, default=False
        Whether to fit the model again without each unit.
    progress : bool, default=False
        Count the refits on stderr, by tqdm where it is installed.

    Returns
    -------
    Influence
        Tables of the estimates, and of Cook's distance, DFBETAS and the like.

    Raises
    ------
    ValueError
        For an unknown factor.
    AttributeError
        Where the training rows are not kept, as in a pickled model.

    Notes
    -----
    Of chunks, which are read again, the levels of an outermost factor are left out without a refit;
    single rows, levels that are crossed with others, and refits need all rows in memory.

    References
    ----------
    Christensen, Pearson and Johnson (1992), Case-deletion diagnostics for mixed models,
    Technometrics 34. Cook (1977), Detection of influential observation in linear regression,
    Technometrics 19. Cook (1986), Assessment of local influence, J. R. Stat. Soc. B 48.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import influence
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> influence(model, by="group").cooks_distance.shape
    (100,)
    """
    model = fitted_model(est)
    f = factor_of(model, by)
    label = ROW if f is None else model.names.factors[f]
    needs_solutions(model.fit, "influence")
    with computing(model.fit.dense_order):
        return _refitted(model, f, label, progress) if refit else _closed(model, f, label)


def factor_of(model: FittedModel, by: str | None) -> int | None:
    """The factor whose levels are left out; None for single rows."""
    if by is None or (by == ROW and ROW not in model.names.factors):
        return None
    if by not in model.names.factors:
        raise unknown_column("by", by, [*model.names.factors, ROW])
    return model.names.factors.index(by)


def unit_names(model: FittedModel, f: int | None) -> pd.Index:
    """What the units are called."""
    if f is not None:
        return pd.Index(model.names.levels[f], name=model.names.factors[f])
    index = model.index
    return pd.RangeIndex(model.n_rows, name=ROW) if index is None else index


def _full(model: FittedModel) -> Full:
    fit = model.fit
    estimates = VarianceEstimates.of(fit)
    names = [_entry_name(model, *entry) for entry in estimates.entries]
    names += ["Residual|var"] * fit.family.has_residual
    own = fit.coefficients[fit.units.independent]
    return Full(
        pd.Series(own, index=model.coefficient_names),
        fit.coefficient_covariance,
        pd.Series(estimates.estimates, index=names),
    )


def _entry_name(model, term, row, col):
    factor, first, second = model.names.entry(term, row, col)
    return f"{factor}|var({first})" if row == col else f"{factor}|cov({first},{second})"


def _closed(model: FittedModel, f: int | None, label: str) -> Influence:
    """With the relative covariances kept."""
    fit = model.fit
    deleted = _deleted(model, f)
    full = _full(model)
    sigma2 = _residual_variances(fit, deleted)
    transform = fit.units.transform
    shifts = fit.coefficients[fit.units.independent] - transform @ fit.linear.fixed.beta
    covariances = sigma2[:, None, None] * (transform @ deleted.C @ transform.T)
    variances = np.outer(sigma2 / fit.scale, full.variances.to_numpy())
    found = Found(deleted.beta @ transform.T + shifts, covariances, variances)
    return _influence(found, unit_names(model, f), label, full, refit=False)


def _deleted(model: FittedModel, f: int | None) -> Deleted:
    if f is not None and not model.has_rows_in_memory:
        return without_levels_read_again(model, f)
    rows = rows_of(model, model.training)
    return without_rows(rows) if f is None else without_levels(rows, f)


def _residual_variances(fit: Fit, deleted: Deleted) -> np.ndarray:
    """In the frame's units; one where there is none."""
    if not fit.family.has_residual:
        return np.ones(len(deleted.n))
    return deleted.r2 / (deleted.n - fit.criterion.reml * fit.rank)


class Found(NamedTuple):
    """Estimates without each unit; NaN where there are none."""

    coefficients: np.ndarray
    covariances: np.ndarray
    variances: np.ndarray
    loglik: np.ndarray | None = None
    displacement: np.ndarray | None = None


def _influence(found: Found, units: pd.Index, by: str, full: Full, *, refit: bool) -> Influence:
    names = full.coefficients.index
    std_errors = np.sqrt(np.diagonal(found.covariances, axis1=1, axis2=2))
    unknown = np.full(len(units), np.nan)
    loglik = unknown if found.loglik is None else found.loglik
    displacement = unknown if found.displacement is None else found.displacement
    return Influence(
        by=by,
        refit=refit,
        coefficients=pd.DataFrame(found.coefficients, units, names),
        std_errors=pd.DataFrame(std_errors, units, names),
        variances=pd.DataFrame(found.variances, units, full.variances.index),
        loglik=pd.Series(loglik, units, name="loglik"),
        likelihood_displacement=pd.Series(displacement, units, name="likelihood_displacement"),
        _all=full,
        _covariances=found.covariances,
    )


def _refitted(model: FittedModel, f: int | None, label: str, progress: bool) -> Influence:
    """With everything estimated anew."""
    full = _full(model)
    entries = VarianceEstimates.of(model.fit).entries
    _, codes = model.training.read()
    rows = np.arange(len(model.training.y))
    units = positions(rows if f is None else codes[f])
    fits = []
    fit_of_all = model.fit.at_hand()
    with Progress(len(units), "influence", "refit", progress) as counted:
        for fit in refits(model, units):
            fits.append(_estimates(fit, fit_of_all, entries))
            counted.advance()
    found = Found(*map(np.array, zip(*fits, strict=True)))
    return _influence(found, unit_names(model, f), label, full, refit=True)


def _estimates(fit: Fit, full: Fit, entries: Sequence[tuple[int, int, int]]) -> Found:
    """Of a refit, for the coefficients of all data; NaN where one can't be estimated any more."""
    own = full.units.independent
    place = {k: i for i, k in enumerate(fit.units.independent)}
    kept = [k for k, column in enumerate(own) if column in place]
    chosen = [place[own[k]] for k in kept]
    covariance = np.full((len(own), len(own)), np.nan)
    covariance[np.ix_(kept, kept)] = fit.coefficient_covariance[np.ix_(chosen, chosen)]
    coefficients = np.full(len(own), np.nan)
    coefficients[kept] = fit.coefficients[own[kept]]
    variances = [fit.covariances[term][row, col] for term, row, col in entries]
    variances += [fit.sigma2] * fit.family.has_residual
    displacement = displacement_of(fit, full)
    return Found(coefficients, covariance, np.array(variances), fit.loglik, displacement)
