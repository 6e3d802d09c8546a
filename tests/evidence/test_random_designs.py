"""A thousand random designs: each ends in a finite fit, or in an error that says what is wrong."""

from __future__ import annotations

import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn

import skmixed
from skmixed import ConvergenceWarning, MixedLinearRegressor, RandomEffect, SkmixedWarning
from tests.helpers.counting import evaluations

N_DESIGNS = 1000
BATCH = 50
MOST_EVALUATIONS = 1500  # of one fit, its warnings and further starts included
COVARIANCES = ["unstructured", "diagonal", "identity", "exchangeable"]
SCALES = [1.0, 1.0, 1.0, 1e8, 1e-8]
OFFSETS = [0.0, 0.0, 0.0, 1e8, -1e8, 1e-8]
EXTREME = [1e150, 1e-150]  # squares are near the ends of the floating-point range
WELCOME_ERRORS = tuple(str(Path(package.__file__).parent) for package in (skmixed, sklearn))


@dataclass
class RandomDesign:
    """One data set with an estimator for it."""

    model: MixedLinearRegressor
    X: object
    y: object
    options: dict = field(default_factory=dict)  # further arguments of fit
    notes: list = field(default_factory=list)
    may_fail: bool = False  # an error is a good answer as well

    @property
    def groups(self):
        return {"groups": self.options["groups"]} if "groups" in self.options else {}


# ---------------------------------------------------------------------------------------------------------- generation


def random_design(seed):
    """A design drawn with one seed; most are awkward in some way."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([rng.integers(2, 6), rng.integers(6, 30), rng.integers(30, 201)]))
    codes = random_factors(rng, n, int(rng.integers(0, 4)))
    columns, extreme = random_columns(rng, n, codes)
    y, kind = random_response(rng, n, codes, columns)
    notes = [
        f"n={n}",
        f"levels={[len(np.unique(c)) for c in codes]}",
        f"columns={columns.shape[1]}",
        f"y {kind}",
    ]
    y, extreme_response = rescaled_response(rng, y)
    design = assembled(rng, codes, columns, y, notes)
    design.may_fail = extreme or extreme_response
    add_weights(rng, design, n)
    return design


def random_factors(rng, n, count):
    """Integer codes of factors: crossed, nested in the one before, a single level, or one row per level."""
    factors = []
    for _ in range(count):
        kind = rng.choice(
            ["crossed", "crossed", "nested", "blocks", "single", "rows", "mostly one"]
        )
        if kind == "nested" and factors:
            codes = factors[-1] * 3 + rng.integers(0, 3, n)
        elif kind == "blocks":
            codes = np.arange(n) // int(rng.integers(1, n + 1))
        elif kind == "single":
            codes = np.zeros(n, dtype=int)
        elif kind == "rows":
            codes = rng.permutation(n)
        elif kind == "mostly one":
            codes = np.where(rng.random(n) < 0.8, 0, rng.integers(0, n, n))
        else:
            codes = rng.integers(0, rng.integers(1, n + 1), n)
        factors.append(codes)
    return factors


def random_columns(rng, n, codes):
    """Fixed effects of every awkward kind, and whether one is close to overflow."""
    width = int(rng.choice([0, 1, 2, 3, n + 1 if n < 20 else 4]))
    columns, extreme = [], False
    for _ in range(width):
        kind = rng.choice(
            ["normal", "normal", "constant", "duplicate", "binary", "by group", "sparse", "integer"]
        )
        column = rng.standard_normal(n)
        if kind == "constant":
            column = np.full(n, rng.choice([0.0, 1.0, 3.7]))
        elif kind == "duplicate" and columns:
            column = columns[-1] * rng.choice([1.0, -2.0])
        elif kind == "binary":
            column = (column > 0).astype(float)
        elif kind == "by group" and codes:
            column = rng.standard_normal(codes[0].max() + 1)[codes[0]]
        elif kind == "sparse":
            column = np.where(np.arange(n) == 0, 1.0, 0.0)
        elif kind == "integer":
            column = rng.integers(-3, 4, n).astype(float)
        scale, offset = rng.choice(SCALES), rng.choice(OFFSETS)
        if rng.random() < 0.01:
            scale, extreme = rng.choice(EXTREME), True
        columns.append(offset + scale * column)
    return (np.column_stack(columns) if columns else np.empty((n, 0))), extreme


def random_response(rng, n, codes, columns):
    """A response with noise, or with none at all."""
    kind = str(
        rng.choice(
            [
                "noisy",
                "noisy",
                "noisy",
                "constant",
                "zero",
                "linear",
                "by group",
                "one row",
                "counts",
            ]
        )
    )
    linear = columns @ rng.standard_normal(columns.shape[1]) + rng.standard_normal()
    by_group = sum((rng.standard_normal(c.max() + 1)[c] for c in codes), np.zeros(n))
    noise = rng.standard_normal(n)
    responses = {
        "noisy": rng.choice([0.0, 1.0, 10.0]) * by_group + rng.choice([0.0, 1.0]) * linear + noise,
        "constant": np.full(n, rng.choice([1.0, -0.1])),
        "zero": np.zeros(n),
        "linear": linear,
        "by group": by_group,
        "one row": np.where(np.arange(n) == n - 1, 1.0, 0.0),
        "counts": rng.poisson(1.0, n).astype(float),
    }
    return responses[kind], kind


def rescaled_response(rng, y):
    if rng.random() < 0.01:
        return y * rng.choice(EXTREME), True
    return y * rng.choice(SCALES) + rng.choice(OFFSETS), False


def labels_of(rng, codes):
    """The same factor under labels of some kind."""
    kind = rng.choice(["int", "str", "float", "categorical", "gaps"])
    names = np.array([f"level {c}" for c in codes])
    return {
        "int": codes,
        "str": names.astype(object),
        "float": codes + 0.5,
        "categorical": pd.Categorical(names, categories=[*np.unique(names), "never used"]),
        "gaps": codes * 1_000_003 - 7,
    }[kind]


def assembled(rng, codes, columns, y, notes):
    """The estimator and its input, in one of the ways to say where the groups are."""
    style = str(rng.choice(["columns", "positions", "keyword"]))
    parameters = {
        "covariance": str(rng.choice(COVARIANCES)),
        "method": str(rng.choice(["reml", "ml"])),
        "fit_intercept": bool(rng.random() < 0.8),
    }
    if columns.shape[1] == 0 and (not codes or style == "keyword"):
        columns = rng.standard_normal((len(y), 1))
    notes += [style, str(parameters)]
    make = {"columns": with_named_columns, "positions": with_positions, "keyword": with_keyword}[
        style
    ]
    return make(rng, codes, columns, y, parameters, notes)


def random_terms(rng, factors, columns):
    """Terms for every factor: an intercept, slopes, both, two terms, or the combination of two factors."""
    terms = []
    for place, factor in enumerate(factors):
        some = (
            tuple(rng.permutation(columns)[: rng.integers(0, 3)].tolist()) if len(columns) else ()
        )
        intercept = bool(rng.random() < 0.8) or not some
        covariance = None if rng.random() < 0.7 else str(rng.choice(COVARIANCES))
        terms.append(RandomEffect(factor, some, intercept=intercept, covariance=covariance))
        if len(columns) and rng.random() < 0.1:
            terms.append(RandomEffect(factor, (columns[0],), intercept=False))
        if place and rng.random() < 0.3:
            terms.append(RandomEffect((factors[place - 1], factor)))
    return terms


def with_named_columns(rng, codes, columns, y, parameters, notes):
    """A table whose columns are named by the estimator."""
    table = pd.DataFrame(
        columns, columns=[f"x{j}" for j in range(columns.shape[1])], index=rng.permutation(len(y))
    )
    factors = [f"g{f}" for f in range(len(codes))]
    for name, code in zip(factors, codes, strict=True):
        table[name] = labels_of(rng, code)
    names = [f"x{j}" for j in range(columns.shape[1])]
    terms = random_terms(rng, factors, names) if rng.random() < 0.7 else None
    groups = factors if factors and (terms is None or rng.random() < 0.5) else None
    model = MixedLinearRegressor(groups or None, terms or None, **parameters)
    notes.append(repr(terms))
    return RandomDesign(model, table, pd.Series(y, index=table.index), notes=notes)


def with_positions(rng, codes, columns, y, parameters, notes):
    """A plain array with the groups among its columns."""
    array = np.column_stack([columns, *codes])
    factors = [columns.shape[1] + f for f in range(len(codes))]
    terms = (
        random_terms(rng, factors, list(range(columns.shape[1]))) if rng.random() < 0.7 else None
    )
    model = MixedLinearRegressor(factors or None, terms or None, **parameters)
    notes.append(repr(terms))
    return RandomDesign(model, array, y, notes=notes)


def with_keyword(rng, codes, columns, y, parameters, notes):
    """Labels passed to fit: one column, or one per factor."""
    terms = (
        random_terms(rng, list(range(len(codes))), list(range(columns.shape[1])))
        if rng.random() < 0.5
        else None
    )
    model = MixedLinearRegressor(random_effects=terms or None, **parameters)
    notes.append(repr(terms))
    if not codes:
        return RandomDesign(model, columns, y, notes=notes)
    labels = np.column_stack(codes) if len(codes) > 1 or terms else labels_of(rng, codes[0])
    return RandomDesign(model, columns, y, {"groups": labels}, notes=notes)


def add_weights(rng, design, n):
    """No weights, whole numbers with zeros, fractions, or weights of very different sizes."""
    kind = str(rng.choice(["none", "none", "counts", "fractions", "uneven"]))
    if kind == "none":
        return
    weights = {
        "counts": rng.integers(0, 4, n).astype(float),
        "fractions": rng.random(n),
        "uneven": 10.0 ** rng.integers(-3, 4, n),
    }[kind]
    design.options["sample_weight"] = weights
    design.notes.append(f"weights {kind}")
    design.may_fail |= bool(np.count_nonzero(weights) < 2)


# ------------------------------------------------------------------------------------------------------------ checking


def outcome(design):
    """'fitted', 'refused', or what is wrong with the answer."""
    with evaluations() as counted, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("error", RuntimeWarning)
        try:
            fitted = design.model.fit(design.X, design.y, **design.options)
            problems = unsound(fitted, design, caught)
        except Exception as error:
            problems = unwelcome(error, design)
            if not problems:
                return "refused"
    if counted.total > MOST_EVALUATIONS:
        problems.append(f"took {counted.total} evaluations")
    strangers = {str(w.message) for w in caught if not issubclass(w.category, SkmixedWarning)}
    problems += [f"warning of another package: {w}" for w in strangers]
    return "; ".join(problems) or "fitted"


def unsound(fitted, design, caught):
    """What is wrong with a fit that ended without an error."""
    warned = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    estimates = {
        "coef_": fitted.coef_,
        "intercept_": fitted.intercept_,
        "scale_": fitted.scale_,
        "loglik_": fitted.loglik_,
        "predictions": fitted.predict(design.X, **design.groups),
        "population": fitted.predict(design.X, kind="population", **design.groups),
        "intervals": fitted.predict_interval(design.X, **design.groups),
        "variance components": fitted.variance_components()["estimate"].to_numpy(float),
        "random effects": fitted.random_effects_["estimate"].to_numpy(float),
        "standard errors of random effects": fitted.random_effects_["std_error"].to_numpy(float),
    } | {f"covariances_[{k}]": c for k, c in enumerate(fitted.covariances_)}
    found = [
        f"{name} not finite"
        for name, values in estimates.items()
        if not np.all(np.isfinite(values))
    ]
    if fitted.scale_ < 0:
        found.append(f"scale_ {fitted.scale_} is negative")
    if not (fitted.converged_ or warned):
        found.append("not converged, and no warning says so")
    found += [
        f"covariances_[{k}] not a covariance"
        for k, c in enumerate(fitted.covariances_)
        if not is_covariance(c)
    ]
    if not str(fitted.summary()):
        found.append("empty summary")
    return found


def is_covariance(matrix):
    if not np.all(np.isfinite(matrix)):
        return False
    sd = np.sqrt(np.where(np.diag(matrix) > 0, np.diag(matrix), 1.0))
    correlation = matrix / np.outer(sd, sd)
    return np.allclose(correlation, correlation.T) and np.linalg.eigvalsh(correlation)[0] > -1e-9


def unwelcome(error, design):
    """What is wrong with an error: its kind, who raised it, its message, or that it was raised at all."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    if type(error).__module__ != "builtins" or not isinstance(error, ValueError | TypeError):
        return [f"{type(error).__name__}: {error} at {where.filename}:{where.lineno}"]
    if not where.filename.startswith(WELCOME_ERRORS):
        return [f"raised outside: {error} at {where.filename}:{where.lineno}"]
    if not design.may_fail and "appears twice" not in str(error):
        return [f"refused a sound design: {error}"]
    return [] if len(str(error)) > 20 else [f"no help: {error}"]


def first_ones_quick(n, quick=1):
    """Batches 0 to n, all but the first ones slow."""
    return [pytest.param(k, marks=[pytest.mark.slow] * (k >= quick)) for k in range(n)]


@pytest.mark.parametrize("batch", first_ones_quick(N_DESIGNS // BATCH))
def test_every_design_ends_well(batch):
    """Finite estimates, or an error of the package's own; never a raw numpy error, a NaN or a
    hang."""
    designs = {seed: random_design(seed) for seed in range(batch * BATCH, (batch + 1) * BATCH)}
    outcomes = {seed: outcome(design) for seed, design in designs.items()}
    bad = {s: text for s, text in outcomes.items() if text not in ("fitted", "refused")}
    assert not bad, "\n".join(
        f"seed {s}: {text}\n    {', '.join(designs[s].notes)}" for s, text in bad.items()
    )
    assert sum(text == "fitted" for text in outcomes.values()) > 0.8 * BATCH


# --------------------------------------------------------------------------------------------------- designs by hand


def quiet_fit(model, X, y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        return model.fit(X, y, **options)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1e8, 1e150])
def test_units_of_everything(scale, method):
    """The same fit whatever the units of X and y."""
    rng = np.random.default_rng(0)
    group, x = np.repeat(np.arange(12), 5), rng.standard_normal((60, 2))
    y = x @ [1.0, 2.0] + rng.standard_normal(12)[group] + rng.standard_normal(60)
    model = MixedLinearRegressor(random_effects=RandomEffect(0, (0,)), method=method)
    plain = quiet_fit(model, x, y, groups=group).predict(x, groups=group)
    scaled = quiet_fit(model, scale * x, scale * y, groups=group).predict(scale * x, groups=group)
    np.testing.assert_allclose(scaled / scale, plain, rtol=1e-6)


@pytest.mark.parametrize(
    "y",
    [
        np.zeros(40),
        np.full(40, 1e8 / 3),
        np.tile(np.linspace(0, 1, 5), 8),
        np.arange(8.0).repeat(5),
        1e8 + np.arange(8.0).repeat(5),
        np.sin(np.arange(8.0)).repeat(5) + np.tile(np.linspace(0, 1, 5), 8) / 3,
    ],
    ids=["zero", "constant", "linear", "by group", "by group far from zero", "linear and by group"],
)
@pytest.mark.parametrize("method", ["reml", "ml"])
def test_no_residual_variation(y, method):
    """Fits without noise reproduce the response, and say so where they are not an optimum."""
    X = np.tile(np.linspace(0, 1, 5), 8)[:, None]
    model = quiet_fit(MixedLinearRegressor(method=method), X, y, groups=np.arange(8).repeat(5))
    np.testing.assert_allclose(
        model.predict(X, groups=np.arange(8).repeat(5)), y, rtol=1e-6, atol=1e-6
    )
    assert 0 <= model.scale_ < 1e-6 * max(1.0, np.var(y))
    assert np.isfinite(model.loglik_)


@pytest.mark.parametrize(("seed", "loglik"), [(4, -557.6444576), (97, -33.6984736)])
def test_the_lower_of_two_minima_is_found(seed, loglik):
    """The deviance of these has another minimum with a variance at zero, where the first search ends."""
    design = random_design(seed)
    assert quiet_fit(design.model, design.X, design.y, **design.options).loglik_ == pytest.approx(
        loglik, rel=1e-8
    )
