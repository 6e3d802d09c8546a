"""Random formulas and arguments: a fit, or an error of two lines that says what is wrong."""

import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, RandomEffect
from skmixed.exceptions import SkmixedWarning

pytestmark = pytest.mark.slow

N = 90
FITTED = "fitted"
REFUSED = "refused in two lines"


def make_table(rng):
    """Columns of many types, some with names that mean something else."""
    g = np.repeat(np.arange(15), 6)
    x, z, w = rng.normal(size=(3, N))
    mean = 1.0 + x + rng.normal(size=15)[g]
    return pd.DataFrame(
        {
            "y": mean + rng.normal(size=N),
            "hit": mean + 2 * rng.normal(size=N) > 1,
            "many": rng.poisson(3.0, N) + 1,
            "few": rng.poisson(2.0, N),
            "x": x,
            "z": z,
            "x+1": w,
            "class": rng.normal(size=N),
            "log": rng.uniform(0.5, 2.0, N),
            "whole": rng.integers(0, 4, N),
            "flag": rng.random(N) > 0.5,
            "f": rng.choice(list("abc"), N),
            "k": pd.Categorical(rng.choice(list("uv"), N), categories=list("uvw")),
            "my f": rng.choice(["p q", "r:s"], N),
            "Intercept": rng.normal(size=N),
            "holes": np.where(rng.random(N) < 0.05, np.nan, x),
            "day": pd.date_range("2020-01-01", periods=N),
            "same": 1.0,
            "big": 1e150 * rng.normal(size=N),
            "g": g,
            "h": rng.integers(0, 5, N),
            "g|h": [f"level {k}" for k in g % 8],
        }
    )


NUMBERS = ["x", "z", "`x+1`", "`class`", "log", "whole", "flag", "same", "big", "Intercept"]
FACTORS = ["f", "k", "`my f`", "C(whole)", "C(f, contr.sum)", "C(k, levels=['u', 'v', 'w'])"]
CALLS = [
    "I(x ** 2)",
    "np.log(log)",
    "log(log)",
    "center(x)",
    "scale(z)",
    "poly(x, 2)",
    "bs(x, df=4)",
]
ODD = [
    "holes", "day", "unknown", ".", "1", "0", "-1", "x^2", "s(x)", "factor(f)", "log(x)", "`x`",
    "offset(z)", "offset(log(log))", "offset(f)", "cbind(many, few)", "'f'", "x.y", "{x + 1}",
    "lambda", "I(class)", "x[0]", "C(x, Poly)", "poly(x)", "hashed(f)", "lag(x)", "None", "np", "C",
]  # fmt: skip
GROUPS = ["g", "h", "`g|h`", "g:h", "g/h", "f", "k"]
ODD_GROUPS = ["x", "whole", "(g)", "g + h", "missing", "1", "", "holes", "day", "C(g)", "g * h"]
RESPONSES = ["y", "y", "hit", "log(log)", "I(y * 2)", "many", "y + z", "`x+1`"]
OUTCOMES = ["hit", "hit", "cbind(many, few)", "cbind(many, many + few)", "I(y > 1)", "k"]
ODD_RESPONSES = [
    "",
    "holes",
    "unknown",
    "1",
    "y ~ x",
    "offset(y)",
    "(y",
    "`y",
    "day",
    "poly(x, 2)",
    ".",
]
NOISE = list("~|()+-*/:`'\"[]{}^%,. 0\\\n\t") + ["||", "~~", "**", "%in%", "==", "(1|g)", "y", "é"]


def pick(rng, values):
    return values[rng.integers(len(values))]


def a_term(rng):
    kind = rng.choice(["number", "factor", "call", "odd", "pair"], p=[0.5, 0.2, 0.13, 0.03, 0.14])
    if kind == "pair":
        return a_term(rng) + pick(rng, [":", "*", " * ", "/"]) + a_term(rng)
    return pick(rng, {"number": NUMBERS, "factor": FACTORS, "call": CALLS, "odd": ODD}[kind])


def a_sum(rng, most):
    terms = [a_term(rng) for _ in range(rng.integers(1, most + 1))]
    return pick(rng, ["", "", "", "0 + ", "1 + ", "-1 + "]) + " + ".join(terms)


def a_bar(rng):
    effects = pick(rng, ["1", "1", "x", "0 + x", "1 + z", "f", "0 + k", "x + z", "x:z", None])
    effects = a_sum(rng, 2) if effects is None else effects
    group = pick(rng, GROUPS if rng.random() < 0.92 else ODD_GROUPS)
    return f"({effects} {pick(rng, ['|', '|', '|', '||'])} {group})"


def a_formula(rng, responses):
    parts = [a_sum(rng, 3)] if rng.random() < 0.9 else []
    parts += [a_bar(rng) for _ in range(rng.integers(0, 3))]
    right = pick(rng, [" + ", " + ", " + ", "+"]).join(parts)
    response = pick(rng, responses if rng.random() < 0.9 else ODD_RESPONSES)
    text = f"{response} ~ {right}"
    for _ in range(rng.choice([0, 0, 0, 0, 1, 2])):
        text = mutated(rng, text)
    return text


def mutated(rng, text):
    place = rng.integers(len(text) + 1)
    if rng.random() < 0.5:
        return text[:place] + pick(rng, NOISE) + text[place:]
    return text[:place] + text[place + rng.integers(1, 4) :]


WRONG = [
    None,
    3,
    -1,
    1.5,
    "",
    "un",
    "g",
    ["g"],
    ("g", "h"),
    {},
    True,
    np.nan,
    np.zeros(3),
    object(),
    b"g",
]
PARAMETERS = {
    "groups": ["g", "h", ["g", "h"], "g|h", 0, -1, 99, ["g", "g"], "f", "x"],
    "random_effects": [
        "(1 | g)", "(x | g)", "(x || g)", "(1 | g/h)", "(`x+1` | `g|h`)", "(1 | g", "(| g)", "x",
        RandomEffect("g"), [RandomEffect("g", ("x",))], [RandomEffect("g"), RandomEffect("h")],
        [RandomEffect(("g", "h"))], RandomEffect("g", ("x",), covariance="un"), RandomEffect("g", (0,)),
        RandomEffect("g", ("f",)), RandomEffect("nowhere"), [],
    ],
    "covariance": ["unstructured", "diagonal", "independent", "identity", "exchangeable", "AR1"],
    "method": ["reml", "ML", "REML", "mle"],
    "n_quadrature": ["auto", 1, 3, 0, 1000],
    "offset": ["z", "x", "f", "g", "log", 4, "nowhere"],
    "fit_intercept": [True, False],
    "class_weight": [None, "balanced", {True: 2.0}, {"a": 1}],
    "tol": [1e-9, 1e-6, 0.0, "small"],
    "max_iter": [100, 1, 0],
    "verbose": [0, -1],
}  # fmt: skip


def some_parameters(rng, estimator, names):
    known = [name for name in names if name in estimator().get_params()]
    chosen = rng.choice(known, size=rng.integers(0, 3), replace=False)
    return {
        str(name): pick(rng, PARAMETERS[name] if rng.random() < 0.9 else WRONG) for name in chosen
    }


def run_formula(rng, table):
    """A call of ``from_formula``, as text, and what came of it."""
    estimator = pick(rng, [MixedLinearRegressor, MixedLinearRegressor, MixedLogisticClassifier])
    of_kind = {MixedLinearRegressor: RESPONSES, MixedLogisticClassifier: OUTCOMES}
    formula = a_formula(rng, of_kind[estimator if rng.random() < 0.95 else MixedLogisticClassifier])
    names = set(PARAMETERS) - {"groups", "random_effects"} if rng.random() < 0.97 else PARAMETERS
    options = some_parameters(rng, estimator, sorted(names)) if rng.random() < 0.3 else {}
    if rng.random() < 0.3:
        options["missing"] = pick(rng, ["drop", "drop", "drop", "raise", "omit"])
    if rng.random() < 0.2:
        weights = [rng.integers(0, 3, N), rng.random(N), "many", "few"]
        wrong = ["nowhere", np.zeros(N), np.ones(3), -np.ones(N), "f", 3]
        options["sample_weight"] = pick(rng, weights if rng.random() < 0.8 else wrong)
    options.setdefault("max_iter", 30)
    if estimator is MixedLogisticClassifier:
        options.setdefault("n_quadrature", 1)

    def call():
        model = estimator.from_formula(formula, table, **options)
        return model, model.predict(table.dropna().head(5))

    return f"{estimator.__name__}.from_formula({formula!r}, {options})", call


def run_columns(rng, table):
    """A call of ``fit`` on columns, as text, and what came of it."""
    estimator = pick(rng, [MixedLinearRegressor, MixedLogisticClassifier])
    columns = ["x", "z", "x+1", "log", "g", "h", "flag", "class", "whole"]
    odd = ["g|h", "f", "same", "Intercept", "holes", "day", "big", "k"]
    used = [str(c) for c in rng.choice(columns, size=rng.integers(2, 6), replace=False)]
    used += [pick(rng, odd)] * (rng.random() < 0.15)
    names = [name for name in PARAMETERS if rng.random() < 0.95 or name == "groups"]
    parameters = some_parameters(rng, estimator, names)
    if rng.random() < 0.7 and not {"groups", "random_effects"} & set(parameters):
        parameters["groups"] = pick(rng, ["g", "h", ["g", "h"]])
        used = list(dict.fromkeys([*used, "g", "h"]))
    parameters.setdefault("max_iter", 30)
    if estimator is MixedLogisticClassifier:
        parameters.setdefault("n_quadrature", 1)
    X = table[used]
    usual = "y" if estimator is MixedLinearRegressor else "hit"
    y = table[usual if rng.random() < 0.9 else pick(rng, ["f", "holes", "day", "y", "hit"])]
    groups = pick(rng, [None] * 24 + [table["g"], table[["g", "h"]], table["g"][:5], "g", 3, {}])

    def call():
        model = estimator(**parameters).fit(X, y, groups=groups)
        return model, model.predict(X.head(5), groups=None if groups is None else groups[:5])

    return f"{estimator.__name__}({parameters}).fit({used}, {y.name}, groups={groups!r:.30})", call


def verdict(call):
    """What came of a call; anything but a fit without silent NaN and a two-line error is a fault."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model, predicted = call()
        except InvalidParameterError:
            return "refused by scikit-learn"
        except (ValueError, TypeError) as error:
            lines = str(error).splitlines()
            is_ours = len(lines) == 2 and all(line.strip() for line in lines)
            return REFUSED if is_ours else f"raw {type(error).__name__}: {error}"
        except Exception as error:
            return f"raw {type(error).__name__}: {error}"
    said = [w for w in caught if issubclass(w.category, SkmixedWarning)]
    foreign = [w for w in caught if w not in said and issubclass(w.category, RuntimeWarning)]
    numbers = [*model.coef_.ravel(), model.loglik_]
    if predicted.dtype.kind == "f":
        numbers += list(predicted)
    if not np.all(np.isfinite(numbers)) and not said:
        return f"silent NaN in {numbers}"
    return f"foreign warning: {foreign[0].message}" if foreign else FITTED


@pytest.mark.parametrize(("run", "seed", "n"), [(run_formula, 1, 1000), (run_columns, 2, 500)])
def test_a_fit_or_two_lines(run, seed, n):
    counts = Counter()
    faults = {}
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        table = make_table(rng)
        text, call = run(rng, table)
        found = verdict(call)
        is_good = found in (FITTED, REFUSED, "refused by scikit-learn")
        counts[found if is_good else "fault"] += 1
        if not is_good:
            faults[k, text] = found
    print(f"{run.__name__}: {dict(counts)}")
    assert not faults, "\n".join(f"{key}\n    {value}" for key, value in faults.items())
    assert counts[FITTED] > n / 5 and counts[REFUSED] > n / 5
