"""Which covariance and which degrees of freedom the fixed effects are reported with.

Two options choose one rule: ``cov`` how the covariance of the coefficients is estimated, ``df`` how
many degrees of freedom contrasts have.  A rule for ``df`` is an entry of
:data:`DEGREES_OF_FREEDOM`, one for ``cov`` of
:data:`~skmixed.inference._coefficients.robust.CORRECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..._data.checks import check_choice
from ..._fit.base import needs_exact
from ..._fit.linear import LinearFit
from ..._fit.model import FittedModel
from .._penalised import refuse_penalised, refuse_ridge
from .clusters import Clusters, find_clusters
from .contrasts import Coefficients
from .dof import Constant, KenwardRoger, Rule, Satterthwaite
from .robust import CORRECTIONS, cluster_robust
from .robust_scores import SCALES, robust_covariance
from .terms import positions_of


class Degrees(NamedTuple):
    """A rule for degrees of freedom: what makes it of a linear fit, and what it is in words."""

    rule: Callable[[LinearFit], Rule]
    words: str


def _normal(fit):
    return Constant(model_covariance(fit), np.inf)


def _residual(fit):
    return Constant(model_covariance(fit), residual_df(fit))


#: by the names that a user may give
DEGREES_OF_FREEDOM = {
    "normal": Degrees(_normal, ""),
    "residual": Degrees(_residual, "Degrees of freedom: observations less coefficients."),
    "satterthwaite": Degrees(Satterthwaite, "Degrees of freedom by Satterthwaite's method."),
    "kenward-roger": Degrees(
        KenwardRoger, "Standard errors and degrees of freedom by Kenward and Roger's method."
    ),
}
COVARIANCES = ("model", *CORRECTIONS)


def linear_coefficients(model: FittedModel, df: str, cov: str, clusters: Any) -> Coefficients:
    """Fixed effects of a linear model."""
    check_rule(df, cov, clusters)
    fit = model.fit
    check_penalised(fit, df, cov)
    if df in ("satterthwaite", "kenward-roger"):
        needs_exact(fit, f"df={df!r}")
    if cov == "model" or not fit.rank:  # no coefficients have no degrees of freedom
        found = DEGREES_OF_FREEDOM[df if fit.rank else "normal"]
        return _coefficients(model, found.rule(fit), df, DEGREES_OF_FREEDOM[df].words)
    if df == "kenward-roger":
        raise ValueError(
            f"df='kenward-roger' adjusts the model's own covariance, not cov={cov!r}.\n"
            "Use df='satterthwaite', which is Bell and McCaffrey's there, or cov='model'."
        )
    found = find_clusters(model, clusters)
    robust = cluster_robust(fit, found.rows(model), found, cov)
    rule = robust if df == "satterthwaite" else Constant(robust.covariance, constant_df(fit, df))
    return _coefficients(model, rule, df, robust_words(cov, found, df), model_covariance(fit))


def generalised_coefficients(model: FittedModel, df: str, cov: str, clusters: Any) -> Coefficients:
    """Fixed effects of a generalised linear model."""
    check_rule(df, cov, clusters)
    check_generalised(df, cov)
    fit = model.fit
    check_penalised(fit, df, cov)
    covariance = fit.beta_covariance
    words = DEGREES_OF_FREEDOM[df].words
    scale = None
    if cov in SCALES and fit.rank:
        found = find_clusters(model, clusters)
        scale = covariance
        words = robust_words(cov, found, df)
        covariance = robust_covariance(model, found, cov)
    return _coefficients(model, Constant(covariance, constant_df(fit, df)), df, words, scale)


def check_penalised(fit: Any, df: str, cov: str) -> None:
    """Whether a penalised model has such rules."""
    if cov != "model":
        refuse = refuse_ridge if fit.family.has_residual else refuse_penalised
        refuse(fit, f"cov={cov!r} are errors", "Use cov='model', or bootstrap.")
    elif df in ("satterthwaite", "kenward-roger"):
        words = f"df={df!r} are degrees of freedom"
        refuse_penalised(fit, words, "Use df='normal', or 'residual'.")


def check_generalised(df: str, cov: str) -> None:
    """Whether a generalised linear model has such rules."""
    if df in ("satterthwaite", "kenward-roger"):
        raise ValueError(
            f"df={df!r} is a method for linear models: the logistic model has no residual variance "
            "to estimate.\nUse df='normal' or 'residual', and likelihood-ratio tests or the "
            "bootstrap in small samples."
        )
    if cov in ("CR2", "CR3"):
        raise ValueError(
            f"cov={cov!r} corrects residuals of a linear model.\n"
            "Use cov='CR0' or 'CR1' for the logistic model."
        )


def robust_words(cov: str, clusters: Clusters, df: str) -> str:
    """How robust standard errors were found."""
    errors = f"Standard errors: cluster-robust {cov}, {clusters.n} clusters of {clusters.name}."
    more = DEGREES_OF_FREEDOM[df].words
    if df == "satterthwaite":
        more = "Degrees of freedom after Bell and McCaffrey."
    return f"{errors} {more}".strip()


def _coefficients(model, rule, df, words, scale=None):
    units = model.fit.units
    return Coefficients(
        names=model.coefficient_names,
        estimates=model.fit.coefficients[units.independent],
        transform=units.transform,
        rule=rule,
        is_normal=df == "normal",
        method=words,
        scale=scale,
        terms=positions_of(model),
    )


def model_covariance(fit: LinearFit) -> np.ndarray:
    """``sigma^2 (X'V^-1X)^-1`` in the frame's units."""
    return fit.state.sigma2 * fit.state.fixed.covariance


def residual_df(fit) -> float:
    """Observations less coefficients."""
    return max(fit.df_resid, 1.0)


def constant_df(fit: Any, df: str) -> float:
    """Degrees of freedom that are the same for all contrasts."""
    return np.inf if df == "normal" else residual_df(fit)


def check_rule(df: str, cov: str, clusters: Any) -> None:
    """Whether there are such rules."""
    check_choice("df", df, DEGREES_OF_FREEDOM)
    check_choice("cov", cov, COVARIANCES)
    if clusters is not None and cov == "model":
        raise ValueError(
            "clusters= is for robust covariances.\nSet cov to 'CR0', 'CR1', 'CR2' or 'CR3'."
        )
