"""From matrices to this library's fit.

Columns of ones are the intercept, and columns of the random effects that are columns of the fixed
ones too are told so: that is what makes a fit independent of the origins of its columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._data.checks import warn
from .._data.rows import Given, Rows
from .._data.sizes import check_sizes
from .._fit.linear import fit_linear
from .._fit.model import FittedModel, name_everything
from .._fit.training import Training, source_of
from .._reader import Features, Layout, Spec, learn_reader
from .._report.crowding import counted, refuse_boundless, warn_of_crowding
from .._report.problems import linear_problems
from .._sums.design import Design
from ..terms import RandomEffect
from ._inputs.arrays import Matrix
from ._inputs.components import Part
from ._inputs.groups import Groups

TOL = 1e-9  # as the estimator's
MAX_ITER = 100
OWNER = "MixedLM"


class Place(NamedTuple):
    """Where the effects of a part are found in the fit.

    Attributes
    ----------
    factor : position of the grouping factor
    levels : per level of the part its position in the fit; -1 for those without rows
    columns : positions of the part's columns among the effects of the factor
    within : their positions within their term
    """

    factor: int
    levels: np.ndarray
    columns: np.ndarray
    within: np.ndarray


class Assembled(NamedTuple):
    """A fitted model, and where everything is in it.

    Attributes
    ----------
    fitted : the model
    fixed : positions of the columns of X among the coefficients
    places : of the parts
    """

    fitted: FittedModel
    fixed: np.ndarray
    places: list[Place]


@dataclass(frozen=True, eq=False)
class ThroughMatrices:
    """Columns that are a model's matrices already."""

    names: tuple[str, ...]
    keys: tuple[str, ...]

    def read(self, X: Any, groups: Any) -> Rows:
        """The columns of a table by their names, and the labels that it has."""
        labels = {key: X[key] for key in self.keys if key in X.columns}
        return Rows(X[list(self.names)].to_numpy(dtype=float), labels)

    def grouping(self, table: Any) -> set:
        return set(self.keys)

    @property
    def categorical(self) -> set:
        return set()

    def used(self, table: Any) -> Sequence[str]:
        return (*self.names, *self.keys)


class Pool:
    """Columns by unique names, the fixed effects first; equal ones are kept once."""

    def __init__(self, X: np.ndarray, names: Sequence[str]) -> None:
        ones = np.flatnonzero(np.all(X == 1.0, axis=0))
        self.ones = int(ones[0]) if len(ones) else None
        self.columns: dict[str, np.ndarray] = {}
        for k, name in enumerate(names):
            if k != self.ones:
                self.columns[self._unique(name)] = X[:, k]
        self.n_fixed = len(self.columns)

    def _unique(self, name: str) -> str:
        while name in self.columns or name == "Intercept":
            name = f"{name}_"
        return name

    def name_of(self, column: np.ndarray, name: str, taken: set[str]) -> str:
        """What a column is called, if that is not taken; a new one joins."""
        for known, values in self.columns.items():
            if known not in taken and np.array_equal(values, column):
                return known
        name = self._unique(name)
        self.columns[name] = column
        return name

    @property
    def fixed(self) -> np.ndarray:
        """Positions of the columns of X among the coefficients: the intercept comes first."""
        if self.ones is None:
            return np.arange(self.n_fixed)
        return np.argsort([self.ones, *np.delete(np.arange(self.n_fixed + 1), self.ones)])


def assemble(
    y: np.ndarray,
    X: Matrix,
    response: str,
    groups: Groups,
    group_name: str,
    parts: list[Part],
    *,
    reml: bool,
) -> Assembled:
    """The fitted model of matrices, with its warnings."""
    pool = Pool(X.values, X.names)
    keys, labels = _factors(parts, groups, group_name)
    effects, orders = _effects(parts, keys, pool)
    matrix = np.column_stack([*pool.columns.values(), np.empty((len(y), 0))])
    rows = Rows(matrix, labels)
    check_sizes(tuple(pool.columns), matrix, y, None)
    layout = Layout(tuple(pool.columns), pool.n_fixed, pool.ones is not None, tuple(effects))
    reader, codes, table = _reader(layout, rows)
    training = Training(reader, Given(table, None, None), y, None, None)
    refuse_boundless(reader, counted(codes))
    warn_of_crowding(reader, counted(codes), training.n)
    fit = _fitted(reader, source_of(training, rows, codes), reml)
    model = FittedModel(fit, reader, name_everything(training, codes, response), training)
    for message, category in linear_problems(model):
        warn(message, category)
    return Assembled(model, pool.fixed, _places(parts, orders, groups, reader, codes))


def _fitted(reader, source, reml):
    design = Design.of(source, reader.terms, n_fixed=reader.n_fixed, fit_intercept=reader.intercept)
    return fit_linear(design, reml=reml, tol=TOL, max_iter=MAX_ITER)


def _factors(parts, groups, group_name):
    """The factor of every part, and the labels of all factors; parts with the same levels share
    one.
    """
    found: dict[str, np.ndarray] = {}
    labels = {}
    keys = []
    for part in parts:
        codes = groups.codes if part.codes is None else part.codes
        name = group_name if part.codes is None else part.names[0]
        same = [key for key, known in found.items() if np.array_equal(known, codes)]
        key = same[0] if same else _another(name, found)
        if not same:
            found[key] = codes
            labels[key] = _labels(part.labels, codes)
        keys.append(key)
    return keys, labels


def _another(name, known):
    while name in known:
        name = f"{name}_"
    return name


def _labels(labels, codes):
    """Labels of all rows; categories are coded fast."""
    used = np.unique(codes)
    place = np.empty(len(labels), dtype=np.int64)
    place[used] = np.arange(len(used))
    values = pd.Index([labels[k] for k in used])
    values = values if values.is_unique else pd.RangeIndex(len(used))
    return pd.Categorical.from_codes(place[codes], categories=values)


def _effects(parts, keys, pool):
    """Terms by names, and per part the positions of its columns in its term: the intercept is the
    first.  What a factor has in two parts is two effects.
    """
    taken: dict[str, set[str]] = {key: set() for key in keys}
    effects = []
    orders = []
    for part, key in zip(parts, keys, strict=True):
        ones = np.flatnonzero(np.all(part.columns == 1.0, axis=0))[: "Intercept" not in taken[key]]
        others = np.setdiff1d(np.arange(part.columns.shape[1]), ones)
        taken[key] |= {"Intercept"} if len(ones) else set()
        called = []
        for k in others:
            called.append(pool.name_of(part.columns[:, k], part.names[k], taken[key]))
            taken[key].add(called[-1])
        effects.append(
            RandomEffect(key, tuple(called), intercept=len(ones) > 0, covariance=part.covariance)
        )
        orders.append(np.argsort(np.concatenate([ones, others]).astype(int)))
    return effects, orders


def _reader(layout, rows):
    keys = tuple(rows.labels)
    table = pd.DataFrame(rows.X, columns=list(layout.names)).assign(**rows.labels)
    spec = Spec(
        owner=OWNER,
        groups=None,
        random_effects=None,
        formula=None,
        covariance="unstructured",
        fit_intercept=layout.intercept,
        offset=None,
        wanted=keys,
        effects=layout.effects,
    )
    features = Features(OWNER, tuple(map(str, table.columns)), table.shape[1])
    reader, codes = learn_reader(spec, ThroughMatrices(layout.names, keys), features, layout, rows)
    return reader, codes, table


def _places(parts, orders, groups, reader, codes):
    used = [0] * len(codes)
    found = []
    for part, order, term in zip(parts, orders, reader.terms, strict=True):
        own = groups.codes if part.codes is None else part.codes
        levels = np.full(len(part.labels), -1)
        levels[own] = codes[term.factor]
        found.append(Place(term.factor, levels, used[term.factor] + order, order))
        used[term.factor] += term.size
    return found
