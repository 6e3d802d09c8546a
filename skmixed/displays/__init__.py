"""Pictures of fitted models, as scikit-learn's displays: ``from_estimator`` computes and draws,
``plot`` draws again, the artists are kept.

matplotlib is imported when something is drawn; the extra ``plots`` installs it.
"""

from __future__ import annotations

from ._calibration import CalibrationByGroupDisplay
from ._coefficients import CoefficientsDisplay
from ._effects import EffectsDisplay
from ._group_lines import GroupLinesDisplay
from ._influence import InfluenceDisplay
from ._power import PowerDisplay
from ._profile import ProfileDisplay
from ._random_effects import RandomEffectsDisplay
from ._residuals import ResidualsDisplay
from ._variance import VarianceDisplay

__all__ = [
    "CalibrationByGroupDisplay",
    "CoefficientsDisplay",
    "EffectsDisplay",
    "GroupLinesDisplay",
    "InfluenceDisplay",
    "PowerDisplay",
    "ProfileDisplay",
    "RandomEffectsDisplay",
    "ResidualsDisplay",
    "VarianceDisplay",
]
