"""Residuals of every kind, per row of the fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.linalg import cholesky, solve_triangular
from scipy.special import xlogy

from ..._algebra.machine import computing
from ..._data.checks import check_choice
from ..._fit.model import FittedModel
from ..._fit.parts import by_row
from ..._fit.training import Training
from .._arguments import fitted_model
from .deletions import rows_of

Residuals = Literal["response", "pearson", "standardized", "deviance", "working", "decorrelated"]
GIVEN = ("conditional", "population")
MOST_DENSE = 8_000  # rows of a block of V whose Cholesky factor is taken
OF_ALL_ROWS = ("decorrelated",)  # kinds that are no function of the row and its levels


def residuals(
    est: Any,
    kind: Residuals = "response",
    given: Literal["conditional", "population"] = "conditional",
) -> pd.Series | np.ndarray:
    """Residuals of the rows of the fit.

    With e = y - mu, for a regressor mu = X beta + Z b ("conditional") or X beta ("population"), s
    the residual standard deviation, h the leverage, V the covariance of y and w the weights:

    ============== ========================= ========================================
    kind           conditional               population
    ============== ========================= ========================================
    "response"     e                         e
    "pearson"      sqrt(w) e / s             e / sqrt(V_ii)
    "standardized" sqrt(w) e / (s sqrt(1-h)) e / sqrt((V - X C X')_ii), C = Cov(beta)
    "decorrelated"                           L^-1 e, V = LL' in the order of the rows
    ============== ========================= ========================================

    For a classifier mu is a probability: "pearson" is ``e sqrt(w / (mu (1 - mu)))``, "deviance" the
    signed root of a row's deviance, "working" ``e / (mu (1 - mu))``, and "standardized" the first
    divided by ``sqrt(1 - h)`` with the leverage of the working linear model.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted in this process: training rows are needed, or chunks that can be read again.
    kind : str, default="response"
        As in the table.
    given : {"conditional", "population"}, default="conditional"
        With the effects of the levels, or with all of them at zero.

    Returns
    -------
    Series or ndarray of shape (n_rows,)
        A Series where X was a pandas table.

    Raises
    ------
    ValueError
        For a kind that the model does not have.
    AttributeError
        Where the training rows are not kept, as in a pickled model.

    Notes
    -----
    Of a model that was fitted to chunks the rows are read again part by part, in the order of the
    source; "decorrelated" residuals need all rows in memory.

    References
    ----------
    Pinheiro and Bates (2000), Mixed-Effects Models in S and S-PLUS, section 4.3. Houseman, Ryan and
    Coull (2004), Cholesky residuals for assessing normal errors in a linear model with correlated
    outcomes, JASA 99.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import residuals
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> round(float(residuals(model, "standardized").std()), 1)
    1.0
    """
    model = fitted_model(est)
    values = residuals_of(model, kind, given)
    index = model.index
    return values if index is None else pd.Series(values, index=index, name=kind)


def residuals_of(model: FittedModel, kind: str, given: str = "conditional") -> np.ndarray:
    """Of a fitted model, as :func:`residuals`."""
    found = KINDS[model.fit.family.has_residual]
    check_choice("given", given, GIVEN)
    check_choice("kind", kind, [k for k, g in found if g == given])
    of_part = partial(found[kind, given], model)
    with computing(model.fit.dense_order):
        return of_part(model.training) if kind in OF_ALL_ROWS else by_row(model, of_part)


def _error(model: FittedModel, part: Training, given: str) -> tuple[np.ndarray, np.ndarray]:
    """``y - mu``, and mu."""
    rows, codes = part.read()
    known = codes if given == "conditional" else model.reader.unknown(rows)
    mean = model.fit.family.mean(model.predictor(rows, known))
    return part.y - mean, mean


def _response(model, part, given):
    return _error(model, part, given)[0]


# ---- linear models: in the frame, where residuals keep their digits


def _pearson(model, part):
    rows = rows_of(model, part)
    return np.sqrt(rows.weights / model.fit.scale) * rows.residuals


def _standardised(model, part):
    rows = rows_of(model, part)
    variances = model.fit.scale * (1.0 - rows.leverage) / rows.weights
    return rows.residuals / np.sqrt(variances)


def _marginal_pearson(model, part):
    rows = rows_of(model, part)
    return rows.marginal_residuals / np.sqrt(model.fit.scale * rows.marginal_variances)


def _marginal_standardised(model, part):
    rows = rows_of(model, part)
    known = np.sum(rows.x @ rows.state.fixed.covariance * rows.x, axis=1)
    return rows.marginal_residuals / np.sqrt(model.fit.scale * (rows.marginal_variances - known))


def _decorrelated(model, part):
    rows = rows_of(model, part)
    e = rows.marginal_residuals / np.sqrt(model.fit.scale)
    out = np.empty(len(e))
    for own in rows.independent_sets:
        if len(own) > MOST_DENSE:
            raise ValueError(
                f"kind='decorrelated': {len(own):,} rows are correlated with each other, more than "
                f"{MOST_DENSE:,}.\nUse kind='standardized'."
            )
        root = cholesky(rows.covariance(own), lower=True)
        out[own] = solve_triangular(root, e[own], lower=True)
    return out


# ---- outcomes of two kinds


def _binary_pearson(model, part, given):
    error, mean = _error(model, part, given)
    spread = np.sqrt(mean * (1.0 - mean))  # zero where rounding leaves a probability of 0 or 1
    scaled = np.sqrt(part.known_weights) * error
    return np.divide(scaled, spread, out=np.zeros_like(scaled), where=scaled != 0)


def _binary_standardised(model, part):
    leverage = rows_of(model, part).leverage
    return _binary_pearson(model, part, "conditional") / np.sqrt(1.0 - leverage)


def _working(model, part, given):
    _, mean = _error(model, part, given)
    y = part.y
    return _part(y, mean) - _part(1.0 - y, 1.0 - mean)


def _deviance(model, part, given):
    error, mean = _error(model, part, given)
    y = part.y
    parts = xlogy(y, _part(y, mean)) + xlogy(1.0 - y, _part(1.0 - y, 1.0 - mean))
    return np.sign(error) * np.sqrt(np.maximum(2.0 * part.known_weights * parts, 0.0))


def _part(y, mean):
    """``y / mean``; zero for a y of zero, though rounding leave a mean of zero too."""
    return np.divide(y, mean, out=np.zeros_like(mean), where=y != 0)


def _for_both(**functions: Callable) -> dict[tuple[str, str], Callable]:
    return {(k, g): partial(f, given=g) for k, f in functions.items() for g in GIVEN}


#: by whether there is a residual variance
KINDS: dict[bool, dict[tuple[str, str], Callable]] = {
    True: _for_both(response=_response)
    | {
        ("pearson", "conditional"): _pearson,
        ("standardized", "conditional"): _standardised,
        ("pearson", "population"): _marginal_pearson,
        ("standardized", "population"): _marginal_standardised,
        ("decorrelated", "population"): _decorrelated,
    },
    False: _for_both(
        response=_response, pearson=_binary_pearson, working=_working, deviance=_deviance
    )
    | {("standardized", "conditional"): _binary_standardised},
}
