"""What the data do not determine: rows and averages that break the dependencies of the fit."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.exceptions import EstimabilityWarning, SkmixedWarning
from skmixed.inference import average_effects, average_predictions

ESTIMATORS = [MixedLinearRegressor, MixedLogisticClassifier]
CODINGS = [
    "a * b",
    "C(a, contr.treatment('3')) * C(b, contr.treatment('3'))",
    "C(a, contr.sum) * C(b, contr.sum)",
    "0 + a:b",
]


def quiet(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def warned(function, *args, **kwargs):
    """The answer, and the messages of what is not determined."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        answer = function(*args, **kwargs)
    return answer, [str(w.message) for w in found if w.category is EstimabilityWarning]


def cells():
    """Two factors; no row has the last level of both."""
    rng = np.random.default_rng(17)
    rows = [(a, b, k) for a in "123" for b in "123" for k in range(12)]
    data = pd.DataFrame(rows, columns=["a", "b", "k"])
    data = data.assign(r=rng.integers(0, 6, len(data)), z=5.0 + rng.normal(size=len(data)))
    data["event"] = rng.integers(0, 2, len(data))
    return data[(data["a"] != "3") | (data["b"] != "3")].reset_index(drop=True)


def two_codings(estimator, response):
    data = cells()
    return [quiet(estimator.from_formula, f"{response} ~ {f} + (1 | r)", data) for f in CODINGS]


def columns(seed=0, n=120):
    """Ages in years and in months, a constant, and another column."""
    rng = np.random.default_rng(seed)
    age = rng.normal(40.0, 10.0, n)
    X = pd.DataFrame({"age": age, "months": 12.0 * age, "one": 3.3, "x": rng.normal(size=n)})
    y = age + rng.normal(size=n) * 5.0
    return X.assign(g=np.arange(n) % 10), y


def fitted(estimator):
    X, y = columns()
    response = y if estimator is MixedLinearRegressor else (y > 40).astype(int)
    return quiet(estimator(groups="g").fit, X, response), X


# Rows


@pytest.mark.smoke
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_rows_that_keep_the_dependencies_are_not_warned_of(estimator):
    model, X = fitted(estimator)
    other = X.assign(age=X["age"] + 7.0, months=12.0 * (X["age"] + 7.0))
    for rows in (X, other, X.head(1), X.assign(months=X["months"] * (1 + 1e-15))):
        assert not warned(model.predict, rows)[1]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_rows_that_break_one_are_counted_and_the_columns_named(estimator):
    model, X = fitted(estimator)
    broken = X.head(9).assign(months=np.r_[X["months"][:7], 1.0, 2.0])
    _, messages = warned(model.predict, broken)
    assert len(messages) == 1
    assert "2 of 9 rows: 'months' depended linearly on 'age' at fit" in messages[0]
    kept = pickle.loads(pickle.dumps(model))
    assert warned(kept.predict, broken)[1] == messages
    assert "'one' was constant at fit" in warned(model.predict, X.assign(one=2.0))[1][0]
    assert issubclass(EstimabilityWarning, SkmixedWarning)


def test_every_prediction_warns():
    X, _ = columns()
    linear, logistic = (fitted(estimator)[0] for estimator in ESTIMATORS)
    broken = X.assign(months=0.0)
    for method in (
        linear.predict_interval,
        lambda X: linear.predict(X, return_std=True),
        lambda X: linear.predict(X, kind="population"),
        logistic.predict_proba,
        logistic.predict_log_proba,
        logistic.decision_function,
        linear.simulate,
    ):
        assert len(warned(method, broken)[1]) == 1


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("shift", [0.0, 2000.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_units_do_not_matter(scale, shift, fit_intercept):
    rng = np.random.default_rng(3)
    x = scale * (shift + rng.normal(size=300))
    X = np.column_stack([x, 2.0 * x, np.zeros(300)])
    model = MixedLinearRegressor(fit_intercept=fit_intercept)
    quiet(model.fit, X, x / scale + rng.normal(size=300))
    assert not warned(model.predict, X)[1]
    assert warned(model.predict, X + [0.0, scale, 0.0])[1]
    assert warned(model.predict, X + [0.0, 0.0, 1e-12])[1]


def test_copies_in_single_precision():
    rng = np.random.default_rng(4)
    x = rng.normal(2.0, 1.0, 500)
    X = np.column_stack([x, x.astype(np.float32)])
    model = quiet(MixedLinearRegressor().fit, X, x + rng.normal(size=500))
    assert model.coef_[1] == 0.0
    new = rng.normal(2.0, 1.0, 5000)
    assert not warned(model.predict, np.column_stack([new, new.astype(np.float32)]))[1]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_empty_cell_has_one_verdict_whatever_the_coding(estimator):
    response = "z" if estimator is MixedLinearRegressor else "event"
    data = cells()
    seen = data[["a", "b", "r"]]
    empty = pd.DataFrame({"a": ["3", "1"], "b": ["3", "1"], "r": [-1, -1]})
    predictions = []
    for model in two_codings(estimator, response):
        method = getattr(model, "predict_proba", model.predict)
        found, messages = warned(method, seen)
        assert not messages
        predictions.append(found)
        assert "1 of 2 rows" in warned(method, empty)[1][0]
    for other in predictions[1:]:
        np.testing.assert_allclose(other, predictions[0], rtol=1e-5)


# Averages


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_averages_over_an_empty_cell_are_nan_whatever_the_coding(estimator):
    response = "z" if estimator is MixedLinearRegressor else "event"
    at = {"a": ["1", "2", "3"], "b": ["3"]}
    tables = []
    for model in two_codings(estimator, response):
        found, messages = warned(average_predictions, model, at=at)
        assert messages and "1 of 3 averages" in messages[0]
        assert found["note"].str.startswith("not estimable").to_list() == [False, False, True]
        numbers = found[["estimate", "std_error", "ci_low", "ci_high"]]
        assert numbers.isna().any(axis=1).to_list() == [False, False, True]
        assert found.cov_params().isna().sum().sum() == 5
        tables.append(numbers)
        effects, messages = warned(average_effects, model)
        assert messages
        undetermined = effects["contrast"].isin(["3 - 1"])
        np.testing.assert_array_equal(effects["estimate"].isna(), undetermined)
    for other in tables[1:]:
        np.testing.assert_allclose(other, tables[0], rtol=1e-4)


def test_an_average_of_a_linear_model_may_be_determined_though_its_rows_are_not():
    linear, X = fitted(MixedLinearRegressor)
    logistic, _ = fitted(MixedLogisticClassifier)
    X = X.assign(months=X["months"] + np.where(np.arange(len(X)) % 2, 1.0, -1.0))
    found, messages = warned(average_predictions, linear, X)
    expected = quiet(linear.predict, X, kind="population").mean()
    assert not messages and "note" not in found
    assert found["estimate"][0] == pytest.approx(expected, rel=1e-10)
    assert np.isnan(quiet(average_predictions, logistic, X)["estimate"][0])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_slopes_of_what_depends_on_others(estimator):
    model, _ = fitted(estimator)
    found, messages = warned(average_effects, model)
    assert len(messages) == 1
    estimates = found.set_index("term")["estimate"]
    assert estimates[["age", "months", "one"]].isna().all()
    assert np.isfinite(estimates["x"])


def test_nothing_dropped_has_no_note():
    X, y = columns()
    model = quiet(MixedLinearRegressor(groups="g").fit, X[["age", "x", "g"]], y)
    assert "note" not in average_effects(model)
    assert model.results_.fitted.dependencies is None
