"""The trust-region step and the minimiser, on functions that have nothing to do with models."""

from dataclasses import dataclass

import numpy as np
import pytest

from skmixed._search.minimize import MAX_ITER, minimize, trust_region_step

pytestmark = pytest.mark.smoke


@pytest.mark.parametrize("seed", range(20))
def test_step_is_the_constrained_minimum(seed):
    """No point of the ball is better, whatever the curvature."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(4, 4))
    H, g, radius = A + A.T, rng.normal(size=4), rng.uniform(0.1, 3.0)
    step = trust_region_step(g, H, radius)

    def model(s):
        return s @ g + 0.5 * np.einsum("...i,ij,...j->...", s, H, s)

    others = rng.normal(size=(5000, 4))
    others *= (
        radius
        * rng.uniform(0, 1, (5000, 1)) ** 0.25
        / np.linalg.norm(others, axis=1, keepdims=True)
    )
    assert np.linalg.norm(step) <= radius * (1 + 1e-6)
    assert (
        model(step) <= (others @ g + 0.5 * np.einsum("ni,ij,nj->n", others, H, others)).min() + 1e-9
    )


def test_hard_case_leaves_a_saddle():
    """At a saddle the gradient is silent; the step follows the negative curvature."""
    step = trust_region_step(np.zeros(2), np.diag([1.0, -1.0]), 0.5)
    assert abs(step[1]) == pytest.approx(0.5) and step[0] == 0


def test_flat_noise_is_left_alone():
    step = trust_region_step(np.array([1.0, 1e-12]), np.diag([2.0, 1e-14]), 10.0)
    np.testing.assert_allclose(step, [-0.5, 0.0])


@dataclass(frozen=True)
class Plane:
    """The trivial manifold: the plane, one 1 x 1 matrix per coordinate."""

    derivatives = np.eye(2)
    radius = 1.0

    def assemble(self, point):
        return point

    def chart(self, point):
        return _PlaneChart(point)


class _PlaneChart:
    derivatives, radius = np.eye(2), 1.0

    def __init__(self, point):
        self.point = point

    def second(self, D):
        return np.zeros((2, 2))

    def move(self, step):
        return self.point + step


@dataclass(frozen=True)
class Rosenbrock:
    x: np.ndarray
    exact = True
    degenerate = False
    noise = 1e-15

    @property
    def value(self):
        a, b = self.x
        return (1 - a) ** 2 + 100 * (b - a * a) ** 2

    @property
    def gradient(self):
        a, b = self.x
        g = [-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)]
        return [np.array([[v]]) for v in g]

    @property
    def slope(self):
        return np.concatenate([g.ravel() for g in self.gradient])

    def at(self, x):
        return Rosenbrock(x)

    @property
    def hessian(self):
        a, b = self.x
        return np.array([[2 - 400 * (b - 3 * a * a), -400 * a], [-400 * a, 200.0]])


def test_minimiser_finds_the_bottom_of_a_curved_valley():
    optimum = minimize(Rosenbrock, Plane(), np.array([-1.2, 1.0]), tol=1e-14, max_iter=100)
    assert optimum.converged
    np.testing.assert_allclose(optimum.point, [1.0, 1.0], atol=1e-6)


def test_minimiser_says_when_it_was_stopped():
    values = []

    def report(value, decrease, radius):
        values.append(value)

    optimum = minimize(
        Rosenbrock, Plane(), np.array([-1.2, 1.0]), tol=1e-14, max_iter=2, report=report
    )
    assert not optimum.converged and optimum.stop == MAX_ITER
    assert len(values) >= 2 and values == sorted(values, reverse=True)


@pytest.mark.parametrize("seed", range(20))
def test_step_of_the_boundary_has_the_length_of_the_radius(seed):
    """However far apart curvatures and slopes are."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=4) * 10.0 ** rng.uniform(-5, 5, 4)
    g = rng.normal(size=4) * 10.0 ** rng.uniform(-5, 5, 4)
    radius = 0.1 * np.min(np.abs(g / values))
    step = trust_region_step(g, np.diag(values), radius)
    assert np.linalg.norm(step) == pytest.approx(radius, rel=1e-10)
