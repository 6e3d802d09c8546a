"""How often Tukey's pairs find a difference where there is none, and how often limits hold the mean."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skmixed import MixedLinearRegressor
from skmixed.inference import marginal_means
from skmixed.inference._contrasts.adjustments import ADJUSTMENTS, Family


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmixed.SingularFitWarning")
def test_pairs_and_means_with_twelve_groups():
    """Six pairs of four treatments in twelve groups, a fifth of the rows lost.

    4,000 data sets gave 4.5 % (Satterthwaite 4.6 %) and limits that hold 95.3 % of the means.
    """
    rng = np.random.default_rng(1)
    n = 150
    wrong = 0
    held = 0
    group, arm = np.repeat(np.arange(12), 8), np.tile(np.repeat(np.arange(4), 2), 12)
    for _ in range(n):
        kept = rng.uniform(size=96) < 0.8
        data = pd.DataFrame({"group": group[kept], "arm": np.array(list("abcd"))[arm[kept]]})
        data["y"] = rng.normal(0, 0.7, 12)[data["group"]] + rng.normal(size=len(data))
        model = MixedLinearRegressor.from_formula("y ~ arm + (1 | group)", data)
        means = marginal_means(model, "arm")
        pairs = means.pairs()
        p = ADJUSTMENTS["tukey"].p_values(pairs["t"], pairs["df"], Family(6, 4, True))
        wrong += np.any(p <= 0.05)
        held += np.sum((means["ci_low"] <= 0) & (means["ci_high"] >= 0))
    low, high = stats.binom.ppf([0.001, 0.999], n, 0.05)
    assert low <= wrong <= high
    assert 0.91 <= held / (4 * n) <= 0.99
