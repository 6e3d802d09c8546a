"""What must not change the fit, and what changes the log-likelihood by exactly a known amount."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skmixed import MixedLinearRegressor, SkmixedWarning

few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

#: terms by the changes of the slope's units that leave the family of models alone
SHIFT_AND_SCALE = [
    "(1 | a)",
    "(1 + x | a)",
    "(1 | a/b)",
    "(1 + x | a) + (1 | c)",
    "(1 | a) + (1 | b) + (1 | c)",
]
SCALE_ONLY = ["(0 + x | a)", "(1 + x || a) + (1 | c)"]
TERMS = SHIFT_AND_SCALE + SCALE_ONLY


@dataclass(frozen=True)
class Problem:
    """A data set and the model for it."""

    X: pd.DataFrame
    y: np.ndarray
    terms: str
    method: str
    covariance: str = "unstructured"
    weights: np.ndarray | None = None
    fit_intercept: bool = True

    @property
    def factors(self):
        return [letter for letter in "abc" if letter in self.terms]

    @property
    def nu(self):
        """Degrees of freedom by which the units of y enter the log-likelihood."""
        n = len(self.y) if self.weights is None else self.weights.sum()
        return n - (self.method == "reml") * (2 + self.fit_intercept)

    @functools.cached_property
    def fit(self):
        model = MixedLinearRegressor(
            random_effects=self.terms,
            method=self.method,
            covariance=self.covariance,
            fit_intercept=self.fit_intercept,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkmixedWarning)
            return model.fit(self.X[["x", "z", *self.factors]], self.y, sample_weight=self.weights)

    def predict(self, X=None, **options):
        X = self.X if X is None else X
        return self.fit.predict(X[["x", "z", *self.factors]], **options)


def make_problem(seed, terms, method, covariance="unstructured", fit_intercept=True):
    """Rows of two fixed effects and three factors; b varies within a, c is crossed with both."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(30, 120))
    a, b, c = rng.integers(0, 8, n), rng.integers(0, 3, n), rng.integers(0, 5, n)
    X = pd.DataFrame(
        {"x": rng.uniform(0, 2, n), "z": rng.standard_normal(n), "a": a, "b": b, "c": c}
    )
    y = 1.0 + 2.0 * X["x"] - X["z"] + rng.normal(0, 1, 8)[a] + rng.normal(0, 1, 8)[a] * X["x"]
    y += rng.normal(0, 1, (8, 3))[a, b] + rng.normal(0, 0.7, 5)[c] + rng.standard_normal(n)
    return Problem(X, y.to_numpy(), terms, method, covariance, fit_intercept=fit_intercept)


def problems(terms=TERMS, **options):
    return st.builds(
        make_problem,
        st.integers(0, 10_000),
        st.sampled_from(terms),
        st.sampled_from(["reml", "ml"]),
        **options,
    )


structures = st.sampled_from(["unstructured", "diagonal", "identity", "exchangeable"])
scales = st.sampled_from([1e-6, 1e-3, 0.5, 1e3, 1e6])
shifts = st.sampled_from([-1e4, -3.0, 0.1, 2000.0])


def assert_same(changed, problem, *, added=0.0, scale=1.0, shift=0.0):
    """The same predictions in other units, and a log-likelihood moved by ``added``."""
    assert changed.fit.loglik_ == pytest.approx(problem.fit.loglik_ + added, rel=1e-9, abs=1e-7)
    spread = np.std(problem.y)
    for kind in ("conditional", "population"):
        expected = problem.predict(kind=kind)
        found = (changed.predict(kind=kind)[: len(expected)] - shift) / scale
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * spread)
    np.testing.assert_allclose(changed.fit.scale_ / scale**2, problem.fit.scale_, rtol=1e-4)


@few
@given(
    problems(covariance=structures, fit_intercept=st.booleans()), st.randoms(use_true_random=False)
)
def test_order_of_the_rows(problem, random):
    order = list(range(len(problem.y)))
    random.shuffle(order)
    changed = replace(problem, X=problem.X.iloc[order], y=problem.y[order])
    assert changed.fit.loglik_ == pytest.approx(problem.fit.loglik_, rel=1e-9, abs=1e-7)
    expected = problem.predict()[order]
    np.testing.assert_allclose(
        changed.predict(), expected, rtol=1e-4, atol=1e-4 * np.std(problem.y)
    )


@few
@given(problems(covariance=structures), st.permutations(range(8)), st.booleans())
def test_names_of_the_levels(problem, names, as_text):
    """Other names, in another order, as text or as numbers."""
    X = problem.X.assign(a=np.array(names)[problem.X["a"]], c=-problem.X["c"])
    changed = replace(problem, X=X.astype({"a": str, "b": str, "c": str}) if as_text else X)
    assert_same(changed, problem)


@few
@given(problems(covariance=structures, fit_intercept=st.booleans()), scales)
def test_scale_of_the_response(problem, scale):
    changed = replace(problem, y=scale * problem.y)
    assert_same(changed, problem, added=-problem.nu * np.log(scale), scale=scale)
    for ours, theirs in zip(changed.fit.covariances_, problem.fit.covariances_, strict=True):
        np.testing.assert_allclose(
            ours / scale**2, theirs, rtol=1e-3, atol=1e-4 * problem.fit.scale_
        )


@few
@given(problems(covariance=structures), shifts)
def test_origin_of_the_response(problem, shift):
    assert_same(replace(problem, y=problem.y + shift), problem, shift=shift)


@few
@given(problems(SHIFT_AND_SCALE), shifts)
def test_origin_of_a_slope(problem, shift):
    """An intercept that varies with the slope, or no slope at all, takes up any shift."""
    changed = replace(problem, X=problem.X.assign(x=problem.X["x"] + shift))
    assert_same(changed, problem)
    np.testing.assert_allclose(changed.fit.coef_, problem.fit.coef_, rtol=1e-4, atol=1e-5)


@few
@given(problems(covariance=structures), shifts)
def test_origin_of_another_column(problem, shift):
    assert_same(replace(problem, X=problem.X.assign(z=problem.X["z"] + shift)), problem)


@few
@given(problems(TERMS, fit_intercept=st.booleans()), scales, scales)
def test_scale_of_the_columns(problem, scale, other):
    """REML moves by the log of the scales, because its columns span another volume; ML does not move."""
    X = problem.X.assign(x=scale * problem.X["x"], z=other * problem.X["z"])
    changed = replace(problem, X=X)
    assert_same(changed, problem, added=-(problem.method == "reml") * np.log(scale * other))
    np.testing.assert_allclose(
        changed.fit.coef_ * [scale, other], problem.fit.coef_, rtol=1e-4, atol=1e-5
    )


@few
@given(problems(TERMS), scales)
def test_scale_of_a_diagonal_slope(problem, scale):
    problem = replace(problem, covariance="diagonal")
    changed = replace(problem, X=problem.X.assign(x=scale * problem.X["x"]))
    assert_same(changed, problem, added=-(problem.method == "reml") * np.log(scale))


@few
@given(problems(), st.integers(0, 5))
def test_terms_in_another_order(problem, turn):
    terms = problem.terms.split(" + (")
    terms = [terms[0], *("(" + t for t in terms[1:])]
    turned = terms[turn % len(terms) :] + terms[: turn % len(terms)]
    assert_same(replace(problem, terms=" + ".join(turned)), problem)


@few
@given(problems(covariance=structures, fit_intercept=st.booleans()), st.integers(0, 1000))
def test_weights_repeat_rows(problem, seed):
    """Weight 2 is the row twice, weight 0 is the row removed, with groups and slopes too."""
    weights = np.random.default_rng(seed).integers(0, 4, len(problem.y))
    rows = np.repeat(np.arange(len(problem.y)), weights)
    weighted = replace(problem, weights=weights.astype(float))
    repeated = replace(problem, X=problem.X.iloc[rows], y=problem.y[rows])
    assert weighted.fit.loglik_ == pytest.approx(repeated.fit.loglik_, rel=1e-9, abs=1e-7)
    expected = repeated.predict(problem.X)
    np.testing.assert_allclose(
        weighted.predict(), expected, rtol=1e-4, atol=1e-4 * np.std(problem.y)
    )
    np.testing.assert_allclose(weighted.fit.results_.bse, repeated.fit.results_.bse, rtol=1e-3)
    left, right = (
        f.variance_components()["std_error"].to_numpy(float) for f in (weighted.fit, repeated.fit)
    )
    np.testing.assert_allclose(left, right, rtol=1e-2, atol=1e-4)
    assert weighted.fit.results_.nobs == repeated.fit.results_.nobs


@few
@given(problems(covariance=structures), st.integers(0, 1000))
def test_splitting_rows(problem, seed):
    """A row of weight w is two rows of weights that add up to w."""
    rng = np.random.default_rng(seed)
    weights, share = rng.uniform(0.2, 3.0, len(problem.y)), rng.uniform(0.0, 1.0, len(problem.y))
    whole = replace(problem, weights=weights)
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
    model = MixedLinearRegressor(
        random_effects=problem.terms,
        method=problem.method,
        covariance=problem.covariance,
        fit_intercept=problem.fit_intercept,
    )
    X, labels = problem.X[["x", "z"]], problem.X[problem.factors]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        model.fit(X, problem.y, groups=labels)
    assert model.loglik_ == pytest.approx(problem.fit.loglik_, rel=1e-9)
    np.testing.assert_allclose(
        model.predict(X, groups=labels), problem.predict(), rtol=1e-5, atol=1e-6
    )


@few
@given(problems(SHIFT_AND_SCALE), shifts, scales)
def test_tests_and_intervals(problem, shift, scale):
    """t values, variance components and intervals for new rows do not depend on units either."""
    X = problem.X.assign(x=scale * (problem.X["x"] + shift))
    changed = replace(problem, X=X)
    np.testing.assert_allclose(
        changed.fit.results_.tvalues.iloc[1:],
        problem.fit.results_.tvalues.iloc[1:],
        rtol=1e-3,
        atol=1e-4,
    )
    columns = ["x", "z", *problem.factors]
    ours, theirs = (
        p.fit.predict_interval(p.X.assign(a=p.X["a"] + 4)[columns]) for p in (changed, problem)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
