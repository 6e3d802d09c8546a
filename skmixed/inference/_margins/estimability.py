"""Averages that the data determine, and those that they do not.

With the dependencies ``S N = 0`` of the fit (:mod:`skmixed._sums.dependencies`), an average of a
linear model, whose standardised columns are s, is determined if and only if ``s'N = 0``, though
single rows of it may not be; an average of probabilities only if all of its rows are.
"""

from __future__ import annotations

import numpy as np

from ..._data.checks import warn
from ..._fit.model import FittedModel
from ..._fit.predictions import broken_dependencies
from ..._fit.uncertainty import Estimates
from ...exceptions import EstimabilityWarning


def determined_by(model: FittedModel, estimates: Estimates) -> np.ndarray:
    """Which averages the data determine; those that they do not are warned of."""
    determined = ~np.isnan(estimates.values)
    reasons = ""
    if estimates.standard.shape[1]:
        broken = model.fit.units.dependencies.broken_in(estimates.standard)
        determined = ~np.any(broken, axis=1)
        reasons = ": " + "; ".join(broken_dependencies(model, np.any(broken, axis=0))) + " at fit"
    if count := int(np.sum(~determined)):
        warn(
            f"{count} of {len(determined)} averages are not estimable and NaN{reasons}.\n"
            "They ask for combinations of columns that no row of the fit has.",
            EstimabilityWarning,
        )
    return determined
