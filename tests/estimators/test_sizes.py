"""The ends of the range of floating-point numbers: the right fit, or an error with the name of what is beyond."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor

N = 60
RNG = np.random.default_rng(1)
TABLE = pd.DataFrame({"x": RNG.normal(size=N), "g": np.arange(N) % 6})
Y = TABLE["x"].to_numpy() + RNG.normal(size=6)[TABLE["g"]] + RNG.normal(size=N)
PLAIN = MixedLinearRegressor("g").fit(TABLE, Y)


@pytest.mark.parametrize("power", [150, 100, -100, -150])
def test_within(power):
    """Coefficients and standard errors in the other unit."""
    unit = 10.0**power
    y = MixedLinearRegressor("g").fit(TABLE, Y * unit)
    x = MixedLinearRegressor("g").fit(TABLE.assign(x=TABLE["x"] * unit), Y)
    np.testing.assert_allclose(y.results_.params / unit, PLAIN.results_.params, rtol=1e-6)
    np.testing.assert_allclose(y.results_.bse / unit, PLAIN.results_.bse, rtol=1e-6)
    assert x.results_.params["x"] * unit == pytest.approx(PLAIN.results_.params["x"], rel=1e-6)
    assert x.results_.bse["x"] * unit == pytest.approx(PLAIN.results_.bse["x"], rel=1e-6)


@pytest.mark.parametrize("power", [155, 200, 300, -155, -200, -300])
@pytest.mark.parametrize("groups", ["g", None])
def test_beyond(power, groups):
    unit = 10.0**power
    X = TABLE if groups else TABLE[["x"]]
    for wrong, name in (
        (lambda: MixedLinearRegressor(groups).fit(X, Y * unit), "^y holds"),
        (
            lambda: MixedLinearRegressor(groups).fit(X.assign(x=X["x"] * unit), Y),
            "column 'x' holds",
        ),
    ):
        with pytest.raises(ValueError, match=name) as caught:
            wrong()
        assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("weight", [1e300, 1e308])
def test_numbers_of_observations_beyond_counting(weight):
    with pytest.raises(ValueError, match=r"^sample_weight: its sum"):
        MixedLinearRegressor("g").fit(TABLE, Y, sample_weight=np.full(N, weight))
