"""What may be concluded from a fit: functions of fitted estimators.

The tables of a single model are methods of ``est.results_``; here is what compares models, refits them, or describes
them.
"""

from __future__ import annotations

from ._bootstrap import BootstrapResult, bootstrap
from ._boundary import LikelihoodRatioTest
from ._comparison import HausmanTest, compare, hausman_test, likelihood_ratio_test
from ._contrasts import WaldTest
from ._describe import (
    ConditionalAIC,
    RSquared,
    conditional_aic,
    design_effect,
    icc,
    r_squared,
    slope_distribution,
)
from ._margins import Margins, average_effects, average_predictions
from ._profile import profile

__all__ = [
    "BootstrapResult",
    "ConditionalAIC",
    "HausmanTest",
    "LikelihoodRatioTest",
    "Margins",
    "RSquared",
    "WaldTest",
    "average_effects",
    "average_predictions",
    "bootstrap",
    "compare",
    "conditional_aic",
    "design_effect",
    "hausman_test",
    "icc",
    "likelihood_ratio_test",
    "profile",
    "r_squared",
    "slope_distribution",
]
