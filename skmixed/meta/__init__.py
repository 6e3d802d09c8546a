"""Any scikit-learn estimator as the fixed part of a mixed model."""

from ._classifier import MixedClassifier
from ._regressor import MixedRegressor

__all__ = ["MixedClassifier", "MixedRegressor"]
