"""What may be concluded from a fit: functions of fitted estimators.

The tables of a single model are methods of ``est.results_``; here is what compares models, refits them, or describes
them.
"""

from __future__ import annotations

from ._bootstrap import BootstrapResult, bootstrap
from ._comparison import compare, likelihood_ratio_test
from ._conditional_aic import ConditionalAIC, conditional_aic
from ._contrasts import WaldTest
from ._hausman import HausmanTest, hausman_test
from ._likelihood_ratio import LikelihoodRatioTest
from ._margins import Margins, average_effects, average_predictions
from ._profile import profile
from ._shares import RSquared, design_effect, icc, r_squared
from ._slopes import slope_distribution

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
