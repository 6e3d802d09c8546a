"""The fast path against dense textbook formulas, in every layout of grouping factors."""

import numpy as np
import pytest

from skmixed._algebra.operators import DenseOperator
from skmixed._algebra.packed import lower_triangle, pack, triangle_entries
from skmixed._algebra.plan import Plan
from skmixed._fit.uncertainty import error_variances
from skmixed._likelihood.linear import ProfiledDeviance
from skmixed._search.minimize import local_model
from skmixed._search.start import moment_start
from skmixed._sums.crossprod import condensed
from skmixed._sums.design import Design
from skmixed._sums.onepass import cross_products
from skmixed._sums.source import InMemory
from tests.helpers import dense
from tests.helpers.designs import LAYOUTS, design_of, example, term

layouts = pytest.mark.parametrize("name", LAYOUTS)
criteria = pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])


def dense_arguments(e):
    return e.y, e.X, e.Zs, e.T, e.weights


def dense_packed(e, reml):
    return np.concatenate(
        [
            D[lower_triangle(len(D))] * _twice_off_diagonal(len(D))
            for D in dense.dense_gradient(*dense_arguments(e), reml)
        ]
    )


def _twice_off_diagonal(q):
    rows, cols = lower_triangle(q)
    return np.where(rows == cols, 1.0, 2.0)


@layouts
def test_order_of_elimination(name):
    layout = example(name).plan.layout
    assert (layout.stages, layout.dense) == LAYOUTS[name][2]


@layouts
@criteria
@pytest.mark.parametrize("weighted", [True, False])
def test_value_and_gradient(name, reml, weighted):
    e = example(name, reml=reml, weighted=weighted)
    state = e.objective(e.T)
    assert state.value == pytest.approx(dense.dense_deviance(*dense_arguments(e), reml), rel=1e-12)
    np.testing.assert_allclose(pack(state.gradient), dense_packed(e, reml), rtol=1e-9, atol=1e-8)


@layouts
@criteria
def test_curvature(name, reml):
    """Exact for a single factor, average information otherwise."""
    e = example(name, reml=reml)
    state = e.objective(e.T)
    observed, average, _ = dense.dense_hessian(*dense_arguments(e), reml)
    order = _column_by_column([len(t) for t in e.T])
    expected = (observed if state.exact else average)[np.ix_(order, order)]
    np.testing.assert_allclose(
        state.hessian, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max()
    )


def _column_by_column(sizes):
    """Positions of our row-by-row order among the dense twin's column-by-column entries."""
    out, start = [], 0
    for q in sizes:
        twin = [(i, j) for j, i in zip(*np.triu_indices(q), strict=True)]
        out += [start + twin.index(rc) for rc in triangle_entries(q)]
        start += len(twin)
    return np.array(out)


@layouts
@criteria
def test_derivatives_in_chart_coordinates(name, reml):
    """The gradient the optimiser sees, and the Hessian where it is exact, against central differences."""
    e = example(name, reml=reml)
    chart, gradient, hessian = local_model(e.model, e.point, e.objective(e.T))
    h = 1e-5

    def along(step):
        return e.objective(e.model.assemble(chart.move(step)))

    unit = np.eye(len(gradient))
    differences = [(along(h * u).value - along(-h * u).value) / (2 * h) for u in unit]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-5)
    if e.objective(e.T).exact:
        second = [
            (
                along(h * (u + v)).value
                - along(h * (u - v)).value
                - along(h * (v - u)).value
                + along(-h * (u + v)).value
            )
            / (4 * h * h)
            for u in unit
            for v in unit
        ]
        np.testing.assert_allclose(
            hessian.ravel(), second, rtol=2e-3, atol=2e-3 * np.abs(hessian).max()
        )


@pytest.mark.parametrize(
    "name", ["three effects", "crossed vectors", "three crossed", "chain", "nested and two crossed"]
)
@pytest.mark.parametrize("which", [0, -1])
def test_singular_covariances(name, which):
    """A factor without any variance: nothing is divided by it."""
    e = example(name)
    T = [t * 0 if k == which % len(e.T) else t for k, t in enumerate(e.T)]
    state = e.objective(T)
    assert state.value == pytest.approx(
        dense.dense_deviance(e.y, e.X, e.Zs, T, e.weights), rel=1e-12
    )
    for ours, theirs in zip(
        state.gradient, dense.dense_gradient(e.y, e.X, e.Zs, T, e.weights), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)


@layouts
def test_effects_and_their_covariances(name):
    e = example(name)
    state, twin = e.objective(e.T), dense.henderson(*dense_arguments(e))
    np.testing.assert_allclose(state.fixed.beta, twin.beta, rtol=1e-9, atol=1e-10)
    start = 0
    for f, (b, T) in enumerate(zip(twin.b, e.T, strict=True)):
        np.testing.assert_allclose(state.effects[f].T, b, rtol=1e-8, atol=1e-10)
        q, m = len(T), len(b)
        for k, (r, c) in enumerate(triangle_entries(q)):
            index = start + np.arange(m) * q
            theirs = twin.conditional[index + r, index + c] / twin.sigma2
            np.testing.assert_allclose(
                state.posterior.covariances[f][k], theirs, rtol=1e-8, atol=1e-12
            )
        start += q * m


@layouts
def test_prediction_variances(name):
    """Known and new levels in every mixture, against Henderson's equations."""
    e = example(name)
    state, twin = e.objective(e.T), dense.henderson(*dense_arguments(e))
    rng = np.random.default_rng(5)
    n, x = 40, rng.normal(size=(40, e.X.shape[1]))
    z = [rng.normal(size=(n, len(t))) for t in e.T]
    codes = [rng.integers(-1, Z.shape[1] // len(t), n) for Z, t in zip(e.Zs, e.T, strict=True)]
    rows, prior = [], np.zeros(n)
    for v, code, t in zip(z, codes, e.T, strict=True):
        block = np.zeros((n, e.Zs[len(rows)].shape[1]))
        for r in range(len(t)):
            block[np.arange(n)[code >= 0], (code * len(t) + r)[code >= 0]] = v[code >= 0, r]
        prior += np.where(code < 0, np.einsum("ni,ij,nj->n", v, t, v), 0.0)
        rows.append(block)
    expected = dense.row_variance(twin, x, np.hstack(rows)) / twin.sigma2 + prior
    np.testing.assert_allclose(error_variances(state, x, z, codes), expected, rtol=1e-8)


@pytest.mark.parametrize("name", ["crossed vectors", "three crossed"])
def test_dense_operator_agrees_with_pairs(name, monkeypatch):
    """Where nearly all levels meet, dense products replace the pair operator."""
    e = example(name)
    monkeypatch.setattr("skmixed._algebra.plan.is_dense_product", lambda *_: True)
    other = Plan(e.design.cross)
    assert isinstance(other.operators[0], DenseOperator)
    ours, theirs = e.objective(e.T), ProfiledDeviance.of(other, True)(e.T)
    assert ours.value == pytest.approx(theirs.value, rel=1e-13)
    np.testing.assert_allclose(pack(ours.gradient), pack(theirs.gradient), rtol=1e-10, atol=1e-10)


def test_cross_products_add():
    """Sums of two halves of the rows are the sums of all."""

    rng = np.random.default_rng(3)
    for name in ("three effects", "crossed vectors"):
        e = example(name, weighted=False)
        frame = e.design.frame
        X = rng.normal(size=(60, 3))
        y = rng.normal(size=60)
        levels = e.design.cross.levels
        codes = [rng.integers(0, m, 60) for m in levels]
        parts = [
            cross_products(frame, InMemory(X[s], y[s], None, [c[s] for c in codes], levels))
            for s in (slice(0, 25), slice(25, 60))
        ]
        whole = cross_products(frame, InMemory(X, y, None, codes, levels))
        total = parts[0] + parts[1]
        assert total.n == whole.n
        np.testing.assert_allclose(total.gram, whole.gram, rtol=1e-12, atol=1e-12)
        for a, b in zip(total.sums, whole.sums, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
        for key, pair in whole.pairs.items():
            np.testing.assert_array_equal(total.pairs[key].rows, pair.rows)
            np.testing.assert_array_equal(total.pairs[key].cols, pair.cols)
            np.testing.assert_allclose(total.pairs[key].values, pair.values, rtol=1e-12, atol=1e-12)


@criteria
def test_condensed_levels(reml):
    """Groups with equally many rows are interchangeable: the likelihood of a handful of levels is that of all."""
    rng = np.random.default_rng(4)
    codes = rng.permutation(np.repeat(np.arange(400), rng.integers(1, 5, 400)))
    X = rng.normal(size=(len(codes), 2))
    y = X @ [1.0, 2.0] + rng.normal(size=400)[codes] + rng.normal(size=len(codes))
    design = design_of(Design, X, y, None, [codes], [400], [term(0)])
    fewer = condensed(design.cross)
    assert fewer.levels == [16] and fewer.counts.sum() == pytest.approx(400)
    for T in (0.0, 0.3, 5.0):
        full, short = (
            ProfiledDeviance.of(Plan(c), reml)([np.array([[T]])]) for c in (design.cross, fewer)
        )
        assert short.value == pytest.approx(full.value, rel=1e-12)
        np.testing.assert_allclose(short.gradient, full.gradient, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(short.hessian, full.hessian, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(short.fixed.beta, full.fixed.beta, rtol=1e-8, atol=1e-12)
    model = design.covariances()
    for ours, theirs in zip(
        *(moment_start(ProfiledDeviance.of(Plan(c), reml), model) for c in (design.cross, fewer)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_levels_are_not_condensed_where_they_differ():
    for name in ("three effects", "chain", "intercept"):
        assert condensed(example(name).design.cross) is None
