"""Pictures of fitted models, as scikit-learn's displays: ``from_estimator`` computes and draws,
``plot`` draws again, the artists are kept.

matplotlib is imported when something is drawn; the extra ``plots`` installs it.
"""

from __future__ import annotations

from ._random_effects import RandomEffectsDisplay
from ._residuals import ResidualsDisplay

__all__ = ["RandomEffectsDisplay", "ResidualsDisplay"]
