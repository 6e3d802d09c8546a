"""What a logistic fit holds in memory, while it runs and after it."""

import gc
import tracemalloc

import numpy as np
import pytest

from skmixed import MixedLogisticClassifier

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
    assert after - before < 9.0 * N
    assert peak - before < 4.0 * (X.nbytes + groups.nbytes + y.nbytes)
