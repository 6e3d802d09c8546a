"""Mixed-effects models as scikit-learn estimators."""

from ._about.show_versions import show_versions
from ._about.version import __version__
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
    VersionWarning,
)
from .linear import MixedLinearRegressor
from .logistic import MixedLogisticClassifier
from .streams import chunks
from .terms import RandomEffect

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
    "VersionWarning",
    "__version__",
    "chunks",
    "diagnose",
    "show_versions",
]
