"""How much of the variance of coefficients is due to columns that say nearly the same.

With R the correlation matrix of the estimated coefficients but the intercept, and its blocks for a
term and for the rest,

    GVIF = det(R_term) det(R_rest) / det(R)

(Fox and Monette 1992), the diagonal of ``R^-1`` for a term of one column.  Belsley's condition
indices are those of the columns, the intercept among them, each of length one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..._fit.model import FittedModel
from ..._report.tables import WholeTable
from .._arguments import fitted_model
from .._coefficients.terms import ModelTerm, model_terms
from .._penalised import refuse_ridge

HIGH = 10.0  # variance inflation of one column from which a summary has a line about it
LARGEST = 500  # coefficients up to which a summary looks
VARIABLE = re.compile(r"[^\W\d][\w.]*(?!\w*\s*\()\b")


class Collinearity(WholeTable):
    """Variance inflation by term, and what is known by column.

    Made by :func:`collinearity`.  Slices and copies of it are plain DataFrames.

    Attributes
    ----------
    vif : Series
        Variance inflation by coefficient.
    condition_number : float
        The largest of ``condition_indices``.
    condition_indices : ndarray
        Largest singular value of the columns over each, the columns being of length one.
    variance_proportions : DataFrame
        A row for each condition index, a column for each coefficient: the share of its variance
        that comes from there.
    """

    _metadata = ["vif", "condition_number", "condition_indices", "variance_proportions"]

    def __repr__(self):
        if not len(self):
            return "No columns that could say the same: the fixed effects are an intercept at most."
        return f"{self._printed()}\nCondition number: {self.condition_number:.4g}"

    def _printed(self):
        return pd.DataFrame(self).round(3)

    def _repr_html_(self):
        table = self._printed().to_html(border=0)
        return f"{table}<p>Condition number: {self.condition_number:.4g}</p>"


def collinearity(est: Any, *, terms: Mapping[str, Any] | None = None) -> Collinearity:
    """Variance inflation factors and condition numbers of the fixed effects.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted.
    terms : dict, default=None
        Columns that are one term, as in :func:`anova`.

    Returns
    -------
    DataFrame
        By term ``df`` (its number of coefficients), ``gvif`` (how much larger the joint confidence
        region of its coefficients is, squared, than without the other terms: the VIF where it has
        one) and ``gvif_power``, ``gvif^(1 / (2 df))``, comparable between terms: standard errors
        are so many times larger.  ``vif``, ``condition_number``, ``condition_indices`` and
        ``variance_proportions`` are attributes.  Coefficients that were dropped have no part in it.

    Raises
    ------
    ValueError
        For a column that is not there, and penalised estimates.

    Notes
    -----
    The factors are from the covariance of the coefficients of the mixed model, as those of R's car
    and performance.  High ones mean that the data hardly tell the terms apart; they are no fault of
    powers of a column, or of a product and its parts, whose joint test is what matters.

    References
    ----------
    Fox and Monette (1992), Generalized collinearity diagnostics, J. American Statistical
    Association 87.  Belsley, Kuh and Welsch (1980), Regression Diagnostics.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import collinearity
    >>> X, y = make_mixed_regression(random_state=0)
    >>> near = X.assign(x2=X["x0"] + 0.1 * X["x1"] ** 2)
    >>> collinearity(MixedLinearRegressor(groups="group").fit(near, y)).round(1)
        df  gvif  gvif_power
    x0   1  55.2         7.4
    x1   1   1.0         1.0
    x2   1  55.2         7.4
    """
    model = fitted_model(est)
    refuse_ridge(model.fit, "variance inflation is", "Fit without penalties to see it.")
    every = model_terms(model, terms)
    R, names = _correlations(model)
    own = _positions(model, every)
    sizes = np.array([len(columns) for columns in own.values()], dtype=int)
    gvif = np.array([_inflation(R, columns) for columns in own.values()])
    columns = {"df": sizes, "gvif": gvif, "gvif_power": gvif ** (0.5 / np.maximum(sizes, 1))}
    out = Collinearity(columns, index=list(own))
    each = [_inflation(R, np.array([k])) for k in range(len(R))]
    out.vif = pd.Series(each, index=names, name="vif", dtype=float)
    out.condition_indices, out.variance_proportions = _conditions(model)
    out.condition_number = float(np.max(out.condition_indices, initial=1.0))
    return out


def _correlations(model: FittedModel):
    """Correlations of the coefficients that were kept, without the intercept, and their names."""
    first = int(model.names.intercept)
    V = model.fit.coefficient_covariance[first:, first:]
    with np.errstate(all="ignore"):
        sd = np.sqrt(np.diag(V))
        return V / sd / sd[:, None], model.coefficient_names[first:]


def _positions(model: FittedModel, terms: Sequence[ModelTerm]) -> dict[str, np.ndarray]:
    """Places of the coefficients of every term that has some, the intercept not counted."""
    first = int(model.names.intercept)
    places = {int(k): place - first for place, k in enumerate(model.fit.units.independent)}
    found = {t.name: [places[k] for k in t.columns if k in places] for t in terms}
    return {name: np.array(columns, dtype=int) for name, columns in found.items() if columns}


def _inflation(R, columns):
    """GVIF; infinite where R is singular."""
    rest = np.setdiff1d(np.arange(len(R)), columns)
    if not np.all(np.isfinite(R)):
        return np.nan
    signs, logs = zip(
        *(np.linalg.slogdet(R[np.ix_(c, c)]) for c in (columns, rest, np.arange(len(R)))),
        strict=True,
    )
    if signs[2] <= 0:
        return np.inf
    with np.errstate(over="ignore"):
        return float(np.exp(logs[0] + logs[1] - logs[2]))


def _conditions(model: FittedModel):
    """Condition indices, and the shares of the variances that belong to each."""
    W = model.fit.units.root_of_columns
    _, values, vectors = np.linalg.svd(W / np.linalg.norm(W, axis=0))
    indices = values[0] / values if len(values) else values
    parts = (vectors / values[:, None]) ** 2
    shares = parts / parts.sum(axis=0)
    return indices, pd.DataFrame(shares, columns=model.coefficient_names)


def notable_collinearity(model: FittedModel) -> str:
    """What a summary says of the term with the largest inflation; empty where there is nothing.

    Terms that share a column of the data with others, as powers and products do, are left out.
    """
    if model.fit.is_penalised or not 1 < model.fit.rank <= LARGEST:
        return ""
    R, _ = _correlations(model)
    terms = _apart(model, model_terms(model))
    own = _positions(model, terms)
    found = {name: _inflation(R, c) ** (1.0 / len(c)) for name, c in own.items()}
    worst = max(found, key=lambda name: np.nan_to_num(found[name]), default=None)
    if worst is None or not found[worst] > HIGH:
        return ""
    return (
        f"Collinear: the variance of {worst} is {found[worst]:,.0f} times what it were if no other "
        "column said nearly the same."
    )


def _apart(model, terms):
    """Terms that share no column of the data with another one."""
    if getattr(model.reader.door, "formula", None) is None:
        return terms
    used = {t.name: set(VARIABLE.findall(t.name)) for t in terms}
    return [t for t in terms if not any(used[t.name] & used[o.name] for o in terms if o is not t)]
