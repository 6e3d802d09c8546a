"""Four thousand method calls after fits of random small models of both kinds, with valid and invalid arguments: slow.

A call may return or refuse in words: nothing else may be raised, no table may hold NaN without a reason, none may take long.
"""

import copy
import pickle
import time
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, inference

pytestmark = pytest.mark.slow

CALLS, MODELS, LONGEST = 4000, 100, 10.0
REFUSALS = (ValueError, TypeError, AttributeError)


def rows(rng):
    """A table whose columns are continuous, constant in groups, repeated or labels."""
    n = int(rng.integers(12, 60))
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["x", "z"])
    X["g"] = rng.integers(0, int(rng.integers(2, 8)), n)
    X["h"] = rng.choice(list("abcd"), n)
    X["w"] = X["g"] * 1.0 if rng.random() < 0.3 else rng.normal(size=n)
    if rng.random() < 0.2:
        X["twice"] = 2.0 * X["x"]
    return X


TERMS = [
    "(1 | g)",
    "(1 + x | g)",
    "(0 + x | g)",
    "(1 + x || g)",
    "(1 | g) + (1 | h)",
    "(1 | g / h)",
    None,
]


def model(rng):
    """A fitted model of some kind, perhaps a copy of one, and its rows; None where fit refuses."""
    X = rows(rng)
    kind = (MixedLinearRegressor, MixedLogisticClassifier)[int(rng.integers(2))]
    terms = TERMS[int(rng.integers(len(TERMS)))]
    effect = rng.choice([0.0, 1.0]) * rng.normal(size=10)
    eta = X["x"] + effect[X["g"]]
    y = eta + rng.normal(size=len(X))
    if kind is MixedLogisticClassifier:
        y = (y > 0).astype(int)
        y.iloc[:2] = 0, 1
    options = {"method": str(rng.choice(["ml", "reml"]))} if kind is MixedLinearRegressor else {}
    unused = [name for name in ("g", "h") if name not in (terms or "")]
    X = X.drop(columns=unused)
    if rng.random() < 0.1:
        X = X[[c for c in X if c in ("x", "g", "h")]]
    weights = rng.integers(1, 3, len(X)).astype(float) if rng.random() < 0.2 else None
    est = kind(random_effects=terms, fit_intercept=rng.random() < 0.9, **options)
    est.fit(X, y, sample_weight=weights)
    change = rng.choice(["none", "pickled", "copied"], p=[0.6, 0.2, 0.2])
    change = {"none": lambda e: e, "pickled": _pickled, "copied": copy.deepcopy}[str(change)]
    return change(est), X


def _pickled(est):
    return pickle.loads(pickle.dumps(est))


def one(*values):
    return lambda rng, X: values[int(rng.integers(len(values)))]


def table(rng, X):
    """New rows: the same, fewer, unknown levels, missing labels, a column short, no table."""
    found = X.copy()
    kind = int(rng.integers(6))
    if kind == 1:
        return found.iloc[: int(rng.integers(0, 4))]
    labels = [c for c in ("g", "h") if c in found]
    if kind == 2 and labels:
        return found.assign(**{labels[0]: "never"})
    if kind == 3 and labels:
        return found.assign(**{labels[0]: None})
    if kind == 4:
        return found.drop(columns=found.columns[0])
    return found if kind < 5 else 3


LEVELS = one(0.95, 0.5, 0.0, 2, "a", None)
DF = one("normal", "residual", "satterthwaite", "kenward-roger", "none")
COV = one("model", "CR0", "CR1", "CR2", "CR3", "HC")
SPEC = one("x = 0", "x - 2 * z = 1", "nothing = 0", np.eye(2), {"x": 1}, 3, None, "x = 0, x = 1")
BARE = ["bse", "pvalues", "tvalues", "params", "aic", "bic", "llf", "fittedvalues", "resid"]

#: name -> (where it is found, arguments)
METHODS = {
    "predict": ("est", {"X": table, "kind": one("conditional", "population", "marginal", "no")}),
    "predict_interval": (
        "est",
        {"X": table, "level": LEVELS, "target": one("mean", "observation")},
    ),
    "predict_proba": ("est", {"X": table, "kind": one("conditional", "marginal")}),
    "decision_function": ("est", {"X": table}),
    "summary": ("est", {"level": LEVELS}),
    "variance_components": ("est", {}),
    "coef_table": ("results", {"df": DF, "cov": COV, "level": LEVELS}),
    "t_test": ("results", {"spec": SPEC, "df": DF, "cov": COV}),
    "wald_test": ("results", {"spec": SPEC, "df": DF}),
    "f_test": ("results", {"spec": SPEC}),
    "conf_int": ("results", {}),
    "cov_params": ("results", {}),
    "variance_table": ("results", {"level": LEVELS, "method": one("wald", "profile", "other")}),
    "random_effects_test": ("results", {"method": one("chibar", "exact", "other")}),
    "icc": ("inference", {"level": LEVELS}),
    "r_squared": ("inference", {"level": LEVELS, "residual": one("theoretical", "delta", "x")}),
    "design_effect": ("inference", {}),
    "conditional_aic": ("inference", {}),
    "hausman_test": ("inference", {"scale": one("random", "own", "x")}),
    "slope_distribution": ("inference", {}),
    "influence": ("inference", {"by": one(None, "g", "nothing")}),
    "loo_predict": ("inference", {}),
    "residuals": ("inference", {"kind": one("pearson", "standardized", "none")}),
    "average_predictions": ("inference", {"level": LEVELS}),
    "average_effects": ("inference", {"level": LEVELS}),
    "profile": ("inference", {"parameters": one("fixed", "variances", "x", "no", 3)}),
    "bootstrap": ("inference", {"n_samples": one(2, 0, "a"), "random_state": one(0)}),
    "likelihood_ratio_test": (
        "inference",
        {"n_samples": one(2), "method": one("chi2", "bootstrap")},
    ),
    **{name: ("attribute", {}) for name in BARE},
    "random_effects_": ("fitted", {}),
}


def call(rng, est, X, others):
    """The name of a call and what came of it: ok, refused, or what is wrong."""
    name = list(METHODS)[int(rng.integers(len(METHODS)))]
    where, makers = METHODS[name]
    given = {
        key: make(rng, X)
        for key, make in makers.items()
        if rng.random() < 0.8 or key == "n_samples"  # the default takes a thousand refits
    }
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            verdict = judged(answer(name, where, given, est, others, rng), said)
        except REFUSALS as error:
            verdict = "refused" if is_in_words(error) else f"raw {type(error).__name__}: {error}"
        except Exception as error:
            verdict = f"raw {type(error).__name__}: {error}"
    slow = time.perf_counter() - began > LONGEST
    return f"{type(est).__name__}.{name}({given})", "slow" if slow else verdict


def answer(name, where, given, est, others, rng):
    if where == "attribute":
        return getattr(est.results_, name)
    if where == "fitted":
        return getattr(est, name)
    if where == "inference":
        first = (est,)
        if name == "likelihood_ratio_test":
            first = (est, others[int(rng.integers(len(others)))][0])
        return getattr(inference, name)(*first, **given)
    return getattr(est if where == "est" else est.results_, name)(**given)


def is_in_words(error):
    """Two lines of ours; scikit-learn's and Python's words about arguments and attributes."""
    text = str(error)
    known = ("argument", "has no attribute", "Found array", "feature", "Expected 2D", "minimum of")
    return "\n" in text or any(words in text for words in known)


def judged(found, said):
    """Predictions and errors of predictions may not be NaN unless somebody said so."""
    str(found)
    values = np.asarray(found) if isinstance(found, np.ndarray | pd.Series) else np.zeros(0)
    is_number = values.dtype.kind == "f"
    return "NaN" if is_number and np.any(np.isnan(values)) and not said else "ok"


def calls(n_models, n_calls, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while len(found) < n_models:
            try:
                found.append(model(rng))
            except ValueError as error:
                assert is_in_words(error), error
    for i in range(n_calls):
        yield call(rng, *found[i % n_models], found)


def test_methods_after_fit():
    verdicts = Counter()
    wrong = []
    for name, verdict in calls(MODELS, CALLS):
        verdicts[verdict.split(" ")[0]] += 1
        if verdict not in ("ok", "refused"):
            wrong.append(f"{name}: {verdict}")
    print(dict(verdicts))
    print("\n".join(wrong))
    assert not wrong
