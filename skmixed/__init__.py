"""Mixed-effects models as scikit-learn estimators."""

from .diagnostics import diagnose
from .exceptions import (
    ConvergenceWarning,
    EstimabilityWarning,
    GroupsWarning,
    LaplaceWarning,
    RankDeficiencyWarning,
    SeparationWarning,
    SingularFitWarning,
    SkmixedWarning,
)
from .linear import MixedLinearRegressor
from .logistic import MixedLogisticClassifier
from .terms import RandomEffect

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "EstimabilityWarning",
    "GroupsWarning",
    "LaplaceWarning",
    "MixedLinearRegressor",
    "MixedLogisticClassifier",
    "RandomEffect",
    "RankDeficiencyWarning",
    "SeparationWarning",
    "SingularFitWarning",
    "SkmixedWarning",
    "diagnose",
]
