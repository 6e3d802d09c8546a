"""Mixed-effects models as scikit-learn estimators."""

from .exceptions import (
    ConvergenceWarning,
    GroupsWarning,
    RankDeficiencyWarning,
    SeparationWarning,
    SingularFitWarning,
    SkmixedWarning,
)
from .linear import MixedLinearRegressor
from .terms import RandomEffect

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "GroupsWarning",
    "MixedLinearRegressor",
    "RandomEffect",
    "RankDeficiencyWarning",
    "SeparationWarning",
    "SingularFitWarning",
    "SkmixedWarning",
]
