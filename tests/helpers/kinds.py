"""The two kinds of models, for tests that hold for both."""

from __future__ import annotations

import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier

BOTH = [MixedLinearRegressor, MixedLogisticClassifier]
NAMES = {MixedLinearRegressor: "linear", MixedLogisticClassifier: "logistic"}
#: the prediction for a level that was not in the fit
OF_NEW_LEVELS = {MixedLinearRegressor: "population", MixedLogisticClassifier: "marginal"}

# a test module has a fixture of both kinds: @pytest.fixture(params=BOTH, ids=NAMES.get)
linear_only = pytest.mark.parametrize("kind", BOTH[:1], indirect=True, ids=NAMES.get)
logistic_only = pytest.mark.parametrize("kind", BOTH[1:], indirect=True, ids=NAMES.get)


def for_kinds(name, linear, logistic):
    """Parametrises a test over kinds and, for each, its own values."""
    pairs = [*((BOTH[0], value) for value in linear), *((BOTH[1], value) for value in logistic)]
    ids = [f"{NAMES[k]}-{v}" if isinstance(v, str | dict) else NAMES[k] for k, v in pairs]
    return pytest.mark.parametrize(("kind", name), pairs, indirect=["kind"], ids=ids)


def answer(model, X, **options):
    """Predictions that say the most: probabilities rather than labels."""
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    return getattr(model, method)(X, **options)
