"""What may be concluded from a fit: functions of fitted estimators.

The tables of a single model are methods of ``est.results_``; here is what compares models, refits
them, or describes them.
"""

from __future__ import annotations

from ._bootstrap.bootstrap import BootstrapResult, bootstrap
from ._coefficients.contrasts import WaldTest
from ._comparison.compare import compare, likelihood_ratio_test
from ._comparison.hausman import HausmanTest, hausman_test
from ._comparison.likelihood_ratio import LikelihoodRatioTest
from ._contrasts.table import Margins
from ._describe.conditional_aic import ConditionalAIC, conditional_aic
from ._describe.odds import median_odds_ratio
from ._describe.r_squared import RSquared, r_squared
from ._describe.shares import design_effect, icc
from ._describe.slopes import slope_distribution
from ._influence.influence import Influence, influence
from ._influence.left_out import LeftOut, loo_predict
from ._influence.residuals import residuals
from ._margins.margins import average_effects, average_predictions
from ._means.means import marginal_means
from ._power.design import StudyDesign, design
from ._power.power import power, simulate_design
from ._power.result import PowerResult
from ._profile.profile import profile
from ._several.pool import Pooled, PooledTest, pool
from ._several.report import ModelReport, report
from ._terms.anova import anova
from ._terms.collinearity import Collinearity, collinearity
from ._terms.drop_one import drop_one

__all__ = [
    "BootstrapResult",
    "Collinearity",
    "ConditionalAIC",
    "HausmanTest",
    "Influence",
    "LeftOut",
    "LikelihoodRatioTest",
    "Margins",
    "ModelReport",
    "Pooled",
    "PooledTest",
    "PowerResult",
    "RSquared",
    "StudyDesign",
    "WaldTest",
    "anova",
    "average_effects",
    "average_predictions",
    "bootstrap",
    "collinearity",
    "compare",
    "conditional_aic",
    "design",
    "design_effect",
    "drop_one",
    "hausman_test",
    "icc",
    "influence",
    "likelihood_ratio_test",
    "loo_predict",
    "marginal_means",
    "median_odds_ratio",
    "pool",
    "power",
    "profile",
    "r_squared",
    "report",
    "residuals",
    "simulate_design",
    "slope_distribution",
]
