"""Models of all kinds beside statsmodels' likelihood at random parameters, and dense formulas."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from numpy.testing import assert_allclose
from statsmodels.regression.mixed_linear_model import MixedLMParams

import skmixed.statsmodels as drop_in

FIXED = ["y ~ x", "y ~ 0 + z", "y ~ a + x", "y ~ np.log(abs(x) + 1)"]
EFFECTS = [None, "1", "1 + z", "0 + z + w", "~z + w", "0 + a"]
COMPONENTS = [
    None,
    {"v": "0 + C(c)"},
    {"v": "0 + a", "u": "0 + x + z"},  # z may have two effects
    {"v": "C(a)"},
    {"b": "0 + w", "a": "1 + z"},
    {"m": "0 + C(c):z"},
    {"k": "0 + late"},
]


def design(seed):
    rng = np.random.default_rng(seed)
    n_groups, n = rng.integers(4, 15), rng.integers(60, 150)
    g = rng.integers(n_groups, size=n)
    labels = np.array([f"L{k:02d}" for k in range(15)]) if seed % 2 else 10.5 * np.arange(15)
    table = pd.DataFrame(
        {
            "g": 1 if seed % 5 == 0 else rng.permutation(labels)[g],
            "x": rng.normal(size=n) + 100 * (seed % 3 == 0),
            "z": rng.normal(size=n),
            "w": rng.normal(size=n),
            "a": rng.choice(list("abc"), n),
            "c": rng.integers(4, size=n),
        }
    )
    table["late"] = table["z"] > 0
    y = table["x"] + rng.normal(size=15)[g] + 0.8 * rng.normal(size=15)[g] * table["z"]
    table["y"] = y + rng.normal(size=4)[table["c"]] + rng.normal(size=n)
    chosen = [options[rng.integers(len(options))] for options in (FIXED, EFFECTS, COMPONENTS)]
    given = {"groups": "g", "re_formula": chosen[1], "vc_formula": chosen[2]}
    return rng, (chosen[0], table), given


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(s, marks=pytest.mark.slow) for s in range(8, 24))]
)
def test_likelihood_and_modes(seed):
    rng, args, given = design(seed)
    theirs, ours = smf.mixedlm(*args, **given), drop_in.mixedlm(*args, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = ours.fit(reml=bool(seed % 2))
    A = rng.normal(size=(ours.k_re, ours.k_re))
    point = MixedLMParams.from_components(
        rng.normal(size=ours.k_fe), A @ A.T + 0.1 * np.eye(ours.k_re), vcomp=np.ones(ours.k_vc)
    )
    theirs.reml, theirs.cov_pen, theirs.fe_pen = ours.reml, None, None
    for profile_fe in (True, False):
        wanted = theirs.loglike(point, profile_fe=profile_fe)
        assert_allclose(ours.loglike(point, profile_fe=profile_fe), wanted, rtol=1e-9)
    best = ours.loglike(found.params_object)
    assert_allclose(found.llf, best, rtol=1e-9)
    fitted = ours.exog @ np.asarray(found.fe_params)
    for k, group in enumerate(theirs.group_labels):
        rows = theirs.row_indices[group]
        modes, covariance = dense_modes(theirs, found, k, (ours.endog - fitted)[rows])
        fitted[rows] += theirs_columns(theirs, k) @ modes
        assert_allclose(found.random_effects[group], modes, atol=1e-8)
        assert_allclose(found.random_effects_cov[group], covariance, atol=1e-8)
    assert_allclose(found.fittedvalues, fitted, atol=1e-7)


def theirs_columns(model, k):
    parts = [] if model.exog_re is None else [model.exog_re_li[k]]
    return np.column_stack([*parts, *(mats[k] for mats in model.exog_vc.mats)])


def dense_modes(model, found, k, resid):
    """``G Z'V^-1 (y - X b)`` and ``G - G Z'V^-1 Z G``."""
    Z = theirs_columns(model, k)
    widths = [mats[k].shape[1] for mats in model.exog_vc.mats]
    G = np.diag([*np.zeros(found.k_re), *np.repeat(found.vcomp, widths)])
    G[: found.k_re, : found.k_re] = found.cov_re
    V = Z @ G @ Z.T + found.scale * np.eye(len(Z))
    return G @ Z.T @ np.linalg.solve(V, resid), G - G @ Z.T @ np.linalg.solve(V, Z @ G)
