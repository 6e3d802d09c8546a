"""What responses are drawn from: stated effects and variances by name, or those of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._data.tables import unknown_column
from ..._fit.model import FittedModel
from .._bootstrap.resampling import Truth

RESIDUAL = "Residual"
ROUNDING = 1e-10  # share of the largest eigenvalue that a negative one may have


@dataclass(frozen=True)
class Stated:
    """Effects and variances by name.

    Attributes
    ----------
    effects : of coefficients; those that are not named are zero
    variances : by factor a variance, variances by effect, or a covariance matrix; "Residual"
    """

    effects: Mapping[str, float]
    variances: Mapping[str, Any]

    def truth(self, model: FittedModel) -> Truth:
        """In the order of a model."""
        names = model.names
        known = dict(zip(names.factors, names.effects, strict=True))
        residual = [RESIDUAL] * model.fit.family.has_residual
        _check_names("variances", self.variances, [*known, *residual])
        missing = [name for name in [*known, *residual] if name not in self.variances]
        if missing:
            raise ValueError(
                f"variances: that of {missing[0]!r} is missing.\n"
                f"Give one for each of {', '.join([*known, *residual])}."
            )
        matrices = [_matrix(f, self.variances[f], effects) for f, effects in known.items()]
        beta = changed(np.zeros(len(names.fixed)), names.fixed, self.effects)
        sigma2 = _variance(RESIDUAL, self.variances[RESIDUAL]) if residual else 1.0
        return Truth(beta, matrices, sigma2)


@dataclass(frozen=True)
class Estimated:
    """The estimates of a fit.

    Attributes
    ----------
    fit : whose they are
    """

    fit: Any

    def truth(self, model: FittedModel) -> Truth:
        """The same in any model of that form."""
        return Truth.of(self.fit)


def changed(beta: np.ndarray, names: Any, effects: Mapping[str, float]) -> np.ndarray:
    """Coefficients, some of which are stated."""
    _check_names("effects", effects, list(names))
    found = np.array(beta, dtype=float)
    for name, value in effects.items():
        found[list(names).index(name)] = _number(f"effects[{name!r}]", value)
    return found


def _check_names(role, given, known):
    for name in given:
        if name not in known:
            raise unknown_column(role, name, known)


def _number(role, value):
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = np.nan
    if not np.isfinite(found):
        raise ValueError(f"{role}={value!r} is not a finite number.\nGive one, such as 0.5.")
    return found


def _variance(name, value):
    found = _number(f"variances[{name!r}]", value)
    if found < 0:
        raise ValueError(
            f"variances[{name!r}]={value!r} is negative.\nGive the square of a standard deviation."
        )
    return found


def _matrix(factor, value, effects):
    """The covariance matrix of the effects of a factor."""
    q = len(effects)
    if isinstance(value, Mapping):
        _check_names(f"variances[{factor!r}]", value, list(effects))
        return np.diag([_variance(factor, value.get(effect, 0.0)) for effect in effects])
    if np.ndim(value) == 0 and q == 1:
        return np.array([[_variance(factor, value)]])
    found = np.asarray(value, dtype=float)
    if found.shape != (q, q):
        raise ValueError(
            f"variances[{factor!r}]: its effects are {', '.join(effects)}, so that {q} variances "
            f"are wanted, or a {q} x {q} matrix.\n"
            f"Give them by name, such as {{{effects[0]!r}: 1.0}}, or the matrix in this order."
        )
    eigenvalues = np.linalg.eigvalsh(found) if np.allclose(found, found.T) else np.array([-1.0])
    if not eigenvalues[0] >= -ROUNDING * max(eigenvalues[-1], 1e-300):
        raise ValueError(
            f"variances[{factor!r}] is no covariance matrix: it is not symmetric, or has a "
            "negative eigenvalue.\nMake the covariances smaller than the root of the product of "
            "their variances."
        )
    return found
