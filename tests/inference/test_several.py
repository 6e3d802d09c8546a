"""Rubin's rules, and models side by side."""

import functools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.inference import icc, pool, r_squared, report


@functools.cache
def imputed():
    """Fits of five data sets in which a fifth of a column was drawn anew."""
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    rng = np.random.default_rng(0)
    missing = rng.random(len(X)) < 0.2
    fits = []
    for _ in range(5):
        drawn = X.assign(x1=np.where(missing, rng.permutation(X["x1"]), X["x1"]), y=y)
        drawn["arm"] = ["abc"[k % 3] for k in range(len(X))]
        fits.append(MixedLinearRegressor.from_formula("y ~ x0 + x1 + arm + (1 | group)", drawn))
    return fits


@pytest.mark.parametrize("df", ["residual", "satterthwaite", "normal"])
def test_rubins_rules_coefficient_by_coefficient(df):
    """Barnard and Rubin (1999), equations 1 to 3, written out."""
    found = pool(imputed(), df=df, level=0.9)
    tables = [est.results_.coef_table(df=df) for est in imputed()]
    m = len(tables)
    for name in found.index:
        q = np.array([table.loc[name, "coef"] for table in tables])
        u = np.mean([table.loc[name, "std_err"] ** 2 for table in tables])
        b = np.sum((q - q.mean()) ** 2) / (m - 1)
        total = u + (1 + 1 / m) * b
        gamma = (1 + 1 / m) * b / total
        nu_m = (m - 1) / gamma**2
        nu = np.mean([table.loc[name, "df"] for table in tables])
        nu_obs = np.inf if np.isinf(nu) else (nu + 1) / (nu + 3) * nu * (1 - gamma)
        degrees = nu_m if np.isinf(nu) else nu_m * nu_obs / (nu_m + nu_obs)
        row = found.loc[name]
        half = stats.t.ppf(0.95, degrees) * np.sqrt(total)
        p = 2 * stats.t.sf(abs(q.mean()) / np.sqrt(total), degrees)
        expected = [q.mean(), np.sqrt(total), degrees, q.mean() - half, p]
        assert row[["coef", "std_err", "df", "ci_low", "p_value"]].to_list() == pytest.approx(
            expected
        )
        r = (1 + 1 / m) * b / u
        assert row["riv"] == pytest.approx(r)
        assert row["fmi"] == pytest.approx((r + 2 / (degrees + 3)) / (r + 1))


def test_a_term_of_pooled_models():
    """Li, Raghunathan and Rubin (1991), for one row the square of t with their r."""
    found = pool(imputed())
    test = found.wald_test("arm")
    assert (test.num_df, 0 <= test.pvalue <= 1) == (2, True)
    one = found.wald_test("x1")
    row = found.loc["x1"]
    assert pytest.approx(row["t"] ** 2) == one.F
    assert one.den_df == pytest.approx(row["df"])  # four draws beyond one: Rubin's of one row
    few, many = (
        pool(imputed(), df=df).wald_test("arm").den_df for df in ("satterthwaite", "normal")
    )
    assert few < test.den_df < many
    assert found.cov_params().loc["x1", "x1"] == pytest.approx(row["std_err"] ** 2)
    assert repr(test).startswith("F(2, ")


def test_variances_of_pooled_models_and_their_printed_form():
    found = pool(imputed())
    means = np.mean([est.variance_components()["estimate"] for est in imputed()], axis=0)
    assert found.variances["estimate"].to_numpy() == pytest.approx(means)
    for printed in (repr(found), found._repr_html_()):
        assert "5 data sets" in printed
        assert "Residual" in printed


def test_nothing_missing_changes_nothing():
    est = imputed()[0]
    found = pool([est, est], df="residual")
    table = est.results_.coef_table(df="residual")
    assert found["std_err"].to_numpy() == pytest.approx(table["std_err"].to_numpy())
    nu = table["df"].to_numpy()
    assert found["df"].to_numpy() == pytest.approx((nu + 1) / (nu + 3) * nu)
    assert found.wald_test("arm").den_df == pytest.approx(found["df"].iloc[0])
    assert np.isinf(pool([est, est], df="normal").wald_test("arm").den_df)


def test_other_models_are_not_pooled():
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    small = MixedLinearRegressor(groups="group").fit(X[["group", "x0"]], y)
    large = MixedLinearRegressor(groups="group").fit(X, y)
    ml = MixedLinearRegressor(groups="group", method="ml").fit(X, y)
    for models, words in (([small], "two or more"), ([small, large], "x1"), ([large, ml], "kind")):
        with pytest.raises(ValueError, match=words):
            pool(models)


def test_coefficients_are_matched_by_name():
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    first = MixedLinearRegressor(groups="group").fit(X, y)
    second = MixedLinearRegressor(groups="group").fit(X[["x1", "group", "x0"]], y)
    found = pool([first, second])
    assert found["coef"].to_numpy() == pytest.approx(first.results_.params.to_numpy())


@functools.cache
def three():
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    small = MixedLinearRegressor(groups="group").fit(X[["group", "x0"]], y)
    large = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    Xc, yc = make_mixed_classification(n_groups=30, random_state=1)
    return {
        "small": small,
        "a|b_c": large,
        "logit": MixedLogisticClassifier(groups="group").fit(Xc, yc),
    }


def test_figures_side_by_side():
    table = report(three(), df="residual").to_frame()
    for name, est in three().items():
        own = est.results_.coef_table(df="residual")
        found = table[name].loc["fixed effects"].dropna()
        assert found["estimate"].to_dict() == pytest.approx(own["coef"].to_dict())
        assert found["p_value"].to_dict() == pytest.approx(own["p_value"].to_dict())
        fit = table[name].loc["fit"]["estimate"]
        assert fit["ICC (group)"] == pytest.approx(icc(est).loc["group", "icc"])
        assert fit["R² marginal"] == pytest.approx(r_squared(est).marginal)
        assert fit["AIC"] == pytest.approx(est.results_.aic)
        assert fit["Groups (group)"] == 30
    variances = table["a|b_c"].loc["variance components"]["estimate"]
    assert list(variances.index) == [
        "Var(Intercept | group)",
        "Var(x0 | group)",
        "Cov(Intercept, x0 | group)",
        "Var(Residual)",
    ]
    expected = three()["a|b_c"].variance_components()["estimate"]
    assert sorted(variances) == pytest.approx(sorted(expected))


def test_every_format_holds_every_row():
    found = report(three(), stars=True, labels={"x0": "Dose & time"})
    text = str(found)
    assert len({len(line) for line in text.splitlines() if line and set(line) <= {"-", "="}}) == 1
    assert "Dose & time" in text
    assert "Dose \\& time" in found.to_latex()
    assert "a$|$b\\_c" in found.to_latex()
    assert "Dose &amp; time" in found.to_html()
    assert "a\\|b_c" in found.to_markdown()
    assert found.to_latex().count("\\\\") == found.to_html().count("<tr>")
    assert {
        line.replace("\\|", "").count("|") for line in found.to_markdown().splitlines()[:15]
    } == {5}
    assert "***" in text
    assert "not comparable" in text
    assert found._repr_html_() == found.to_html()


def test_limits_p_values_and_odds_ratios():
    est = three()["logit"]
    row = est.results_.odds_ratios(level=0.9).loc["x0"]
    found = report([est], errors="limits", level=0.9, exponentiate=True)
    low, high = row[["ci_low", "ci_high"]]
    assert f"[{low:.3f}, {high:.3f}]" in str(found)
    assert "90 % limits" in str(found)
    assert "(< 0.001)" in str(report([est], errors="p_value"))
    assert "(1)" in str(report(est))


def test_files_and_what_is_refused(tmp_path):
    found = report(three())
    for ending, start in ((".md", "|"), (".tex", "\\begin"), (".html", "<table"), (".txt", "=")):
        path = tmp_path / f"table{ending}"
        found.save(path)
        assert path.read_text(encoding="utf-8").startswith(start)
    with pytest.raises(ValueError, match=r"\.docx"):
        found.save(tmp_path / "table.docx")
    with pytest.raises(ValueError, match="names"):
        report([], names=[])
    with pytest.raises(ValueError, match="names"):
        report(list(three().values()), names=["a", "a", "b"])
    with pytest.raises(ValueError, match="errors"):
        report(three(), errors="sd")
    with pytest.raises(ValueError, match=r"coefficient 'X0'.\nDid you mean 'x0'\?"):
        report(three(), labels={"X0": "Dose"})


def test_a_model_without_its_rows_still_prints():
    import pickle

    est = pickle.loads(pickle.dumps(three()["logit"]))
    assert "R²" not in str(report([est]))
    assert isinstance(report([est]).to_frame(), pd.DataFrame)
