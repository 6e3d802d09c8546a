"""Every warning points at the line of the caller, whichever door it came through."""

import ast
import warnings
from pathlib import Path

import numpy as np
import pytest

import skmixed
from skmixed import (
    ConvergenceWarning,
    GroupsWarning,
    LaplaceWarning,
    MixedLinearRegressor,
    MixedLogisticClassifier,
    RankDeficiencyWarning,
    SeparationWarning,
    SingularFitWarning,
    SkmixedWarning,
)
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.inference import bootstrap, profile

X, Y = make_mixed_regression(n_groups=12, rows_per_group=5, random_state=0)
XC, YC = make_mixed_classification(n_groups=30, rows_per_group=6, random_state=0)
FIXED = ["x0", "x1"]


def quiet(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        return call()


def linear():
    return quiet(lambda: MixedLinearRegressor("group").fit(X, Y))


def logistic():
    return quiet(lambda: MixedLogisticClassifier("group").fit(XC, YC))


def by_argument(kind, table, y):
    return quiet(lambda: kind().fit(table[FIXED], y, groups=table["group"]))


def same_twice(table):
    return table.assign(again=2.0 * table["x0"])[["x0", "x1", "again", "group"]]


def separated():
    return XC.assign(x2=np.where(YC, 1.0, 0.0))[["x0", "x1", "x2", "group"]]


def few():
    """Rows of which a bootstrap sample often has no finite estimate."""
    return XC[:12].assign(x0=3.0 * XC["x0"][:12]), YC[:12]


def far_from_an_optimum():
    X, y = make_mixed_regression(30, 4, covariance=[[4.0, 0.0], [0.0, 0.01]], random_state=1)
    terms = "(1 + x0 | group) + (1 | site)"
    model = MixedLinearRegressor(random_effects=terms, groups=["group", "site"], max_iter=1)
    return model.fit(X.assign(site=np.arange(len(X)) % 5), y + 3.0 * (np.arange(len(y)) % 5))


#: what warns -> the category
CASES = {
    "fit without groups": (lambda: MixedLinearRegressor().fit(X[FIXED], Y), GroupsWarning),
    "classifier without groups": (
        lambda: MixedLogisticClassifier().fit(XC[FIXED], YC),
        GroupsWarning,
    ),
    "from_formula": (
        lambda: MixedLinearRegressor.from_formula("y ~ x0", X.assign(y=Y)),
        GroupsWarning,
    ),
    "dropped column": (
        lambda: MixedLinearRegressor("group").fit(same_twice(X), Y),
        RankDeficiencyWarning,
    ),
    "variance of zero": (
        lambda: MixedLinearRegressor("group").fit(X, np.random.default_rng(4).normal(size=60)),
        SingularFitWarning,
    ),
    "one level": (
        lambda: MixedLinearRegressor("group").fit(X.assign(group=1), Y),
        SingularFitWarning,
    ),
    "stopped early": (
        lambda: MixedLinearRegressor(random_effects="(1 + x0 | group)", max_iter=1).fit(X, Y),
        ConvergenceWarning,
    ),
    "separation": (
        lambda: MixedLogisticClassifier("group").fit(separated(), YC),
        SeparationWarning,
    ),
    "Laplace": (
        lambda: MixedLogisticClassifier("group", n_quadrature=1).fit(
            *make_mixed_classification(
                200, 2, covariance=[[16.0]], coef=np.array([1.0]), random_state=0
            )
        ),
        LaplaceWarning,
    ),
    "predict without groups": (
        lambda: by_argument(MixedLinearRegressor, X, Y).predict(X[FIXED]),
        GroupsWarning,
    ),
    "predict with labels of another kind": (
        lambda: linear().predict(X.assign(group=X["group"].astype(str))),
        GroupsWarning,
    ),
    "score": (
        lambda: by_argument(MixedLinearRegressor, X, Y).score(X[FIXED], Y),
        GroupsWarning,
    ),
    "classifier's score": (
        lambda: by_argument(MixedLogisticClassifier, XC, YC).score(XC[FIXED], YC),
        GroupsWarning,
    ),
    "predict_proba": (
        lambda: by_argument(MixedLogisticClassifier, XC, YC).predict_proba(XC[FIXED]),
        GroupsWarning,
    ),
    "decision_function": (
        lambda: by_argument(MixedLogisticClassifier, XC, YC).decision_function(XC[FIXED]),
        GroupsWarning,
    ),
    "predict_interval": (
        lambda: by_argument(MixedLinearRegressor, X, Y).predict_interval(X[FIXED]),
        GroupsWarning,
    ),
    "simulate": (
        lambda: by_argument(MixedLinearRegressor, X, Y).simulate(X[FIXED], kind="conditional"),
        GroupsWarning,
    ),
    "results_.predict": (
        lambda: by_argument(MixedLinearRegressor, X, Y).results_.predict(X[FIXED]),
        GroupsWarning,
    ),
    "bootstrap": (
        lambda: bootstrap(
            quiet(lambda: MixedLogisticClassifier("group").fit(*few())),
            n_samples=20,
            random_state=0,
        ),
        ConvergenceWarning,
    ),
    "variance_components by bootstrap": (
        lambda: quiet(lambda: MixedLogisticClassifier("group").fit(*few())).variance_components(
            method="bootstrap", n_samples=20, random_state=0
        ),
        ConvergenceWarning,
    ),
    "variance_table by bootstrap": (
        lambda: quiet(lambda: MixedLogisticClassifier("group").fit(*few())).results_.variance_table(
            "bootstrap", n_samples=20, random_state=0
        ),
        ConvergenceWarning,
    ),
    "profile": (
        lambda: profile(quiet(far_from_an_optimum), "variances"),
        ConvergenceWarning,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_warnings_point_at_the_caller(name):
    call, category = CASES[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    ours = [w for w in caught if issubclass(w.category, SkmixedWarning)]
    assert any(issubclass(w.category, category) for w in ours), [str(w.message) for w in ours]
    for warning in ours:
        assert warning.filename == __file__, f"{warning.filename}:{warning.lineno}"
        assert "\n" in str(warning.message)


def test_one_function_warns():
    """And it walks out of the package, so that no level is counted by hand."""
    package = Path(skmixed.__file__).parent
    found = []
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "warn":
                found.append(path.relative_to(package).as_posix())
            if isinstance(node, ast.keyword) and node.arg == "stacklevel":
                found.append(path.relative_to(package).as_posix())
    assert set(found) == {"_data/checks.py"}
