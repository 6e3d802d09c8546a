"""Numbers that follow from a fit, with their errors: closed under contrasts.

A *view* leads from the scale on which something is tested to the one on which it is shown:
probabilities are tested on the log-odds, odds ratios on their logarithms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import expit

from ..._fit.model import FittedModel
from ..._fit.predictions import broken_dependencies
from ..._fit.uncertainty import Estimates
from ..._model.averages import logistic_density
from .errors import Errors

NOT_ESTIMABLE = "not estimable"


class View(NamedTuple):
    """From what is tested to what is shown: the value, and its derivative."""

    value: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


PLAIN = View(lambda x: x, np.ones_like)
PROBABILITY = View(expit, logistic_density)
RATIO = View(np.exp, np.exp)


@dataclass(frozen=True, eq=False)
class Quantities:
    """Estimates with their errors.

    Attributes
    ----------
    model : what they follow from
    estimates : on the scale on which they are tested
    errors : how they are distributed
    view : how they are shown
    log_odds : what makes log-odds of them as they are tested; None where they are none
    reasons : per row, why it is not determined, or nothing
    """

    model: FittedModel
    estimates: Estimates
    errors: Errors
    view: View = PLAIN
    log_odds: Callable[[Estimates], Estimates] | None = None
    reasons: tuple[str, ...] = ()

    def __len__(self):
        return len(self.estimates.values)

    @cached_property
    def determined(self) -> np.ndarray:
        """Which of them the data determine."""
        found = ~np.isnan(self.estimates.values)
        if self.estimates.standard.shape[1]:
            dependencies = self.model.fit.units.dependencies
            found &= ~np.any(dependencies.broken_in(self.estimates.standard), axis=1)
        return found

    def notes(self) -> list[str]:
        """Per row, why it is not estimable."""
        pairs = zip(self.determined, self.reasons or [""] * len(self), strict=True)
        return ["" if ok else f"{NOT_ESTIMABLE}{why and f': {why}'}" for ok, why in pairs]

    def contrasts(self, C: np.ndarray) -> Quantities:
        """Linear combinations of what is shown."""
        shown = changed(self.estimates, self.view.value, self.view.slope)
        return self._combined(shown, C)

    def log_ratios(self, C: np.ndarray) -> Quantities:
        """Combinations of log-odds, shown as ratios of odds."""
        if self.log_odds is None:
            raise ValueError(
                "odds_ratios=True is for probabilities and log-odds.\n"
                "Leave it out; differences are in the units of the response."
            )
        return replace(self._combined(self.log_odds(self.estimates), C), view=RATIO)

    def _combined(self, estimates, C):
        unknown = np.isnan(estimates.values)
        filled = replace(estimates, values=np.where(unknown, 0.0, estimates.values))
        found = filled.combined(sparse.csr_matrix(C))
        takes_part = np.asarray(C) != 0
        lost = np.any(takes_part & unknown, axis=1)
        values = np.where(lost, np.nan, found.values)
        reasons = self.reasons or ("",) * len(self)
        told = tuple(_joined(reasons[k] for k in np.flatnonzero(row)) for row in takes_part)
        estimates = replace(found, values=values)
        return replace(self, estimates=estimates, view=PLAIN, log_odds=None, reasons=told)

    def covariance(self) -> np.ndarray:
        """Covariance matrix of what is shown."""
        shown = changed(self.estimates, self.view.value, self.view.slope)
        found = self.errors.covariance(shown)
        found[~self.determined] = found[:, ~self.determined] = np.nan
        return found


def changed(estimates: Estimates, value: Callable, slope: Callable) -> Estimates:
    """A function of every estimate, with its derivatives."""
    if value is PLAIN.value:
        return estimates
    factors = np.nan_to_num(slope(estimates.values))
    return Estimates(
        value(estimates.values),
        (sparse.diags(factors) @ estimates.effects).tocsr(),
        factors[:, None] * estimates.parameters,
        estimates.standard[:, :0],
    )


def logit(estimates: Estimates) -> Estimates:
    """Log-odds of probabilities."""
    return changed(
        estimates,
        lambda p: np.log(p) - np.log1p(-p),
        lambda p: 1.0 / np.maximum(p * (1 - p), 1e-300),
    )


def same(estimates: Estimates) -> Estimates:
    """What is tested on the log-odds already."""
    return estimates


def dependency_words(model: FittedModel, estimates: Estimates) -> list[str]:
    """Per row, which dependencies of the fit it breaks."""
    if not estimates.standard.shape[1]:
        return [""] * len(estimates.values)
    broken = model.fit.units.dependencies.broken_in(estimates.standard)
    return [
        "; ".join(broken_dependencies(model, row)) + " at fit" if np.any(row) else ""
        for row in broken
    ]


def _joined(reasons):
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))
