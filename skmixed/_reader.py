"""What is needed to read rows: made once at fit, the same for every prediction after it.

A model's columns come through one of three *doors*: a formula over the columns of X, grouping
columns of X that are named, or labels that are passed beside X.  A door turns what a user passes
into :class:`~skmixed._data.rows.Rows`; a :class:`Reader` is a door with the factors and the terms
that were found behind it.  Neither asks for a parameter of an estimator again.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from numbers import Integral
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    check_array,
)

from ._data import tables
from ._data.checks import check_length, listed, nearest, warn
from ._data.columns import (
    check_known,
    check_label_kinds,
    check_unmasked,
    is_missing,
    kind_of,
    numbers,
)
from ._data.factors import Factor
from ._data.grouping import group_table
from ._data.offsets import added, offset_name, read_offset
from ._data.rows import Rows
from ._data.tables import Array, Table
from ._formula.names import repeated
from ._model.structures import STRUCTURES
from ._model.terms import Term
from .exceptions import GroupsWarning
from .formula import FittedFormula
from .terms import RandomEffect, parse_terms


@dataclass(frozen=True, eq=False)
class Spec:
    """What a constructor says of columns, parsed once.

    Attributes
    ----------
    owner : name of the estimator's class
    groups, random_effects : as they were given, for messages
    formula : one-sided, or None
    covariance : structure of terms that name none
    fit_intercept : whether the fixed effects have an intercept
    offset : name or position of a column of X that is no fixed effect but known; None for none
    wanted : grouping columns that are named, in order of appearance
    effects : the terms; None where none are given
    """

    owner: str
    groups: Any
    random_effects: Any
    formula: str | None
    covariance: str
    fit_intercept: bool
    offset: Any
    wanted: tuple
    effects: tuple[RandomEffect, ...] | None

    @classmethod
    def of(cls, estimator) -> Spec:
        """Of the parameters that all estimators share."""
        effects = given_terms(estimator.random_effects)
        groups = estimator.groups
        named = [groups] if isinstance(groups, str | Integral) else list(groups or ())
        for effect in effects or ():
            named += effect.group_columns
        return cls(
            owner=type(estimator).__name__,
            groups=groups,
            random_effects=estimator.random_effects,
            formula=estimator.formula,
            covariance=estimator.covariance,
            fit_intercept=estimator.fit_intercept,
            offset=estimator.offset,
            wanted=tuple(dict.fromkeys(named)),
            effects=effects,
        )

    @property
    def slopes(self) -> tuple:
        """Columns whose slopes vary, as they are named."""
        return tuple(dict.fromkeys(c for effect in self.effects or () for c in effect.columns))

    @property
    def role(self) -> str:
        """The parameter that names the grouping columns."""
        return "groups" if self.groups is not None else "random_effects"

    def both(self, name: str) -> ValueError:
        """The error for groups that are named and passed."""
        return ValueError(
            f"groups= was passed, but {self.owner}({name}={getattr(self, name)!r}) takes the "
            "grouping factors from columns of X.\n"
            "Give one of the two, not both (a splitter's groups: set_fit_request(groups=False))."
        )


def given_terms(random_effects: Any) -> tuple[RandomEffect, ...] | None:
    """The terms as values; None where none are given."""
    if random_effects is None:
        return None
    if isinstance(random_effects, str):
        return _parsed(random_effects)
    given = [random_effects] if isinstance(random_effects, RandomEffect) else random_effects
    if not isinstance(given, list | tuple) or not all(isinstance(e, RandomEffect) for e in given):
        raise TypeError(
            f"random_effects={given!r}: expected a string of terms or a list of RandomEffect.\n"
            'Write "(1 + age | id)" or [RandomEffect("id", ("age",))].'
        )
    return tuple(given)


@lru_cache
def _parsed(text):
    """Terms of one text, which the fits of a search ask for again and again."""
    return tuple(parse_terms(text))


@dataclass(frozen=True)
class Features:
    """The columns of X at fit: their names, if they had any, and their number."""

    owner: str
    names: tuple[str, ...] | None
    count: int

    @classmethod
    def of(cls, owner: str, X) -> Features:
        """As scikit-learn counts and names them."""
        if isinstance(X, pd.DataFrame) and all(type(name) is str for name in X.columns):
            return cls(owner, tuple(X.columns), X.shape[1])
        found = _stand_in(owner)
        _check_feature_names(found, X, reset=True)
        _check_n_features(found, X, reset=True)
        names = getattr(found, "feature_names_in_", None)
        return cls(owner, None if names is None else tuple(names), found.n_features_in_)

    @property
    def attributes(self) -> dict[str, Any]:
        """As scikit-learn calls them."""
        found: dict[str, Any] = {"n_features_in_": self.count}
        if self.names is not None:
            found["feature_names_in_"] = np.array(self.names, dtype=object)
        return found

    def check(self, X, names: Sequence | None) -> None:
        """Whether a table, or an array without names, has the columns of the fit."""
        if names is not None and self.names is not None and tuple(names) == self.names:
            return
        as_fitted = _stand_in(self.owner)
        as_fitted.n_features_in_ = self.count
        if self.names is not None:
            as_fitted.feature_names_in_ = np.array(self.names, dtype=object)
        _check_feature_names(as_fitted, X, reset=False)
        _check_n_features(as_fitted, X, reset=False)


def _stand_in(owner):
    """Something that scikit-learn's checks may write their findings to, or read them from."""
    return type(owner, (), {})()


class Layout(NamedTuple):
    """What the columns of a matrix are.

    Attributes
    ----------
    names : the fixed effects, then columns that only slopes use
    n_fixed : number of the former
    intercept : whether the fixed effects have an intercept besides
    effects : random-effects terms, by names of grouping columns and columns
    """

    names: tuple[str, ...]
    n_fixed: int
    intercept: bool
    effects: tuple[RandomEffect, ...]


class Door(Protocol):
    """Where the rows of one style come from."""

    def read(self, X: Any, groups: Any) -> Rows:
        """Rows with the labels of their groups, if any came."""

    def grouping(self, table: Table | Array) -> set:
        """Names of a table's columns that are grouping factors and no fixed effects."""

    @property
    def categorical(self) -> set:
        """Columns of X that enter as categories, whatever they hold."""

    def used(self, table: Table | Array) -> Sequence[Hashable]:
        """Names of a table's columns that the model uses, grouping factors among them; those that
        only an offset needs are not.
        """


@dataclass(frozen=True, eq=False)
class ThroughFormula:
    """The whole model in a formula over the columns of X.

    Attributes
    ----------
    spec, formula : what was asked for, and what it says
    offset : name of the column that the parameter of this name says; None for none
    """

    spec: Spec
    formula: FittedFormula
    offset: Hashable | None

    def read(self, X, groups):
        if groups is not None:
            raise self.spec.both("formula")
        found = self.formula.evaluate(self.formula.select(X))
        check_label_kinds(found.labels)
        return Rows(found.matrix, found.labels, added(found.offset, self._beside(X)))

    def _beside(self, X):
        """The offset that is no term of the formula."""
        if self.offset is None:
            return None
        names = tables.column_names(X)
        return read_offset(Table(X, names), offset_name(self.spec.offset, self.offset, names))

    def grouping(self, table):
        return set(self.formula.groups).difference(self.formula.fixed_columns)

    @property
    def categorical(self):
        return set(self.formula.categorical)

    def used(self, table):
        known = {*self.formula.explained, *self.formula.groups}
        return [name for name in self.formula.columns if name in known]


@dataclass(frozen=True, eq=False)
class ThroughColumns:
    """Grouping columns of X, which leave the fixed effects.

    Attributes
    ----------
    spec, features : what was asked for, and the columns of X at fit
    keys : the grouping columns as they were called at fit
    plain : the other columns
    slopes : as they are named, those that are no fixed effects but have slopes
    offset : the column of ``plain`` that is no fixed effect but known; None for none
    """

    spec: Spec
    features: Features
    keys: tuple
    plain: tuple
    slopes: tuple
    offset: Hashable | None

    def read(self, X, groups):
        if groups is not None:
            raise self.spec.both(self.spec.role)
        X = tables.with_index_levels(X, self.spec.wanted.__contains__)
        names = tables.column_names(X)
        if names == list(self.plain) and not self.slopes:
            return self._rows(Table(X, names), {})  # without groups: every level is new
        table = _opened(self.spec, X, names)
        self.features.check(table.X, names)
        return self.rows(table)

    def rows(self, table):
        """Of a table with all columns."""
        wanted = _places(self.spec, table)
        labels = {key: table.labels(w) for key, w in zip(self.keys, wanted, strict=True)}
        check_label_kinds(labels)
        found = self._rows(table, dict(zip(wanted, labels.values(), strict=True)))
        return replace(found, labels=labels)

    def _rows(self, table, labels):
        """All but the labels; those of the table's grouping columns may have slopes."""
        return _numbers_of(self.spec, table, self.offset, labels, self.slopes)

    def grouping(self, table):
        if len(table.names) < self.features.count:
            return set()
        if table.is_array:
            _refuse_names("groups", list(self.spec.wanted), table.X)
        return set(_places(self.spec, table))

    @property
    def categorical(self):
        return set()

    def used(self, table):
        return _without_offset(self.spec, self.offset, table.names)


def _numbers_of(spec, table, offset, labels, slopes):
    """Rows without labels: the fixed effects, columns that only have slopes, and the offset.

    ``offset`` is what its column was called at fit, ``labels`` are those of the grouping columns of
    the table, ``slopes`` the columns, as they are named, that have slopes but are no fixed effects.
    """
    others = dict(labels)
    known = None
    if spec.offset is not None:
        name = offset_name(spec.offset, offset, table.names)
        known = others[name] = read_offset(table, name)
    matrix = table.matrix([name for name in table.names if name not in others])
    extra = [numbers(s, others[_slope(s, table)]) for s in slopes]
    return Rows(np.column_stack([matrix, *extra]) if extra else matrix, {}, known)


def _without_offset(spec, offset, names):
    """Names of columns but that of the offset."""
    if spec.offset is None:
        return names
    return _others(names, offset_name(spec.offset, offset, names))


def _others(names, offset):
    """Names but that of the offset, if there is one."""
    return [name for name in names if offset is None or name != offset]


def _opened(spec, X, names):
    """A table, or an array with numbers for names; grouping columns are among them."""
    if names is None:
        _refuse_names("groups", list(spec.wanted), X)
    return _as_table(spec, X, names)


def _as_table(spec, X, names):
    """A table, or an array whose columns may hold anything."""
    if names is not None:
        return Table(X, names)
    _refuse_names("offset", [spec.offset], X)
    options = {"estimator": spec.owner, "input_name": "X"}
    check_unmasked(None, X)
    if isinstance(X, list):
        X = _value_by_value(X)
    return Array(check_array(X, dtype=None, ensure_all_finite=False, **options))


def _value_by_value(X):
    """Lists of rows as an array of what they hold: labels are not for rounding."""
    try:
        return np.array(X, dtype=object)
    except ValueError:  # rows of different lengths, of which scikit-learn has something to say
        return X


def _refuse_names(role, wanted, X):
    """Names of columns cannot be found where columns have none."""
    if any(isinstance(w, str) for w in wanted):
        raise ValueError(
            f"{role}={wanted!r} names columns, but X came as {type(X).__name__} without "
            "column names.\n"
            "Ask earlier pipeline steps for tables, set_output(transform='pandas'), or give column "
            "positions."
        )


def _places(spec, table):
    """Names of the grouping columns in a table."""
    role = spec.role if not table.is_array else "groups"
    return [tables.name_at(role, wanted, table.names) for wanted in spec.wanted]


def _slope(column, table):
    """The name of a column that varies, in a table; names of an array's columns are taken as they
    are.
    """
    if table.is_array and isinstance(column, str):
        return column
    return tables.name_at("random_effects", column, table.names)


@dataclass(frozen=True, eq=False)
class ThroughArgument:
    """Labels beside X, or none at all: every column of X but the offset is a fixed effect.

    Attributes
    ----------
    spec, features : what was asked for, and the columns of X at fit
    keys : names of the factors
    slopes : the offset, as it is named, where it has slopes too
    offset : name of its column; None for none
    """

    spec: Spec
    features: Features
    keys: tuple
    slopes: tuple
    offset: Hashable | None

    def read(self, X, groups):
        names = tables.column_names(X)
        if groups is not None:
            _refuse_both(self.spec, names)
        if names is not None:
            self.features.check(X, names)
        rows = self.rows(X, names)
        if names is None:
            self.features.check(np.asarray(X), names)
        return _with_labels(rows, {} if groups is None else self._labels(groups))

    def rows(self, X, names):
        """Of all columns."""
        if self.spec.offset is None:
            return Rows(_numbers(self.spec, X, names), {})
        table = _as_table(self.spec, X, names)
        return _numbers_of(self.spec, table, self.offset, {}, self.slopes)

    def _labels(self, groups):
        """The factors of the fit: by name where the names agree, else by position."""
        given = group_table(groups)
        if not self.keys:
            raise ValueError(
                "groups was passed, but the model was fitted without groups.\nLeave groups out."
            )
        if all(key in given for key in self.keys):
            return {key: given[key] for key in self.keys}
        if len(given) != len(self.keys):
            raise ValueError(
                f"groups has {len(given)} factor(s), the model was fitted with {len(self.keys)}.\n"
                "Pass the same columns as at fit."
            )
        return dict(zip(self.keys, given.values(), strict=True))

    def grouping(self, table):
        return set()

    @property
    def categorical(self):
        return set()

    def used(self, table):
        return _without_offset(self.spec, self.offset, table.names)


def _refuse_both(spec, names):
    if spec.groups is not None:
        raise spec.both("groups")
    if any(isinstance(w, str) and w in (names or ()) for w in spec.wanted):
        raise spec.both("random_effects")


def _numbers(spec, X, names):
    """All columns of X as floats."""
    if names is None:
        check_unmasked(None, X)
        return check_array(X, dtype=np.float64, estimator=spec.owner, input_name="X")
    return tables.numeric_matrix(X)


def _with_labels(rows, labels):
    for values in labels.values():
        check_length("groups", values, len(rows))
    check_label_kinds(labels)
    return replace(rows, labels=labels)


def _wanted_groups(given: dict, wanted: tuple) -> dict:
    """The columns the terms name, by name or position; a single column needs no name."""
    if not wanted or (len(wanted) == 1 and len(given) == 1):
        return dict(zip(wanted or given, given.values(), strict=True))
    names = list(given)
    found = {}
    for w in wanted:
        if isinstance(w, str) and w not in given:
            raise tables.unknown_column("random_effects: groups=", w, names)
        found[w] = given[w if isinstance(w, str) else tables.name_at("groups", w, names)]
    return found


def open_door(spec: Spec, X: Any, groups: Any) -> tuple[Door, Features, Rows, Layout]:
    """The door to X and groups, and what is behind it."""
    tables.check_in_memory(X)
    found = _opened_door(spec, X, groups)
    for name, values in found[2].labels.items():
        check_known(name, values)
    return found


def _opened_door(spec, X, groups):
    if spec.formula is not None:
        return _by_formula(spec, X, groups)
    if groups is not None or not spec.wanted:
        return _by_argument(spec, X, groups)
    return _by_columns(spec, X)


def _by_formula(spec, X, groups):
    if groups is not None:
        raise spec.both("formula")
    if spec.groups is not None or spec.random_effects is not None:
        raise ValueError(
            f"formula={spec.formula!r} describes the whole model.\n"
            "Leave groups and random_effects at None."
        )
    if not spec.fit_intercept:
        raise ValueError(
            f"formula={spec.formula!r} decides about the intercept.\n"
            "Write '0 + ...' instead of fit_intercept=False."
        )
    formula, table = FittedFormula.fit(spec.formula, X)
    names = tables.column_names(X)
    offset = _offset_at_fit(spec, names)
    door = ThroughFormula(spec, formula, offset)
    layout = Layout(formula.names, formula.n_fixed, formula.intercept, formula.effects)
    if offset is not None:
        table = table.assign(**{str(offset): read_offset(Table(X, names), offset)})
    features = Features.of(spec.owner, table)
    return door, features, door.read(table, None), layout


def _by_columns(spec, X):
    X = tables.with_index_levels(X, spec.wanted.__contains__)
    names = tables.column_names(X)
    table = _opened(spec, X, names)
    features = Features.of(spec.owner, table.X)
    keys = tuple(_places(spec, table))
    plain = tuple(name for name in table.names if name not in keys)
    offset = _offset_at_fit(spec, table.names)
    slopes = _only_slopes(spec, table, {*keys, offset})
    door = ThroughColumns(
        spec, features, tuple(map(str, keys)), plain, tuple(slopes.values()), offset
    )
    effects = _renamed(spec, dict(zip(spec.wanted, door.keys, strict=True)), table.names)
    layout = _layout(spec, _others(plain, offset), slopes, effects)
    return door, features, door.rows(table), layout


def _by_argument(spec, X, groups):
    names = tables.column_names(X)
    if groups is not None:
        _refuse_both(spec, names)
    given = {} if groups is None else group_table(groups)
    rows, offset, slopes = _beside_labels(spec, X, names)
    found = X if names is not None else np.asarray(X)
    features = Features.of(spec.owner, found)
    labels = _wanted_groups(given, spec.wanted) if groups is not None else {}
    keys = {w: w if isinstance(w, str) else f"groups{w}" for w in labels}
    rows = _with_labels(rows, {keys[w]: values for w, values in labels.items()})
    columns = names or [f"x{j}" for j in range(found.shape[1])]
    door = ThroughArgument(spec, features, tuple(keys.values()), tuple(slopes.values()), offset)
    fixed = _others(columns, offset)
    layout = _layout(spec, fixed, slopes, _renamed(spec, keys, columns))
    return door, features, rows, layout


def _layout(spec, fixed, slopes, effects):
    """Fixed effects, then columns that only have slopes."""
    names = tuple(str(name) for name in (*fixed, *slopes))
    return Layout(names, len(fixed), spec.fit_intercept, effects)


def _beside_labels(spec, X, names):
    """Rows of all columns, the name of the offset, and whether it has slopes too."""
    if spec.offset is None:
        return Rows(_numbers(spec, X, names), {}), None, {}
    table = _as_table(spec, X, names)
    offset = _offset_at_fit(spec, table.names)
    slopes = _only_slopes(spec, table, {offset})
    return _numbers_of(spec, table, offset, {}, slopes.values()), offset, slopes


def _offset_at_fit(spec, names):
    """Name of the offset's column; None for none."""
    return None if spec.offset is None else tables.name_at("offset", spec.offset, names)


def _only_slopes(spec, table, others):
    """Those of the columns that are no fixed effects that have slopes, and how these are named."""
    columns = {_slope(s, table): s for s in spec.slopes}
    return {name: s for name, s in columns.items() if name in others}


def _renamed(spec, keys, columns):
    """The terms with the names of their grouping columns, and of columns given by position."""
    if spec.effects is None:
        return tuple(RandomEffect(key) for key in keys.values())
    return tuple(_renamed_term(effect, keys, columns) for effect in spec.effects)


def _renamed_term(effect, keys, columns):
    group = tuple(keys.get(name, name) for name in effect.group_columns)
    slopes = tuple(
        c if isinstance(c, str) else str(tables.name_at("random_effects", c, columns))
        for c in effect.columns
    )
    return RandomEffect(
        group if isinstance(effect.group, tuple) else group[0],
        slopes,
        intercept=effect.intercept,
        covariance=effect.covariance,
    )


@dataclass(frozen=True, eq=False)
class Reader:
    """What is needed to read new rows.

    Attributes
    ----------
    door : where they come from
    features : the columns of X at fit
    layout : the columns of their matrix
    factors : the grouping factors, with their levels
    groups : per factor the grouping columns it is made of
    terms : random-effects terms, by positions
    """

    door: Door
    features: Features
    layout: Layout
    factors: tuple[Factor, ...]
    groups: tuple[tuple[Hashable, ...], ...]
    terms: tuple[Term, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the matrix."""
        return self.layout.names

    @property
    def factor_names(self) -> tuple[str, ...]:
        """Of the grouping factors."""
        return tuple(str(factor.name) for factor in self.factors)

    @property
    def n_fixed(self) -> int:
        """Number of fixed effects besides the intercept."""
        return self.layout.n_fixed

    @property
    def intercept(self) -> bool:
        """Whether the fixed effects have an intercept."""
        return self.layout.intercept

    @property
    def owner(self) -> str:
        """Name of the estimator's class."""
        return self.features.owner

    def read(self, X: Any, groups: Any = None) -> Rows:
        """New rows."""
        tables.check_in_memory(X)
        return self.door.read(X, groups)

    def unknown(self, rows: Rows) -> list[np.ndarray]:
        """Codes of rows whose levels all count as new, per factor."""
        return [np.full(len(rows), -1)] * len(self.factors)

    def codes(self, rows: Rows) -> list[np.ndarray]:
        """Codes of rows per factor, -1 for levels that were not there at fit."""
        if not rows.labels:
            return self.unknown(rows)
        columns = [[rows.labels[name] for name in group] for group in self.groups]
        found = [f.codes(c) for f, c in zip(self.factors, columns, strict=True)]
        for factor, labels, code in zip(self.factors, columns, found, strict=True):
            if len(code) and np.all(code < 0):
                _warn_if_other_kind(factor, [column[~is_missing(column)] for column in labels])
        return found

    def labels(self, rows: Rows) -> list[list]:
        """Labels of further rows, of which new levels are welcome: per factor those of its columns.

        Raises
        ------
        ValueError
            For labels that are missing, or of another kind than those of the fit.
        """
        _refuse_without_labels(self, rows)
        found = []
        for factor, group in zip(self.factors, self.groups, strict=True):
            columns = [rows.labels[name] for name in group]
            for name, levels, column in zip(group, factor.levels, columns, strict=True):
                check_known(name, column)
                _check_same_kind(name, levels, column)
            found.append(columns)
        return found

    def of_first_row(self, rows: Rows) -> Reader:
        """The reader with the levels of the first of some rows, and so with the kind of labels."""
        _refuse_without_labels(self, rows)
        return replace(self, factors=_learned(self.groups, rows.take(np.arange(1)))[0])

    def check_agrees(self, other: Reader) -> None:
        """Whether another part has the same columns, and labels of the same kinds."""
        if (self.layout, self.features) != (other.layout, other.features):
            raise ValueError(
                f"X: one part has the columns {list(self.layout.names)}, another one "
                f"{list(other.layout.names)}.\nGive all parts the same columns."
            )
        for group, factor, further in zip(self.groups, self.factors, other.factors, strict=True):
            for name, levels, column in zip(group, factor.levels, further.levels, strict=True):
                _check_same_kind(name, levels, column)

    def extended(self, rows: Rows) -> tuple[Reader, list[np.ndarray], list[np.ndarray]]:
        """The reader with the levels of further rows, where the levels it has are among them, and
        the codes of the rows, all per factor.
        """
        if not self.factors:
            raise ValueError(
                f"groups: this {self.owner} was fitted without groups.\n"
                "Pass the grouping factors of the fit; what has no group has no effect."
            )
        pairs = zip(self.factors, self.labels(rows), strict=True)
        found = [factor.extended(columns) for factor, columns in pairs]
        factors, places, codes = zip(*found, strict=True)
        return replace(self, factors=factors), list(places), list(codes)

    def effect_names(self, f: int) -> tuple[str, ...]:
        """Names of the effects of one factor, term after term."""
        return tuple(n for t in self.terms if t.factor == f for n in self.term_names(t))

    def term_names(self, term: Term) -> tuple[str, ...]:
        """Names of the effects of one term."""
        return tuple("Intercept" if s < 0 else self.names[s] for s in term.sources)


def _refuse_without_labels(reader, rows):
    if not rows.labels and reader.groups:
        raise ValueError(
            f"groups: this {reader.owner} was given no labels.\n"
            "Pass the grouping factors of the fit; what has no group has no effect."
        )


def _check_same_kind(name, levels, column):
    """Whether labels are of the kind of the levels of the fit."""
    if (seen := kind_of(levels)) != (given := kind_of(column)):
        raise ValueError(
            f"groups: the levels of {name!r} were {seen} at fit and are {given} now.\n"
            "Convert them to the type used at fit."
        )


def _warn_if_other_kind(factor, labels):
    """Levels of which none is known."""
    for levels, column in zip(factor.levels, labels, strict=True):
        seen = kind_of(levels)
        given = kind_of(column)
        if seen != given and len(column):
            warn(
                f"{factor.name}: none of the levels is known; they were {seen} at fit and are "
                f"{given} now.\nConvert them to the type used at fit.",
                GroupsWarning,
            )


def learn_reader(
    spec: Spec, door: Door, features: Features, layout: Layout, rows: Rows
) -> tuple[Reader, list[np.ndarray]]:
    """The reader of a fit, and the codes of its rows per factor."""
    effects = layout.effects
    _structure(spec.covariance)
    _refuse_second_intercept(layout, rows)
    _refuse_repeats(effects)
    groups = tuple(dict.fromkeys(e.group_columns for e in effects))
    _refuse_namesakes(groups)
    factors, codes = _learned(groups, rows)
    terms = tuple(_term(spec, layout, e, groups.index(e.group_columns)) for e in effects)
    return Reader(door, features, layout, factors, groups, terms), codes


def _learned(groups, rows):
    """Grouping factors with the levels of some rows, and the codes of these."""
    learned = [
        Factor.from_columns(":".join(map(str, group)), [rows.labels[name] for name in group])
        for group in groups
    ]
    return tuple(factor for factor, _ in learned), [codes for _, codes in learned]


def _term(spec, layout, effect, factor):
    covariance = _structure(effect.covariance or spec.covariance)
    for name in effect.columns:
        if name not in layout.names:
            raise tables.unknown_column("random_effects", name, list(layout.names))
    columns = tuple(layout.names.index(name) for name in effect.columns)
    return Term(factor, columns, effect.intercept, covariance)


def _structure(covariance):
    """The name of a covariance structure."""
    if isinstance(covariance, str) and covariance in STRUCTURES:
        return covariance
    meant = nearest(str(covariance), STRUCTURES)
    advice = f"Did you mean {meant!r}?" if meant else f"Use {listed(STRUCTURES)}."
    raise ValueError(f"covariance={covariance!r} is not a covariance structure.\n{advice}")


def _refuse_second_intercept(layout, rows):
    """A column that is called as the intercept of the model, and is not it."""
    if "Intercept" not in layout.names:
        return
    has_own = layout.intercept or any(effect.intercept for effect in layout.effects)
    is_it = not layout.intercept and np.all(rows.X[:, layout.names.index("Intercept")] == 1.0)
    if has_own and not is_it:
        raise ValueError(
            "X: a column is called 'Intercept', which is the name of the model's own intercept.\n"
            "Rename the column, or leave it out if it is the intercept."
        )


def _refuse_namesakes(groups):
    """Two factors of one name: a column ``a:b``, and the combinations of a and b."""
    names = [":".join(map(str, group)) for group in groups]
    if name := repeated(names):
        raise ValueError(
            f"groups: two grouping factors are called {name!r}.\n"
            "Rename a column so that every factor has a name of its own."
        )


def _refuse_repeats(effects):
    """An effect that two terms of one factor share has no variance of its own."""
    seen = set()
    for effect in effects:
        for name in (("Intercept",) if effect.intercept else ()) + effect.columns:
            if (effect.group_columns, name) in seen:
                raise ValueError(
                    f"random_effects: {name!r} of {':'.join(map(str, effect.group_columns))} "
                    "appears twice.\n"
                    "Name every effect of a grouping factor in one term only."
                )
            seen.add((effect.group_columns, name))
