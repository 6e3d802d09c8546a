"""How much work fits and predictions are, counted: figures that are the same on every machine.

A change of these is a change of the algorithm; timings are in ``benchmarks/``.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import skmixed
from benchmarks.cases import CASES
from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed._algebra.kernels import CHOICE
from skmixed._sums.source import InMemory
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from tests.helpers.counting import BEYOND, evaluations

pytestmark = pytest.mark.smoke

PACKAGE = str(Path(skmixed.__file__).parent)


class Counts(NamedTuple):
    """Iterations of the search, evaluations of both kinds of deviance, and passes over the rows."""

    iterations: int
    linear: int
    generalised: int
    passes: int


EXPECTED = {
    "sleepstudy": Counts(4, 4 + BEYOND, 0, 1),
    "nlswork": Counts(5, 7, 0, 1),
    "slopes": Counts(4, 4 + BEYOND, 0, 1),
    "logit_intercept": Counts(4, 6, 4, 1) if CHOICE.native is None else Counts(5, 0, 5, 1),
    "verbagg": Counts(7, 0, 7, 1),
}


def fitted(name):
    case = CASES[name]
    data = case.data()
    X = data[[*case.fixed, *case.factors]]
    if case.family == "gaussian":
        model = MixedLinearRegressor(random_effects=case.terms, method=case.method)
    else:
        model = MixedLogisticClassifier(random_effects=case.terms, n_quadrature=case.points)
    return model.fit(X, data[case.response])


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
@pytest.mark.parametrize("name", EXPECTED)
def test_work_of_a_fit(name, monkeypatch):
    passes = 0.0
    chunks, columns = InMemory.chunks, InMemory.columns

    def counted_chunks(self, rows=None):
        nonlocal passes
        passes += 1.0
        return chunks(self, rows)

    def counted_columns(self, rows):
        nonlocal passes
        found = columns(self, rows)
        passes += len(found) / self.n_rows
        return found

    monkeypatch.setattr(InMemory, "chunks", counted_chunks)
    monkeypatch.setattr(InMemory, "columns", counted_columns)
    with evaluations() as counted:
        model = fitted(name)
    found = Counts(model.n_iter_, counted.linear, counted.generalised, round(passes, 9))
    assert found == EXPECTED[name]


def calls_of(function):
    """Number of functions of the package that are called."""
    count = 0

    def profiler(frame, event, _):
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(PACKAGE)

    sys.setprofile(profiler)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("style", ["columns", "formula", "classifier"])
def test_work_of_predicting_one_row(style):
    make = make_mixed_classification if style == "classifier" else make_mixed_regression
    X, y = make(random_state=0)
    X = X.assign(kind=np.where(X["x1"] > 0, "a", "b")) if style == "formula" else X
    model = {
        "columns": MixedLinearRegressor("group"),
        "formula": MixedLinearRegressor(formula="x0 + C(kind) + center(x1) + (1 + x0 | group)"),
        "classifier": MixedLogisticClassifier("group"),
    }[style].fit(X, y)
    row = X[:1]
    model.predict(row)
    assert calls_of(lambda: model.predict(row)) <= 80
