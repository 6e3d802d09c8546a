"""The compiled search of one factor, with and without AVX2, against the one in numpy."""

import numpy as np
import pytest

from skmixed import MixedLinearRegressor
from skmixed._algebra.kernels import CHOICE
from skmixed._algebra.packed import lower_triangle
from skmixed._fit import linear
from skmixed._likelihood.one_factor import OneFactor
from skmixed._model.covariances import Covariances, PlacedTerm
from skmixed._model.structures import STRUCTURES
from skmixed._search import compiled
from skmixed._search.together import minimize_together
from skmixed.datasets import make_mixed_regression
from tests.helpers.counting import evaluations

SEEDS = range(24)
several_or_one = pytest.mark.parametrize("several", [False, True], ids=["term", "terms"])


def one_term(q, name):
    return Covariances([PlacedTerm(STRUCTURES[name](q), 0, 0)], [q])


def several_terms(q, seed):
    """As of ``(x || g)``: a term of each effect, or of the first and of all others."""
    sizes = [1] * q if seed % 2 or q < 3 else [1, q - 1]
    names = ("unstructured", ("diagonal", "identity", "exchangeable")[seed % 3])
    structures = [STRUCTURES[names[size > 1]](size) for size in sizes]
    places = np.cumsum([0, *sizes[:-1]]).tolist()
    placed = [PlacedTerm(own, 0, at) for own, at in zip(structures, places, strict=True)]
    return Covariances(placed, [q])


def problem(seed, several=False):
    """Some responses to rows of one factor, starts, and the structure of the covariance."""
    rng = np.random.default_rng(seed)
    q, p, count = rng.integers(1, 5), rng.integers(0, 4), rng.integers(1, 5)
    m = 1 if seed == 0 else rng.integers(12, 40)
    rows = rng.integers(q + 1, 9, m)
    if seed == 1:
        rows[::3] = 0  # levels without rows
    codes = np.repeat(np.arange(m), rows)
    n = len(codes)
    Z, X = rng.normal(size=(n, q)), rng.normal(size=(n, p))
    w = rng.uniform(0.5, 2.0, n) if rng.integers(2) else np.ones(n)
    b = rng.normal(size=(m, q)) * rng.uniform(0.3, 2.0, q)
    y = np.einsum("nq,nq->n", Z, b[codes])[:, None] + rng.normal(size=(n, count))
    level = np.zeros((m, n))
    level[codes, np.arange(n)] = w
    blocks = np.einsum("mn,nr,nc->rcm", level, Z, Z)[lower_triangle(q)]
    columns = [np.column_stack([X, y[:, k]]) for k in range(count)]
    gram = np.array([(C.T * w) @ C for C in columns])
    reml = float(rng.integers(2))
    counts = rng.integers(1, 4, m).astype(float) if rng.integers(3) == 0 else None
    factor = OneFactor(
        blocks=blocks,
        counts=counts,
        X=np.einsum("mn,nq,np->qpm", level, Z, X),
        y=np.einsum("mn,nq,nb->bqm", level, Z, y),
        gram=gram,
        squares=gram[:, -1, -1].copy(),
        least_r2=1e-10 * gram[:, -1, -1],
        n=float(n),
        nu=n - reml * p,
        reml=reml,
    )
    name = list(STRUCTURES)[rng.integers(len(STRUCTURES))]
    model = several_terms(int(q), seed) if several else one_term(int(q), name)
    root = rng.normal(size=(count, q, q)) * rng.uniform(0.1, 2.0)
    floors = [np.full(q, 1e-3)]
    starts = [model.assemble(model.start([r @ r.T], floors))[0] for r in root]
    return factor, model, np.array(starts)


def close(ours, theirs, size=1.0):
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11 * size)


@pytest.mark.parametrize("seed", SEEDS)
def test_values_at_a_start(seed, native):
    factor, model, start = problem(seed)
    start[0] = 0.0  # no variance at all
    found = compiled.minimize_compiled(factor, model, start, tol=1e-9, max_iter=0)
    sweep = factor(start)
    close(found.known["value"], sweep.value)
    close(found.known["r2"], sweep.r2)
    close(found.known["beta"], sweep.beta, 10.0)
    close(found.known["noise"], sweep.noise)
    assert not np.any(found.converged)
    assert np.all(found.n_evaluations == 1)
    np.testing.assert_array_equal(found.T, start)


@several_or_one
@pytest.mark.parametrize("seed", SEEDS)
def test_local_models(seed, several, native):
    factor, model, start = problem(seed, several)
    found = compiled.minimize_compiled(factor, model, start, tol=1e-9, max_iter=1)
    sweep, charts = factor(start), model.charts(start)
    J = charts.derivatives[:, :, *lower_triangle(start.shape[1])]
    bend = J @ sweep.hessian @ J.transpose(0, 2, 1) + charts.second(sweep.gradient)
    size = np.max(np.abs(bend))
    close(found.pull, np.einsum("bkp,bp->bk", J, sweep.slope), 10.0 * size)
    close(found.bend, (bend + bend.transpose(0, 2, 1)) / 2.0, 10.0 * size)
    close(found.radius, charts.radius)


@several_or_one
@pytest.mark.parametrize("seed", SEEDS)
def test_minima(seed, several, native):
    """The same points after as many steps, wherever the search in numpy ends inside."""
    factor, model, start = problem(seed, several)
    options = {"tol": 1e-9, "max_iter": 100}
    found = compiled.minimize_compiled(factor, model, start, **options)
    wanted = minimize_together(factor, model, start, **options)
    bar = np.full(len(start), np.inf)
    inside = wanted.settled(bar, np.full(start.shape[1], 1e-3)) & (wanted.known["noise"] < 1e-9)
    np.testing.assert_array_equal(found.settled(bar, np.full(start.shape[1], 1e-3))[inside], True)
    value = wanted.known["value"][inside]
    np.testing.assert_allclose(found.known["value"][inside], value, rtol=1e-11, atol=1e-8)
    np.testing.assert_allclose(found.T[inside], wanted.T[inside], rtol=1e-5, atol=1e-5)
    assert np.all(np.abs(found.n_evaluations - wanted.n_evaluations)[inside] <= 1)


def test_most_searches_end_inside(native):
    ended = [np.mean(minimum.converged) for minimum in map(minimum_of, SEEDS)]
    assert np.mean(ended) > 0.6


def minimum_of(seed):
    factor, model, start = problem(seed)
    return compiled.minimize_compiled(factor, model, start, tol=1e-9, max_iter=100)


def test_strided_sums(native):
    factor, model, start = problem(5)
    q, p, m = factor.X.shape
    wide = np.zeros((q, p + 3, m))
    wide[:, 1 : p + 1] = factor.X
    several = np.zeros((2 * len(factor.y), q, m))
    several[::2] = factor.y
    vars(factor).update(X=wide[:, 1 : p + 1], y=several[::2])
    wide.flags.writeable = several.flags.writeable = False
    found = compiled.minimize_compiled(factor, model, start, tol=1e-9, max_iter=100)
    np.testing.assert_array_equal(found.T, minimum_of(5).T)


def fitted(terms="(1 + x0 | group)", **params):
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    return MixedLinearRegressor(random_effects=terms, **params).fit(X, y)


@pytest.mark.parametrize("terms", ["(1 + x0 | group)", "(1 + x0 || group)"])
def test_a_fit_is_that_of_the_ordinary_search(terms, monkeypatch):
    model = fitted(terms)
    monkeypatch.setattr(linear, "is_compiled", lambda *_: False)
    plain = fitted(terms)
    assert model.n_iter_ == plain.n_iter_
    np.testing.assert_allclose(model.loglik_, plain.loglik_, rtol=1e-12)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.covariances_[0], plain.covariances_[0], rtol=1e-7)


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
@pytest.mark.parametrize("change", ["value", "converged"])
def test_what_the_ordinary_evaluation_denies_is_searched_for_again(change, monkeypatch):
    plain = fitted()
    original = compiled.minimize_compiled

    def wrong(*args, **kwargs):
        found = original(*args, **kwargs)
        found.T *= 1.5
        if change == "value":
            found.known["value"] -= 1.0
        found.converged[:] = change == "value"
        return found

    monkeypatch.setattr(compiled, "minimize_compiled", wrong)
    model = fitted()
    np.testing.assert_allclose(model.loglik_, plain.loglik_, rtol=1e-12)
    assert model.n_iter_ == plain.n_iter_


@pytest.mark.skipif(CHOICE.native is None, reason="no compiled kernels")
def test_who_watches_sees_every_step():
    with evaluations() as counted:
        model = fitted(verbose=1)
    assert counted.linear == model.n_iter_ + 1
