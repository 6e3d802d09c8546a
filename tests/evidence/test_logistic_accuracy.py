"""How good the probabilities of held-out rows are, compared with a predictor that knows the true
parameters.

Data: 1,000 groups with 20 rows to fit on and 5 rows to judge by, and 1,000 further groups.  The
oracle has the true coefficients and covariance and the same rows: modes of the known groups by
Newton's method, integrals for the new ones.
"""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from skmixed import MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification
from tests.helpers.dense_glmm import integrated_probability

# seven quadrature points put the log-likelihood of so many groups a few units higher than Laplace
pytestmark = pytest.mark.filterwarnings("ignore::skmixed.LaplaceWarning")

GROUPS, ROWS, HELD_OUT = 1000, 20, 5
COEF, INTERCEPT = np.array([1.0, -0.5]), 0.3


class Case(NamedTuple):
    terms: str
    covariance: list
    n_quadrature: int = 1


CASES = {
    "intercepts": Case("(1 | group)", [[1.0]]),
    "intercepts, 7 points": Case("(1 | group)", [[1.0]], 7),
    "slopes": Case("(1 + x0 | group)", [[1.0, 0.3], [0.3, 1.0]]),
    "slopes, 3 points": Case("(1 + x0 | group)", [[1.0, 0.3], [0.3, 1.0]], 3),
    "large variance": Case("(1 | group)", [[4.0]]),
    "small variance": Case("(1 | group)", [[0.1]]),
}


class Oracle:
    """Probabilities from the true coefficients and covariance."""

    def __init__(self, X, y, covariance):
        self.S = np.array(covariance)
        self.q, self.m = len(self.S), GROUPS
        self.b = self.modes(self.columns(X), self.fixed(X), X["group"].to_numpy(), y.to_numpy())

    def fixed(self, X):
        return INTERCEPT + X[["x0", "x1"]].to_numpy() @ COEF

    def columns(self, X):
        return np.column_stack([np.ones(len(X)), X["x0"]])[:, : self.q]

    def modes(self, z, offset, group, y):
        """Newton's method on ``log p(y | b) - b'S^-1 b / 2`` for all groups at once."""
        precision, b = np.linalg.inv(self.S), np.zeros((self.m, self.q))
        for _ in range(50):
            p = expit(offset + np.sum(z * b[group], axis=1))
            gradient = self.sums(group, z * (y - p)[:, None]) - b @ precision
            squares = np.einsum("n,ni,nj->nij", p * (1 - p), z, z).reshape(len(z), -1)
            H = self.sums(group, squares).reshape(self.m, self.q, self.q) + precision
            step = np.linalg.solve(H, gradient[:, :, None])[:, :, 0]
            b += step
            if np.max(np.abs(step)) < 1e-10:
                return b
        raise ArithmeticError("the modes were not found")

    def sums(self, group, values):
        return np.column_stack([np.bincount(group, v, self.m) for v in values.T])

    def known(self, X):
        return expit(self.fixed(X) + np.sum(self.columns(X) * self.b[X["group"]], axis=1))

    def new(self, X):
        z = self.columns(X)
        return integrated_probability(self.fixed(X), np.einsum("ni,ij,nj->n", z, self.S, z))


class Comparison:
    """A fitted model and the oracle, with held-out rows of known groups and rows of new groups."""

    def __init__(self, case):
        options = {"coef": COEF, "intercept": INTERCEPT, "covariance": case.covariance}
        X, y = make_mixed_classification(GROUPS, ROWS + HELD_OUT, random_state=0, **options)
        train = np.arange(len(X)) % (ROWS + HELD_OUT) < ROWS
        self.train, self.known = (X[train], y[train]), (X[~train], y[~train])
        new, outcome = make_mixed_classification(GROUPS, ROWS, random_state=1, **options)
        self.new = new.assign(group=new["group"] + GROUPS), outcome
        self.model = MixedLogisticClassifier(
            random_effects=case.terms, n_quadrature=case.n_quadrature
        )
        self.model.fit(*self.train)
        self.oracle = Oracle(*self.train, case.covariance)


@pytest.fixture(scope="module", params=CASES)
def comparison(request):
    return Comparison(CASES[request.param])


def test_known_groups(comparison):
    """Within one percent of the oracle's log-loss, and better than without groups."""
    X, y = comparison.known
    found, best = (
        log_loss(y, comparison.model.predict_proba(X)),
        log_loss(y, comparison.oracle.known(X)),
    )
    assert found == pytest.approx(best, rel=0.01)
    assert found < log_loss(y, comparison.model.predict_proba(X, kind="marginal"))
    x, target = comparison.train
    plain = LogisticRegression().fit(x[["x0", "x1"]], target)
    assert found < log_loss(y, plain.predict_proba(X[["x0", "x1"]]))


def test_new_groups(comparison):
    """Within one percent of the oracle's log-loss as well."""
    X, y = comparison.new
    found = log_loss(y, comparison.model.predict_proba(X))
    assert found == pytest.approx(log_loss(y, comparison.oracle.new(X)), rel=0.01)


def test_new_groups_are_averaged(comparison):
    """The integral beats the probability of a typical group, whose overconfidence shows in the log-loss."""
    X, y = comparison.new
    integral, typical = (
        comparison.model.predict_proba(X, kind=kind)[:, 1] for kind in ("conditional", "population")
    )
    gain = y * np.log(integral / typical) + (1 - y) * np.log((1 - integral) / (1 - typical))
    by_group = gain.groupby(X["group"]).mean()
    certainty = by_group.mean() / (by_group.std() / np.sqrt(GROUPS))
    if comparison.model.covariances_[0][0, 0] > 0.5:
        assert certainty > 2
        assert log_loss(y, integral) < log_loss(y, typical)
    else:
        assert abs(certainty) < 2  # next to nothing to be gained


def test_probabilities_are_those_of_the_oracle(comparison):
    """Rows agree, not only their average."""
    X, _ = comparison.known
    difference = comparison.model.predict_proba(X)[:, 1] - comparison.oracle.known(X)
    assert np.sqrt(np.mean(difference**2)) < 0.02
    X, _ = comparison.new
    difference = comparison.model.predict_proba(X)[:, 1] - comparison.oracle.new(X)
    assert np.sqrt(np.mean(difference**2)) < 0.02


def test_frequencies_of_new_groups(comparison):
    """Calibration: among rows with a probability near p, a share of p are ones."""
    X, y = comparison.new
    p = comparison.model.predict_proba(X)[:, 1]
    band = np.clip((10 * p).astype(int), 0, 9)
    for k in np.unique(band):
        if np.sum(band == k) > 1000:
            # rows of a group go together, which makes the share less certain than that of independent rows
            assert np.mean(y[band == k]) == pytest.approx(np.mean(p[band == k]), abs=0.05)
