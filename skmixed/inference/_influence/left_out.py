"""Predictions of rows, or of whole levels, from all the others."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve

from ..._algebra.machine import computing
from ..._fit.base import needs_residual, needs_solutions
from ..._fit.model import FittedModel
from ..._fit.parts import by_row
from ..._report.words import html_of_text
from .._arguments import fitted_model
from .deletions import WhitenedRows, positions, rows_of
from .influence import ROW, factor_of, unit_names


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Predictions of the rows of a fit from those that are not in their unit.

    Attributes
    ----------
    by : str
        The grouping factor whose levels are left out, or "row".
    predictions, errors, std_errors : Series
        Per row: the mean from the other units, the response less it, and the standard deviation of
        that difference.
    log_density : Series
        Per unit: logarithm of the normal density of its responses at these means, with the
        covariances of all data and the coefficients as they were estimated from the others.
    log_density_marginal : Series
        The same with the uncertainty of the coefficients.
    rmse, mae : float
        Root mean square and mean absolute error, rows counted with their weights.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import loo_predict
    >>> X, y = make_mixed_regression(random_state=0)
    >>> found = loo_predict(MixedLinearRegressor(groups="group").fit(X, y), by="group")
    >>> found.errors.shape, found.log_density.shape
    ((1000,), (100,))
    """

    by: str
    predictions: pd.Series
    errors: pd.Series
    std_errors: pd.Series
    log_density: pd.Series
    log_density_marginal: pd.Series
    rmse: float
    mae: float

    _repr_html_ = html_of_text

    def __str__(self) -> str:
        unit = "Rows" if self.by == ROW else f"Levels of {self.by}"
        return (
            f"{unit} predicted from the others: root mean square error {self.rmse:.4g}, mean "
            f"absolute error {self.mae:.4g}, log predictive density {self.log_density.sum():.4f}"
        )

    __repr__ = __str__


def loo_predict(est: Any, by: str | None = None) -> LeftOut:
    """Predict every row, or all rows of every level, from the others, in closed form.

    The relative covariances and sigma^2 are those of all data.  With ``P = V^-1 - V^-1 X C X'V^-1``
    the errors of the rows I are ``(P_II)^-1 (Py)_I``, with covariance ``sigma^2 (P_II)^-1``.  A row
    is predicted with the effects of its levels as the other rows say them; a level with its own
    effects unknown, those of other factors as the other rows say them.

    Parameters
    ----------
    est : MixedLinearRegressor
        Fitted: its training rows are needed, or chunks that can be read again.
    by : str, default=None
        Name of a grouping factor; None or "row" for single rows.

    Returns
    -------
    LeftOut

    Raises
    ------
    ValueError
        For an unknown factor, and for a classifier.
    AttributeError
        Where the training rows are not kept, as in a pickled model.

    Notes
    -----
    Single rows of chunks are read again part by part; levels need all rows in memory.

    References
    ----------
    Christensen, Pearson and Johnson (1992), Case-deletion diagnostics for mixed models,
    Technometrics 34.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import loo_predict
    >>> X, y = make_mixed_regression(random_state=0)
    >>> loo_predict(MixedLinearRegressor(groups="group").fit(X, y)).rmse > 1.0
    True
    """
    model = fitted_model(est)
    needs_residual(model.fit, "loo_predict is for", "Use cross_val_predict.")
    needs_solutions(model.fit, "loo_predict")
    f = factor_of(model, by)
    with computing(model.fit.dense_order):
        return _left_out(model, f)


def _left_out(model: FittedModel, f: int | None) -> LeftOut:
    sigma2 = model.fit.scale
    y, weights = (by_row(model, attrgetter(name)) for name in ("y", "known_weights"))
    sizes = np.ones(len(y))
    if f is None:
        found = _below([_rows(rows_of(model, part), sigma2) for part in model.parts()])
    else:
        rows = rows_of(model, model.training)
        found = _levels(rows, f, sigma2)
        sizes = np.bincount(rows.codes[f])
    unit = model.fit.units.response
    index = unit_names(model, None)
    units = unit_names(model, f)
    errors = unit * found.errors
    w = weights / np.sum(weights)
    shift = sizes * np.log(unit)

    def of_rows(values, name):
        return pd.Series(values, index, name=name)

    return LeftOut(
        by=units.name if f is not None else ROW,
        predictions=of_rows(y - errors, "prediction"),
        errors=of_rows(errors, "error"),
        std_errors=of_rows(unit * found.std_errors, "std_error"),
        log_density=pd.Series(found.log_density - shift, units, name="log_density"),
        log_density_marginal=pd.Series(found.marginal - shift, units, name="log_density_marginal"),
        rmse=float(np.sqrt(w @ errors**2)),
        mae=float(w @ np.abs(errors)),
    )


@dataclass(frozen=True, eq=False)
class Predicted:
    """Errors per row and log-densities per unit, in the frame's units."""

    errors: np.ndarray
    std_errors: np.ndarray
    log_density: np.ndarray
    marginal: np.ndarray


def _rows(rows: WhitenedRows, sigma2: float) -> Predicted:
    """Single rows."""
    P = rows.weights * (1.0 - rows.leverage)
    G = rows.whitened[:, :-1]
    K = P + np.sum(G @ rows.state.fixed.covariance * G, axis=1)
    e = rows.u / P
    half = 0.5 * np.log(2.0 * np.pi * sigma2)
    log_density = 0.5 * np.log(K) - half - 0.5 * K * e**2 / sigma2
    marginal = 0.5 * np.log(P) - half - 0.5 * P * e**2 / sigma2
    return Predicted(e, np.sqrt(sigma2 / P), log_density, marginal)


def _below(parts: list[Predicted]) -> Predicted:
    """Those of all rows."""
    pairs = zip(*(vars(part).values() for part in parts), strict=True)
    return Predicted(*map(np.concatenate, pairs))


def _levels(rows: WhitenedRows, f: int, sigma2: float) -> Predicted:
    """All rows of every level."""
    errors = np.empty(len(rows.y))
    variances = np.empty(len(rows.y))
    densities = []
    for own in positions(rows.codes[f]):
        K = rows.precision(own)
        G = rows.whitened[own, :-1]
        P = K - G @ rows.state.fixed.covariance @ G.T
        factor = cho_factor(P, lower=True)
        errors[own] = cho_solve(factor, rows.u[own])
        variances[own] = np.diag(cho_solve(factor, np.eye(len(own))))
        densities.append([_log_density(errors[own], Q, sigma2) for Q in (K, P)])
    return Predicted(errors, np.sqrt(sigma2 * variances), *np.transpose(densities))


def _log_density(e: np.ndarray, precision: np.ndarray, sigma2: float) -> float:
    """Of a normal vector with mean zero and covariance ``sigma2 precision^-1``."""
    constant = len(e) * np.log(2.0 * np.pi * sigma2)
    return 0.5 * (np.linalg.slogdet(precision)[1] - constant - e @ precision @ e / sigma2)
