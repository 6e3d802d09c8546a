"""The point a linear fit reports, and points around it, by a dense likelihood: random designs with other seeds than
the designs that have to end well.

A fit that says it converged has the likelihood of its own parameters, and none within the covariances of a term
scaled by 0.5 to 2 is better.
"""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import pytest

from skmixed import SkmixedWarning
from tests.evidence.test_random_designs import first_ones_quick, random_design
from tests.helpers import dense

FIRST_SEED = 10_000
N_DESIGNS = 1000
BATCH = 50
SCALES = (0.5, 0.7, 0.9, 1.1, 1.4, 2.0)
LARGEST_GAIN = 2e-4  # of the deviance: 1e-4 of the log-likelihood
LARGEST_DIFFERENCE = (
    1e-3  # between a deviance and the dense one, whose digits the units of designs take
)
MOST_DIGITS = 1e-7  # of a deviance, beside the rounding of the dense one


def verdict(design):
    """'no better point', why there was nothing to compare, or what is wrong."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # asked about elsewhere
        try:
            fitted = design.model.fit(design.X, design.y, **design.options)
        except (ValueError, TypeError):
            return "refused"
    fit = fitted.results_.fitted.fit
    if not fitted.converged_:
        return "not converged, and said so"
    if not fit.is_identified:
        return "nothing left to explain"
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the dense twin, far from the optimum
        return compared(fit, dense_deviance_of(fitted.results_.fitted))


def dense_deviance_of(model):
    """The dense deviance of a model's rows in the frame, where its columns keep their digits."""
    rows, codes = model.rows.read()
    units = model.fit.units
    X, Z, y = units.columns_and_response(rows.X, model.rows.y)
    n_levels = [len(labels) for labels in model.names.levels]
    levels = [np.arange(m) for m in n_levels]
    Zs = [dense.term_design(*each) for each in zip(codes, Z, levels, strict=True)]

    def deviance(T):
        return dense.dense_deviance(y, X, Zs, T, model.rows.weights, model.fit.reml)

    return deviance


def compared(fit, deviance):
    T = fit.T
    assemble = fit.covariance_model.assemble
    own = deviance(assemble(T))
    if not np.isfinite(own):
        return "beyond the digits of the dense twin"
    tolerance = LARGEST_GAIN + MOST_DIGITS * abs(own)
    if abs(own - fit.state.value) > LARGEST_DIFFERENCE + MOST_DIGITS * abs(own):
        return f"deviance {fit.state.value:.8g}, dense {own:.8g}"
    gains = {
        (k, scale): own - deviance(assemble([*T[:k], scale * T[k], *T[k + 1 :]]))
        for k in range(len(T))
        if np.any(T[k])
        for scale in SCALES
    }
    gains = {key: gain for key, gain in gains.items() if np.isfinite(gain)}
    best = max(gains, key=gains.get, default=None)
    if best is not None and gains[best] > tolerance:
        return f"term {best[0]} times {best[1]} is better by {gains[best] / 2:.2g}"
    return "no better point"


@pytest.mark.parametrize("batch", first_ones_quick(N_DESIGNS // BATCH, quick=0))
def test_no_better_point_nearby(batch, capsys):
    seeds = range(FIRST_SEED + batch * BATCH, FIRST_SEED + (batch + 1) * BATCH)
    verdicts = {seed: verdict(random_design(seed)) for seed in seeds}
    counts = Counter(verdicts.values())
    with capsys.disabled():
        print(f"\nbatch {batch}: {dict(counts)}")
    fine = {
        "no better point",
        "refused",
        "not converged, and said so",
        "nothing left to explain",
        "beyond the digits of the dense twin",
    }
    assert not {seed: text for seed, text in verdicts.items() if text not in fine}
    assert counts["no better point"] > 0.1 * BATCH
