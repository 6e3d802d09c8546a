"""Columns as the means of their groups and the deviations from them."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import narwhals.stable.v1 as nw
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._about.documented import Documented
from .._data.grouping import combined, complete_labels, named
from .._data.tables import Array, Table
from ._tables import opened

__all__ = ["WithinBetween"]


class WithinBetween(Documented, TransformerMixin, BaseEstimator):
    """Columns become the means of their groups and the deviations from these means.

    A coefficient of ``x_ij`` in a model with random intercepts is a compromise of two: how rows of
    one group differ (within), and how groups differ (between).  With

        x_ij = xbar_j + (x_ij - xbar_j)

    in two columns each has its own coefficient (Mundlak 1978), and that of the deviations is the
    one of a model with fixed effects of the groups.  Means are those of the rows of the fit, so
    that rows held out, and single rows served later, are compared with what was known.

    Parameters
    ----------
    groups : str, int or list of them, default=None
        Columns of X whose combinations are the groups, by name or position.  They have to be given.
    columns : str, int or list of them, default=None
        Columns to take apart; None: all that hold numbers, but the groups.
    unknown : {"overall", "own", "error"}, default="overall"
        What the mean of a group is that was not in the fit, or whose label is missing: the mean of
        all rows of the fit; the mean of the group's own rows among those that are transformed; or
        an error.

    Attributes
    ----------
    columns_ : list
        Names of the columns that are taken apart.
    means_ : ndarray of shape (n_groups, n_columns)
        Means of the groups of the fit.
    overall_ : ndarray of shape (n_columns,)
        Means of all of its rows.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Notes
    -----
    ``x_within`` takes the place of x, ``x_between`` comes at the end, and all other columns stay
    as they are: a table comes back as a table of its kind, an array as an array.

    References
    ----------
    Mundlak (1978), On the pooling of time series and cross section data, Econometrica 46. Bell and
    Jones (2015), Explaining fixed effects, Political Science Research and Methods 3.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmixed.preprocessing import WithinBetween
    >>> pupils = pd.DataFrame({"school": ["a", "a", "b"], "ses": [1.0, 2.0, 6.0]})
    >>> WithinBetween(groups="school", columns="ses").fit_transform(pupils)
      school  ses_within  ses_between
    0      a        -0.5          1.5
    1      a         0.5          1.5
    2      b         0.0          6.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "groups": [str, Integral, list, tuple, None],
        "columns": [str, Integral, list, tuple, None],
        "unknown": [StrOptions({"overall", "own", "error"})],
    }

    def __init__(
        self,
        groups: str | int | list[str | int] | None = None,
        columns: str | int | list[str | int] | None = None,
        *,
        unknown: Literal["overall", "own", "error"] = "overall",
    ) -> None:
        self.groups = groups
        self.columns = columns
        self.unknown = unknown

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the means of the groups.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        y : None
            Not used.

        Returns
        -------
        WithinBetween
            The fitted transformer itself.

        Raises
        ------
        ValueError
            Without groups, for unknown columns, missing values and missing labels.

        Examples
        --------
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.preprocessing import WithinBetween
        >>> X, y = make_mixed_regression(n_groups=4, random_state=0)
        >>> WithinBetween(groups="group").fit(X).means_.shape
        (4, 2)
        """
        if self.groups is None:
            raise ValueError(
                "groups=None: there are no means without groups.\n"
                "Name the grouping columns, such as WithinBetween(groups='school')."
            )
        table = opened(self, X, reset=True)
        keys = named("groups", self.groups, table)
        labels = complete_labels({str(key): table.labels(key) for key in keys}, len(table))
        self.columns_ = self._columns(table, keys)
        self._keys = keys
        self._factor, codes = combined(labels)
        values = table.matrix(self.columns_)
        self.means_ = _means(values, codes, self._factor.n_levels)
        self.overall_ = values.mean(axis=0)
        _refuse_repeated(self._names_out(list(table.names)))
        return self

    def transform(self, X: Any) -> Any:
        """Take the columns of rows apart.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            With the columns of the fit.

        Returns
        -------
        table or ndarray
            Of the kind of X, or what ``set_output`` says.

        Raises
        ------
        ValueError
            For missing values, and for new groups where ``unknown="error"``.

        Examples
        --------
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.preprocessing import WithinBetween
        >>> X, y = make_mixed_regression(n_groups=4, random_state=0)
        >>> list(WithinBetween(groups="group", columns="x0").fit(X).transform(X))
        ['x0_within', 'x1', 'group', 'x0_between']
        """
        check_is_fitted(self)
        table = opened(self, X, reset=False)
        labels = {str(key): table.labels(key) for key in self._keys}
        codes = self._factor.codes(list(labels.values()))
        values = table.matrix(self.columns_)
        between = np.vstack([self.means_, self.overall_])[codes]
        if np.any(codes < 0):
            UNKNOWN[self.unknown](between, values, codes < 0, labels)
        found = _replaced(table, self.columns_, values - between, between)
        wanted = _get_output_config("transform", self)["dense"]
        return _as_pandas(found) if wanted == "pandas" else found

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the columns that come back.

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
        >>> from skmixed.preprocessing import WithinBetween
        >>> X, y = make_mixed_regression(n_groups=4, random_state=0)
        >>> WithinBetween(groups="group", columns="x1").fit(X).get_feature_names_out()
        array(['x0', 'x1_within', 'group', 'x1_between'], dtype=object)
        """
        check_is_fitted(self)
        names = list(_check_feature_names_in(self, input_features))
        return np.array(self._names_out(names), dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.categorical = self.groups is not None
        return tags

    def _columns(self, table: Table | Array, keys: list[Any]) -> list[Any]:
        if self.columns is None:
            others = [name for name in table.names if name not in keys]
            return others if table.is_array else [n for n in others if _holds_numbers(table, n)]
        columns = named("columns", self.columns, table)
        if both := [name for name in columns if name in keys]:
            raise ValueError(
                f"columns: {both[0]!r} is a grouping column as well.\n"
                "A group does not vary within itself: leave it out."
            )
        return columns

    def _names_out(self, names: list[Any]) -> list[Any]:
        """What the columns are called afterwards."""
        within = {name: f"{name}_within" for name in self.columns_}
        if not hasattr(self, "feature_names_in_"):  # of an array, called as the user likes
            places = [int(name[1:]) for name in self.columns_]
            within = {names[k]: f"{names[k]}_within" for k in places}
        return [within.get(name, name) for name in names] + [f"{name}_between" for name in within]


def _refuse_repeated(names: list[Any]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            f"columns: there is a column {twice!r} already.\nRename it, or leave it out."
        )


def _holds_numbers(table: Table | Array, name: Any) -> bool:
    kind = np.asarray(table.column(name)[:0]).dtype.kind
    return kind in "iuf" or (kind == "O" and "decimal" in str(table.column(name).dtype).lower())


def _means(values: np.ndarray, codes: np.ndarray, m: int) -> np.ndarray:
    counts = np.maximum(np.bincount(codes, minlength=m), 1)
    sums = [np.bincount(codes, weights=column, minlength=m) for column in values.T]
    return np.column_stack(sums) / counts[:, None] if sums else np.empty((m, 0))


def _overall(
    between: np.ndarray, values: np.ndarray, new: np.ndarray, labels: dict[str, Any]
) -> None:
    """The means of all rows, which are there already."""


def _own(between: np.ndarray, values: np.ndarray, new: np.ndarray, labels: dict[str, Any]) -> None:
    rows = pd.DataFrame({name: np.asarray(column) for name, column in labels.items()})
    new = new & rows.notna().all(axis=1).to_numpy()  # rows without a label have no group
    codes = rows[new].groupby(list(rows), sort=False).ngroup().to_numpy()
    between[new] = _means(values[new], codes, codes.max(initial=-1) + 1)[codes]


def _error(
    between: np.ndarray, values: np.ndarray, new: np.ndarray, labels: dict[str, Any]
) -> None:
    k = int(np.flatnonzero(new)[0])
    label = ":".join(str(np.asarray(column)[k]) for column in labels.values())
    raise ValueError(
        f"X: {int(new.sum())} rows belong to groups that were not in the fit, such as {label!r}.\n"
        "Use unknown='overall' or unknown='own', or leave these rows out."
    )


UNKNOWN: dict[str, Callable[..., None]] = {"overall": _overall, "own": _own, "error": _error}


def _replaced(
    table: Table | Array, names: list[Any], within: np.ndarray, between: np.ndarray
) -> Any:
    """The table with deviations in place of the columns, and their means at the end."""
    if table.is_array:
        out = table.X.astype(np.float64 if table.X.dtype.kind in "biuf" else object)
        out[:, [table.names.index(name) for name in names]] = within
        return np.hstack([out, between.astype(out.dtype)])
    if isinstance(table.X, pd.DataFrame):
        out = table.X.assign(**dict(zip(names, within.T, strict=True)))
        out = out.rename(columns={name: f"{name}_within" for name in names})
        means = {f"{name}_between": column for name, column in zip(names, between.T, strict=True)}
        return out.assign(**means)
    given: Any = table.X
    frame: Any = nw.from_native(given, eager_only=True)
    space = nw.get_native_namespace(frame)

    def series(name: str, values: np.ndarray) -> Any:
        return nw.new_series(name, values, native_namespace=space)

    new = {name: series(f"{name}_within", x) for name, x in zip(names, within.T, strict=True)}
    ends = [series(f"{name}_between", x) for name, x in zip(names, between.T, strict=True)]
    columns = [new.get(name, frame[name]) for name in table.names]
    return frame.select(*columns, *ends).to_native()


def _as_pandas(table: Any) -> Any:
    """A table of another kind as pandas has it, column by column."""
    if isinstance(table, np.ndarray | pd.DataFrame):
        return table
    frame = nw.from_native(table, eager_only=True)
    return pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns})
