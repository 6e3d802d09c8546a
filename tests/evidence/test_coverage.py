"""How often intervals cover and tests reject, in 1,000 simulated data sets each: slow."""

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::skmixed.SingularFitWarning")]

DATA_SETS, GROUPS = 1000, 12
TRUTH = np.array([1.0, 0.5, 0.3])


def unbalanced(rng):
    """Three to nine rows per group; x varies within groups, w between them."""
    g = np.repeat(np.arange(GROUPS), rng.integers(3, 10, GROUPS))
    X = pd.DataFrame({"x": rng.normal(size=len(g)), "w": rng.normal(size=GROUPS)[g], "g": g})
    y = X[["x", "w"]] @ TRUTH[1:] + TRUTH[0] + rng.normal(size=GROUPS)[g] + rng.normal(size=len(g))
    return X, y


def covers(table, truth):
    return (table["ci_low"].to_numpy() <= truth) & (truth <= table["ci_high"].to_numpy())


def test_intervals_of_fixed_effects_with_twelve_groups():
    """Satterthwaite, Kenward-Roger: 93 to 97 %; the normal ones of intercept and w, which groups decide, fall short."""
    rng = np.random.default_rng(1)
    methods = ("normal", "satterthwaite", "kenward-roger")
    found = {df: np.zeros((DATA_SETS, 3)) for df in methods}
    for i in range(DATA_SETS):
        results = MixedLinearRegressor(groups="g").fit(*unbalanced(rng)).results_
        for df in methods:
            found[df][i] = covers(results.coef_table(df=df), TRUTH)
    shares = {df: hits.mean(axis=0) for df, hits in found.items()}
    print(shares)
    for df in methods[1:]:
        assert np.all((shares[df] >= 0.93) & (shares[df] <= 0.97))
    assert np.all(shares["normal"][[0, 2]] < 0.93)


def test_profile_intervals_of_variances():
    """Of the residual and of the groups, 93 to 97 %."""
    rng, truth = np.random.default_rng(2), np.array([1.0, 1.0])
    found = np.zeros((DATA_SETS, 2))
    for i in range(DATA_SETS):
        results = MixedLinearRegressor(groups="g").fit(*unbalanced(rng)).results_
        found[i] = covers(results.variance_table(method="profile"), truth)
    print(found.mean(axis=0))
    assert np.all((found.mean(axis=0) >= 0.93) & (found.mean(axis=0) <= 0.97))
