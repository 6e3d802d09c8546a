"""Pictures and the doctor look at some of very many rows of chunks, and say so."""

from functools import partial

import pytest

from skmixed import MixedLinearRegressor, chunks
from skmixed._fit.parts import in_memory
from skmixed.diagnostics import diagnose
from skmixed.diagnostics._doctor.diagnose import OF_LEVELS
from skmixed.diagnostics._doctor.kinds import KINDS
from skmixed.displays import ResidualsDisplay
from tests.estimators.test_partial_fit import columns, response, table


def test_some_rows_of_many(monkeypatch):
    rows = columns(table(), "single").assign(y=response(table()))
    model = MixedLinearRegressor("g").fit(chunks([rows[:800], rows[800:]]), "y")
    whole = diagnose(model)
    assert not whole.rows and not whole.failed
    some = partial(in_memory, most=300)
    monkeypatch.setattr("skmixed.diagnostics._doctor.diagnose.in_memory", some)
    found = diagnose(model)
    assert found.rows == "300 of 1,500 rows"
    assert "Looked at 300 of 1,500 rows, evenly spread." in str(found)
    assert {kind.name for kind in KINDS}.issuperset(OF_LEVELS)
    assert [reason.partition(" ")[0] for reason in found.failed] == [
        kind.name for kind in KINDS if kind.name in OF_LEVELS
    ]
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("skmixed.displays._residuals.in_memory", some)
    display = ResidualsDisplay.from_estimator(model)
    assert len(display.data) == 300
    assert display.ax_.get_title() == "300 of 1,500 rows"
