"""What all tests of compiled loops share."""

import pytest

from skmixed._algebra.kernels import CHOICE
from skmixed._likelihood import modes, sweep


@pytest.fixture(params=["best", "baseline"])
def native(request):
    """The compiled module with one set of instructions."""
    if CHOICE.native is None:
        pytest.skip("no compiled kernels")
    CHOICE.native.use(request.param)
    yield CHOICE.native
    CHOICE.native.use("baseline" if CHOICE.description.endswith("baseline") else "best")


@pytest.fixture
def tight(monkeypatch):
    """Modes to the last digit, so that two searches for them end at the same ones."""
    rules = sweep.RULES.copy()
    rules[0] = 1e-22
    monkeypatch.setattr(sweep, "RULES", rules)
    monkeypatch.setattr(modes, "MODE_TOLERANCE", 1e-22)
