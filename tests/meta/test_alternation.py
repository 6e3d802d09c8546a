"""Steps to a fixed point, of maps that are known."""

import numpy as np
import pytest

from skmixed.meta._alternation import Step, alternate


def affine(rates, centre):
    """A map that takes every coordinate to its centre at its own rate."""
    calls = []

    def step(u):
        calls.append(u)
        return Step(None, centre + rates * (u - centre), 1.0)

    return step, calls


def test_slow_steps_are_accelerated():
    rates = np.repeat([0.5, 0.9, 0.99], 10)
    step, calls = affine(rates, np.linspace(-1.0, 1.0, 30))
    found = alternate(step, np.zeros(30), tol=1e-10, max_iter=50)
    assert found.converged
    assert found.n_iter == len(calls) <= 8
    assert found.step.random == pytest.approx(np.linspace(-1.0, 1.0, 30), abs=1e-7)


def test_jumps_end_the_steps():
    rng = np.random.default_rng(0)
    for size, converged in ((0.01, True), (1.0, False)):
        found = alternate(
            lambda u, size=size: Step(None, 0.1 * u + size * rng.normal(size=200), 1.0),
            np.zeros(200),
            tol=1e-6,
            max_iter=100,
        )
        assert found.converged is converged
        assert found.n_iter < 30


def test_the_last_step_is_reported():
    step, _ = affine(np.array([0.99]), np.array([1.0]))
    seen = []
    found = alternate(
        step, np.zeros(1), tol=1e-9, max_iter=1, report=lambda k, change: seen.append((k, change))
    )
    assert not found.converged
    assert seen == [(1, pytest.approx(0.01))]
