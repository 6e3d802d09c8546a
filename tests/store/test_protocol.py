"""Blocks of rows that are elsewhere say what rows say that are here."""

import pickle

import numpy as np
import pytest

from skmixed._fit.glmm import fit_glmm
from skmixed._fit.points import integration_of
from skmixed._likelihood.glmm import GlmmDeviance
from skmixed._likelihood.working import working_model
from skmixed._model.families import BernoulliLogit
from skmixed._store.cutting import Components, Rows, cut
from skmixed._store.design import StoredDesign
from skmixed._store.protocol import Block, Elsewhere, Held, visited
from tests.helpers.designs import logistic_example


class Away(Elsewhere):
    """Rows that are reached through pickles only."""

    def __init__(self, cuts):
        self.blocks = [pickle.dumps(Block.of(found.rows)) for found in cuts]
        self.places = [np.concatenate(own) for own in zip(*(c.levels for c in cuts), strict=True)]

    def round(self, function, request, handle=None):
        blocks = (pickle.loads(block) for block in self.blocks)
        function, request, handle = pickle.loads(pickle.dumps((function, request, handle)))
        return visited(blocks, function, request, handle)

    def first(self, rows):
        return Held.of([pickle.loads(self.blocks[0]).rows])


def components_of(codes):
    found = Components(len(codes))
    for rows in np.array_split(np.arange(len(codes[0])), 7):
        found.meet([c[rows] for c in codes])
    return found.of_levels()[0][codes[0]]


def away(example, most=40):
    pool = example.design.frame.pool(example.raw)
    z = [pool[:, list(effects)].T for effects in example.design.frame.effects]
    rows = Rows(example.X, z, example.y, example.weights, example.codes, None)
    shuffled = np.random.default_rng(0).permutation(len(example.y))
    cuts = list(cut(rows.take(shuffled), components_of(example.codes)[shuffled], most))
    return Away(cuts)


CASES = [
    ("intercept", 1),
    ("three effects", 1),
    ("two terms of one factor", 5),
    ("chain, outermost first", 1),
    ("crossed vectors", 1),
]


@pytest.mark.parametrize(("name", "points"), CASES)
def test_a_round_is_the_sum_over_all_rows(name, points):
    example = logistic_example(name)
    integration = integration_of(example.design, points)
    here = GlmmDeviance.of(example.design.blocks, BernoulliLogit(), integration)
    there = GlmmDeviance(away(example), BernoulliLogit(), integration)
    assert (len(there.store.blocks) > 1) == (name != "crossed vectors")
    point = [*example.T, example.beta]
    moved = [*(1.1 * T for T in example.T), example.beta + 0.05]
    for ours, theirs in [
        (there(point), here(point)),
        (there(point).at(moved), here(moved)),
        (there(moved, there(point).near()), here(moved)),
    ]:
        assert ours.value == pytest.approx(theirs.value, rel=1e-12)
        assert ours.exact == theirs.exact
        assert ours.degenerate == theirs.degenerate
        assert ours.sums.loglik == pytest.approx(theirs.sums.loglik, rel=1e-9)
        assert ours.sums.reach == pytest.approx(theirs.sums.reach, rel=1e-8)
        np.testing.assert_allclose(ours.slope, theirs.slope, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(ours.hessian, theirs.hessian, rtol=1e-7, atol=1e-7)
        for a, b in zip(ours.effects, theirs.effects, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9)
        working, expected = working_model(ours), working_model(theirs)
        assert working.value == pytest.approx(expected.value, rel=1e-9)
        for a, b in zip(working.effects, expected.effects, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-8)


FITS = [
    ("intercept", 5),
    pytest.param("three effects", "auto", marks=pytest.mark.slow),
    pytest.param("chain, outermost first", 1, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "points"), FITS)
def test_a_fit_of_rows_that_are_elsewhere(name, points, monkeypatch):
    monkeypatch.setattr("skmixed._likelihood.start.SAMPLE_ROWS", 100)
    example = logistic_example(name)
    design = example.design
    stored = StoredDesign(
        design.frame, design.terms, design.independent, away(example), design.gram, design.n
    )
    options = {"n_quadrature": points, "tol": 1e-9, "max_iter": 100}
    here = fit_glmm(design, BernoulliLogit(), **options)
    there = fit_glmm(stored, BernoulliLogit(), **options).completed()
    assert there.design.store is None
    assert there.points == here.points
    for name in ("loglik", "loglik_without_effects", "conditional_loglik"):
        assert getattr(there, name) == pytest.approx(getattr(here, name), rel=1e-6), name
    np.testing.assert_allclose(there.beta, here.beta, atol=1e-5)
    pairs = [("T", 1e-4), ("effects", 1e-4), ("level_blocks", 1e-10)]
    for name, tol in pairs:
        for a, b in zip(getattr(there, name), getattr(here, name), strict=True):
            np.testing.assert_allclose(a, b, atol=tol, rtol=tol, err_msg=name)
    np.testing.assert_allclose(there.beta_covariance, here.beta_covariance, rtol=1e-3, atol=1e-6)


def test_a_handle_stays_good():
    example = logistic_example("intercept")
    there = GlmmDeviance(away(example), BernoulliLogit(), integration_of(example.design, 1))
    first = there([*example.T, example.beta])
    trial = first.at([*example.T, example.beta + 3.0])
    again = first.at([*example.T, example.beta])
    assert trial.value > first.value
    assert again.value == pytest.approx(first.value, rel=1e-13)


def test_out_of_reach_is_no_error():
    example = logistic_example("intercept")
    there = GlmmDeviance(away(example), BernoulliLogit(), integration_of(example.design, 1))
    state = there([*example.T, np.full(4, 1e308)])
    assert not np.isfinite(state.value)


def test_components():
    outer = np.array([0, 0, 1, 2, 2, 3])
    inner = np.array([0, 1, 2, 3, 4, 4])
    found = components_of([outer, inner])
    assert len(np.unique(found)) == 3
    assert found[3] == found[5]
