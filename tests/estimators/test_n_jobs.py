"""Threads for crossed factors: the same estimates for any number, and none that nobody asked for."""

import joblib
import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed._algebra import machine

KINDS = [MixedLinearRegressor, MixedLogisticClassifier]


def crossed(kind, n=6000):
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"x": rng.normal(size=n)})
    X["person"], X["item"] = rng.integers(0, 1200, n), rng.integers(0, 550, n)
    eta = X["x"] + rng.normal(0.0, 0.7, 1200)[X["person"]] + rng.normal(0.0, 0.5, 550)[X["item"]]
    y = eta + rng.normal(size=n)
    return X, (y > 0).astype(int) if kind is MixedLogisticClassifier else y


@pytest.mark.filterwarnings("ignore::skmixed.exceptions.LaplaceWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_estimates_are_the_same(kind):
    X, y = crossed(kind)
    one, two = (kind(groups=["person", "item"], n_jobs=k).fit(X, y) for k in (None, 2))
    assert one.n_iter_ == two.n_iter_
    assert two.loglik_ == pytest.approx(one.loglik_, rel=1e-12)
    np.testing.assert_allclose(two.coef_, one.coef_, rtol=1e-9)
    np.testing.assert_allclose(two.covariances_, one.covariances_, rtol=1e-8)


@pytest.mark.parametrize(
    ("n_jobs", "expected"), [(None, 1), (1, 1), (3, 3), (-1, joblib.effective_n_jobs(-1))]
)
def test_threads_as_joblib_counts_them(n_jobs, expected):
    with machine.using_threads(n_jobs):
        assert machine.threads() == expected
    assert machine.threads() == 1


def test_joblib_is_asked_where_nothing_is_said():
    with joblib.parallel_config(backend="threading", n_jobs=2), machine.using_threads(None):
        assert machine.threads() == 2
    with joblib.parallel_config(backend="threading", n_jobs=2), machine.using_threads(1):
        assert machine.threads() == 1


def test_what_is_no_number_is_refused():
    X, y = crossed(MixedLinearRegressor, 50)
    with pytest.raises(ValueError, match="n_jobs"):
        MixedLinearRegressor(groups="item", n_jobs="all").fit(X.drop(columns="person"), y)
