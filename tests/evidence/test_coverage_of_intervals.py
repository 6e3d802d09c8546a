"""How often 95 % intervals of means cover, for known and new groups: simulated, slow."""

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor

DATA_SETS = 200
NEW_ROWS = 4
INTERCEPTS = np.diag([1.0, 0.0])
SLOPES = np.array([[1.0, 0.15], [0.15, 0.25]])
UNBALANCED = [1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 14, 15]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::skmixed.SingularFitWarning")]


def cells(rng):
    """Sixty per cent of those of 12 x 10 levels."""
    return np.divmod(rng.permutation(120)[:72], 10)


#: per design the levels of the rows, the covariance of the first factor's effects, and the terms
DESIGNS = {
    "6 of 5": (lambda rng: [np.repeat(np.arange(6), 5)], INTERCEPTS, "(1 | g)"),
    "20 of 5": (lambda rng: [np.repeat(np.arange(20), 5)], INTERCEPTS, "(1 | g)"),
    "12 of 1 to 15": (lambda rng: [np.repeat(np.arange(12), UNBALANCED)], INTERCEPTS, "(1 | g)"),
    "slopes, 20 of 6": (lambda rng: [np.repeat(np.arange(20), 6)], SLOPES, "(1 + x | g)"),
    "slopes, 40 of 1 to 12": (
        lambda rng: [np.repeat(np.arange(40), rng.integers(1, 13, 40))],
        SLOPES,
        "(1 + x | g)",
    ),
    "crossed": (cells, INTERCEPTS, "(1 | g) + (1 | h)"),
}


def covered(design, rng):
    """Shares of the means of known rows, and of rows of a new group, inside their intervals."""
    levels, covariance, terms = design
    codes = dict(zip("gh", levels(rng), strict=False))
    fitted = pd.DataFrame({"x": rng.normal(size=len(codes["g"]))} | codes)
    new = pd.DataFrame(
        {"x": rng.normal(size=NEW_ROWS)} | {f: c.max() + 1 for f, c in codes.items()}
    )
    b = rng.multivariate_normal([0.0, 0.0], covariance, size=fitted["g"].max() + 2)
    crossed = rng.normal(size=fitted.get("h", fitted["g"]).max() + 2) * ("h" in codes)

    def mean(table):
        own = b[table["g"]]
        other = crossed[table["h"]] if "h" in codes else 0.0
        return 1.0 + 0.5 * table["x"] + own[:, 0] + own[:, 1] * table["x"] + other

    y = mean(fitted) + rng.normal(size=len(fitted))
    model = MixedLinearRegressor(random_effects=terms).fit(fitted, y)
    found = []
    for table in (fitted, new):
        low, high = model.predict_interval(table, target="mean").T
        found.append(np.mean((low <= mean(table)) & (mean(table) <= high)))
    return found


@pytest.mark.parametrize("name", DESIGNS)
def test_intervals_of_means_cover(name):
    """93.5 to 96.5 %, and twice what so few data sets may miss it by."""
    rng = np.random.default_rng(7)
    shares = np.array([covered(DESIGNS[name], rng) for _ in range(DATA_SETS)])
    found = shares.mean(axis=0)
    print(name, found)
    slack = 2.0 * shares.std(axis=0) / np.sqrt(DATA_SETS)
    assert np.all((found > 0.935 - slack) & (found < 0.965 + slack))
