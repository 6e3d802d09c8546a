"""The columns of a formula for new rows: what formulaic found at fit, in numbers and text alone.

formulaic evaluates a formula at fit.  A *recipe* holds what it learned there, the categories, the
coding of each, and the states of transforms such as knots and means, and makes the same columns for
new rows without asking again how the formula is to be read.  A recipe is plain data: text, numbers,
arrays; its code is compiled when it is first needed.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np
import pandas as pd
from formulaic.transforms import TRANSFORMS
from formulaic.utils.cast import as_columns
from formulaic.utils.code import format_expr, sanitize_variable_names

from .categories import AFTERWARDS

ROWS_TO_AGREE_ON = 64
ROUNDING = 1e-12


class UnseenCategory(ValueError):
    """A category that was not there at fit."""


@dataclass(frozen=True, eq=False)
class Expression:
    """A factor of a formula: a column, or Python code with the states of its transforms."""

    text: str
    is_column: bool
    states: dict[str, dict]

    def __getstate__(self):
        return {name: vars(self)[name] for name in ("text", "is_column", "states")}

    def __call__(self, table: pd.DataFrame) -> Any:
        if self.is_column:
            return table[self.text]
        code, names = self._compiled
        columns = {name: table[of] for name, of in names.items() if of in table.columns}
        return eval(code, {"_states": self.states}, TRANSFORMS | columns)

    @cached_property
    def _compiled(self):
        """The code, with states handed to the transforms, and the columns behind its names."""
        aliases: dict[str, str] = {}
        tree = ast.parse(sanitize_variable_names(self.text, {}, aliases), mode="eval")
        nodes = list(ast.walk(tree))
        for call, name in [(n, format_expr(n)) for n in nodes if _has_state(n)]:
            state = ast.parse(f"_states.get({name!r}, {{}})", mode="eval").body
            call.keywords.append(ast.keyword("_state", state))
        names = {n.id: aliases.get(n.id, n.id) for n in nodes if isinstance(n, ast.Name)}
        return compile(ast.fix_missing_locations(tree), "<formula>", "eval"), names


def _has_state(node):
    """Whether a node calls a transform that remembers something of the rows of the fit."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    return getattr(TRANSFORMS.get(node.func.id), "__is_stateful_transform__", False)


@dataclass(frozen=True, eq=False)
class Numbers:
    """A factor of one or several columns of numbers."""

    value: Expression
    known: tuple = ()

    def columns(self, table, is_reduced):
        """The columns, without the one that the others imply where the rank is reduced."""
        found = as_columns(self.value(table))
        if not isinstance(found, dict):
            return [self._numbers(found)]
        fields = [k for k in found if not str(k).startswith("__")]
        about = getattr(found, "__formulaic_metadata__", None)
        if is_reduced and about and about.spans_intercept:
            fields = [k for k in fields if k != about.drop_field]
        return [self._numbers(found[k]) for k in fields]

    def _numbers(self, column):
        array = np.asarray(column)
        if array.dtype.kind in "biufc":
            return array
        if array.dtype.kind != "O" or any(isinstance(value, str) for value in array):
            raise TypeError(f"{self.value.text}: numbers were expected, such as those of the fit")
        return array.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Categories:
    """A factor of categories: each row of a coding belongs to one of them."""

    value: Expression
    categories: np.ndarray
    full: np.ndarray
    reduced: np.ndarray

    def __getstate__(self):
        return {name: vars(self)[name] for name in ("value", "categories", "full", "reduced")}

    def columns(self, table, is_reduced):
        """The columns of the coding."""
        values = self.value(table)
        values = pd.Index(np.asarray(getattr(values, "__wrapped__", values)))
        codes = self._places.get_indexer(values)
        if np.any(codes < 0):
            unseen = values[codes < 0].tolist()[0]
            raise UnseenCategory(f"{self.value.text}: category {unseen!r} was not there at fit")
        return list((self.reduced if is_reduced else self.full)[codes].T)

    @property
    def known(self):
        """The categories of the fit."""
        return self.categories

    @cached_property
    def _places(self):
        return pd.Index(self.categories)


@dataclass(frozen=True)
class Product:
    """One part of a term: factors, each with whether its rank is reduced, times a number."""

    factors: tuple[tuple[str, bool], ...]
    scale: float

    def columns(self, table, found):
        """All products of a column of each factor, those of the last factor varying slowest."""
        if not self.factors:
            return [np.full(len(table), float(self.scale))]
        parts = [found[factor] for factor in self.factors]
        single = [part[0] for part in parts if len(part) == 1]
        several = [part for part in parts if len(part) != 1]
        parts = several + ([[reduce(np.multiply, single)]] if single else [])
        return [
            self.scale * reduce(np.multiply, combination[::-1])
            for combination in itertools.product(*reversed(parts))
        ]


@dataclass(frozen=True)
class TermColumns:
    """A term of a part of a formula.

    Attributes
    ----------
    factors : its factors; none for the intercept
    columns : places of its columns in the part
    products : what they are made of; None where that is not known
    """

    factors: tuple[str, ...]
    columns: tuple[int, ...]
    products: tuple[Product, ...] | None


@dataclass(frozen=True)
class Recipe:
    """How the columns of one part of a formula are made; the intercept, if any, is among them.

    ``widths`` are the numbers of columns of factors of numbers.
    """

    names: tuple[str, ...]
    factors: dict[str, Numbers | Categories]
    products: tuple[Product, ...]
    terms: tuple[TermColumns, ...] = ()
    widths: dict[str, int] = field(default_factory=dict)

    @property
    def has_lone_category(self) -> bool:
        """Whether a factor has one category, which may need no column, but no other may come."""
        return any(len(factor.known) == 1 for factor in self.factors.values())

    def __call__(self, table: pd.DataFrame) -> np.ndarray:
        """The columns (rows, columns) for some rows."""
        wanted = dict.fromkeys(factor for product in self.products for factor in product.factors)
        found = {f: self.factors[f[0]].columns(table, f[1]) for f in wanted}
        columns = [column for product in self.products for column in product.columns(table, found)]
        if not columns:
            return np.empty((len(table), 0))
        return np.column_stack(columns).astype(np.float64, copy=False)


def recipe_of(specification: Any, table: pd.DataFrame, matrix: Any) -> Callable:
    """What makes the columns of new rows as formulaic's specification does, proven on some rows.

    The specification itself where a recipe can't.
    """
    few = table.iloc[:ROWS_TO_AGREE_ON]
    try:
        recipe = _read(specification)
        agrees = np.allclose(recipe(few), np.asarray(matrix)[: len(few)], ROUNDING, ROUNDING)
        recipe = replace(recipe, widths=_widths(recipe, few))
    except Exception:  # whatever a recipe can't read, formulaic can
        agrees = False
    return recipe if agrees else Specification(specification)


@dataclass(frozen=True)
class Specification:
    """formulaic's own way to the columns of new rows."""

    model_spec: Any
    has_lone_category = True

    @property
    def names(self):
        """Names of the columns."""
        return tuple(self.model_spec.column_names)

    @property
    def terms(self):
        """Terms whose products are not known."""
        return _terms_of(self.model_spec, None)

    def __call__(self, table):
        """The columns (rows, columns) for some rows."""
        found = self.model_spec.get_model_matrix(table, context=AFTERWARDS)
        return np.asarray(found, dtype=np.float64)


def _read(specification):
    """The recipe of a specification."""
    products = [
        tuple(_product(scoped) for scoped in term.scoped_terms) for term in specification.structure
    ]
    scoped = [scoped for term in specification.structure for scoped in term.scoped_terms]
    factors = {f.factor.factor.expr: f.factor.factor for part in scoped for f in part.factors}
    return Recipe(
        tuple(specification.column_names),
        {name: _factor(specification, f) for name, f in factors.items()},
        tuple(itertools.chain.from_iterable(products)),
        _terms_of(specification, products),
    )


def _widths(recipe, few):
    """Numbers of columns of the factors that are numbers."""
    numbers = {name: f for name, f in recipe.factors.items() if isinstance(f, Numbers)}
    return {name: len(factor.columns(few, is_reduced=False)) for name, factor in numbers.items()}


def _product(scoped):
    return Product(tuple((f.factor.factor.expr, f.reduced) for f in scoped.factors), scoped.scale)


def _terms_of(specification, products):
    """Terms with the places of their columns."""
    found = []
    start = 0
    for k, term in enumerate(specification.structure):
        columns = tuple(range(start, start + len(term.columns)))
        start += len(columns)
        factors = tuple(f.expr for f in term.term.factors if f.expr != "1")
        found.append(TermColumns(factors, columns, products and products[k]))
    return tuple(found)


def _factor(specification, factor):
    value = Expression(
        factor.expr,
        factor.eval_method.value == "lookup",
        {k: v for k, v in specification.transform_state.items() if k in factor.expr},
    )
    kind, state = specification.encoder_state[factor.expr]
    if kind.value != "categorical":
        return Numbers(value)
    categories = state["categories"]
    codings = [
        np.asarray(state["contrasts"].contrasts.get_coding_matrix(categories, reduced_rank=r))
        for r in (False, True)
    ]
    return Categories(value, np.asarray(categories), *codings)
