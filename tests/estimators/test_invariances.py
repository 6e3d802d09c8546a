"""What must not change a fit, and what changes its log-likelihood or coefficients in a known way."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, SkmixedWarning
from tests.helpers.kinds import BOTH, NAMES, answer
from tests.helpers.rows import response

few = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # a fit takes too long to shrink a failure
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
both = pytest.mark.parametrize("kind", BOTH, ids=NAMES.get)

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

    kind: type
    X: pd.DataFrame
    y: np.ndarray
    terms: str
    options: dict
    weights: np.ndarray | None = None

    @property
    def columns(self):
        return ["x", "z", *(letter for letter in "abc" if letter in self.terms)]

    @functools.cached_property
    def fit(self):
        model = self.kind(random_effects=self.terms, **self.options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkmixedWarning)
            return model.fit(self.X[self.columns], self.y, sample_weight=self.weights)

    @property
    def is_linear(self):
        return self.kind is MixedLinearRegressor

    @property
    def is_ordinary(self):
        return self.is_linear or (
            self.fit.converged_
            and all(np.max(np.diag(c)) < ORDINARY for c in self.fit.covariances_)
        )

    @property
    def tolerances(self):
        """Of predictions, in units of the response."""
        if self.is_linear:
            return {"rtol": 1e-4, "atol": 1e-4 * np.std(self.y)}
        return {"rtol": 1e-3, "atol": 1e-3}

    def predict(self, X=None, kind="conditional"):
        """The response, or log-odds of the second class."""
        X = self.X if X is None else X
        method = self.fit.predict if self.is_linear else self.fit.decision_function
        return method(X[self.columns], kind=kind)

    def with_columns(self, **columns):
        return replace(self, X=self.X.assign(**columns))

    def with_rows(self, rows):
        return replace(self, X=self.X.iloc[rows], y=self.y[rows])

    def added_by(self, scale):
        """What REML adds for columns ``scale`` times as large, which span another volume."""
        return -np.log(scale) if self.options.get("method") == "reml" else 0.0


@dataclass(frozen=True)
class Drawn:
    """What hypothesis chooses of a problem; the rest comes with the kind."""

    seed: int
    terms: str
    method: str
    covariance: str = "unstructured"
    fit_intercept: bool = True
    n_quadrature: int = 1

    def of(self, kind):
        """Rows of two fixed effects and three factors; b varies within a, c is crossed with both."""
        rng = np.random.default_rng(self.seed)
        options = {"covariance": self.covariance, "fit_intercept": self.fit_intercept}
        if kind is MixedLinearRegressor:
            n = int(rng.integers(30, 120))
            options["method"] = self.method
        else:
            n = int(rng.integers(80, 200))
            options["n_quadrature"] = self.n_quadrature
        a, b, c = rng.integers(0, 10, n), rng.integers(0, 3, n), rng.integers(0, 5, n)
        X = pd.DataFrame(
            {"x": rng.uniform(0, 2, n), "z": rng.standard_normal(n), "a": a, "b": b, "c": c}
        )
        eta = -1.0 + X["x"] - 0.5 * X["z"] + rng.normal(0, 1, 10)[a]
        eta += rng.normal(0, 0.7, 10)[a] * X["x"]
        eta += rng.normal(0, 1, (10, 3))[a, b] + rng.normal(0, 0.7, 5)[c]
        problem = Problem(kind, X, response(kind, eta.to_numpy(), rng), self.terms, options)
        assume(np.ptp(problem.y) and problem.is_ordinary)
        return problem


def problems(terms=TERMS, **options):
    # some random data have two optima of the likelihood, and of two fits of the same model each may
    # end at another one; no problem that is drawn from these seeds today is of this kind, but others are
    seed = st.integers(0, 999)
    return st.builds(
        Drawn, seed, st.sampled_from(terms), st.sampled_from(["reml", "ml"]), **options
    )


structures = st.sampled_from(["unstructured", "diagonal", "identity", "exchangeable"])
any_model = {"covariance": structures, "fit_intercept": st.booleans()}
scales = st.sampled_from([1e-12, 1e-6, 1e-3, 0.5, 1e3, 1e6, 1e12])
shifts = st.sampled_from([-1e6, -1e4, -3.0, 0.1, 2000.0])
points = st.sampled_from([3, 7])
seeds = st.integers(0, 1000)


def assert_same_likelihood(changed, problem, added=0.0):
    assert changed.fit.loglik_ == pytest.approx(problem.fit.loglik_ + added, rel=1e-9, abs=1e-7)


def assert_same(changed, problem, *, added=0.0, scale=1.0, shift=0.0):
    """The same predictions in other units of the response, and a log-likelihood moved by ``added``."""
    assert_same_likelihood(changed, problem, added)
    for kind in ["conditional", "population"] + ["marginal"] * (not problem.is_linear):
        expected = problem.predict(kind=kind)
        found = (changed.predict(kind=kind)[: len(expected)] - shift) / scale
        np.testing.assert_allclose(found, expected, **problem.tolerances)
    if problem.is_linear:
        np.testing.assert_allclose(changed.fit.scale_ / scale**2, problem.fit.scale_, rtol=1e-4)


def assert_same_estimates(changed, problem, *, sign=1.0, scale=1.0):
    """Coefficients and standard errors of columns ``scale`` times as large."""
    tolerances = {"rtol": 1e-4, "atol": 1e-5} if problem.is_linear else {"rtol": 1e-3, "atol": 1e-3}
    np.testing.assert_allclose(changed.fit.coef_ * scale, sign * problem.fit.coef_, **tolerances)
    ours, theirs = (p.fit.results_.bse[["x", "z"]].to_numpy() for p in (changed, problem))
    np.testing.assert_allclose(ours * scale, theirs, rtol=1e-2)


def assert_repeats(weighted, repeated):
    assert_same_likelihood(weighted, repeated)
    found, expected = weighted.predict(), repeated.predict(weighted.X)
    np.testing.assert_allclose(found, expected, **weighted.tolerances)
    linear = weighted.is_linear
    np.testing.assert_allclose(
        weighted.fit.results_.bse, repeated.fit.results_.bse, rtol=1e-3 if linear else 1e-2
    )
    left, right = (
        f.variance_components()["std_error"].to_numpy(float) for f in (weighted.fit, repeated.fit)
    )
    tolerances = {"rtol": 1e-2, "atol": 1e-4} if linear else {"rtol": 2e-2, "atol": 1e-3}
    np.testing.assert_allclose(left, right, **tolerances)
    assert weighted.fit.results_.nobs == repeated.fit.results_.nobs


# --------------------------------------------------------------------------------------------------- rows and levels


@both
@pytest.mark.slow
@few
@given(drawn=problems(**any_model), seed=seeds)
def test_order_of_the_rows(kind, drawn, seed):
    problem = drawn.of(kind)
    order = np.random.default_rng(seed).permutation(len(problem.y))
    changed = problem.with_rows(order)
    assert_same_likelihood(changed, problem)
    np.testing.assert_allclose(changed.predict(), problem.predict()[order], **problem.tolerances)
    assert_same_estimates(changed, problem)


@both
@few
@given(
    drawn=problems(covariance=structures),
    names=st.permutations(range(10)),
    dtype=st.sampled_from([int, str, float]),
)
def test_names_of_the_levels(kind, drawn, names, dtype):
    """Other names, in another order, as text or as numbers."""
    problem = drawn.of(kind)
    X = problem.X.assign(a=np.array(names)[problem.X["a"]], c=-problem.X["c"])
    changed = replace(problem, X=X.astype({"a": dtype, "b": dtype, "c": dtype}))
    assert_same(changed, problem)
    assert_same_estimates(changed, problem)


@both
@few
@given(drawn=problems(), turn=st.integers(0, 5))
def test_terms_in_another_order(kind, drawn, turn):
    problem = drawn.of(kind)
    terms = problem.terms.split(" + (")
    terms = [terms[0], *("(" + t for t in terms[1:])]
    turned = terms[turn % len(terms) :] + terms[: turn % len(terms)]
    assert_same(replace(problem, terms=" + ".join(turned)), problem)


@both
@few
@given(drawn=problems(**any_model))
def test_labels_as_an_argument(kind, drawn):
    """The two ways to pass groups are the same model."""
    problem = drawn.of(kind)
    X, labels = problem.X[["x", "z"]], problem.X[problem.columns[2:]]
    model = kind(random_effects=problem.terms, **problem.options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        model.fit(X, problem.y, groups=labels)
    assert model.loglik_ == pytest.approx(problem.fit.loglik_, rel=1e-9)
    predict = model.predict if problem.is_linear else model.decision_function
    np.testing.assert_allclose(predict(X, groups=labels), problem.predict(), rtol=1e-6, atol=1e-8)


# --------------------------------------------------------------------------------------------------- units of columns


@both
@few
@given(drawn=problems(SHIFT_AND_SCALE), shift=shifts)
def test_origin_of_a_slope(kind, drawn, shift):
    """An intercept that varies with the slope, or no slope at all, takes up any shift."""
    problem = drawn.of(kind)
    changed = problem.with_columns(x=problem.X["x"] + shift)
    assert_same(changed, problem)
    assert_same_estimates(changed, problem)
    moved = problem.fit.intercept_ - shift * changed.fit.coef_[0]
    assert changed.fit.intercept_ == pytest.approx(moved, rel=1e-3, abs=1e-3)


@both
@few
@given(drawn=problems(covariance=structures), shift=shifts)
def test_origin_of_another_column(kind, drawn, shift):
    problem = drawn.of(kind)
    changed = problem.with_columns(z=problem.X["z"] + shift)
    assert_same(changed, problem)
    assert_same_estimates(changed, problem)


@both
@few
@given(drawn=problems(fit_intercept=st.booleans()), scale=scales, other=scales)
def test_scale_of_the_columns(kind, drawn, scale, other):
    problem = drawn.of(kind)
    changed = problem.with_columns(x=scale * problem.X["x"], z=other * problem.X["z"])
    assert_same(changed, problem, added=problem.added_by(scale * other))
    assert_same_estimates(changed, problem, scale=np.array([scale, other]))


@both
@few
@given(drawn=problems(covariance=st.just("diagonal")), scale=scales)
def test_scale_of_a_diagonal_slope(kind, drawn, scale):
    problem = drawn.of(kind)
    changed = problem.with_columns(x=scale * problem.X["x"])
    assert_same(changed, problem, added=problem.added_by(scale))
    assert_same_estimates(changed, problem, scale=np.array([scale, 1.0]))


@both
@few
@given(drawn=problems(SHIFT_AND_SCALE), shift=shifts, scale=scales)
def test_tests_and_intervals(kind, drawn, shift, scale):
    """t or z values, standard errors and intervals of predictions do not depend on units either."""
    problem = drawn.of(kind)
    changed = problem.with_columns(x=scale * (problem.X["x"] + shift))
    columns = problem.columns
    ours, theirs = (p.fit.results_.tvalues.iloc[1:] for p in (changed, problem))
    tolerances = {"rtol": 1e-3, "atol": 1e-4} if problem.is_linear else {"rtol": 1e-2, "atol": 1e-3}
    np.testing.assert_allclose(ours, theirs, **tolerances)
    ours, theirs = (answer(p.fit, p.X[columns], return_std=True)[1] for p in (changed, problem))
    np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-4)
    ours, theirs = (
        answer(p.fit, p.X.assign(a=p.X["a"] + 100)[columns]) for p in (changed, problem)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    if problem.is_linear:
        ours, theirs = (
            p.fit.predict_interval(p.X.assign(a=p.X["a"] + 5)[columns]) for p in (changed, problem)
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


# ------------------------------------------------------------------------------------------------------------- weights


def assert_weights_repeat_rows(problem, seed):
    weights = np.random.default_rng(seed).integers(0, 4, len(problem.y))
    repeated = problem.with_rows(np.repeat(np.arange(len(problem.y)), weights))
    assume(repeated.is_ordinary)
    assert_repeats(replace(problem, weights=weights.astype(float)), repeated)


@both
@few
@given(drawn=problems(**any_model), seed=seeds)
def test_weights_repeat_rows(kind, drawn, seed):
    """Weight 2 is the row twice, weight 0 is the row removed, with groups and slopes too."""
    assert_weights_repeat_rows(drawn.of(kind), seed)


@both
@few
@given(drawn=problems(covariance=structures), seed=seeds)
def test_weight_zero_removes_a_row(kind, drawn, seed):
    """Also where it holds the only row of a level, whose effect is then not known."""
    problem = drawn.of(kind)
    keep = np.random.default_rng(seed).random(len(problem.y)) < 0.8
    keep[problem.X["a"] == 3] = False
    removed = problem.with_rows(np.flatnonzero(keep))
    assume(removed.is_ordinary)
    assert_repeats(replace(problem, weights=keep.astype(float)), removed)


@both
@few
@given(drawn=problems(covariance=structures), seed=seeds)
def test_splitting_rows(kind, drawn, seed):
    """A row of weight w is two rows of weights that add up to w."""
    problem = drawn.of(kind)
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


# ------------------------------------------------------------------------------------------- linear: units of the response


@few
@given(drawn=problems(**any_model), scale=scales)
def test_scale_of_the_response(drawn, scale):
    problem = drawn.of(MixedLinearRegressor)
    changed = replace(problem, y=scale * problem.y)
    nu = len(problem.y) - (drawn.method == "reml") * (2 + drawn.fit_intercept)
    assert_same(changed, problem, added=-nu * np.log(scale), scale=scale)
    for ours, theirs in zip(changed.fit.covariances_, problem.fit.covariances_, strict=True):
        np.testing.assert_allclose(
            ours / scale**2, theirs, rtol=1e-3, atol=1e-4 * problem.fit.scale_
        )


@few
@given(drawn=problems(covariance=structures), shift=shifts)
def test_origin_of_the_response(drawn, shift):
    problem = drawn.of(MixedLinearRegressor)
    assert_same(replace(problem, y=problem.y + shift), problem, shift=shift)


# -------------------------------------------------------------------------------------------------- logistic: classes


@few
@given(drawn=problems(**any_model), dtype=st.sampled_from([bool, float, str]))
def test_classes_swapped(drawn, dtype):
    """The other class as the second one: everything changes its sign, whatever the labels."""
    problem = drawn.of(MixedLogisticClassifier)
    changed = replace(problem, y=(1 - problem.y).astype(dtype))
    assert_same_likelihood(changed, problem)
    assert changed.fit.intercept_ == pytest.approx(-problem.fit.intercept_, rel=1e-3, abs=1e-3)
    np.testing.assert_allclose(changed.predict(), -problem.predict(), **problem.tolerances)
    assert_same_estimates(changed, problem, sign=-1.0)
    for ours, theirs in zip(changed.fit.covariances_, problem.fit.covariances_, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-3)


# ------------------------------------------------------------------------------------------------ logistic: quadrature

quadrature = problems(SINGLE, covariance=structures, n_quadrature=points)


@few
@given(drawn=quadrature, names=st.permutations(range(10)), seed=seeds)
def test_names_and_order_with_quadrature(drawn, names, seed):
    problem = drawn.of(MixedLogisticClassifier)
    order = np.random.default_rng(seed).permutation(len(problem.y))
    X = problem.X.assign(a=np.array(names)[problem.X["a"]]).astype({"a": str})
    changed = replace(problem, X=X).with_rows(order)
    assert_same_likelihood(changed, problem)
    np.testing.assert_allclose(changed.predict(), problem.predict()[order], **problem.tolerances)


@pytest.mark.slow
@few
@given(drawn=quadrature)
def test_classes_swapped_with_quadrature(drawn):
    problem = drawn.of(MixedLogisticClassifier)
    changed = replace(problem, y=1 - problem.y)
    assert_same_likelihood(changed, problem)
    np.testing.assert_allclose(changed.predict(), -problem.predict(), **problem.tolerances)


@pytest.mark.slow
@few
@given(drawn=problems(SINGLE, n_quadrature=points), scale=scales, other=scales)
def test_scale_with_quadrature(drawn, scale, other):
    """The nodes follow the Cholesky factor in the units of the data, whose columns scale with
    them."""
    problem = drawn.of(MixedLogisticClassifier)
    changed = problem.with_columns(x=scale * problem.X["x"], z=other * problem.X["z"])
    assert_same(changed, problem)
    assert_same_estimates(changed, problem, scale=np.array([scale, other]))


@pytest.mark.slow
@few
@given(
    drawn=problems(["(1 + x | a)"], n_quadrature=st.just(7)),
    shift=st.sampled_from([1e4, -1e4, 1e6]),
)
def test_origin_of_a_slope_with_quadrature(drawn, shift):
    """The nodes turn with the origin, less and less the farther away it is."""
    problem = drawn.of(MixedLogisticClassifier)
    near, far = (problem.with_columns(x=problem.X["x"] + s) for s in (1e3, shift))
    assert near.fit.loglik_ == pytest.approx(problem.fit.loglik_, abs=0.1)
    assert far.fit.loglik_ == pytest.approx(near.fit.loglik_, abs=1e-3)
    np.testing.assert_allclose(far.predict(), near.predict(), rtol=1e-2, atol=1e-2)


@pytest.mark.slow
@few
@given(drawn=quadrature, seed=seeds)
def test_weights_repeat_rows_with_quadrature(drawn, seed):
    assert_weights_repeat_rows(drawn.of(MixedLogisticClassifier), seed)
