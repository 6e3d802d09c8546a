"""Two classes of any kind; wrong input is named, with what to do; copies predict the same."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skmixed import (
    GroupsWarning,
    MixedLogisticClassifier,
    RandomEffect,
    RankDeficiencyWarning,
    SeparationWarning,
    SkmixedWarning,
)
from tests.estimators.test_inputs import MISSING, TABLES, assert_helpful

TERMS = "(1 + age | school) + (1 | town)"


@pytest.fixture(scope="module")
def data():
    """Two crossed factors, one with text and one with whole numbers, a slope, and zeros and
    ones."""
    rng = np.random.default_rng(1)
    n = 400
    school, town = rng.integers(0, 20, n), rng.integers(0, 8, n)
    table = pd.DataFrame({"age": rng.uniform(6, 16, n), "hours": rng.exponential(2.0, n)})
    eta = 0.4 * (table["age"] - 11) + rng.normal(0, 1, 20)[school] + rng.normal(0, 0.7, 8)[town]
    eta += 0.3 * rng.normal(0, 1, 20)[school] * (table["age"] - 11)
    table["school"], table["town"] = [f"school {c}" for c in school], town
    return table, (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int).to_numpy()


def fitted(data, **parameters):
    table, y = data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        return MixedLogisticClassifier(**({"random_effects": TERMS} | parameters)).fit(table, y)


# ----------------------------------------------------------------------------------------------- tables and two classes


@pytest.mark.parametrize("kind", TABLES)
def test_tables_give_the_same_fit(data, kind):
    table, y = data
    expected, X = fitted(data), TABLES[kind](table)
    model = MixedLogisticClassifier(random_effects=TERMS).fit(X, y)
    assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(table), rtol=1e-5)


CLASSES = {
    "numbers": [0, 1],
    "floats": [-1.0, 1.0],
    "text": ["no", "yes"],
    "booleans": [False, True],
    "large numbers": [7, 2**40],
}
CONTAINERS = {
    "array": np.asarray,
    "list": lambda y: np.asarray(y).tolist(),
    "objects": lambda y: np.asarray(y).astype(object),
    "Series": lambda y: pd.Series(y, index=np.arange(len(y))[::-1], name="passed"),
    "categorical": lambda y: pd.Categorical(y),
    "polars": lambda y: pl.Series(np.asarray(y).tolist()),
    "pyarrow": lambda y: pa.array(np.asarray(y).tolist()),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("names", CLASSES)
def test_classes_of_any_kind(data, names, container):
    """The order of the labels decides about which class the probabilities are; predictions are labels."""
    table, y = data
    labels = np.array(CLASSES[names])
    model = MixedLogisticClassifier("school").fit(
        table.drop(columns="town"), CONTAINERS[container](labels[y])
    )
    expected = MixedLogisticClassifier("school").fit(table.drop(columns="town"), y)
    assert model.classes_.tolist() == CLASSES[names]
    assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
    X = table.drop(columns="town")
    np.testing.assert_array_equal(model.predict(X), labels[expected.predict(X)])
    assert set(np.unique(model.simulate(X, n_samples=2, random_state=0))) == set(CLASSES[names])
    assert model.score(X, labels[y]) == expected.score(X, y)


def test_name_of_the_response(data):
    table, y = data
    model = MixedLogisticClassifier("school").fit(
        table.drop(columns="town"), pd.Series(y, name="passed")
    )
    assert "passed" in str(model.summary())


# -------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (lambda y: np.arange(len(y)) % 3, "Only binary classification"),
        (lambda y: np.array(["a", "b", "c"])[np.arange(len(y)) % 3], "3 classes"),
        (
            lambda y: y + 0.5 * np.random.default_rng(0).random(len(y)),
            "Unknown label type: continuous",
        ),
        (lambda y: np.ones(len(y)), r"y: .*only one class: .*1"),
        (lambda y: np.full(len(y), "yes"), "only one class: .*'yes'"),
        (lambda y: np.where(np.arange(len(y)) == 3, np.nan, y), "y contains NaN"),
        (lambda y: np.where(np.arange(len(y)) == 3, np.inf, y), "y contains"),
        (lambda y: np.where(np.arange(len(y)) == 3, None, y.astype(object)), "y contains NaN"),
        (lambda y: None, "requires y"),
    ],
    ids=[
        "three",
        "three texts",
        "continuous",
        "one",
        "one text",
        "NaN",
        "infinity",
        "None",
        "no y",
    ],
)
def test_response(data, y, message):
    table, given = data
    with pytest.raises(ValueError, match=message) as error:
        MixedLogisticClassifier(["school", "town"]).fit(table, y(given))
    assert_helpful(error)


def test_one_class_with_positive_weight(data):
    """Rows of weight zero do not count; the labels do."""
    table, y = data
    with pytest.raises(ValueError, match=r"only one class: .*1") as error:
        MixedLogisticClassifier(["school", "town"]).fit(table, y, sample_weight=y)
    assert_helpful(error)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"groups": "schol"}, r"groups: no column 'schol'.*\n.*'school'"),
        ({"random_effects": "(1 | schol)"}, r"random_effects: no column 'schol'.*\n.*'school'"),
        ({"random_effects": "(1 + agee | school)"}, r"random_effects: no column 'agee'.*\n.*'age'"),
        ({"groups": 9}, r"groups=9.*only 2 features"),
        ({"groups": "school", "random_effects": RandomEffect("school", (7,))}, r"random_effects=7"),
        ({"random_effects": "(1 | school) + (1 | school)"}, r"'Intercept' of school appears twice"),
    ],
    ids=str,
)
def test_unknown_columns(data, parameters, message):
    table, y = data
    with pytest.raises(ValueError, match=message) as error:
        MixedLogisticClassifier(**parameters).fit(table[["age", "school"]], y)
    assert_helpful(error)


@pytest.mark.parametrize(
    "model",
    [MixedLogisticClassifier("school"), MixedLogisticClassifier(random_effects="(1 | school)")],
    ids=["groups", "random_effects"],
)
def test_groups_given_twice(data, model):
    table, y = data
    X = table[["age", "school"]]
    with pytest.raises(ValueError, match="not both") as error:
        model.fit(X, y, groups=table["town"])
    assert_helpful(error)
    model.fit(X, y)
    for method in (
        model.predict,
        model.predict_proba,
        model.predict_log_proba,
        model.decision_function,
    ):
        with pytest.raises(ValueError, match="not both"):
            method(X, groups=table["town"])


@pytest.mark.parametrize("missing", MISSING, ids=str)
def test_missing_labels(data, missing):
    table, y = data
    broken = table[["age", "school"]].astype({"school": object})
    if missing is np.inf:
        broken["school"] = table["town"].astype(float)
    complete = broken.copy()
    broken.loc[3, "school"] = missing
    with pytest.raises(ValueError, match=r"'school'.* 1 rows") as error:
        MixedLogisticClassifier("school").fit(broken, y)
    assert_helpful(error)
    with pytest.raises(ValueError, match="'school'"):
        MixedLogisticClassifier("school").fit(complete, y).predict_proba(broken)


@pytest.mark.parametrize(
    "make", [lambda t: t, lambda t: t.convert_dtypes(), pl.from_pandas, pa.Table.from_pandas]
)
@pytest.mark.parametrize("method", ["fit", "predict", "predict_proba", "decision_function"])
def test_missing_values_name_their_column(data, make, method):
    table, y = data
    broken = table.copy()
    broken.loc[[3, 5], "hours"] = None
    model = MixedLogisticClassifier(["school", "town"])
    if method != "fit":
        model.fit(make(table), y)
    arguments = (y,) if method == "fit" else ()
    with pytest.raises(ValueError, match=r"'hours' contains NaN in 2 of 400 rows") as error:
        getattr(model, method)(make(broken), *arguments)
    assert_helpful(error)


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_text_among_the_fixed_effects(data, make):
    table, y = data
    with pytest.raises(ValueError, match="'school'") as error:
        MixedLogisticClassifier("town").fit(make(table), y)
    assert_helpful(error)


def test_quadrature_with_several_factors(data):
    table, y = data
    for terms in (TERMS, "(1 | school/town)"):
        with pytest.raises(ValueError, match=r"n_quadrature=7: .*school") as error:
            MixedLogisticClassifier(random_effects=terms, n_quadrature=7).fit(table, y)
        assert_helpful(error)


@pytest.mark.parametrize(
    "terms", ["(1 + age + hours + town | school)", "(1 + age + hours + town || school)"]
)
def test_quadrature_with_four_effects(data, terms):
    table, y = data
    with pytest.raises(
        ValueError, match=r"n_quadrature=3: school has 4 effects per level"
    ) as error:
        MixedLogisticClassifier(random_effects=terms, n_quadrature=3).fit(table, y)
    assert_helpful(error)


@pytest.mark.parametrize("n_quadrature", [0, -1, 1.5, 101, "7", None])
def test_quadrature_of_no_points(data, n_quadrature):
    table, y = data
    with pytest.raises(ValueError, match="n_quadrature"):
        MixedLogisticClassifier("school", n_quadrature=n_quadrature).fit(
            table[["age", "school"]], y
        )


@pytest.mark.parametrize(
    "call",
    [
        lambda X, y: MixedLogisticClassifier("school").fit(X, y[:-1]),
        lambda X, y: MixedLogisticClassifier().fit(X[["age"]], y, groups=X["school"][:-1]),
        lambda X, y: MixedLogisticClassifier("school").fit(X, y, sample_weight=np.ones(3)),
        lambda X, y: MixedLogisticClassifier("school").fit(
            X, y, sample_weight=np.full(len(y), -1.0)
        ),
        lambda X, y: MixedLogisticClassifier("school").fit(X, y, sample_weight=np.zeros(len(y))),
        lambda X, y: MixedLogisticClassifier("school").fit(X.iloc[:1], y[:1]),
        lambda X, y: MixedLogisticClassifier("school").fit(X.iloc[:0], y[:0]),
        lambda X, y: MixedLogisticClassifier("school").fit(X, np.column_stack([y, y])),
        lambda X, y: MixedLogisticClassifier("school", covariance="toeplitz").fit(X, y),
        lambda X, y: MixedLogisticClassifier("school", tol=0.0).fit(X, y),
        lambda X, y: MixedLogisticClassifier("school", max_iter=0).fit(X, y),
        lambda X, y: MixedLogisticClassifier(1.5).fit(X, y),
        lambda X, y: MixedLogisticClassifier("school", random_effects=3).fit(X, y),
        lambda X, y: MixedLogisticClassifier(random_effects="age").fit(X, y),
        lambda X, y: MixedLogisticClassifier(random_effects="(0 | school)").fit(X, y),
        lambda X, y: MixedLogisticClassifier("school").fit(X, y).predict(X, kind="typical"),
        lambda X, y: MixedLogisticClassifier("school").fit(X, y).summary(level=95),
    ],
)
def test_wrong_arguments(data, call):
    """An error of the package's or scikit-learn's own, never a bare one from numpy."""
    table, y = data
    with pytest.raises((ValueError, TypeError)) as error:
        call(table[["age", "school"]], y)
    assert any(name in str(error.traceback[-1].path) for name in ("skmixed", "sklearn"))


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function", "simulate"]
)
def test_unknown_kind(data, method):
    table, _ = data
    with pytest.raises(ValueError, match="kind='typical' is not known") as error:
        getattr(fitted(data), method)(table, kind="typical")
    assert_helpful(error)


@pytest.mark.parametrize(
    "method",
    [
        "predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
        "simulate",
        "score",
        "summary",
        "variance_components",
    ],
)
def test_not_fitted(data, method):
    table, y = data
    arguments = {
        "score": (table, y),
        "summary": (),
        "variance_components": (),
    }
    with pytest.raises(NotFittedError):
        getattr(MixedLogisticClassifier("school"), method)(*arguments.get(method, (table,)))


def test_table_of_effects_before_fit(data):
    with pytest.raises(NotFittedError):
        _ = MixedLogisticClassifier("school").random_effects_


def test_wrong_number_of_factors(data):
    table, y = data
    X = table[["age"]]
    model = MixedLogisticClassifier().fit(X, y, groups=table[["school", "town"]])
    with pytest.raises(ValueError, match="factor") as error:
        model.predict_proba(X, groups=table["school"])
    assert_helpful(error)


# ------------------------------------------------------------------------------------------------------------ warnings


def test_no_groups_at_fit(data):
    table, y = data
    X = table[["age", "hours"]]
    with pytest.warns(GroupsWarning, match="without groups"):
        model = MixedLogisticClassifier().fit(X, y)
    assert model.covariances_ == [] and model.converged_
    assert model.predict_proba(X).mean(axis=0)[1] == pytest.approx(y.mean(), rel=1e-8)
    proba, std = model.predict_proba(X, return_std=True)
    np.testing.assert_array_equal(proba, model.predict_proba(X, kind="population"))
    assert np.all(std > 0)
    assert "Logistic regression" in str(model.summary())
    assert len(model.variance_components()) == 0 and len(model.random_effects_) == 0


def test_no_groups_at_predict(data):
    """Every level counts as new: effects are averaged over, which is not the same as setting them to zero."""
    table, y = data
    X = table[["age", "hours"]]
    model = MixedLogisticClassifier().fit(X, y, groups=table["school"])
    for method in (
        model.predict,
        model.predict_proba,
        model.predict_log_proba,
        model.decision_function,
        model.simulate,
    ):
        with pytest.warns(GroupsWarning, match="every level counts as new"):
            method(X)
    with pytest.warns(GroupsWarning):
        proba = model.predict_proba(X)
    np.testing.assert_array_equal(
        proba, model.predict_proba(X, kind="marginal")
    )  # which does not warn
    population = model.predict_proba(X, kind="population")
    assert np.all(np.abs(proba - 0.5) <= np.abs(population - 0.5))
    with pytest.warns(GroupsWarning):
        assert model.score(X, y) < model.score(X, y, groups=table["school"])


@pytest.mark.parametrize("style", ["column", "argument"])
@pytest.mark.parametrize("swap", [False, True])
def test_labels_of_another_kind_at_predict(data, style, swap):
    table, y = data
    number, text = table["town"], table["town"].astype(str)
    before, after = (number, text) if swap else (text, number)
    X = table[["age"]]
    if style == "column":
        model = MixedLogisticClassifier("town").fit(X.assign(town=before), y)
        known, other, groups = X.assign(town=before), X.assign(town=after), {}
    else:
        model = MixedLogisticClassifier().fit(X, y, groups=before)
        known, other, groups = X, X, {"groups": after}
    with pytest.warns(GroupsWarning, match=r"text.*numbers|numbers.*text"):
        predicted = model.predict_proba(other, **groups)
    np.testing.assert_array_equal(predicted, model.predict_proba(known, kind="marginal"))


def test_unseen_labels_of_the_same_kind_are_silent(data):
    table, y = data
    X = table[["age", "school"]]
    model = MixedLogisticClassifier("school").fit(X, y)
    new = X.assign(school="a new school")
    np.testing.assert_array_equal(model.predict_proba(new), model.predict_proba(X, kind="marginal"))


def test_dropped_column_is_named(data):
    table, y = data
    X = table[["age", "school"]].assign(months=12 * table["age"])
    with pytest.warns(RankDeficiencyWarning, match="'months' depends linearly"):
        model = MixedLogisticClassifier("school").fit(X, y)
    assert model.coef_[1] == 0
    expected = MixedLogisticClassifier("school").fit(table[["age", "school"]], y)
    np.testing.assert_allclose(
        model.predict_proba(X), expected.predict_proba(table[["age", "school"]]), rtol=1e-6
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_separating_column_is_named(data, weighted):
    """The warning names the column, and no other; the fit does not count as converged."""
    table, y = data
    X = table[["age", "school"]].assign(leak=y + 0.1 * table["hours"].clip(upper=3))
    weights = 1.0 + table["town"] if weighted else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MixedLogisticClassifier("school").fit(X, y, sample_weight=weights)
    (message,) = [str(w.message) for w in caught if issubclass(w.category, SeparationWarning)]
    assert "'leak'" in message and "'age'" not in message
    assert not model.converged_ and np.isfinite(model.coef_).all()


# -------------------------------------------------------------------------------------------------------------- copies

MODELS = {
    "crossed": {"random_effects": TERMS},
    "slope": {"random_effects": "(1 + age | school)", "groups": ["school", "town"]},
    "quadrature": {
        "random_effects": "(1 | school)",
        "groups": ["school", "town"],
        "n_quadrature": 7,
    },
    "formula": {"random_effects": None, "formula": "age + hours + (1 | school)"},
}
COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle twice": lambda model: pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(model)))),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", MODELS)
def test_copies_say_the_same(data, name, how):
    table, _ = data
    model = fitted(data, **MODELS[name])
    model.summary()  # whatever needs the rows has been asked for; pickling keeps the answers
    other = COPIES[how](model)
    for kind in ("conditional", "population", "marginal"):
        expected, found = (
            m.predict_proba(table, kind=kind, return_std=True) for m in (model, other)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert str(other.summary()).splitlines()[4:] == str(model.summary()).splitlines()[4:]
    assert str(other.summary(odds_ratios=True)) == str(model.summary(odds_ratios=True))
    pd.testing.assert_frame_equal(other.variance_components(), model.variance_components())
    pd.testing.assert_frame_equal(other.random_effects_, model.random_effects_)
    np.testing.assert_array_equal(other.predict(table), model.predict(table))
    assert other.loglik_ == model.loglik_ and other.results_.aic == model.results_.aic


def test_pickle_without_groups(data):
    table, y = data
    X = table[["age", "hours"]]
    with pytest.warns(GroupsWarning):
        model = MixedLogisticClassifier().fit(X, y)
    model.summary()
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    assert str(other.summary(odds_ratios=True)) == str(model.summary(odds_ratios=True))


def test_pickle_is_small(data):
    """The rows are not part of the model."""
    table, y = data
    many = pd.concat([table] * 50, ignore_index=True)
    model = MixedLogisticClassifier(["school", "town"]).fit(many, np.tile(y, 50))
    assert len(pickle.dumps(model)) < 100_000
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    with pytest.raises(AttributeError, match="training rows are not kept"):
        _ = again.results_.fittedvalues
    with pytest.raises(AttributeError, match="Ask for it, or for summary"):
        again.summary()


def test_clone_is_not_fitted(data):
    table, y = data
    model = fitted(data, tol=1e-8, n_quadrature=1, covariance="diagonal")
    again = clone(model)
    assert again.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        again.predict(table)
    assert again.fit(table, y).loglik_ == model.loglik_


def test_fit_leaves_its_input_alone(data):
    table, y = data
    X, target, weights = table.copy(), y.copy(), np.random.default_rng(0).random(len(y))
    kept = weights.copy()
    MixedLogisticClassifier("school").fit(X.drop(columns="town"), target, sample_weight=weights)
    pd.testing.assert_frame_equal(X, table)
    np.testing.assert_array_equal(target, y)
    np.testing.assert_array_equal(weights, kept)
