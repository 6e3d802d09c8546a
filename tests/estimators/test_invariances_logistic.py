"""What must not change a logistic fit, and what changes its coefficients in a known way."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from scipy.special import expit

from skmixed import MixedLogisticClassifier, SkmixedWarning

few = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # a fit takes too long to shrink a failure
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

#: terms by the changes of the slope's units that leave the family of models alone
SHIFT_AND_SCALE = [
    "(1 | a)",
    "(1 + x | a)",
    "(1 | a/b)",
    "(1 + x | a) + (1 | c)",
    "(1 | a) + (1 | b) + (1 | c)",
]
SCALE_ONLY = ["(0 + x | a)", "(1 + x || a)", "(1 + x || a) + (1 | c)"]
TERMS = SHIFT_AND_SCALE + SCALE_ONLY
SINGLE = ["(1 | a)", "(1 + x | a)", "(0 + x | a)", "(1 + x || a)"]
ORDINARY = 50.0  # a variance of the log-odds beyond is on its way to infinity, and where a search stops is arbitrary


@dataclass(frozen=True)
class Problem:
    """A data set and the model for it."""

    X: pd.DataFrame
    y: np.ndarray
    terms: str
    covariance: str = "unstructured"
    n_quadrature: int = 1
    weights: np.ndarray | None = None
    fit_intercept: bool = True

    @property
    def columns(self):
        return ["x", "z", *(letter for letter in "abc" if letter in self.terms)]

    @functools.cached_property
    def fit(self):
        model = MixedLogisticClassifier(
            random_effects=self.terms,
            covariance=self.covariance,
            n_quadrature=self.n_quadrature,
            fit_intercept=self.fit_intercept,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkmixedWarning)
            return model.fit(self.X[self.columns], self.y, sample_weight=self.weights)

    @property
    def is_ordinary(self):
        return self.fit.converged_ and all(
            np.max(np.diag(c)) < ORDINARY for c in self.fit.covariances_
        )

    def predict(self, X=None, kind="conditional"):
        """Log-odds of the second class."""
        X = self.X if X is None else X
        return self.fit.decision_function(X[self.columns], kind=kind)


def make_problem(seed, terms, covariance="unstructured", n_quadrature=1, fit_intercept=True):
    """Rows of two fixed effects and three factors; b varies within a, c is crossed with both."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(80, 200))
    a, b, c = rng.integers(0, 10, n), rng.integers(0, 3, n), rng.integers(0, 5, n)
    X = pd.DataFrame(
        {"x": rng.uniform(0, 2, n), "z": rng.standard_normal(n), "a": a, "b": b, "c": c}
    )
    eta = (
        -1.0 + X["x"] - 0.5 * X["z"] + rng.normal(0, 1, 10)[a] + rng.normal(0, 0.7, 10)[a] * X["x"]
    )
    eta += rng.normal(0, 1, (10, 3))[a, b] + rng.normal(0, 0.7, 5)[c]
    y = (rng.random(n) < expit(eta)).astype(int)
    problem = Problem(X, y, terms, covariance, n_quadrature, fit_intercept=fit_intercept)
    assume(np.ptp(y) and problem.is_ordinary)
    return problem


def problems(terms=TERMS, **options):
    return st.builds(make_problem, st.integers(0, 10_000), st.sampled_from(terms), **options)


structures = st.sampled_from(["unstructured", "diagonal", "identity", "exchangeable"])
scales = st.sampled_from([1e-12, 1e-6, 1e-3, 0.5, 1e3, 1e6, 1e12])
shifts = st.sampled_from([-1e6, -3.0, 0.1, 2000.0])
points = st.sampled_from([3, 7])
seeds = st.integers(0, 1000)


def assert_same(changed, problem, rows=slice(None)):
    """The same log-likelihood, and the same log-odds of the rows."""
    assert changed.fit.loglik_ == pytest.approx(problem.fit.loglik_, rel=1e-9, abs=1e-7)
    for kind in ("conditional", "population", "marginal"):
        found, expected = changed.predict(kind=kind), problem.predict(kind=kind)
        np.testing.assert_allclose(
            found[: len(expected)][rows], expected[rows], rtol=1e-3, atol=1e-3
        )


def assert_same_estimates(changed, problem, *, sign=1.0, scale=1.0):
    """Coefficients (those of x in units of ``scale``), standard errors and covariances of random intercepts."""
    np.testing.assert_allclose(
        changed.fit.coef_ * scale, sign * problem.fit.coef_, rtol=1e-3, atol=1e-3
    )
    slopes = slice(int(problem.fit_intercept), None)
    ours, theirs = (
        changed.fit.results_.bse.to_numpy()[slopes],
        problem.fit.results_.bse.to_numpy()[slopes],
    )
    np.testing.assert_allclose(ours * scale, theirs, rtol=1e-2)


# --------------------------------------------------------------------------------------------------- rows and levels


@few
@given(problems(covariance=structures, fit_intercept=st.booleans()), seeds)
def test_order_of_the_rows(problem, seed):
    order = np.random.default_rng(seed).permutation(len(problem.y))
    changed = replace(problem, X=problem.X.iloc[order], y=problem.y[order])
    assert changed.fit.loglik_ == pytest.approx(problem.fit.loglik_, rel=1e-9, abs=1e-7)
    np.testing.assert_allclose(changed.predict(), problem.predict()[order], rtol=1e-3, atol=1e-3)
    assert_same_estimates(changed, problem)


@few
@given(
    problems(covariance=structures), st.permutations(range(10)), st.sampled_from([int, str, float])
)
def test_names_of_the_levels(problem, names, kind):
    """Other names, in another order, as text or as numbers."""
    X = problem.X.assign(a=np.array(names)[problem.X["a"]], c=-problem.X["c"])
    changed = replace(problem, X=X.astype({"a": kind, "b": kind, "c": kind}))
    assert_same(changed, problem)
    assert_same_estimates(changed, problem)


@few
@given(
    problems(SINGLE, covariance=structures, n_quadrature=points), st.permutations(range(10)), seeds
)
def test_names_and_order_with_quadrature(problem, names, seed):
    order = np.random.default_rng(seed).permutation(len(problem.y))
    X = problem.X.assign(a=np.array(names)[problem.X["a"]]).astype({"a": str}).iloc[order]
    changed = replace(problem, X=X, y=problem.y[order])
    assert changed.fit.loglik_ == pytest.approx(problem.fit.loglik_, rel=1e-9, abs=1e-7)
    np.testing.assert_allclose(changed.predict(), problem.predict()[order], rtol=1e-3, atol=1e-3)


@few
@given(problems(), st.integers(0, 5))
def test_terms_in_another_order(problem, turn):
    terms = problem.terms.split(" + (")
    terms = [terms[0], *("(" + t for t in terms[1:])]
    turned = terms[turn % len(terms) :] + terms[: turn % len(terms)]
    assert_same(replace(problem, terms=" + ".join(turned)), problem)


# ------------------------------------------------------------------------------------------------------------- classes


@few
@given(
    problems(covariance=structures, fit_intercept=st.booleans()),
    st.sampled_from([bool, float, str]),
)
def test_classes_swapped(problem, kind):
    """The other class as the second one: everything changes its sign, whatever the labels."""
    changed = replace(problem, y=(1 - problem.y).astype(kind))
    assert changed.fit.loglik_ == pytest.approx(problem.fit.loglik_, rel=1e-9, abs=1e-7)
    assert changed.fit.intercept_ == pytest.approx(-problem.fit.intercept_, rel=1e-3, abs=1e-3)
    np.testing.assert_allclose(changed.predict(), -problem.predict(), rtol=1e-3, atol=1e-3)
    assert_same_estimates(changed, problem, sign=-1.0)
    for ours, theirs in zip(changed.fit.covariances_, problem.fit.covariances_, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-3)


@few
@given(problems(SINGLE, covariance=structures, n_quadrature=points))
def test_classes_swapped_with_quadrature(problem):
    changed = replace(problem, y=1 - problem.y)
    assert changed.fit.loglik_ == pytest.approx(problem.fit.loglik_, rel=1e-9, abs=1e-7)
    np.testing.assert_allclose(changed.predict(), -problem.predict(), rtol=1e-3, atol=1e-3)


# --------------------------------------------------------------------------------------------------- units of columns


@few
@given(problems(SHIFT_AND_SCALE), shifts)
def test_origin_of_a_slope(problem, shift):
    """An intercept that varies with the slope, or no slope at all, takes up any shift."""
    changed = replace(problem, X=problem.X.assign(x=problem.X["x"] + shift))
    assert_same(changed, problem)
    assert_same_estimates(changed, problem)
    moved = problem.fit.intercept_ - shift * changed.fit.coef_[0]
    assert changed.fit.intercept_ == pytest.approx(moved, rel=1e-3, abs=1e-3)


@few
@given(problems(covariance=structures), shifts)
def test_origin_of_another_column(problem, shift):
    changed = replace(problem, X=problem.X.assign(z=problem.X["z"] + shift))
    assert_same(changed, problem)
    assert_same_estimates(changed, problem)


@few
@given(problems(TERMS, fit_intercept=st.booleans()), scales, scales)
def test_scale_of_the_columns(problem, scale, other):
    changed = replace(
        problem, X=problem.X.assign(x=scale * problem.X["x"], z=other * problem.X["z"])
    )
    assert_same(changed, problem)
    assert_same_estimates(changed, problem, scale=np.array([scale, other]))


@few
@given(problems(TERMS), scales)
def test_scale_of_a_diagonal_slope(problem, scale):
    problem = replace(problem, covariance="diagonal")
    assume(problem.is_ordinary)
    changed = replace(problem, X=problem.X.assign(x=scale * problem.X["x"]))
    assert_same(changed, problem)
    assert_same_estimates(changed, problem, scale=np.array([scale, 1.0]))


@few
@given(problems(SINGLE, n_quadrature=points), scales, scales)
def test_scale_with_quadrature(problem, scale, other):
    """The nodes follow the Cholesky factor in the units of the data, whose columns scale with
    them."""
    changed = replace(
        problem, X=problem.X.assign(x=scale * problem.X["x"], z=other * problem.X["z"])
    )
    assert_same(changed, problem)
    assert_same_estimates(changed, problem, scale=np.array([scale, other]))


@few
@given(problems(["(1 + x | a)"], n_quadrature=st.just(7)), st.sampled_from([1e4, -1e4, 1e6]))
def test_origin_of_a_slope_with_quadrature(problem, shift):
    """The nodes turn with the origin, less and less the farther away it is."""
    near, far = (replace(problem, X=problem.X.assign(x=problem.X["x"] + s)) for s in (1e3, shift))
    assert near.fit.loglik_ == pytest.approx(problem.fit.loglik_, abs=0.1)
    assert far.fit.loglik_ == pytest.approx(near.fit.loglik_, abs=1e-3)
    np.testing.assert_allclose(far.predict(), near.predict(), rtol=1e-2, atol=1e-2)


@few
@given(problems(SHIFT_AND_SCALE), shifts, scales)
def test_tests_and_standard_errors(problem, shift, scale):
    """z values and standard errors of probabilities do not depend on units either."""
    changed = replace(problem, X=problem.X.assign(x=scale * (problem.X["x"] + shift)))
    ours, theirs = (p.fit.results_.tvalues.iloc[1:] for p in (changed, problem))
    np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-3)
    ours, theirs = (
        p.fit.predict_proba(p.X[p.columns], return_std=True)[1] for p in (changed, problem)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-4)
    new = problem.X.assign(a=problem.X["a"] + 100)
    ours, theirs = (
        p.fit.predict_proba(new.assign(x=p.X["x"])[p.columns]) for p in (changed, problem)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


# ------------------------------------------------------------------------------------------------------------- weights


def assert_repeats(weighted, repeated):
    assert weighted.fit.loglik_ == pytest.approx(repeated.fit.loglik_, rel=1e-9, abs=1e-7)
    np.testing.assert_allclose(
        weighted.predict(), repeated.predict(weighted.X), rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(weighted.fit.results_.bse, repeated.fit.results_.bse, rtol=1e-2)
    left, right = (
        f.variance_components()["std_error"].to_numpy(float) for f in (weighted.fit, repeated.fit)
    )
    np.testing.assert_allclose(left, right, rtol=2e-2, atol=1e-3)
    assert weighted.fit.results_.nobs == repeated.fit.results_.nobs


@few
@given(problems(covariance=structures, fit_intercept=st.booleans()), seeds)
def test_weights_repeat_rows(problem, seed):
    """Weight 2 is the row twice, weight 0 is the row removed."""
    weights = np.random.default_rng(seed).integers(0, 4, len(problem.y))
    rows = np.repeat(np.arange(len(problem.y)), weights)
    repeated = replace(problem, X=problem.X.iloc[rows], y=problem.y[rows])
    assume(repeated.is_ordinary)
    assert_repeats(replace(problem, weights=weights.astype(float)), repeated)


@few
@given(problems(SINGLE, covariance=structures, n_quadrature=points), seeds)
def test_weights_repeat_rows_with_quadrature(problem, seed):
    weights = np.random.default_rng(seed).integers(0, 4, len(problem.y))
    rows = np.repeat(np.arange(len(problem.y)), weights)
    repeated = replace(problem, X=problem.X.iloc[rows], y=problem.y[rows])
    assume(repeated.is_ordinary)
    assert_repeats(replace(problem, weights=weights.astype(float)), repeated)


@few
@given(problems(covariance=structures), seeds)
def test_weight_zero_removes_a_row(problem, seed):
    """Also where it holds the only row of a level, whose effect is then not known."""
    keep = np.random.default_rng(seed).random(len(problem.y)) < 0.8
    keep[problem.X["a"] == 3] = False
    removed = replace(problem, X=problem.X[keep], y=problem.y[keep])
    assume(removed.is_ordinary)
    assert_repeats(replace(problem, weights=keep.astype(float)), removed)


@few
@given(problems(covariance=structures), seeds)
def test_splitting_rows(problem, seed):
    """A row of weight w is two rows of weights that add up to w."""
    rng = np.random.default_rng(seed)
    weights, share = rng.uniform(0.2, 3.0, len(problem.y)), rng.uniform(0.0, 1.0, len(problem.y))
    whole = replace(problem, weights=weights)
    assume(whole.is_ordinary)
    parts = replace(
        problem,
        X=pd.concat([problem.X, problem.X]),
        y=np.tile(problem.y, 2),
        weights=np.append(share * weights, (1 - share) * weights),
    )
    assert_same(parts, whole)


@few
@given(problems(covariance=structures, fit_intercept=st.booleans()))
def test_labels_as_an_argument(problem):
    """The two ways to pass groups are the same model."""
    model = MixedLogisticClassifier(
        random_effects=problem.terms,
        covariance=problem.covariance,
        fit_intercept=problem.fit_intercept,
    )
    X, labels = problem.X[["x", "z"]], problem.X[problem.columns[2:]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        model.fit(X, problem.y, groups=labels)
    assert model.loglik_ == pytest.approx(problem.fit.loglik_, rel=1e-9)
    np.testing.assert_allclose(
        model.decision_function(X, groups=labels), problem.predict(), rtol=1e-6, atol=1e-8
    )
