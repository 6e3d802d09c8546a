"""Scorers that hand the groups of the rows to the predictions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Self

import sklearn
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object

from .._data.checks import nearest

__all__ = ["ConditionalScorer", "conditional_scorer"]

RESPONSES = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def conditional_scorer(scoring: str | Callable[..., float] | None = None) -> ConditionalScorer:
    """A scorer of scikit-learn that hands ``groups=`` on to the predictions.

    With metadata routing, ``cross_validate(..., params={"groups": g}, scoring="r2")`` passes the
    groups to ``fit``, and scores predictions that are made without them: scorers that are given by
    name have no way to pass them on.  This one has.

    Parameters
    ----------
    scoring : str, scorer or None, default=None
        Name of a scorer, such as ``"r2"`` or ``"neg_log_loss"``, a scorer of ``make_scorer``, or
        None for the ``score`` of the estimator.

    Returns
    -------
    ConditionalScorer
        For ``scoring=`` of cross-validation and searches, in dictionaries too.

    Raises
    ------
    ValueError
        For names that no scorer has.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.model_selection import cross_val_score
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.metrics import conditional_scorer
    >>> from skmixed.model_selection import KnownGroupsKFold
    >>> X, y = make_mixed_regression(random_state=0)
    >>> group, X = X.pop("group"), X
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     scores = cross_val_score(
    ...         MixedLinearRegressor(),
    ...         X,
    ...         y,
    ...         params={"groups": group},
    ...         cv=KnownGroupsKFold(random_state=0),
    ...         scoring=conditional_scorer("r2"),
    ...     )
    >>> round(float(scores.mean()), 1)
    0.8
    """
    if isinstance(scoring, str) and scoring not in (names := get_scorer_names()):
        meant = nearest(scoring, names)
        advice = (
            f"Did you mean {meant!r}?" if meant else "sklearn.metrics.get_scorer_names() has all."
        )
        raise ValueError(f"scoring={scoring!r} is no scorer.\n{advice}")
    return ConditionalScorer(scoring)


class ConditionalScorer:
    """What :func:`conditional_scorer` makes: ``scorer(estimator, X, y, groups=...)``.

    The groups go to the predictions of estimators that request them; others, such as those that
    name columns of X, are scored as they are.

    Attributes
    ----------
    scoring : str, scorer or None
        What was asked for.
    """

    def __init__(self, scoring: str | Callable[..., float] | None = None) -> None:
        self.scoring = scoring
        self._requests: dict[str, Any] = {"groups": True}

    def __repr__(self) -> str:
        return f"conditional_scorer({self.scoring!r})"

    def __call__(
        self, estimator: Any, X: Any, y: Any, *, groups: Any = None, **params: Any
    ) -> float:
        """The score of the conditional predictions.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : table or array
            Rows to predict.
        y : array-like
            What they should be.
        groups : array-like, default=None
            Labels of the rows.
        **params
            What the scorer itself takes, such as ``sample_weight``.

        Returns
        -------
        float
        """
        if groups is not None:
            estimator = WithGroups(estimator, groups)
        if self.scoring is None:
            return estimator.score(X, y, **params)
        return get_scorer(self.scoring)(estimator, X, y, **params)

    def set_score_request(self, **requests: Any) -> Self:
        """Set what is requested of metadata routing, as scorers of scikit-learn do.

        Parameters
        ----------
        **requests
            ``sample_weight=True``, or another name for the groups: ``groups="subject"``.

        Returns
        -------
        ConditionalScorer
            Itself.

        Raises
        ------
        RuntimeError
            Where metadata routing is off.

        Examples
        --------
        >>> import sklearn
        >>> from skmixed.metrics import conditional_scorer
        >>> with sklearn.config_context(enable_metadata_routing=True):
        ...     conditional_scorer("r2").set_score_request(groups="subject")
        conditional_scorer('r2')
        """
        if not sklearn.get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                "set_score_request: metadata routing is off.\n"
                "Use sklearn.set_config(enable_metadata_routing=True)."
            )
        self._requests.update(requests)
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Requests of this scorer: groups, and those of the scorer that it was made of.

        Returns
        -------
        MetadataRequest

        Examples
        --------
        >>> from skmixed.metrics import conditional_scorer
        >>> conditional_scorer("r2").get_metadata_routing().score.requests["groups"]
        True
        """
        own = MetadataRequest(owner=self)
        if self.scoring is not None:
            inner = get_routing_for_object(get_scorer(self.scoring))
            for param, alias in getattr(inner, "score", own.score).requests.items():
                own.score.add_request(param=param, alias=alias)
        for param, alias in self._requests.items():
            own.score.add_request(param=param, alias=alias)
        return own


class WithGroups:
    """An estimator whose predictions get the groups of the rows, where it requests them."""

    def __init__(self, estimator: Any, groups: Any) -> None:
        self._estimator = estimator
        self._groups = groups

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name != "_estimator_type":
            raise AttributeError(name)
        found = getattr(self._estimator, name)
        if name not in (*RESPONSES, "score") or not self._requests(name):
            return found

        @functools.wraps(found)
        def with_groups(*rows: Any, **options: Any) -> Any:
            return found(*rows, groups=self._groups, **options)

        return with_groups

    def __sklearn_tags__(self) -> Any:
        return self._estimator.__sklearn_tags__()

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _requests(self, method: str) -> bool:
        return bool(get_routing_for_object(self._estimator).consumes(method, {"groups"}))
