"""Long work says how far it is: logs, scikit-learn's callbacks, and bars."""

import logging

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed._report import progress
from skmixed.datasets import make_mixed_regression
from skmixed.exceptions import ConvergenceWarning
from skmixed.inference import influence, likelihood_ratio_test

BOTH = [MixedLinearRegressor, MixedLogisticClassifier]


def data(kind):
    X, y = make_mixed_regression(n_groups=20, rows_per_group=10, random_state=0)
    return X, (y if kind is MixedLinearRegressor else y > np.median(y))


def test_lines_are_printed_where_nobody_logs(capsys, monkeypatch):
    monkeypatch.setattr(progress.LOG, "hasHandlers", lambda: False)
    progress.say("deviance 3")
    assert capsys.readouterr().out == "deviance 3\n"


def test_lines_are_logged_where_somebody_does(caplog, capsys):
    with caplog.at_level(logging.INFO, "skmixed"):
        progress.say("deviance 3")
    assert caplog.messages == ["deviance 3"]
    assert not capsys.readouterr().out


def test_a_counter_stands_in_for_tqdm(capsys):
    counter = progress.Counter(30, desc="bootstrap", unit="sample")
    counter.update(10)
    counter.update(20)
    counter.close()
    assert capsys.readouterr().err.endswith("\rbootstrap: 30 of 30 samples\n")


def test_work_is_counted_where_it_is_wanted(capsys):
    X, y = data(MixedLinearRegressor)
    model = MixedLinearRegressor(groups="group").fit(X, y)
    influence(model, by="group", refit=True)
    assert not capsys.readouterr().err
    influence(model, by="group", refit=True, progress=True)
    assert "20/20" in (found := capsys.readouterr().err) or "20 of 20 refits" in found
    larger = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    options = {"n_samples": 4, "random_state": 0, "progress": True}
    likelihood_ratio_test(model, larger, method="bootstrap", **options)
    assert "4/4" in (found := capsys.readouterr().err) or "4 of 4 samples" in found


class Watcher:
    """Counts what it is told, and stops after some iterations."""

    def __init__(self, most=1000):
        self.most = most
        self.fits = 0
        self.iterations = 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.fits += context.task_name == "fit"

    def on_fit_task_end(self, estimator, context):
        self.iterations += context.task_name == "iteration"
        return self.iterations >= self.most


@pytest.mark.parametrize("kind", BOTH)
def test_callbacks_hear_of_every_iteration(kind):
    pytest.importorskip("sklearn.callback")
    X, y = data(kind)
    plain = kind(groups="group").fit(X, y)
    watcher = Watcher()
    model = kind(groups="group").set_callbacks(watcher).fit(X, y)
    assert watcher.fits == 1 and watcher.iterations >= 2
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.n_iter_ == plain.n_iter_


@pytest.mark.parametrize("kind", BOTH)
def test_callbacks_may_stop_a_fit(kind):
    pytest.importorskip("sklearn.callback")
    X, y = data(kind)
    model = kind(random_effects="(1 + x0 | group)").set_callbacks(Watcher(1))
    with pytest.warns(ConvergenceWarning, match="a callback asked to stop"):
        model.fit(X, y)
    assert not model.converged_


def test_a_search_over_models_hands_callbacks_on():
    callback = pytest.importorskip("sklearn.callback")
    X, y = data(MixedLinearRegressor)

    class Propagated(Watcher):
        max_propagation_depth = None

    watcher = Propagated()
    assert isinstance(watcher, callback.AutoPropagatedCallback)
    search = GridSearchCV(MixedLinearRegressor(groups="group"), {"method": ["reml", "ml"]}, cv=2)
    search.set_callbacks(watcher).fit(X, y)
    assert watcher.iterations >= 8
