"""Five hundred random designs with two classes: each ends in a finite fit that says what is wrong, or in an error."""

from __future__ import annotations

import traceback
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from skmixed import (
    ConvergenceWarning,
    MixedLogisticClassifier,
    RandomEffect,
    SeparationWarning,
    SkmixedWarning,
)
from skmixed._model.covariances import NO_EFFECTS, Parameters
from skmixed._search.minimize import local_model
from tests.evidence.test_random_designs import (
    WELCOME_ERRORS,
    first_ones_quick,
    is_covariance,
    labels_of,
    random_factors,
    random_terms,
)
from tests.helpers.counting import evaluations

N_DESIGNS = 500
BATCH = 25
MOST_EVALUATIONS = 1500  # of one fit, its warnings and further starts included
STRUCTURES = ["unstructured", "unstructured", "diagonal", "identity", "exchangeable"]
SCALES = [1.0, 1.0, 1.0, 1e12, 1e-12, 1e6, 1e-6]
OFFSETS = [0.0, 0.0, 0.0, 0.0, 1e6, -1e6]
QUADRATURE = [1, 1, 1, 3, 7]

#: what is special about a design; every one of them comes up in turn
SPECIAL = [
    "anything",
    "noisy",
    "separated by a column",
    "separated by a dummy",
    "separated by a combination",
    "every level homogeneous",
    "some levels homogeneous",
    "one level",
    "a level per row",
    "rare",
    "no columns",
    "many slopes",
    "crossed and nested",
    "constant",
]


@dataclass
class RandomDesign:
    """One data set with an estimator for it."""

    model: MixedLogisticClassifier
    X: object
    y: object
    target: np.ndarray  # zeros and ones
    columns: np.ndarray  # the fixed effects
    special: str
    separating: tuple = ()  # positions of columns that separate the classes by construction
    options: dict = field(default_factory=dict)  # further arguments of fit
    notes: list = field(default_factory=list)

    @property
    def groups(self):
        return {"groups": self.options["groups"]} if "groups" in self.options else {}

    @property
    def rows(self):
        """Those that count."""
        return self.options.get("sample_weight", np.ones(len(self.target))) > 0

    @property
    def is_constant(self):
        return np.ptp(self.target[self.rows]) == 0


# ---------------------------------------------------------------------------------------------------------- generation


def random_design(seed):
    """A design drawn with one seed."""
    rng, special = np.random.default_rng(seed), SPECIAL[seed % len(SPECIAL)]
    n = (
        500
        if special == "rare"
        else int(rng.choice([rng.integers(4, 12), rng.integers(12, 60), rng.integers(60, 300)]))
    )
    codes = factors_for(special, rng, n)
    columns = columns_for(special, rng, n, codes)
    target = response_for(special, rng, codes, columns)
    columns, separating = separating_columns(special, rng, columns, target)
    scale, offset = rng.choice(SCALES, columns.shape[1]), rng.choice(OFFSETS, columns.shape[1])
    columns = np.where(offset == 0, scale, 1.0) * columns + offset
    design = assembled(special, rng, codes, columns, target)
    design.separating = separating
    levels = [len(np.unique(c)) for c in codes]
    design.notes += [
        special,
        f"n={n}",
        f"ones={target.sum():g}",
        f"levels={levels}",
        f"columns={columns.shape[1]}",
    ]
    add_weights(rng, design, n)
    return design


def factors_for(special, rng, n):
    if special == "one level":
        return [np.zeros(n, dtype=int)]
    if special == "a level per row":
        return [rng.permutation(n)]
    if special in ("every level homogeneous", "some levels homogeneous", "many slopes"):
        return [rng.integers(0, max(2, n // 6), n)]
    if special == "crossed and nested":
        outer = rng.integers(0, 4, n)
        return [outer, outer * 5 + rng.integers(0, 5, n), rng.integers(0, 6, n)]
    return random_factors(rng, n, int(rng.choice([0, 1, 1, 1, 2, 3])))


def columns_for(special, rng, n, codes):
    """Fixed effects of awkward kinds, before they get a scale and an offset."""
    if special == "no columns":
        return np.empty((n, 0))
    columns = []
    for _ in range(
        rng.integers(2 if special in ("separated by a combination", "many slopes") else 1, 5)
    ):
        kind = rng.choice(
            ["normal", "normal", "normal", "constant", "duplicate", "binary", "by level", "sparse"]
        )
        column = rng.standard_normal(n)
        if kind == "constant":
            column = np.full(n, rng.choice([0.0, 1.0, 3.7]))
        elif kind == "duplicate" and columns:
            column = columns[-1] * rng.choice([1.0, -2.0])
        elif kind == "binary":
            column = (column > 0).astype(float)
        elif kind == "by level" and codes:
            column = rng.standard_normal(codes[0].max() + 1)[codes[0]]
        elif kind == "sparse":
            column = np.where(np.arange(n) == 0, 1.0, 0.0)
        columns.append(column)
    return np.column_stack(columns)


def response_for(special, rng, codes, columns):
    """Zeros and ones; never a constant but where that is the point."""
    n = len(columns)
    if special == "constant":
        return np.full(n, float(rng.integers(0, 2)))
    eta = (
        rng.choice([0.0, 1.0]) * columns @ rng.standard_normal(columns.shape[1])
        + 0.3 * rng.standard_normal()
    )
    eta += sum(
        (rng.choice([0.0, 1.0, 3.0]) * rng.standard_normal(c.max() + 1)[c] for c in codes),
        np.zeros(n),
    )
    target = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    if special == "rare":
        target = np.zeros(n)
    elif special == "every level homogeneous":
        target = rng.integers(0, 2, codes[0].max() + 1).astype(float)[codes[0]]
    elif special == "some levels homogeneous":
        target = np.where(codes[0] % 2 == 0, codes[0] // 2 % 2, target)
    if np.ptp(target) == 0:
        target[rng.integers(0, n)] = 1.0 - target[0]
    return target


def separating_columns(special, rng, columns, target):
    """The columns, some of them replaced so that they separate the classes, and the positions of those."""
    columns, n = columns.copy(), len(target)
    signs = 2.0 * target - 1.0
    if special == "separated by a column":
        columns[:, 0] = signs * rng.uniform(0.1, 1.0, n)
        return columns, (0,)
    if special == "separated by a dummy":
        where = np.flatnonzero(target == rng.integers(0, 2))
        columns[:, 0] = np.isin(np.arange(n), where[: max(1, len(where) // 2)])
        return columns, (0,)
    if special == "separated by a combination":
        columns[:, 0] = rng.standard_normal(n)
        columns[:, 1] = signs * rng.uniform(0.1, 1.0, n) - columns[:, 0]
        return columns, (0, 1)
    return columns, ()


def with_labels(rng, target):
    """The classes under names of some kind."""
    codes = target.astype(int)
    return {
        "numbers": target,
        "text": np.array(["no", "yes"])[codes],
        "objects": np.array(["low", "up"], dtype=object)[codes],
        "booleans": codes == 1,
        "signs": 2 * codes - 1,
        "series": pd.Series(np.array(["a", "b"], dtype=object)[codes], name="outcome"),
        "categorical": pd.Categorical.from_codes(codes, ["first", "second"]),
    }[
        rng.choice(
            ["numbers", "numbers", "text", "objects", "booleans", "signs", "series", "categorical"]
        )
    ]


def assembled(special, rng, codes, columns, target):
    """The estimator and its input, in one of the ways to say where the groups are."""
    style = str(rng.choice(["columns", "keyword"])) if codes else "columns"
    if columns.shape[1] == 0 and (not codes or style == "keyword"):
        columns = np.ones((len(target), 1))
    names, factors = (
        [f"x{j}" for j in range(columns.shape[1])],
        [f"g{f}" for f in range(len(codes))],
    )
    parameters = {
        "covariance": str(rng.choice(STRUCTURES)),
        "n_quadrature": int(rng.choice(QUADRATURE)) if len(codes) < 2 or rng.random() < 0.1 else 1,
        "fit_intercept": bool(rng.random() < 0.85),
    }
    X = pd.DataFrame(columns, columns=names)
    labels = {name: labels_of(rng, code) for name, code in zip(factors, codes, strict=True)}
    y = with_labels(rng, target)
    terms = (
        random_terms(rng, factors, names)
        if rng.random() < 0.5
        else [RandomEffect(f) for f in factors]
    )
    if special == "many slopes":
        terms = [RandomEffect("g0", tuple(names[: rng.integers(1, 3)]))]
    notes = [style, str(parameters), repr(terms)]
    if style == "columns":
        model = MixedLogisticClassifier(random_effects=terms or None, **parameters)
        return RandomDesign(model, X.assign(**labels), y, target, columns, special, notes=notes)
    model = MixedLogisticClassifier(random_effects=terms, **parameters)
    options = {"groups": pd.DataFrame(labels)}
    return RandomDesign(model, X, y, target, columns, special, options=options, notes=notes)


def add_weights(rng, design, n):
    """No weights, whole numbers with zeros, fractions, large ones, or weights of very different sizes."""
    kind = str(rng.choice(["none", "none", "none", "counts", "fractions", "large", "uneven"]))
    if kind == "none":
        return
    design.options["sample_weight"] = {
        "counts": rng.integers(0, 4, n).astype(float),
        "fractions": rng.random(n),
        "large": rng.integers(1, 1000, n) * 1e3,
        "uneven": 10.0 ** rng.integers(-3, 4, n),
    }[kind]
    design.notes.append(f"weights {kind}")


# ------------------------------------------------------------------------------------------------------------ checking


def outcome(design):
    """'fitted', 'refused', or what is wrong with the answer; any warning of another package is an error."""
    with evaluations() as counted, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", SkmixedWarning)
        try:
            fitted = design.model.fit(design.X, design.y, **design.options)
            problems = unsound(fitted, design, caught)
        except Exception as error:
            return "; ".join(unwelcome(error, design)) or "refused"
    if design.is_constant:
        problems.append("a constant response was fitted")
    if counted.total > MOST_EVALUATIONS:
        problems.append(f"took {counted.total} evaluations")
    return "; ".join(problems) or "fitted"


def unwelcome(error, design):
    """What is wrong with an error: its kind, who raised it, its message, or that it was raised at all."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    if type(error).__module__ != "builtins" or not isinstance(error, ValueError | TypeError):
        return [f"{type(error).__name__}: {error} at {where.filename}:{where.lineno}"]
    if not where.filename.startswith(WELCOME_ERRORS):
        return [f"raised outside: {error} at {where.filename}:{where.lineno}"]
    lines = str(error).split("\n")
    if len(lines) != 2 or min(map(len, lines)) < 10:
        return [f"not two lines: {error}"]
    expected = ["samples of 2 classes"] if design.is_constant else []
    if design.model.n_quadrature > 1:
        expected += ["single grouping factor", "effects per level"]
    if "sample_weight" in design.options and not design.rows.any():
        expected.append("sample_weight is zero")
    if np.count_nonzero(design.rows) < 2:
        expected.append("minimum of 2 is required")
    return (
        []
        if any(text in str(error) for text in [*expected, "appears twice"])
        else [f"refused: {error}"]
    )


def unsound(fitted, design, caught):
    """What is wrong with a fit that ended without an error."""
    estimates = {
        "coef_": fitted.coef_,
        "intercept_": fitted.intercept_,
        "loglik_": fitted.loglik_,
        "random effects": fitted.random_effects_["estimate"].to_numpy(float),
        "standard errors of random effects": fitted.random_effects_["std_error"].to_numpy(float),
        "variance components": fitted.variance_components()["estimate"].to_numpy(float),
    } | {f"covariances_[{k}]": c for k, c in enumerate(fitted.covariances_)}
    found = [
        f"{name} not finite"
        for name, values in estimates.items()
        if not np.all(np.isfinite(values))
    ]
    found += [
        f"covariances_[{k}] not a covariance"
        for k, c in enumerate(fitted.covariances_)
        if not is_covariance(c)
    ]
    if fitted.loglik_ > 1e-7:
        found.append(f"loglik_ {fitted.loglik_} is positive")
    if not np.all(np.isfinite(fitted.results_.bse)) and not caught:
        found.append("standard errors not finite, and no warning")
    if not (
        fitted.converged_
        or any(issubclass(w.category, ConvergenceWarning | SeparationWarning) for w in caught)
    ):
        found.append("not converged, and no warning says so")
    if "Log-likelihood" not in str(fitted.summary()) or "nan" in str(
        fitted.summary(odds_ratios=True)
    ):
        found.append("odd summary")
    found += implausible_predictions(fitted, design)
    found += mistaken_separation(fitted, design, caught)
    return found + (not_optimal(fitted) if fitted.converged_ else [])


def implausible_predictions(fitted, design):
    found = []
    for kind in ("conditional", "population", "marginal"):
        proba, std = fitted.predict_proba(design.X, kind=kind, return_std=True, **design.groups)
        if not (
            np.all(proba >= 0)
            and np.all(proba <= 1)
            and np.allclose(proba.sum(axis=1), 1.0, atol=1e-12)
        ):
            found.append(f"{kind} probabilities between {proba.min()} and {proba.max()}")
        if not np.all(np.isfinite(std)):
            found.append(f"{kind} standard errors not finite")
        log_proba = fitted.predict_log_proba(design.X, kind=kind, **design.groups)
        if not np.allclose(np.exp(log_proba), proba, atol=1e-9):
            found.append(f"{kind} log-probabilities disagree")
        if not np.all(np.isfinite(fitted.decision_function(design.X, kind=kind, **design.groups))):
            found.append(f"{kind} log-odds not finite")
    if not np.all(np.isin(fitted.predict(design.X, **design.groups), fitted.classes_)):
        found.append("labels of no class")
    return found


def is_separated(columns, target):
    """Whether some combination of orthonormal columns separates the classes."""
    with np.errstate(all="ignore"):
        basis, sizes, _ = np.linalg.svd(
            columns / np.maximum(np.abs(columns).max(axis=0), 1e-300), full_matrices=False
        )
    signed = basis[:, sizes > 1e-9 * sizes[0]] * (2.0 * target - 1.0)[:, None]
    found = linprog(
        -signed.sum(axis=0),
        A_ub=-signed,
        b_ub=np.zeros(len(signed)),
        bounds=(-1, 1),
        method="highs",
    )
    return found.success and -found.fun > 1e-5


def used_columns(fitted, design):
    """The fixed effects that were not dropped, in the rows that count; centred, which keeps their digits."""
    intercept, kept = int(fitted.fit_intercept), fitted.results_.fitted.fit.design.independent
    columns = design.columns[design.rows]
    if intercept:
        with_ones = np.column_stack([np.ones(len(columns)), columns - columns.mean(axis=0)])
        return with_ones[:, kept]
    return columns[:, kept]


def mistaken_separation(fitted, design, caught):
    """Separation that was not reported with the name of a column, or reported without being
    there."""
    columns, names = (
        used_columns(fitted, design),
        [f"'x{j}'" for j in range(design.columns.shape[1])],
    )
    said = "\n".join(str(w.message) for w in caught if issubclass(w.category, SeparationWarning))
    named = [name for name in [*names, "'Intercept'"] if name in said]
    separated = columns.shape[1] > 0 and is_separated(columns, design.target[design.rows])
    if not separated:
        return [f"separation by {named} is reported, but there is none"] if named else []
    found = [] if named else ["separation not reported"]
    if fitted.converged_:
        found.append("separated, but converged")
    return found


def not_optimal(fitted):
    """What could still be gained at an optimum: by Newton's step in the chart, or beyond a boundary."""
    fit = fitted.results_.fitted.fit
    if not len(fit.beta) and not fit.n_variance_parameters:
        return []
    joint = Parameters(fit.covariance_model if fit.design.terms else NO_EFFECTS, fit.rank)
    _, gradient, hessian = local_model(joint, fit.optimum.point, fit.state)
    values, vectors = np.linalg.eigh(hessian)
    curved = np.abs(values) > 1e-9 * np.max(np.abs(values), initial=1e-300)
    gain = 0.5 * np.sum((vectors.T @ gradient)[curved] ** 2 / np.abs(values[curved]))
    found = [f"Newton's step promises {gain:.2g}"] if gain > 1e-5 else []
    lowest, tolerance = min(nearby_deviances(fit)), 1e-6 + 1e-10 * abs(fit.state.value)
    return found + ([f"lower by {-lowest:.2g} nearby"] if lowest < -tolerance else [])


def nearby_deviances(fit):
    """Deviances, less that of the optimum, at points a little away in every parameter that may move."""
    value = fit.state.value
    for k in range(fit.rank):
        for step in (1e-3, -1e-3, 0.03, -0.03):
            yield fit.state.at([*fit.state.T, fit.beta + step * np.eye(fit.rank)[k]]).value - value
    for k, moved in nearby_covariances(fit):
        T = fit.covariance_model.assemble([*fit.T[:k], moved, *fit.T[k + 1 :]])
        yield fit.state.at([*T, fit.beta]).value - value
    yield 0.0


def nearby_covariances(fit):
    """A term, and its covariance a step away in every direction, or scaled."""
    for k, term in enumerate(fit.covariance_model.terms):
        for scale in (0.5, 0.7, 1.4, 2.0):
            yield k, scale * fit.T[k]
        for B in term.structure.hull:
            for step in (1e-4, -1e-4, 1e-2, -1e-2):
                moved = fit.T[k] + step * B
                if np.linalg.eigvalsh(moved)[0] >= 0:
                    yield k, moved


@pytest.mark.parametrize("batch", first_ones_quick(N_DESIGNS // BATCH))
def test_every_design_ends_well(batch):
    """Finite estimates and a warning about what is wrong, or an error of the package's own."""
    designs = {seed: random_design(seed) for seed in range(batch * BATCH, (batch + 1) * BATCH)}
    outcomes = {seed: outcome(design) for seed, design in designs.items()}
    bad = {s: text for s, text in outcomes.items() if text not in ("fitted", "refused")}
    assert not bad, "\n".join(
        f"seed {s}: {text}\n    {', '.join(designs[s].notes)}" for s, text in bad.items()
    )
    assert sum(text == "fitted" for text in outcomes.values()) > 0.7 * BATCH
