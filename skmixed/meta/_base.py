"""What both estimators share."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import get_tags
from sklearn.utils._param_validation import Interval

from .._data.checks import warn
from .._estimator import MixedModel
from .._fit.model import FittedModel
from .._report.problems import Problems
from ..exceptions import ConvergenceWarning
from ._alternation import Alternated, Step, alternate
from ._parts import FixedPart, seeded
from ._rows import FitRows

#: of the parameters that both have
CONSTRAINTS: dict[str, list[Any] | str] = {
    "groups": [str, Integral, list, tuple, None],
    "random_effects": "no_validation",
    "covariance": [str],
    "cv": ["cv_object"],
    "tol": [Interval(Real, 0, None, closed="neither")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
}


class Alternating(MixedModel):
    """An estimator whose fixed part is another estimator."""

    # what the other mixed models are asked, and this one has not
    formula = None
    offset = None
    fit_intercept = True

    def _inner(self) -> Any:
        """The estimator of the fixed part."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._inner()).input_tags
        tags.input_tags.allow_nan = inner.allow_nan
        return tags

    def _part(self, kind: type, data: FitRows, rng: np.random.RandomState) -> FixedPart:
        """The fixed part of a fit."""
        folds = data.folds(self.cv, rng, is_classifier=is_classifier(self))
        return FixedPart(kind, seeded(self._inner(), rng), data.columns, folds, self.n_jobs)

    def _alternated(self, step: Callable[[np.ndarray], Step], n: int) -> Alternated:
        """The end of the alternation over n rows."""
        report = _print_step if self.verbose else None
        options = {"tol": self.tol, "max_iter": self.max_iter, "report": report}
        return alternate(step, np.zeros(n), **options)

    def _keep(self, model: FittedModel, found: Alternated, problems: Problems) -> None:
        """Take the attributes of a fit."""
        self._store(model, problems)
        del self.coef_  # the mixed model has an intercept only
        self.n_iter_ = found.n_iter
        self.change_ = found.change
        self.converged_ = found.converged and bool(model.fit.optimum.converged)
        if not found.converged:
            warn(
                f"{type(self).__name__}: the random part still changes by {found.change:.2g} "
                f"after {found.n_iter} steps (tol={self.tol:g}).\n"
                "Raise max_iter or tol, or make the fixed part smoother: larger leaves, a lower "
                "learning rate.",
                ConvergenceWarning,
            )


def _print_step(k: int, change: float) -> None:
    print(f"step {k}   change of the random part {change:.3g}")


def check_inner(name: str, estimator: Any, method: str) -> None:
    """Raise for something that is no estimator of the kind that is needed."""
    needed = ("fit", method, "get_params")
    if isinstance(estimator, type) or not all(hasattr(estimator, each) for each in needed):
        raise TypeError(
            f"{name}={estimator!r:.80} is no scikit-learn estimator with {method}.\n"
            "Give an instance of one, or None for gradient boosting."
        )
