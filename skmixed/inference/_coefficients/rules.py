"""Which covariance and which degrees of freedom the fixed effects are reported with.

Two options choose one rule: ``cov`` how the covariance of the coefficients is estimated, ``df`` how
many degrees of freedom contrasts have.
"""

from __future__ import annotations

import numpy as np

from .clusters import find_clusters
from .contrasts import Coefficients
from .dof import Constant, KenwardRoger, Satterthwaite
from .robust import CORRECTIONS, cluster_robust
from .robust_logistic import SCALES, robust_beta_covariance

DEGREES_OF_FREEDOM = ("normal", "residual", "satterthwaite", "kenward-roger")
COVARIANCES = ("model", *CORRECTIONS)


def linear_coefficients(fit, training, labels, df, cov, clusters):
    """Fixed effects of a linear model; ``training`` is a function that returns the rows of the
    fit."""
    _check(df, cov, clusters)
    if cov == "model" or not fit.rank:
        return _coefficients(fit, labels, fit.y_scale, _model_rule(fit, df), df, MODEL_METHODS[df])
    if df == "kenward-roger":
        raise ValueError(
            f"df='kenward-roger' adjusts the model's own covariance, not cov={cov!r}.\n"
            "Use df='satterthwaite', which is Bell and McCaffrey's there, or cov='model'."
        )
    rows = training()
    found = find_clusters(rows, clusters, labels.factors)
    robust = cluster_robust(fit, rows, found, cov)
    rule = robust if df == "satterthwaite" else Constant(robust.covariance, _constant_df(fit, df))
    method = _robust_method(cov, found, df)
    return _coefficients(fit, labels, fit.y_scale, rule, df, method, _model_covariance(fit))


def _model_rule(fit, df):
    """Without coefficients there is nothing to have degrees of freedom."""
    return MODEL_RULES[df if fit.rank else "normal"](fit)


MODEL_RULES = {
    "normal": lambda fit: Constant(_model_covariance(fit), _constant_df(fit, "normal")),
    "residual": lambda fit: Constant(_model_covariance(fit), _constant_df(fit, "residual")),
    "satterthwaite": Satterthwaite,
    "kenward-roger": KenwardRoger,
}
MODEL_METHODS = {
    "normal": "",
    "residual": "Degrees of freedom: observations less coefficients.",
    "satterthwaite": "Degrees of freedom by Satterthwaite's method.",
    "kenward-roger": "Standard errors and degrees of freedom by Kenward and Roger's method.",
}


def _robust_method(cov, clusters, df):
    errors = f"Standard errors: cluster-robust {cov}, {clusters.n} clusters of {clusters.name}."
    more = (
        "Degrees of freedom after Bell and McCaffrey."
        if df == "satterthwaite"
        else MODEL_METHODS[df]
    )
    return f"{errors} {more}".strip()


def logistic_coefficients(fit, training, labels, df, cov, clusters):
    """Fixed effects of a logistic model."""
    _check(df, cov, clusters)
    if df in ("satterthwaite", "kenward-roger"):
        raise ValueError(
            f"df={df!r} is a method for linear models: the logistic model has no residual variance to estimate.\n"
            "Use df='normal' or 'residual', and likelihood-ratio tests or the bootstrap in small samples."
        )
    if cov in ("CR2", "CR3"):
        raise ValueError(
            f"cov={cov!r} corrects residuals of a linear model.\nUse cov='CR0' or 'CR1' for the logistic model."
        )
    covariance = fit.beta_covariance
    method = MODEL_METHODS[df]
    scale = None
    if cov in SCALES and fit.rank:
        rows = training()
        found = find_clusters(rows, clusters, labels.factors)
        scale = covariance
        method = _robust_method(cov, found, df)
        covariance = robust_beta_covariance(fit, rows.codes, found, cov)
    return _coefficients(
        fit, labels, 1.0, Constant(covariance, _constant_df(fit, df)), df, method, scale
    )


def _coefficients(fit, labels, unit, rule, df, method, scale=None):
    kept = fit.design.kept
    transform = unit * fit.design.frame.coefficient_map[np.ix_(kept, kept)]
    names = [labels.fixed[k] for k in kept]
    return Coefficients(
        names, fit.coefficients[kept], transform, rule, df == "normal", method, scale
    )


def _model_covariance(fit):
    """``sigma^2 (X'V^-1X)^-1`` in the frame's units."""
    return fit.state.sigma2 * fit.state.fixed.covariance


def _constant_df(fit, df):
    return np.inf if df == "normal" else max(fit.df_resid, 1.0)


def _check(df, cov, clusters):
    if df not in DEGREES_OF_FREEDOM:
        raise ValueError(f"df={df!r} is not known.\nUse {_listed(DEGREES_OF_FREEDOM)}.")
    if cov not in COVARIANCES:
        raise ValueError(f"cov={cov!r} is not known.\nUse {_listed(COVARIANCES)}.")
    if clusters is not None and cov == "model":
        raise ValueError(
            "clusters= is for robust covariances.\nSet cov to 'CR0', 'CR1', 'CR2' or 'CR3'."
        )


def _listed(names):
    return ", ".join(map(repr, names[:-1])) + f" or {names[-1]!r}"
