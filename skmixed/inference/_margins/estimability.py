"""A warning for averages that the data do not determine.

With the dependencies ``S N = 0`` of the fit (:mod:`skmixed._sums.dependencies`), an average of a
linear model, whose standardised columns are s, is determined if and only if ``s'N = 0``, though
single rows of it may not be; an average of probabilities only if all of its rows are.
"""

from __future__ import annotations

import numpy as np

from ..._data.checks import warn
from ...exceptions import EstimabilityWarning
from .._contrasts.quantities import Quantities


def warn_of_undetermined(quantities: Quantities, what: str) -> None:
    """Which of them the data do not determine, and why."""
    count = int(np.sum(~quantities.determined))
    if not count:
        return
    reasons = "; ".join(dict.fromkeys(reason for reason in quantities.reasons if reason))
    warn(
        f"{count} of {len(quantities)} {what} are not estimable and NaN"
        f"{reasons and f': {reasons}'}.\n"
        "They ask for combinations of columns that no row of the fit has.",
        EstimabilityWarning,
    )
