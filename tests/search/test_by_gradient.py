"""Searches that look at the gradient only."""

import numpy as np
import pytest

from skmixed._search.boundary import search
from skmixed._search.by_gradient import minimize_by_gradient, search_by_gradient
from skmixed._search.minimize import ASKED, CONVERGED, MAX_ITER
from skmixed._search.start import moment_start, typical_floors
from skmixed._search.ways import WAYS, way_of
from tests.helpers.designs import example

OPTIONS = {"tol": 1e-9, "max_iter": 50}


class Blind:
    """An objective whose values are not to be looked at."""

    def __init__(self, objective):
        self.objective = objective

    def __call__(self, T):
        return BlindState(self, self.objective(T))


class BlindState:
    def __init__(self, objective, state):
        self.objective = objective
        self.state = state

    def __getattr__(self, name):
        assert name not in ("value", "noise"), name
        return getattr(self.state, name)

    def at(self, T):
        return self.objective(T)


@pytest.mark.parametrize("name", ["intercept", "crossed vectors", "three crossed"])
def test_the_same_optimum(name):
    e = example(name)
    start, floors = moment_start(e.objective, e.model), typical_floors(e.plan)
    expected = search(e.objective, e.model, start, floors, **OPTIONS)
    found = search_by_gradient(Blind(e.objective), e.model, start, floors, **OPTIONS)
    assert found.stop == CONVERGED
    assert found.evaluation.state.value == pytest.approx(expected.evaluation.value, abs=1e-5)


def test_from_very_small_variances():
    e = example("three crossed")
    floors = typical_floors(e.plan)
    start = moment_start(e.objective, e.model)
    tiny = [1e-9 * T for T in start]
    found = search_by_gradient(Blind(e.objective), e.model, tiny, floors, **OPTIONS)
    expected = search(e.objective, e.model, start, floors, **OPTIONS)
    assert found.evaluation.state.value == pytest.approx(expected.evaluation.value, abs=1e-5)


def test_why_it_ended():
    e = example("crossed vectors")
    start = moment_start(e.objective, e.model)
    stopped = minimize_by_gradient(
        e.objective, e.model, start, **OPTIONS, report=lambda value, *_: np.isnan(value)
    )
    short = minimize_by_gradient(e.objective, e.model, start, tol=1e-9, max_iter=1)
    assert stopped.stop == ASKED and short.stop == MAX_ITER


def test_by_the_solver_of_a_plan():
    assert way_of(example("intercept").plan) is WAYS["exact"]
