"""Small designs of every layout the elimination distinguishes, weighted and unbalanced."""

from dataclasses import dataclass

import numpy as np

from skmixed._algebra.plan import Plan
from skmixed._likelihood.glmm import GlmmDeviance
from skmixed._likelihood.laplace import Laplace
from skmixed._likelihood.linear import ProfiledDeviance
from skmixed._model.families import BernoulliLogit
from skmixed._model.terms import Term
from skmixed._sums.design import Design, RowDesign
from skmixed._sums.source import InMemory

ROWS = 240


def term(factor, columns=(), intercept=True, covariance="unstructured"):
    return Term(factor, tuple(columns), intercept, covariance)


def _codes(rng):
    """Crossed factors and a chain of nested ones: teacher, item, rater; class in school in district."""
    classes = rng.integers(0, 30, ROWS)
    return {
        "teacher": rng.integers(0, 24, ROWS),
        "item": rng.integers(0, 9, ROWS),
        "rater": rng.integers(0, 4, ROWS),
        "class": classes,
        "school": classes // 4,
        "district": classes // 12,
    }


#: name -> factors, terms, and the expected (stages, dense) of the elimination
LAYOUTS = {
    "intercept": (["teacher"], [term(0)], ((0,), ())),
    "three effects": (["teacher"], [term(0, [0, 1])], ((0,), ())),
    "two terms of one factor": (["teacher"], [term(0), term(0, [1], intercept=False)], ((0,), ())),
    "diagonal": (["teacher"], [term(0, [0, 1], covariance="diagonal")], ((0,), ())),
    "exchangeable": (["teacher"], [term(0, [0, 1], covariance="exchangeable")], ((0,), ())),
    "identity": (["teacher"], [term(0, [0, 1], covariance="identity")], ((0,), ())),
    "crossed vectors": (["teacher", "item"], [term(0, [0]), term(1, [1, 2])], ((0,), (1,))),
    "crossed, small factor first": (
        ["item", "teacher"],
        [term(0, [0]), term(1, [1])],
        ((1,), (0,)),
    ),
    "three crossed": (["teacher", "item", "rater"], [term(0), term(1), term(2)], ((0,), (1, 2))),
    "chain": (
        ["class", "school", "district"],
        [term(0, [0]), term(1, [1]), term(2)],
        ((0, 1, 2), ()),
    ),
    "chain, outermost first": (
        ["district", "class", "school"],
        [term(0), term(1, [1]), term(2)],
        ((1, 2, 0), ()),
    ),
    "nested and crossed": (
        ["class", "school", "item"],
        [term(0, [0]), term(1, [1]), term(2, [1])],
        ((0, 1), (2,)),
    ),
    "nested and two crossed": (
        ["item", "school", "class", "rater"],
        [term(0, [0]), term(1, [1]), term(2, [1]), term(3)],
        ((2, 1), (0, 3)),
    ),
}


def design_of(kind, X, y, weights, codes, levels, terms, fit_intercept=True):
    """A design of rows in memory; all columns of X are fixed effects."""
    source = InMemory(X, y, weights, codes, levels)
    return kind.of(source, terms, n_fixed=X.shape[1], fit_intercept=fit_intercept)


@dataclass
class Example:
    """One design with everything a test compares: rows, plan, objective, and dense matrices in the pool's units."""

    design: Design
    plan: Plan
    objective: ProfiledDeviance
    model: object
    point: list  # a covariance per term
    y: np.ndarray
    X: np.ndarray
    Zs: list  # per factor
    weights: np.ndarray

    @property
    def T(self):
        return self.model.assemble(self.point)


def example(name, *, reml=True, weighted=True, seed=0):
    """Simulated rows in the given layout and a random positive definite point."""
    rng = np.random.default_rng(seed)
    factors, terms, _ = LAYOUTS[name]
    codes = [_codes(np.random.default_rng(seed))[f] for f in factors]
    levels = [int(c.max()) + 1 for c in codes]
    X = rng.normal(size=(ROWS, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 1.0]
    y = X @ [1.0, 0.1, 2.0] + 0.5 * rng.normal(size=ROWS)
    for c, m in zip(codes, levels, strict=True):
        y += rng.normal(size=m)[c] + 0.3 * rng.normal(size=m)[c] * X[:, 0]
    weights = rng.uniform(0.5, 3.0, ROWS) if weighted else None
    design = design_of(Design, X, y, weights, codes, levels, terms)
    plan, model = Plan(design.cross), design.covariances()
    pool = design.frame.pool(X, y)
    Zs = [
        _dense(pool[:, list(e)], c, m)
        for e, c, m in zip(design.frame.effects, codes, levels, strict=True)
    ]
    point = [_random_point(t.structure, rng) for t in model.terms]
    weights = np.ones(ROWS) if weights is None else weights
    objective = ProfiledDeviance.of(plan, reml)
    return Example(
        design, plan, objective, model, point, pool[:, -1], pool[:, design.frame.fixed], Zs, weights
    )


@dataclass
class LogisticExample:
    """One logistic design: rows, objective, a point, and dense matrices in the frame's units."""

    design: RowDesign
    objective: GlmmDeviance
    model: object
    point: list  # a covariance per term
    beta: np.ndarray
    y: np.ndarray
    X: np.ndarray
    Zs: list  # per factor
    weights: np.ndarray
    raw: np.ndarray  # columns as the user has them
    codes: list

    @property
    def T(self):
        return self.model.assemble(self.point)


def logistic_example(name, *, weighted=True, seed=0):
    """Zeros and ones in the given layout and a random positive definite point."""
    rng = np.random.default_rng(seed)
    factors, terms, _ = LAYOUTS[name]
    codes = [_codes(np.random.default_rng(seed))[f] for f in factors]
    levels = [int(c.max()) + 1 for c in codes]
    X = rng.normal(size=(ROWS, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 1.0]
    eta = (
        X @ [1.0, 0.1, 2.0]
        - 2.5
        + sum(rng.normal(size=m)[c] for c, m in zip(codes, levels, strict=True))
    )
    y = (rng.random(ROWS) < 1 / (1 + np.exp(-eta))).astype(float)
    weights = rng.integers(1, 4, ROWS).astype(float) if weighted else None
    design = design_of(RowDesign, X, y, weights, codes, levels, terms)
    pool, model = design.frame.pool(X), design.covariances()
    Zs = [
        _dense(pool[:, list(e)], c, m)
        for e, c, m in zip(design.frame.effects, codes, levels, strict=True)
    ]
    point = [_random_point(t.structure, rng) for t in model.terms]
    weights = np.ones(ROWS) if weights is None else weights
    objective = GlmmDeviance.of(design.blocks, BernoulliLogit(), Laplace())
    beta, fixed = np.array([0.2, 0.5, -0.4, 0.3]), pool[:, design.frame.fixed]
    return LogisticExample(design, objective, model, point, beta, y, fixed, Zs, weights, X, codes)


def _dense(columns, codes, levels):
    Z = np.zeros((len(columns), levels * columns.shape[1]))
    for r in range(columns.shape[1]):
        Z[np.arange(len(columns)), codes * columns.shape[1] + r] = columns[:, r]
    return Z


def _random_point(structure, rng):
    root = 0.6 * rng.normal(size=(structure.size, structure.size))
    return structure.start(
        root @ root.T + 0.02 * np.eye(structure.size), np.full(structure.size, 0.05)
    )
