"""What is beyond memory is said before it is taken."""

import re

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed._algebra import machine


def crossed(n_levels):
    rng = np.random.default_rng(0)
    n = 3 * n_levels
    labels = np.tile(np.arange(n_levels), 3)
    X = pd.DataFrame({"x": rng.normal(size=n), "g": labels, "h": rng.permutation(labels)})
    return X, rng.normal(size=n)


def test_the_system_says_what_is_left():
    assert machine.available() > 0


@pytest.mark.parametrize(
    ("model", "gib"),
    [
        (MixedLinearRegressor(groups=["g", "h"], solver="exact"), 3.3),
        (MixedLinearRegressor(random_effects="(1 + x | g) + (1 | h)", solver="exact"), 3.3),
        (MixedLinearRegressor(random_effects="(1 + x | g) + (1 + x | h)", solver="exact"), 26.7),
        (MixedLogisticClassifier(groups=["g", "h"], n_quadrature=1, solver="exact"), 5.2),
    ],
    ids=["intercepts", "slopes eliminated first", "slopes", "logistic"],
)
def test_crossed_factors(model, gib, monkeypatch):
    monkeypatch.setattr(machine, "available", lambda: 2.0**30)
    X, y = crossed(8000)
    y = y > 0 if isinstance(model, MixedLogisticClassifier) else y
    with pytest.raises(ValueError, match=r"dense matrix of [\d,]+ columns") as caught:
        model.fit(X, y)
    first, advice = str(caught.value).splitlines()
    assert float(re.search(r"about ([\d.]+) GiB", first)[1]) == pytest.approx(gib, abs=0.1)
    assert "1.0 are left" in first and "second most levels" in advice


@pytest.mark.slow
def test_sums_of_many_levels_with_many_columns(monkeypatch):
    monkeypatch.setattr(machine, "available", lambda: 2.0**30)
    n = 20_000
    X = np.zeros((n, 1000))
    with pytest.raises(ValueError, match=r"20,000 effects and [\d,]+ columns need about 1\.2 GiB"):
        MixedLinearRegressor().fit(X, np.zeros(n), groups=np.arange(n))


def test_more_columns_than_can_be_waited_for():
    X, y = crossed(20_000)
    with pytest.raises(ValueError, match="dense matrix"):
        MixedLinearRegressor(groups=["g", "h"], solver="exact").fit(X, y)
