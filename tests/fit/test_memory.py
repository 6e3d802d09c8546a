"""What a logistic fit holds in memory, while it runs and after it."""

import gc
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLogisticClassifier
from skmixed.inference import residuals

N, M = 200_000, 400


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 4))
    groups = rng.integers(0, M, N).astype(np.int32)
    eta = X @ [0.5, -0.5, 0.2, 0.0] + rng.normal(size=M)[groups]
    return X, groups, rng.binomial(1, 1.0 / (1.0 + np.exp(-eta))).astype(np.int32)


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_a_fit_keeps_no_rows(data):
    X, groups, y = data
    MixedLogisticClassifier(n_quadrature=1).fit(X[:2000], y[:2000], groups=groups[:2000])
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    est = MixedLogisticClassifier(n_quadrature=1).fit(X, y, groups=groups)
    gc.collect()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert est.converged_
    assert after - before < 1.0 * N
    assert peak - before < 4.0 * (X.nbytes + groups.nbytes + y.nbytes)


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
@pytest.mark.parametrize("outcomes", ["labels", "counts"])
def test_rows_are_read_again_as_they_were(outcomes):
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(400, 2)), columns=["a", "b"])
    X["known"] = rng.normal(size=400)
    X["g"] = rng.integers(0, 20, 400)
    y = np.where(rng.random(400) < 0.4, "no", "yes")
    if outcomes == "counts":
        y = pd.DataFrame(rng.integers(0, 4, (400, 2)), columns=["yes", "no"])
    weights = rng.integers(0, 3, 400).astype(float)
    est = MixedLogisticClassifier("g", offset="known", class_weight="balanced", n_quadrature=1)
    est.fit(X, y, sample_weight=weights)
    model = est.results_.fitted
    first, again = model.training, model.training
    assert first is again and first.n_rows == model.n_rows
    state = model.fit.state.at_hand()
    assert state.sums.value == pytest.approx(model.fit.state.value, rel=1e-12)
    slope = np.concatenate([g[np.tril_indices(len(g))] for g in state.sums.gradient])
    np.testing.assert_allclose(slope, 0.0, atol=1e-3)
    assert len(residuals(est, "pearson")) == first.n_rows
