"""Categories as numbers: the shrunken effects of their levels on a target."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
import sklearn
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._about.documented import Documented
from .._data.checks import check_length
from ._categories import codes_among, encoded, looked_up, warn_if_other_kind
from ._tables import chosen, opened
from ._targets import Target, read_target

__all__ = ["MixedEffectsEncoder"]


class MixedEffectsEncoder(Documented, TransformerMixin, BaseEstimator):
    """Categories become their shrunken effects on the target.

    Every column has a mixed model of its own, with a random intercept per category and nothing
    else: for a continuous target

        y = mu + b_j + e,      b_j ~ N(0, tau^2),   e ~ N(0, sigma^2),

    by restricted maximum likelihood, and the same on the log-odds of a binary one, by Laplace's
    approximation.  A category becomes its conditional mode, for a continuous target ``n_j tau^2 /
    (n_j tau^2 + sigma^2)`` of the difference between its mean and mu: a category with few rows is
    close to zero, and how close is estimated from the data.

    ``fit_transform`` is cross-fitted as scikit-learn's TargetEncoder: rows of a fold are encoded by
    the other folds, so that no row meets its own target.  ``fit(X, y).transform(X)`` is not, and
    differs.  New and missing categories are zero.

    Parameters
    ----------
    columns : str, int or list of them, default=None
        Columns of X to encode, by name or position; None: all of them.  Other columns are left out:
        a ColumnTransformer with ``remainder="passthrough"`` keeps them.
    target_type : {"auto", "continuous", "binary"}, default="auto"
        "auto": a target with two values is binary, and any other is continuous.
    cv : int, cross-validation generator or iterable, default=5
        Folds of ``fit_transform``; each row is in one test fold.  A number means KFold, or
        StratifiedKFold for a binary target.
    shuffle : bool, default=True
        Whether rows are shuffled before they are split, where ``cv`` is a number.
    random_state : int, RandomState or None, default=None
        Seed of the shuffle.

    Attributes
    ----------
    categories_ : list of ndarray
        Categories of every encoded column, sorted.
    encodings_ : list of ndarray
        Their effects, from all rows; log-odds of ``classes_[1]`` for a binary target.
    variances_ : ndarray of shape (n_encoded,)
        Variances of the effects, one per column.
    intercepts_ : ndarray of shape (n_encoded,)
        The target, or its log-odds, of a category without an effect.
    target_type_ : {"continuous", "binary"}
    classes_ : ndarray of shape (2,) or None
        Labels of a binary target.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    sklearn.preprocessing.TargetEncoder : Shrinks by a rule of thumb, category by category.
    skmixed.MixedLinearRegressor : The same model with fixed effects and several factors at once.

    Notes
    -----
    A column without a category of two rows says nothing about tau^2, and is all zeros.

    References
    ----------
    Micci-Barreca (2001), A preprocessing scheme for high-cardinality categorical attributes,
    SIGKDD Explorations 3. Robinson (1991), That BLUP is a good thing, Statistical Science 6.

    Examples
    --------
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.preprocessing import MixedEffectsEncoder
    >>> X, y = make_mixed_regression(n_groups=50, random_state=0)
    >>> encoder = MixedEffectsEncoder(columns="group", random_state=0)
    >>> encoder.fit_transform(X, y).shape
    (500, 1)
    >>> encoder.transform(X.head(1).assign(group=-1))
    array([[0.]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "columns": [str, Integral, list, tuple, None],
        "target_type": [StrOptions({"auto", "continuous", "binary"})],
        "cv": ["cv_object"],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        columns: str | int | list[str | int] | None = None,
        *,
        target_type: Literal["auto", "continuous", "binary"] = "auto",
        cv: Any = 5,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.columns = columns
        self.target_type = target_type
        self.cv = cv
        self.shuffle = shuffle
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Learn the effects of all categories from all rows.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        y : array-like of shape (n_rows,)
            Numbers, or two labels.

        Returns
        -------
        MixedEffectsEncoder
            The fitted encoder itself.

        Examples
        --------
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.preprocessing import MixedEffectsEncoder
        >>> X, y = make_mixed_regression(n_groups=50, random_state=0)
        >>> MixedEffectsEncoder("group").fit(X, y).variances_.round(1)
        array([0.9])
        """
        self._learn(X, y)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: ArrayLike, **params: Any) -> np.ndarray:
        """Learn the effects, and encode the rows of each fold by those of the other folds.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        y : array-like of shape (n_rows,)
            Numbers, or two labels.
        **params : dict
            Metadata of the splitter, such as ``groups``, where metadata routing is on.

        Returns
        -------
        ndarray of shape (n_rows, n_encoded)
            Or a table, after ``set_output``.

        Raises
        ------
        TypeError
            For metadata without routing.
        ValueError
            For folds that do not have every row once.

        Examples
        --------
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.preprocessing import MixedEffectsEncoder
        >>> X, y = make_mixed_regression(n_groups=50, random_state=0)
        >>> encoder = MixedEffectsEncoder("group", random_state=0).set_output(transform="pandas")
        >>> encoder.fit_transform(X, y).columns.to_list()
        ['group']
        """
        if params and not sklearn.get_config()["enable_metadata_routing"]:
            raise TypeError(
                f"fit_transform got {next(iter(params))}=, and metadata routing is off.\n"
                "Use sklearn.set_config(enable_metadata_routing=True)."
            )
        target, codes = self._learn(X, y)
        out = np.zeros((len(target.y), len(codes)))
        seen = np.zeros(len(target.y), dtype=np.int64)
        for train, test in self._folds(X, y, target, params):
            seen[test] += 1
            for k, rows in enumerate(codes):
                found = target.effects(rows[train], target.y[train], len(self.categories_[k]))
                out[test, k] = looked_up(found.effects, rows[test])
        if np.any(seen != 1):
            raise ValueError(
                f"cv={self.cv!r}: {int(np.sum(seen != 1))} rows are not in exactly one test fold.\n"
                "Use a splitter whose test folds have every row once, such as KFold."
            )
        return out

    def transform(self, X: Any) -> np.ndarray:
        """Effects of the categories of rows; zero for those that are new or missing.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            With the columns of the fit.

        Returns
        -------
        ndarray of shape (n_rows, n_encoded)
            Or a table, after ``set_output``.

        Warns
        -----
        GroupsWarning
            Where no category is known, text having become numbers or the other way around.

        Examples
        --------
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.preprocessing import MixedEffectsEncoder
        >>> X, y = make_mixed_regression(n_groups=50, random_state=0)
        >>> MixedEffectsEncoder("group").fit(X, y).transform(X.head(1)).round(2)
        array([[0.7]])
        """
        check_is_fitted(self)
        table = opened(self, X, reset=False)
        out = np.zeros((len(table), len(self.encodings_)))
        for k, place in enumerate(self._places):
            name = table.names[place]
            labels = table.labels(name)
            codes = codes_among(labels, self.categories_[k])
            if len(codes) and codes.max() < 0:
                warn_if_other_kind(name, labels, self.categories_[k])
            out[:, k] = looked_up(self.encodings_[k], codes)
        return out

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the encoded columns: those that they have in X.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X, where it had none.

        Returns
        -------
        ndarray of str

        Examples
        --------
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.preprocessing import MixedEffectsEncoder
        >>> X, y = make_mixed_regression(n_groups=50, random_state=0)
        >>> MixedEffectsEncoder("group").fit(X, y).get_feature_names_out()
        array(['group'], dtype=object)
        """
        check_is_fitted(self)
        return _check_feature_names_in(self, input_features)[self._places]

    def get_metadata_routing(self) -> MetadataRouter:
        """Metadata of ``fit_transform`` go to the splitter.

        Returns
        -------
        MetadataRouter

        Examples
        --------
        >>> from sklearn.model_selection import GroupKFold
        >>> from skmixed.preprocessing import MixedEffectsEncoder
        >>> routing = MixedEffectsEncoder(cv=GroupKFold(3)).get_metadata_routing()
        >>> sorted(routing.consumes("fit_transform", {"groups", "sample_weight"}))
        ['groups']
        """
        mapping = MethodMapping().add(caller="fit_transform", callee="split")
        return MetadataRouter(owner=self).add(splitter=self.cv, method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.categorical = tags.input_tags.string = tags.input_tags.allow_nan = True
        tags.non_deterministic = (
            True  # where fit_transform and transform may differ, checks ask this
        )
        return tags

    def _learn(self, X: Any, y: Any) -> tuple[Target, list[np.ndarray]]:
        """Take the attributes of a fit; the target, and the codes of every encoded column."""
        table = opened(self, X, reset=True)
        target = read_target(type(self).__name__, y, self.target_type)
        check_length("y", target.y, len(table))
        names = chosen("columns", self.columns, table)
        places = {name: k for k, name in enumerate(table.names)}
        columns = [encoded(name, table.labels(name)) for name in names]
        found = [target.effects(codes, target.y, len(levels)) for codes, levels in columns]
        self.target_type_, self.classes_ = target.kind, target.classes
        self.categories_ = [levels for _, levels in columns]
        self.encodings_ = [each.effects for each in found]
        self.variances_ = np.array([each.variance for each in found])
        self.intercepts_ = np.array([each.intercept for each in found])
        self._places = np.array([places[name] for name in names], dtype=np.intp)
        return target, [codes for codes, _ in columns]

    def _folds(self, X: Any, y: Any, target: Target, params: dict[str, Any]) -> Any:
        is_binary = target.kind == "binary"
        split = {}
        if params:
            split = process_routing(self, "fit_transform", **params).splitter.split
        if isinstance(self.cv, Integral):
            kind = StratifiedKFold if is_binary else KFold
            seed = self.random_state if self.shuffle else None
            cv = kind(int(self.cv), shuffle=self.shuffle, random_state=seed)
        else:
            cv = check_cv(self.cv, target.y, classifier=is_binary)
        return cv.split(X, target.y, **split)
