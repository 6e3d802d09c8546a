"""Predictions of a fitted model for new rows: what they are, and what they do not know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag

from .._data.checks import check_choice, warn
from .._data.factors import Factor
from .._data.rows import Rows
from .._model.averages import Averages
from ..exceptions import EstimabilityWarning, GroupsWarning
from .kinds import KINDS, Kind
from .model import FittedModel
from .uncertainty import Linearised, error_variances, prior_variances

MOST_NAMED = 4  # dropped columns in a warning


def read_rows(
    model: FittedModel, X: Any, groups: Any, kind: Kind, *, warns: bool = True
) -> tuple[Rows, list[np.ndarray]]:
    """Rows and codes per factor; every level counts as new for kinds that ignore the groups.

    Rows whose predictions the data do not determine are warned of, if ``warns``.
    """
    check_choice("kind", kind, KINDS)
    reader = model.reader
    rows = reader.read(X, groups)
    if warns and model.dependencies is not None:
        _warn_of_undetermined(model, model.dependencies.broken_by(rows.X))
    if kind != "conditional":
        return rows, reader.unknown(rows)
    _warn_without_groups(model, rows)
    return rows, reader.codes(rows)


def _warn_without_groups(model, rows):
    if model.reader.factors and not rows.labels:
        warn(
            f"This {model.reader.owner} was fitted with groups; without them every level counts as "
            "new.\nPass groups=, or ask for kind='population'.",
            GroupsWarning,
        )


def _warn_of_undetermined(model, broken):
    """Of rows that break a dependency of the fit; ``broken`` is (n, dropped)."""
    count = int(np.sum(np.any(broken, axis=1)))
    if count:
        reasons = "; ".join(broken_dependencies(model, np.any(broken, axis=0)))
        warn(
            f"X: the data do not determine the predictions of {count} of {len(broken)} rows: "
            f"{reasons} at fit, but not here.\nDropped columns count with a coefficient of 0; "
            "another coding of the same model would predict something else.",
            EstimabilityWarning,
        )


def broken_dependencies(model: FittedModel, which: np.ndarray) -> list[str]:
    """What was so at fit, in words; ``which`` of the dropped columns."""
    dependencies = model.fit.units.dependencies
    names = model.names.fixed
    words = []
    for j in np.flatnonzero(which):
        own = dependencies.dropped[j]
        others = [repr(names[k]) for k in dependencies.takes_part(j) if k != own]
        how = f"depended linearly on {', '.join(others)}" if others else "was constant"
        words.append(f"{names[own]!r} {how}")
    more = len(words) - MOST_NAMED
    return words if more <= 0 else [*words[:MOST_NAMED], f"{more} more depended on others"]


def distribution(
    model: FittedModel, rows: Rows, codes, kind: Kind
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the linear predictor: what is not known is normal around
    zero.
    """
    eta = model.predictor(rows, codes)
    if kind == "population" or not codes or not model.fit.family.is_curved:
        return eta, np.zeros(len(rows))
    z = [model.predictor.varying(rows, f) for f in range(len(codes))]
    variances = prior_variances(factor_covariances(model), z, codes)
    return eta, np.sqrt(np.maximum(variances, 0.0))


def factor_covariances(model: FittedModel) -> list[np.ndarray]:
    """Covariance matrix of all effects of every factor."""
    terms = list(zip(model.reader.terms, model.fit.covariances, strict=True))
    factors = range(len(model.reader.factors))
    return [block_diag(*(S for t, S in terms if t.factor == f)) for f in factors]


def averages(model: FittedModel, rows: Rows, codes, kind: Kind) -> Averages:
    """The means of the responses, and their derivatives."""
    return model.fit.family.averaged(*distribution(model, rows, codes, kind))


def linearised(model: FittedModel, rows: Rows, codes, kind: Kind) -> Linearised:
    """Predictions with what their derivatives are made of."""
    found = averages(model, rows, codes, kind)
    bend = np.zeros(len(rows)) if kind == "population" else 0.5 * found.bend
    return Linearised(found.mean, found.slope, bend, *model.fit.units.columns(rows.X), codes)


def linear_predictors(model: FittedModel, rows: Rows, codes, kind: Kind) -> Linearised:
    """Linear predictors in the place of predictions; of a linear model they are the same."""
    eta = model.predictor(rows, codes)
    columns = model.fit.units.columns(rows.X)
    found = Linearised(eta, np.ones(len(rows)), np.zeros(len(rows)), *columns, codes)
    if model.dependencies is None:
        return found
    return replace(found, standard=model.dependencies.frame.standardised(rows.X))


def linearised_if_determined(model: FittedModel, rows: Rows, codes, kind: Kind) -> Linearised:
    """The same with what shows whether the data determine combinations of them.

    Means that are no linear function of the columns are NaN where they do not.
    """
    found = linearised(model, rows, codes, kind)
    dependencies = model.dependencies
    if dependencies is None:
        return found
    if model.fit.family.is_curved:
        is_broken = np.any(dependencies.broken_by(rows.X), axis=1)
        return replace(found, mean=np.where(is_broken, np.nan, found.mean))
    return replace(found, standard=dependencies.frame.standardised(rows.X))


def predicted_means(
    model: FittedModel,
    X: Any,
    groups: Any = None,
    kind: Kind = "conditional",
    return_std: bool = False,
) -> Any:
    """Means of a linear model's responses, with the standard errors of these if wanted."""
    rows, codes = read_rows(model, X, groups, kind)
    mean = model.predictor(rows, codes)
    if not return_std:
        return mean
    return mean, np.sqrt(mean_variances(model, rows, codes, kind))


def mean_variances(model: FittedModel, rows: Rows, codes, kind: Kind) -> np.ndarray:
    """Variances of the errors of a linear model's means, new levels with all of theirs."""
    fit = model.fit
    columns = (*fit.units.columns(rows.X), codes)
    known = known_variances(model, rows, codes, kind)
    return known + fit.units.variance * fit.second_order.shifted(*columns)


def known_variances(model: FittedModel, rows: Rows, codes, kind: Kind) -> np.ndarray:
    """The same as if the covariances were known."""
    fit = model.fit
    columns = (*fit.units.columns(rows.X), codes)
    found = error_variances(fit.linear, *columns, prior=kind != "population")
    return fit.units.variance * fit.scale * found


class Errors(NamedTuple):
    """Mean squared errors of predictions, and the degrees of freedom of these.

    Attributes
    ----------
    variance : (n,)
    df : (n,)
    """

    variance: np.ndarray
    df: np.ndarray


def prediction_errors(
    model: FittedModel, rows: Rows, codes, kind: Kind, noise: float = 0.0
) -> Errors:
    """Of the rows of a linear model, with ``noise`` times the residual variance.

    ``df = 2 v^2 / Var(v)``, between half the levels of the scarcest factor beyond its effects and
    the residuals'.
    """
    fit = model.fit
    columns = (*fit.units.columns(rows.X), codes)
    prior = kind != "population"
    known = error_variances(fit.linear, *columns, prior=prior) + noise
    moments = fit.second_order.moments(columns, known, prior)
    variance = fit.scale * known + fit.second_order.shifted(*columns) + moments.missing
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        df = np.nan_to_num(2.0 * (variance / moments.spread) ** 2, nan=np.inf)
    most = max(fit.df_resid, 1.0)
    return Errors(fit.units.variance * variance, np.clip(df, min(_least_df(fit), most), most))


def _least_df(fit):
    """A difference of mean squares, as estimated variances are, may seem to have none at all."""
    free = [len(b) - b.shape[1] for b in fit.effects]
    return max(0.5 * min(free, default=0), 1.0)


def predicted_probabilities(
    model: FittedModel,
    X: Any,
    groups: Any = None,
    kind: Kind = "conditional",
    return_std: bool = False,
) -> Any:
    """Probabilities of both classes, with their standard errors if wanted, (n, 2) each."""
    rows, codes = read_rows(model, X, groups, kind)
    proba = averages(model, rows, codes, kind).both
    if not return_std:
        return proba
    variances = model.fit.uncertainty.row_variances(linearised(model, rows, codes, kind))
    std = np.sqrt(variances)
    return proba, np.column_stack([std, std])


def predicted_events(
    model: FittedModel,
    X: Any,
    groups: Any = None,
    kind: Kind = "conditional",
    return_std: bool = False,
) -> Any:
    """Probabilities of the second class, with their standard errors if wanted, (n,) each."""
    found = predicted_probabilities(model, X, groups, kind, return_std)
    return tuple(both[:, 1] for both in found) if return_std else found[:, 1]


def new_effects(
    model: FittedModel, f: int, covariance: np.ndarray, rows: Rows, n_samples: int, rng
) -> np.ndarray:
    """``z'b`` (rows, samples) with b drawn anew for every level of factor f."""
    columns = [rows.labels[name] for name in model.reader.groups[f]] if rows.labels else None
    level = Factor.from_columns("", columns or [np.zeros(len(rows))])[1]
    unnamed = level < 0  # each a level of its own
    level[unnamed] = np.max(level, initial=-1) + 1 + np.arange(np.sum(unnamed))
    size = (level.max() + 1, n_samples)
    b = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=size)
    return np.einsum("nq,nsq->ns", model.predictor.varying(rows, f), b[level])


def drawn_predictors(
    model: FittedModel,
    X: Any,
    groups: Any,
    n_samples: int,
    rng,
    kind: Kind,
    draw: Callable[..., np.ndarray] = new_effects,
) -> np.ndarray:
    """Linear predictors (rows, samples) with effects drawn from their distribution.

    For ``kind="marginal"`` those of every level, for "conditional" those of new levels.
    """
    check_choice("kind", kind, KINDS)
    rows, codes = read_rows(model, X, groups, kind)
    if kind == "marginal":
        _warn_without_groups(model, rows)
    draws = np.repeat(model.predictor(rows, codes)[:, None], n_samples, axis=1)
    if kind != "population" and len(rows):
        for f, covariance in enumerate(factor_covariances(model)):
            b = draw(model, f, covariance, rows, n_samples, rng)
            draws += np.where((codes[f] >= 0)[:, None], 0.0, b)
    return draws
