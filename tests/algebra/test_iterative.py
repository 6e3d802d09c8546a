"""The elimination by conjugate gradients and random vectors against the exact one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from skmixed._algebra.combinations import sparse_rows
from skmixed._algebra.iterative import IterativePlan, gradients
from skmixed._algebra.iterative.determinant import log_determinant
from skmixed._algebra.iterative.gradients import conjugate_gradients
from skmixed._algebra.iterative.probes import Probes, make_probes, random_signs
from skmixed._algebra.packed import pack
from skmixed._algebra.plan import Plan
from skmixed._algebra.plans import plan_of
from skmixed._sums.crossprod import CrossProducts, PairSums
from tests.helpers.designs import LAYOUTS, example, logistic_example

pytestmark = pytest.mark.smoke

CROSSED = [name for name, (factors, *_) in LAYOUTS.items() if len(factors) > 1]
layouts = pytest.mark.parametrize("name", CROSSED)


def positive_definite(n, rng):
    half = rng.normal(size=(n, n))
    return half @ half.T / n + np.eye(n)


def test_conjugate_gradients():
    rng = np.random.default_rng(0)
    S = positive_definite(30, rng)
    rhs = rng.normal(size=(30, 4))
    rhs[:, 2] = 0.0
    inverse = 1.0 / np.diag(S)[:, None]
    found = conjugate_gradients(lambda x: S @ x, lambda r: inverse * r, rhs, 1e-12)
    np.testing.assert_allclose(found.x, np.linalg.solve(S, rhs), atol=1e-11)
    assert np.all(found.x[:, 2] == 0.0)


def test_their_coefficients_are_those_of_lanczos():
    """After as many steps as there are rows the tridiagonal matrix has the eigenvalues of S."""
    rng = np.random.default_rng(1)
    S = positive_definite(8, rng)
    found = conjugate_gradients(lambda x: S @ x, lambda r: r, rng.normal(size=(8, 1)), 1e-14)
    diagonal, beside = found.tridiagonal(0)
    T = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(T)[[0, -1]], np.linalg.eigvalsh(S)[[0, -1]], rtol=1e-8
    )


def test_what_has_no_end_is_said(monkeypatch):
    monkeypatch.setattr(gradients, "MAX_ITERATIONS", 2)
    S = positive_definite(30, np.random.default_rng(0))
    with pytest.raises(np.linalg.LinAlgError, match="end"):
        conjugate_gradients(lambda x: S @ x, lambda r: r, np.ones((30, 1)), 1e-12)


@pytest.mark.parametrize(("q", "levels"), [(1, 7), (2, 5), (3, 4000)])
def test_random_vectors_are_the_identity_on_average(q, levels):
    probes = make_probes(0, q, levels)
    Z = probes.own(slice(None)).reshape(levels, q, -1)
    own = np.einsum("lrk,lck->lrc", Z, Z) / probes.rounds
    np.testing.assert_allclose(own, np.broadcast_to(np.eye(q), own.shape))
    assert probes.is_exact == (q * levels <= 50)


@layouts
@pytest.mark.parametrize("singular", [True, False])
def test_equal_to_the_exact_elimination(name, singular):
    """With few levels the vectors are unit vectors, and nothing is left to chance."""
    e = example(name)
    T = [0.0 * t if singular and f == len(e.T) - 1 else t for f, t in enumerate(e.T)]
    exact = e.objective(T)
    about = replace(e.objective, plan=IterativePlan(e.plan.cross))(T)
    np.testing.assert_allclose(about.fixed.S, exact.fixed.S, rtol=1e-8, atol=1e-8)
    for own, other in zip(about.B + about.F, exact.B + exact.F, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-7)
    scale = np.max(np.abs(pack(exact.gradient)))
    np.testing.assert_allclose(pack(about.gradient), pack(exact.gradient), atol=1e-5 * scale)
    if not exact.exact:
        np.testing.assert_allclose(about.hessian, exact.hessian, rtol=1e-6, atol=1e-6)
    for own, other in zip(about.posterior.covariances, exact.posterior.covariances, strict=True):
        np.testing.assert_allclose(own, other, atol=3e-4)


@layouts
def test_covariances_of_levels_that_meet(name):
    e = example(name)
    exact = e.plan.eliminate(e.T).posterior().pairs()
    about = IterativePlan(e.plan.cross).eliminate(e.T).posterior().pairs()
    for key, values in exact.items():
        np.testing.assert_allclose(about[key], values, atol=3e-4)


@layouts
def test_errors_of_combinations(name):
    e = example(name)
    rng = np.random.default_rng(0)
    z = [rng.normal(size=(6, q)) for q in e.plan.cross.sizes]
    codes = [rng.integers(-1, m, 6) for m in e.plan.cross.levels]
    found = []
    for plan in (e.plan, IterativePlan(e.plan.cross)):
        pairs = plan.eliminate(e.T).taken(sparse_rows(plan, z, codes))
        products = [left @ right.T for left, right in pairs]
        found.append(sum(p.toarray() if sparse.issparse(p) else p for p in products))
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    np.testing.assert_allclose(np.diag(found[1]), np.diag(found[0]), atol=1e-8)


@layouts
def test_products_with_effects(name):
    e = example(name)
    rng = np.random.default_rng(0)
    shapes = zip(e.plan.cross.sizes, e.plan.cross.levels, strict=True)
    H = [rng.normal(size=(q, 2, m)) for q, m in shapes]
    own = IterativePlan(e.plan.cross).multiply(H)
    for left, right in zip(own, e.plan.multiply(H), strict=True):
        np.testing.assert_allclose(left, right)


def large_cross(n_levels=(400, 90, 60), rows=3000, seed=0):
    """Sums of an intercept only, of factors with more levels than there are vectors."""
    rng = np.random.default_rng(seed)
    codes = [np.concatenate([np.arange(m), rng.integers(0, m, rows - m)]) for m in n_levels]
    y = rng.normal(size=rows)
    pool = np.column_stack([np.ones(rows), y])
    sums = []
    for c, m in zip(codes, n_levels, strict=True):
        sums.append(np.array([np.bincount(c, column, m) for column in pool.T])[None])
    pairs = {
        (f, g): PairSums.from_entries(
            codes[f], codes[g], np.ones((1, 1, rows)), (n_levels[f], n_levels[g])
        )
        for f in range(3)
        for g in range(f + 1, 3)
    }
    return CrossProducts(
        float(rows), pool.T @ pool, tuple(sums), pairs, np.array([0]), 1, ((0,), (0,), (0,))
    )


def with_signs(plan, count):
    """The plan with so many random vectors of every factor that is left."""
    plan.probes = [
        Probes(p.start, random_signs(len(p.vectors), count, p.start), count) for p in plan.probes
    ]
    return plan


def test_traces_within_their_monte_carlo_error():
    cross = large_cross()
    T = [np.array([[t]]) for t in (0.5, 0.3, 0.2)]
    exact = Plan(cross).eliminate(T).posterior()
    plan = with_signs(IterativePlan(cross), 400)
    about = plan.eliminate(T).posterior()
    for own, other in zip(about.precisions, exact.precisions, strict=True):
        assert own.sum() == pytest.approx(other.sum(), rel=4e-3)
        np.testing.assert_allclose(own, other, rtol=0.4)
    for own, other in zip(about.covariances, exact.covariances, strict=True):
        assert own.sum() == pytest.approx(other.sum(), rel=2e-2)


def test_log_determinant_within_its_monte_carlo_error():
    cross = large_cross()
    T = [np.array([[t]]) for t in (0.5, 0.3, 0.2)]
    exact = Plan(cross).eliminate(T)
    about = IterativePlan(cross).eliminate(T)
    rest, error = log_determinant(about.schur, about.preconditioner, 300)
    assert about.schur.log_determinant + rest == pytest.approx(exact.log_determinant, abs=4 * error)
    assert error < 0.6 * about.log_determinant_error
    assert about.log_determinant == pytest.approx(
        exact.log_determinant, abs=4 * about.log_determinant_error
    )


def test_the_same_vectors_for_all_covariances():
    plan = IterativePlan(large_cross())
    T = [np.array([[t]]) for t in (0.5, 0.3, 0.2)]
    first, again = (plan.eliminate(T).posterior().precisions for _ in range(2))
    for own, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(own, other)


@layouts
def test_variances_of_rows(name):
    e = example(name)
    rng = np.random.default_rng(0)
    z = [rng.normal(size=(6, q)) for q in e.plan.cross.sizes]
    codes = [rng.integers(0, m, 6) for m in e.plan.cross.levels]
    pairs = e.plan.eliminate(e.T).taken(sparse_rows(e.plan, z, codes))
    products = [left @ right.T for left, right in pairs]
    expected = sum(p.toarray() if sparse.issparse(p) else p for p in products)
    posterior = IterativePlan(e.plan.cross).eliminate(e.T).posterior()
    np.testing.assert_allclose(
        posterior.quadratic_forms(z, codes), np.diag(expected), rtol=1e-3, atol=1e-4
    )


def test_other_weights():
    e = logistic_example("three crossed")
    (block,) = e.objective.store.blocks
    w = np.random.default_rng(0).uniform(0.1, 0.3, len(block.y))
    exact, about = (
        plan.reweighted(block.level_blocks(w), block.pair_values(w)).eliminate(e.T)
        for plan in (e.objective.store.plans[0], IterativePlan(block.pattern))
    )
    U = [np.ones((q, 1, m)) for q, m in zip(block.pattern.sizes, block.pattern.levels, strict=True)]
    for own, other in zip(about.solve(U)[0], exact.solve(U)[0], strict=True):
        np.testing.assert_allclose(own, other, atol=1e-8)


def test_too_many_errors_at_once():
    plan = IterativePlan(large_cross())
    rows = sparse.csr_matrix((1 << 18, plan.width))
    with pytest.raises(ValueError, match=r"Errors of 262,144 .*\nAsk for fewer rows"):
        next(plan.eliminate([np.eye(1)] * 3).taken(rows))


@pytest.mark.parametrize(
    ("levels", "rows", "kind"),
    [((9000, 200), 20_000, Plan), ((20_000, 9000), 30_000, IterativePlan)],
)
def test_what_suits_the_sums(levels, rows, kind):
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, m, rows) for m in levels]
    sums = tuple(np.zeros((1, 1, m)) for m in levels)
    pairs = {(0, 1): PairSums.from_entries(*codes, np.ones((1, 1, rows)), levels)}
    cross = CrossProducts(
        float(rows), np.zeros((1, 1)), sums, pairs, np.zeros(0, dtype=int), 0, ((0,), (0,))
    )
    assert type(plan_of(cross)) is kind


def test_nothing_to_iterate_for():
    e = example("chain")
    assert plan_of(e.plan.cross, solver="iterative").solver == "exact"
    assert plan_of(example("three crossed").plan.cross, solver="iterative").solver == "iterative"
