"""The drop-in beside statsmodels: the same names, shapes and numbers."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from numpy.testing import assert_allclose
from statsmodels.regression.mixed_linear_model import MixedLMParams, VCSpec

import skmixed.statsmodels as drop_in
from tests.statsmodels.designs import DESIGNS, classes, sleepstudy

LOOSE = 3e-3  # statsmodels stops early


@cache
def both(name, reml=True):
    formula, table, options = DESIGNS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = smf.mixedlm(formula, table(), **options).fit(reml=reml)
        ours = drop_in.mixedlm(formula, table(), **options).fit(reml=reml)
    return theirs, ours


def close(ours, theirs, tol=LOOSE):
    """Within a share of the largest."""
    theirs = np.asarray(theirs)
    assert_allclose(ours, theirs, rtol=0, atol=tol * np.max(np.abs(theirs), initial=1e-12))


@pytest.mark.parametrize(
    "reml", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["reml", "ml"]
)
@pytest.mark.parametrize("name", DESIGNS)
def test_estimates(name, reml):
    theirs, ours = both(name, reml)
    assert ours.llf > theirs.llf - 1e-7
    assert ours.llf < theirs.llf + 1e-4
    assert ours.params.index.tolist() == theirs.params.index.tolist()
    for attribute in ("fe_params", "bse_fe", "params", "bse", "tvalues", "cov_re", "vcomp"):
        theirs_is, ours_is = getattr(theirs, attribute), getattr(ours, attribute)
        assert type(ours_is) is type(theirs_is), attribute
        close(ours_is, theirs_is)
    close(ours.cov_re_unscaled, theirs.cov_re_unscaled)
    close(ours.conf_int(), theirs.conf_int())
    for attribute in ("nobs", "df_resid", "k_fe", "k_re", "k_re2", "k_vc", "method", "use_t"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    assert_allclose(ours.scale, theirs.scale, rtol=LOOSE)
    if not reml:
        assert_allclose([ours.aic, ours.bic], [theirs.aic, theirs.bic], atol=1e-3)


@pytest.mark.parametrize("name", DESIGNS)
def test_rows_and_groups(name):
    theirs, ours = both(name)
    close(ours.fittedvalues, theirs.fittedvalues)
    close(ours.resid, theirs.resid)
    assert ours.resid.index.equals(theirs.resid.index)
    close(ours.predict(), theirs.predict(), 1e-5)
    assert list(ours.random_effects) == list(theirs.random_effects)
    covariances = ours.random_effects_cov, theirs.random_effects_cov
    for group, modes in ours.random_effects.items():
        assert modes.index.tolist() == theirs.random_effects[group].index.tolist()
        assert_allclose(modes, theirs.random_effects[group], atol=LOOSE * ours.fittedvalues.std())
        close(*(found[group] for found in covariances))
        assert covariances[0][group].index.equals(covariances[1][group].index)


@pytest.mark.parametrize("name", DESIGNS)
def test_model(name):
    theirs, ours = (results.model for results in both(name))
    for attribute in ("endog", "exog", "exog_names", "endog_names", "group_labels", "k_params"):
        assert np.array_equal(getattr(ours, attribute), getattr(theirs, attribute)), attribute
    for attribute in ("param_names", "exog_re_names", "exog_re_names_full", "xnames", "ynames"):
        assert getattr(ours.data, attribute) == getattr(theirs.data, attribute), attribute
    assert ours.row_indices == theirs.row_indices
    assert ours.exog_vc.colnames == theirs.exog_vc.colnames
    for found, wanted in zip(ours.exog_vc.mats, theirs.exog_vc.mats, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("profile_fe", [True, False])
@pytest.mark.parametrize("reml", [True, False])
def test_likelihood_anywhere(reml, profile_fe):
    theirs, ours = (results.model for results in both("classes", reml))
    theirs.reml = ours.reml = reml
    point = dict(fe_params=[0.7, 1.4], cov_re=[[0.9, 0.2], [0.2, 0.4]], vcomp=[0.6])
    found = ours.loglike(drop_in.MixedLMParams.from_components(**point), profile_fe=profile_fe)
    params = MixedLMParams.from_components(**{k: np.array(v) for k, v in point.items()})
    assert_allclose(found, theirs.loglike(params, profile_fe=profile_fe), rtol=1e-10)
    packed = params.get_packed(use_sqrt=True, has_fe=False)
    assert_allclose(ours.loglike(packed), theirs.loglike(packed), rtol=1e-10)


@pytest.mark.parametrize("profile_fe", [True, False])
def test_derivatives_anywhere(profile_fe):
    theirs, ours = (results.model for results in both("classes"))
    theirs.reml = ours.reml = True
    params = MixedLMParams.from_components(
        np.array([0.7, 1.4]), np.array([[0.9, 0.2], [0.2, 0.4]]), vcomp=np.array([0.6])
    )
    wanted = theirs.score(params, profile_fe=profile_fe)
    assert_allclose(ours.score(params, profile_fe=profile_fe), wanted, rtol=1e-5, atol=1e-5)
    packed = params.get_packed(use_sqrt=True, has_fe=not profile_fe)
    assert_allclose(ours.score(packed, profile_fe=profile_fe), wanted, rtol=1e-5, atol=1e-5)


def test_curvature_at_the_optimum():
    """statsmodels' is that of the likelihood at the optimum only."""
    theirs, ours = both("classes")
    theirs.model.reml = ours.model.reml = True
    found, is_singular = ours.model.hessian(ours.params_object)
    wanted = theirs.model.hessian(theirs.params_object)[0]
    assert_allclose(found, wanted, rtol=5e-3, atol=5e-3 * np.max(np.abs(wanted)))
    packed = ours.params_object.get_packed(use_sqrt=True, has_fe=True)
    assert_allclose(ours.model.hessian(packed)[0], found, rtol=1e-3, atol=1e-2)
    assert not is_singular


def test_arrays_have_no_labels():
    table = sleepstudy()
    exog = np.column_stack([np.ones(180), table["Days"], table["Days"] ** 2])
    given = (table["Reaction"].to_numpy(), exog, table["Subject"].to_numpy())
    theirs = sm.MixedLM(*given, exog_re=exog[:, :2]).fit(method="powell")
    ours = drop_in.MixedLM(*given, exog_re=exog[:, :2]).fit()
    assert ours.model.data.param_names == theirs.model.data.param_names
    for attribute in ("params", "bse", "fe_params", "cov_re", "resid", "fittedvalues", "bse_fe"):
        assert type(getattr(ours, attribute)) is np.ndarray
        close(getattr(ours, attribute), getattr(theirs, attribute))
    assert ours.conf_int().shape == (6, 2)


@pytest.mark.smoke
def test_order_of_columns_does_not_matter():
    table = sleepstudy()
    names = ["Days", "one"]
    exog = table.assign(one=1.0)[names]
    found = drop_in.MixedLM(table["Reaction"], exog, table["Subject"], exog_re=exog).fit()
    usual = both("sleepstudy")[1]
    assert_allclose(found.fe_params[names[::-1]], usual.fe_params, rtol=1e-7)
    assert_allclose(found.cov_re.loc[names[::-1], names[::-1]], usual.cov_re, rtol=1e-5)
    assert_allclose(found.bse_re.iloc[::-1], usual.bse_re, rtol=1e-4)
    modes = np.array([found.random_effects[g][names[::-1]] for g in found.random_effects])
    assert_allclose(modes, np.array(list(usual.random_effects.values())), rtol=1e-5)
    assert found.model.exog_names == names


def test_components_as_matrices():
    table = classes()
    exog = np.column_stack([np.ones(len(table)), table["x"]])
    parts = dict(list(table.groupby("school")))
    rooms = {g: pd.get_dummies(part["room"]).to_numpy(float) for g, part in parts.items()}
    slopes = {g: part[["x"]].to_numpy() for g, part in parts.items()}
    given = (table["y"].to_numpy(), exog, table["school"].to_numpy())
    usual = drop_in.mixedlm(
        "y ~ x",
        table,
        groups="school",
        re_formula="1",
        vc_formula={"room": "0 + C(room)", "slope": "0 + x"},
    ).fit()
    names = [[["0", "1", "2"]] * 30, [["x"]] * 30]
    specs = [
        {"slope": slopes, "room": rooms},
        VCSpec(["room", "slope"], names, [list(rooms.values()), list(slopes.values())]),
    ]
    for spec in specs:
        found = drop_in.MixedLM(*given, exog_re=exog[:, :1], exog_vc=spec).fit()
        assert_allclose(found.params, usual.params, rtol=1e-6)
        assert_allclose(found.random_effects[3], usual.random_effects[3], rtol=1e-6)


def test_uncorrelated_effects():
    free = drop_in.MixedLMParams.from_components(np.ones(2), cov_re=np.eye(2))
    theirs, ours = (results.model for results in both("sleepstudy"))
    theirs = theirs.fit(free=MixedLMParams.from_components(np.ones(2), cov_re=np.eye(2)))
    ours = ours.fit(free=free)
    assert_allclose(ours.llf, theirs.llf, atol=1e-5)
    close(ours.params, theirs.params)
    close(ours.bse, theirs.bse)
    assert ours.cov_re.iloc[0, 1] == ours.bse_re.iloc[1] == 0.0
    components = both("sleepstudy, components")[1]
    assert_allclose(np.diag(ours.cov_re), components.vcomp, rtol=1e-6)


def test_tests():
    theirs, ours = both("classes")
    L = np.array([[0.0, 1.0], [1.0, -1.0]])
    found, wanted = ours.t_test(L), theirs.t_test(L)
    for name in ("effect", "sd", "tvalue", "pvalue"):
        close(getattr(found, name), getattr(wanted, name), 1e-2)
    close(ours.t_test(L, use_t=True).conf_int(), theirs.t_test(L, use_t=True).conf_int(), 1e-2)
    full = np.eye(len(ours.params))[:2]
    for test in ("wald_test", "f_test"):
        found, wanted = getattr(ours, test)(full), getattr(theirs, test)(full)
        assert_allclose(float(found.statistic), float(np.squeeze(wanted.statistic)), rtol=1e-2)
        assert found.df_denom == wanted.df_denom
    by_name = ours.wald_test("Intercept = 0, x = 0")
    assert_allclose(by_name.statistic, ours.wald_test(full).statistic)
    assert_allclose(ours.wald_test(np.eye(2)).statistic, by_name.statistic)
    with pytest.raises(ValueError, match="should have 2 columns"):
        ours.t_test(full)


def test_pairs_of_levels():
    """statsmodels' own needs contrasts of the variances, and fails."""
    table = sleepstudy().assign(week=lambda t: t["Days"] // 4)
    theirs = smf.mixedlm("Reaction ~ C(week)", table, groups="Subject").fit()
    ours = drop_in.mixedlm("Reaction ~ C(week)", table, groups="Subject").fit()
    found = ours.t_test_pairwise("C(week)", method=["hs", "b"]).result_frame
    wanted = theirs.t_test(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 1.0]]))
    assert found.index.tolist() == ["1-0", "2-0", "2-1"]
    close(found["coef"], wanted.effect)
    close(found["std err"], wanted.sd)
    assert_allclose(found["pvalue-b"], np.minimum(3.0 * found["P>|z|"], 1.0))
    assert np.all(found["pvalue-hs"] <= found["pvalue-b"])
    assert found["reject-hs"].all()
    helmert = drop_in.mixedlm("Reaction ~ C(week, Helmert)", table, groups="Subject").fit()
    coded = helmert.t_test_pairwise("C(week, Helmert)").result_frame
    assert_allclose(coded["coef"], found["coef"])
    named = ours.t_test_pairwise("C(week)", factor_labels=["a", "b", "c"])
    assert named.result_frame.index.tolist() == ["b-a", "c-a", "c-b"]
    with pytest.raises(ValueError, match="no categorical main effect"):
        ours.t_test_pairwise("Days")


def test_terms():
    table = sleepstudy().assign(week=lambda t: t["Days"] // 4)
    given = "Reaction ~ Days + C(week)", table
    theirs, ours = (m(*given, groups="Subject").fit() for m in (smf.mixedlm, drop_in.mixedlm))
    found, wanted = ours.wald_test_terms(), theirs.wald_test_terms(scalar=True)
    assert_allclose(found.table, wanted.table.loc[found.table.index], rtol=1e-3)
    assert "chi2" in str(found)
    assert ours.wald_test_terms(skip_single=True).table.index.tolist() == ["C(week)"]
    arrays = drop_in.MixedLM(ours.model.endog, ours.model.exog, table["Subject"]).fit()
    for ask in (arrays.wald_test_terms, lambda: arrays.t_test_pairwise("C(week)")):
        with pytest.raises(ValueError, match="of a formula"):
            ask()


def test_predictions_of_new_rows():
    theirs, ours = both("classes")
    new = pd.DataFrame({"x": [0.0, 2.0, np.nan]}, index=[7, 8, 9])
    pd.testing.assert_series_equal(ours.predict(new), theirs.predict(new), rtol=1e-4)
    exog = [[1.0, 0.0], [1.0, 2.0]]
    assert_allclose(ours.predict(exog, transform=False), ours.predict(new)[:2])
    assert_allclose(ours.predict(np.array(exog)), ours.predict(new)[:2])
    assert_allclose(ours.model.predict(ours.params, exog), ours.predict(new)[:2])


@pytest.mark.slow
def test_profile():
    for which, kind, step in ((1, "re", 0.1), ("room", "vc", 0.3)):
        options = dict(num_low=1, dist_low=step, num_high=1, dist_high=step)
        theirs, ours = both("classes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = theirs.profile_re(which, kind, **options)
        assert_allclose(ours.profile_re(which, kind, **options), wanted, rtol=3e-3)
    with pytest.raises(ValueError, match="negative variance"):
        ours.profile_re(0, "re", dist_low=100.0)
    with pytest.raises(ValueError, match="vtype"):
        ours.profile_re(0, "fe")


def test_penalised():
    model = both("classes")[1].model
    given = model.endog, model.exog, model.grouping.codes
    theirs, ours = sm.MixedLM(*given), drop_in.MixedLM(*given)
    for alpha in (0.5, np.array([0.0, 60.0])):
        found = ours.fit_regularized(alpha=alpha)
        assert_allclose(found.fe_params, theirs.fit_regularized(alpha=alpha).fe_params, rtol=1e-3)
    all_zero = ours.fit_regularized(alpha=1e6)
    assert np.all(all_zero.fe_params == 0) and np.all(np.isnan(all_zero.bse_fe))


def test_draws():
    theirs, ours = (results.model for results in both("classes"))
    params = [1.0, 1.0, 0.5, 0.1, 0.3, 0.8]
    wanted = theirs.get_distribution(np.array(params), 2.0, None).rvs(0, np.random.RandomState(0))
    found = ours.get_distribution(params, 2.0).rvs(0, np.random.RandomState(0))
    assert_allclose(found, wanted)


def test_side_by_side():
    from statsmodels.iolib.summary2 import summary_col

    printed = str(summary_col([both("classes")[1], both("sleepstudy")[1]]))
    assert "Reaction" in printed and "school x x Cov" in printed and "10.4673" in printed


def test_printed_alike():
    theirs, ours = both("classes")
    found, wanted = ours.summary(), theirs.summary()
    assert found.tables[0].shape == wanted.tables[0].shape
    assert found.tables[1].index.equals(wanted.tables[1].index)
    assert found.tables[1].columns.equals(wanted.tables[1].columns)
    assert found.tables[1].iloc[:2, 0].tolist() == wanted.tables[1].iloc[:2, 0].tolist()
    renamed = ours.summary(xname_fe=["a", "b"], title="T", yname="Y")
    assert renamed.tables[1].index[:2].tolist() == ["a", "b"] and renamed.title == "T"
    with pytest.raises(ValueError, match="list of length 2"):
        ours.summary(xname_fe=["a"])
