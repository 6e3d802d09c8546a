"""What is taken, what is refused, and what is said of it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import skmixed.statsmodels as sm
from skmixed import RankDeficiencyWarning, SkmixedWarning
from skmixed.datasets import make_mixed_regression
from tests.statsmodels.designs import classes, sleepstudy


@pytest.fixture(scope="module")
def table():
    return classes()


def test_missing_values(table):
    gaps = table.copy()
    gaps.loc[3, "y"] = gaps.loc[50, "x"] = np.nan
    options = dict(groups="school", vc_formula={"room": "0 + C(room)"})
    for missing in ("none", "raise"):
        with pytest.raises(ValueError, match="column 'y' has 1 missing"):
            sm.mixedlm("y ~ x", gaps, missing=missing, **options)
    found = sm.mixedlm("y ~ x", gaps, missing="drop", **options).fit()
    usual = sm.mixedlm("y ~ x", gaps.dropna(), **options).fit()
    assert_allclose(found.params, usual.params)
    assert found.resid.index.equals(usual.resid.index)
    exog = gaps.assign(one=1.0)[["one", "x"]]
    with pytest.raises(ValueError, match="missing or infinite"):
        sm.MixedLM(gaps["y"], exog, gaps["school"])
    arrays = sm.MixedLM(gaps["y"], exog, gaps["school"], missing="drop").fit()
    assert arrays.nobs == len(table) - 2 and len(arrays.resid) == arrays.nobs
    with pytest.raises(ValueError, match="labels are missing"):
        sm.mixedlm("y ~ x", table, groups=table["school"].where(table.index > 0))
    with pytest.raises(ValueError, match="missing='skip' is not known"):
        sm.mixedlm("y ~ x", table, groups="school", missing="skip")


def test_functions_of_the_caller(table):
    def twice(values):
        return 2 * values

    found = sm.MixedLM.from_formula("y ~ twice(x)", table, groups="school")
    assert found.exog_names == ["Intercept", "twice(x)"]
    with pytest.raises(Exception, match="twice"):
        sm.mixedlm("y ~ twice(x)", table, groups="school", eval_env=-1)


def test_subset_and_other_tables(table):
    part = sm.mixedlm("y ~ x", table, groups="school", subset=table["school"] < 20)
    assert part.nobs == 240 and part.n_groups == 20
    columns = {name: table[name].to_numpy() for name in table}
    assert_allclose(sm.mixedlm("y ~ x", columns, groups="school").exog[:, 1], table["x"])


def test_categories_within_groups(table):
    """A reference level of its own in every group: evaluated group by group, as statsmodels does."""
    lettered = table.assign(room=np.array(list("abc"))[table["room"]])
    given = dict(groups="school", vc_formula={"room": "C(room)"})
    model = sm.mixedlm("y ~ x", lettered, **given)
    assert model.exog_vc.colnames[0][0] == ["Intercept", "C(room)[T.b]", "C(room)[T.c]"]
    assert model.fit().vcomp > 0


def test_components_that_share_a_factor(table):
    formulas = {"room": "0 + C(room)", "slope": "0 + C(room):x"}
    found = sm.mixedlm("y ~ x", table, groups="school", vc_formula=formulas).fit()
    assert list(found.random_effects[0].index) == [
        *(f"room[C(room)[{k}]]" for k in range(3)),
        *(f"slope[C(room)[{k}]:x]" for k in range(3)),
    ]
    fitted = found.model.exog @ np.asarray(found.fe_params)
    for group, rows in found.model.row_indices.items():
        Z = np.column_stack([mats[group] for mats in found.model.exog_vc.mats])
        fitted[rows] += Z @ found.random_effects[group]
    assert_allclose(found.fittedvalues, fitted)


def test_dependent_columns(table):
    twice = table.assign(x2=2.0 * table["x"])
    with pytest.warns(RankDeficiencyWarning):
        found = sm.mixedlm("y ~ x + x2", twice, groups="school").fit()
    usual = sm.mixedlm("y ~ x", table, groups="school").fit()
    assert found.fe_params["x2"] == 0 and np.isnan(found.bse["x2"])
    assert_allclose(found.bse_fe.iloc[:2], usual.bse_fe)
    assert_allclose(found.llf, usual.llf)


def test_without_fixed_effects(table):
    found = sm.mixedlm("y ~ 0", table, groups="school").fit()
    assert found.params.index.tolist() == ["school Var"] and len(found.fe_params) == 0
    assert_allclose(found.predict(), 0.0)
    assert found.fittedvalues.std() > 0.5
    assert "school Var" in str(found.summary())


def test_found_once(table):
    """Series of many groups are made once, so that loops over groups are not quadratic."""
    found = sm.mixedlm("y ~ x", table, groups="school").fit()
    assert found.random_effects is found.random_effects
    assert found.random_effects_cov is found.random_effects_cov


def test_options_of_other_optimisers(table):
    model = sm.mixedlm("y ~ x", table, groups="school")
    start = model.fit().params_object
    found = model.fit(start_params=start, method=["powell"], maxiter=9, gtol=1.0, full_output=True)
    assert_allclose(found.params, model.fit().params)
    assert found.hist[0]["converged"]
    with pytest.warns(SkmixedWarning, match="Argument cov_type not used"):
        model.fit(cov_type="cluster")
    for given in ({"fe_pen": 1}, {"cov_pen": 1}, {"do_cg": False}):
        with pytest.raises(NotImplementedError, match=next(iter(given))):
            model.fit(**given)
    with pytest.raises(ValueError, match="weights not permitted"):
        sm.MixedLM(table["y"], table[["x"]], table["school"], weights=1)
    with pytest.raises(ValueError, match="invalid regularization"):
        model.fit_regularized(method="l2")


def test_patterns_of_covariances(table):
    model = sm.mixedlm("y ~ x", table.assign(z=table["x"] ** 2), groups="school")
    free = sm.MixedLMParams.from_components(np.ones(2), cov_re=np.zeros((1, 1)))
    with pytest.raises(NotImplementedError, match="blocks"):
        model.fit(free=free)
    with pytest.raises(ValueError, match=r"free\.cov_re: expected shape \(1, 1\)"):
        model.fit(free=sm.MixedLMParams(2, 2, 0))


def test_shapes_that_do_not_fit(table):
    y, x, school = table["y"], table[["x"]], table["school"]
    with pytest.raises(ValueError, match="exog has 10 values for 360 rows"):
        sm.MixedLM(y, x.to_numpy()[:10], school)
    with pytest.raises(ValueError, match="labels of their rows differ"):
        sm.MixedLM(y, x.set_index(x.index + 1), school)
    with pytest.raises(ValueError, match="no matrix for group"):
        sm.MixedLM(y, x, school, exog_vc={"a": {}})
    with pytest.raises(ValueError, match="and its group has 12 rows"):
        sm.MixedLM(y, x, school, exog_vc={"a": {g: np.ones((3, 1)) for g in range(30)}})
    with pytest.raises(ValueError, match="groups"):
        sm.mixedlm("y ~ x", table, groups="shcool")
    with pytest.raises(ValueError, match="the response has 2 columns"):
        sm.mixedlm("g ~ x", table.assign(g=["a", "b"] * 180), groups="school")
    with pytest.raises(ValueError, match="must be numbers"):
        sm.MixedLM(y, table[["x"]].assign(t="a"), school)


def test_without_rows(table, tmp_path):
    found = sm.mixedlm("y ~ x", table, groups="school", re_formula="~x").fit()
    copy = pickle.loads(pickle.dumps(found))
    pd.testing.assert_series_equal(copy.params, found.params)
    assert_allclose(copy.predict([[1.0, 2.0]]), found.predict(pd.DataFrame({"x": [2.0]})))
    with pytest.raises(ValueError, match="not kept in a pickled model"):
        copy.predict(pd.DataFrame({"x": [2.0]}))
    printed = str(found.summary())
    found.save(tmp_path / "fit", remove_data=True)
    loaded = sm.MixedLMResults.load(tmp_path / "fit")
    assert str(loaded.summary()) == str(found.summary()) == printed
    assert len(loaded.random_effects) == 30 and loaded.model.endog is None


def test_large_crossed_components_are_not_dense():
    rng = np.random.default_rng(0)
    a, b = rng.integers(150, size=2000), rng.integers(100, size=2000)
    y = rng.normal(size=150)[a] + rng.normal(size=100)[b] + rng.normal(size=2000)
    table = pd.DataFrame({"y": y, "a": a, "b": b, "one": 1})
    formulas = {"a": "0 + C(a)", "b": "0 + C(b)"}
    found = sm.mixedlm("y ~ 1", table, groups="one", vc_formula=formulas).fit()
    assert_allclose(found.vcomp, [1.0, 1.0], rtol=0.3)
    assert len(found.random_effects[1]) == 250


def test_names_of_the_module():
    assert set(sm.__all__) == {"MixedLM", "MixedLMParams", "MixedLMResults", "VCSpec"}
    assert sm.mixedlm("Reaction ~ Days", sleepstudy(), groups="Subject").n_groups == 18


@pytest.mark.parametrize(
    ("given", "advice"), [({"rmel": True}, "mean 'reml'"), ({"cov_type": "robust"}, "CR2")]
)
def test_unused_arguments_are_answered(given, advice):
    X, y = make_mixed_regression(random_state=0)
    model = sm.mixedlm("y ~ x0", X.assign(y=y), groups="group")
    with pytest.warns(SkmixedWarning, match=advice):
        model.fit(**given)
