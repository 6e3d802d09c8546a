"""Warnings of the package, with one parent so that they can be filtered together."""

from sklearn.exceptions import ConvergenceWarning as _SklearnConvergenceWarning

__all__ = [
    "ConvergenceWarning",
    "EstimabilityWarning",
    "GroupsWarning",
    "LaplaceWarning",
    "RankDeficiencyWarning",
    "SeparationWarning",
    "SingularFitWarning",
    "SkmixedWarning",
    "VersionWarning",
]


class SkmixedWarning(UserWarning):
    """Parent of every warning this package raises."""


class GroupsWarning(SkmixedWarning):
    """A model got no grouping factor, or no known level, where it could have used one."""


class ConvergenceWarning(SkmixedWarning, _SklearnConvergenceWarning):
    """The optimiser stopped before it could certify an optimum."""


class SingularFitWarning(SkmixedWarning):
    """A variance is estimated as zero, or a correlation as plus or minus one."""


class SeparationWarning(SkmixedWarning):
    """A column or a level predicts the response perfectly."""


class LaplaceWarning(SkmixedWarning):
    """The Laplace approximation of the likelihood is materially wrong."""


class RankDeficiencyWarning(SkmixedWarning):
    """A fixed-effects column depends linearly on earlier columns and was dropped."""


class EstimabilityWarning(SkmixedWarning):
    """Rows, or an average of predictions, break a linear dependency among the columns of the fit,
    so that the data do not determine their predictions.
    """


class VersionWarning(SkmixedWarning):
    """A saved model is loaded by another version of the package than the one that saved it."""
