"""Workers of a cluster, and what is left when one of them is killed."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import skmixed
from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
dd = pytest.importorskip("dask.dataframe")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:::distributed")]


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    patient = {"distributed.deploy.lost-worker-timeout": "10 minutes"}  # with a new worker
    with dask.config.set(patient):
        cluster = distributed.LocalCluster(**options, silence_logs=50)
        with cluster, distributed.Client(cluster) as found:
            yield found


def kills_once(part, marker, number):
    """Rows of a partition; the worker that reads the one with a certain row dies the first time."""
    if number in part.index and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return part


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_a_killed_worker_changes_no_number_of_a_linear_model(client, tmp_path):
    X, y = make_mixed_regression(n_groups=50, rows_per_group=20, random_state=0)
    X["y"] = y
    whole = MixedLinearRegressor(groups="group").fit(X.drop(columns="y"), y)
    rows = dd.from_pandas(X, npartitions=12)
    calm = MixedLinearRegressor(groups="group").fit(rows, "y")
    deadly = rows.map_partitions(kills_once, str(tmp_path / "killed"), 600, meta=X[:0])
    ours = MixedLinearRegressor(groups="group").fit(deadly, "y")
    assert (tmp_path / "killed").exists()
    assert ours.loglik_ == calm.loglik_ == pytest.approx(whole.loglik_, rel=1e-12)
    np.testing.assert_array_equal(ours.coef_, calm.coef_)
    np.testing.assert_array_equal(ours.random_effects_, calm.random_effects_)
    predicted = ours.predict(rows).compute()
    np.testing.assert_allclose(predicted, whole.predict(X.drop(columns="y")), rtol=1e-9)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_a_killed_worker_changes_no_number_of_a_classifier(client, monkeypatch):
    from skmixed._engines.dask.rounds import Shared

    monkeypatch.setattr("skmixed._fit.placing.FEWEST_ROWS", 200)
    X, y = make_mixed_classification(n_groups=50, rows_per_group=20, random_state=0)
    whole = MixedLogisticClassifier(groups="group").fit(X, y)
    rows = dd.from_pandas(X.assign(y=y), npartitions=5)
    calm = MixedLogisticClassifier(groups="group").fit(rows, "y")
    ask, asked = Shared.round, []

    def deadly(self, function, request, handle=None):
        asked.append(function)
        if len(asked) == 5:
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        return ask(self, function, request, handle)

    monkeypatch.setattr(Shared, "round", deadly)
    ours = MixedLogisticClassifier(groups="group").fit(rows, "y")
    assert len(asked) > 5
    assert ours.loglik_ == calm.loglik_ == pytest.approx(whole.loglik_, rel=1e-11)
    np.testing.assert_array_equal(ours.random_effects_, calm.random_effects_)
    np.testing.assert_allclose(ours.coef_, whole.coef_, atol=1e-6)


def test_nothing_else_breaks_without_the_engine(tmp_path):
    package = Path(skmixed.__file__).parent
    shutil.copytree(package, tmp_path / "skmixed", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(tmp_path / "skmixed" / "_engines" / "dask")
    script = (
        "import sys, skmixed; from skmixed.datasets import make_mixed_regression as make;"
        "X, y = make(random_state=0); rows = X.assign(y=y);"
        "model = skmixed.MixedLinearRegressor('group').fit(skmixed.chunks([rows]), 'y');"
        "assert len(model.predict(X)) == len(X) and 'dask' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env={"PATH": ""})
