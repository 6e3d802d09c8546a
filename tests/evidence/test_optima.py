"""No fit ends above the best that an independent dense optimiser finds from ten random starts.

Few rows, slope columns of scales between 1e-3 and 1e3, every covariance structure, ML and REML, one
to three factors, now and then an outlier.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from skmixed import (
    MixedLinearRegressor,
    MixedLogisticClassifier,
    RandomEffect,
    SkmixedWarning,
)
from tests.helpers.dense_search import DenseModel, DenseTerm

pytestmark = pytest.mark.slow

N_DESIGNS = 200
BATCH = 50
WORSE = 2e-6  # of a deviance: 1e-6 of the log-likelihood
DEGENERATE = 1e-7  # residual variance as a share of that of the response: no maximum
COVARIANCES = ["unstructured", "diagonal", "identity", "exchangeable"]


@dataclass
class Problem:
    """One data set, an estimator for it, and the dense model of the same."""

    model: MixedLinearRegressor
    table: pd.DataFrame
    y: np.ndarray
    dense: DenseModel
    notes: str


def random_problem(seed):
    """A design drawn with one seed."""
    rng = np.random.default_rng([seed, 2026])
    n = int(rng.integers(20, 81))
    x = (rng.normal(size=(n, 2)) + rng.choice([0.0, 0.0, 2.0])) * 10.0 ** rng.uniform(-3, 3, 2)
    factors = [rng.integers(0, rng.integers(3, 13), n) for _ in range(rng.integers(1, 4))]
    terms = [random_term(rng, f) for f in range(len(factors))]
    intercept = bool(rng.random() < 0.85)
    reml = bool(rng.random() < 0.5)
    fixed = np.column_stack([*[np.ones(n)] * intercept, x])
    dense = [
        DenseTerm(factors[f], np.column_stack([*[np.ones(n)] * has, x[:, list(slopes)]]), kind)
        for f, slopes, has, kind in terms
    ]
    y = random_response(rng, dense)
    table = pd.DataFrame({"x0": x[:, 0], "x1": x[:, 1]})
    table = table.assign(**{f"g{f}": codes for f, codes in enumerate(factors)})
    effects = [
        RandomEffect(f"g{f}", tuple(f"x{k}" for k in slopes), intercept=has, covariance=kind)
        for f, slopes, has, kind in terms
    ]
    model = MixedLinearRegressor(
        random_effects=effects, method="reml" if reml else "ml", fit_intercept=intercept
    )
    return Problem(model, table, y, DenseModel(y, fixed, dense, reml), f"n={n} {model!r}")


def random_term(rng, f):
    """Factor, slopes, whether there is an intercept, covariance."""
    slopes = tuple(sorted(rng.permutation(2)[: rng.choice([0, 1, 1, 2])].tolist()))
    has_intercept = bool(rng.random() < 0.8) or not slopes
    return f, slopes, has_intercept, str(rng.choice(COVARIANCES))


def random_response(rng, dense):
    """Noise, and effects of every size; one time in ten an outlier."""
    y = rng.normal(size=len(dense[0].codes))
    for term in dense:
        effects = rng.normal(size=(term.codes.max() + 1, term.size)) / term.sizes
        effects *= rng.choice([0.0, 0.2, 0.5, 1.0, 3.0], size=term.size)
        y += np.sum(effects[term.codes] * term.columns, axis=1)
    if rng.random() < 0.1:
        y[0] += 10.0 ** rng.uniform(1, 4)
    return y


def shortfall(seed):
    """How far above the best deviance a fit ended, and the fit; None where there is no optimum."""
    problem = random_problem(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        model = problem.model.fit(problem.table, problem.y)
    best, x = problem.dense.best(np.random.default_rng([seed, 7]))
    sigma2 = problem.dense.deviance(problem.dense.covariances(x))[2]
    if sigma2 < DEGENERATE * np.var(problem.y):
        return None, model
    return -2.0 * model.loglik_ - best, model


@pytest.mark.parametrize("batch", range(N_DESIGNS // BATCH))
def test_no_other_start_ends_lower(batch):
    gaps = {seed: shortfall(seed)[0] for seed in range(batch * BATCH, (batch + 1) * BATCH)}
    compared = {seed: gap for seed, gap in gaps.items() if gap is not None}
    print(f"{len(compared)} of {BATCH} designs compared, largest gap {max(compared.values()):.1e}")
    assert not {seed: gap for seed, gap in compared.items() if gap > WORSE}


def random_outcomes(seed):
    """Zeros and ones of the design of a seed, and a classifier for them."""
    problem = random_problem(seed)
    rng = np.random.default_rng([seed, 5])
    spread = np.std(problem.y) / rng.choice([0.5, 1.0, 2.0])
    eta = (problem.y - np.median(problem.y)) / spread
    y = (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(int)
    names = ("random_effects", "fit_intercept")
    parameters = {name: problem.model.get_params()[name] for name in names}
    return MixedLogisticClassifier(n_quadrature=1, **parameters), problem.table, y


def scaled_deviances(fit):
    """Deviances with the covariance of one term scaled."""
    for share in (0.5, 0.8, 1.25, 2.0):
        for k, T in enumerate(fit.T):
            T = [*fit.T[:k], share * T, *fit.T[k + 1 :]]
            point = [*fit.covariance_model.assemble(T), fit.beta]
            yield fit.state.at(point).value


@pytest.mark.parametrize("batch", range(2))
def test_logistic_fits_end_where_nothing_nearby_is_lower(batch):
    """Nor above the model without random effects."""
    above, lower = {}, {}
    for seed in range(batch * 20, (batch + 1) * 20):
        model, table, y = random_outcomes(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkmixedWarning)
            fit = model.fit(table, y).results_.fitted.fit
        above[seed] = fit.loglik_without_effects - fit.loglik
        if model.converged_:
            lower[seed] = -2.0 * fit.loglik - min(scaled_deviances(fit))
    print(f"{len(lower)} of 20 converged")
    assert max(above.values()) < 1e-6
    assert max(lower.values()) < 2e-4
