"""What a user writes, with the types that a user expects: read by type checkers, never run."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, RandomEffect
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.inference import (
    BootstrapResult,
    LikelihoodRatioTest,
    bootstrap,
    icc,
    likelihood_ratio_test,
    profile,
)
from skmixed.metrics import conditional_scorer
from skmixed.model_selection import KnownGroupsKFold
from skmixed.preprocessing import (
    MixedEffectsEncoder,
    PanelDescription,
    WithinBetween,
    describe_panel,
)
from skmixed.results import LogisticResults, MixedResults

Kind = Literal["conditional", "population", "marginal"]
KINDS: tuple[Kind, ...] = ("conditional", "population", "marginal")


def wages() -> None:
    """A linear model from the fit to its limits."""
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    model: MixedLinearRegressor = MixedLinearRegressor(groups="group", method="ml").fit(X, y)

    prediction: NDArray[Any] = model.predict(X)
    mean, std = model.predict(X, return_std=True)
    error: NDArray[Any] = np.abs(y.to_numpy() - mean) / std
    for kind in KINDS:
        prediction = model.predict(X, kind=kind)
    limits: NDArray[Any] = model.predict_interval(X, level=0.9, target="mean")
    low, high = limits.T
    drawn: NDArray[Any] = model.simulate(X, n_samples=3, random_state=0)
    r2: float = model.score(X, y)
    print(prediction.mean(), error.max(), low.min(), high.max(), drawn.shape, r2)

    results: MixedResults = model.results_
    coefficients: pd.Series = results.params
    table: pd.DataFrame = results.coef_table(df="kenward-roger", cov="model")
    limits_of_variances: pd.DataFrame = model.variance_components(0.9, "profile")
    effects: pd.DataFrame = model.random_effects_
    print(coefficients, table, limits_of_variances, effects.head())
    print(model.summary(df="satterthwaite", cov="CR2"))
    print(results.summary(level=0.9))


def terms() -> None:
    """Random effects as text, as values, and as a formula."""
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    term = RandomEffect("group", ("x0",), covariance="diagonal")
    smaller = MixedLinearRegressor(random_effects="(1 | group)").fit(X, y)
    larger = MixedLinearRegressor(random_effects=[term]).fit(X, y)
    formula = "y ~ x0 + x1 + (1 | group)"
    same: MixedLinearRegressor = MixedLinearRegressor.from_formula(formula, X.assign(y=y))
    test: LikelihoodRatioTest = likelihood_ratio_test(smaller, larger)
    p: float = test.pvalue
    share: pd.DataFrame = icc(same)
    samples: BootstrapResult = bootstrap(same, lambda m: m.coef_, n_samples=5, random_state=0)
    print(p, share, samples.conf_int(), profile(same))


def contraception() -> None:
    """A logistic model from the fit to its probabilities."""
    X, y = make_mixed_classification(n_groups=20, random_state=0)
    model: MixedLogisticClassifier = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(
        X, y
    )

    label: NDArray[Any] = model.predict(X)
    probability: NDArray[Any] = model.predict_proba(X)
    both, std = model.predict_proba(X, kind="marginal", return_std=True)
    log_odds: NDArray[Any] = model.decision_function(X, kind="population")
    print(label[0], probability[:, 1], both / std, log_odds, model.classes_)

    results: LogisticResults = model.results_
    ratios: pd.DataFrame = results.odds_ratios(level=0.9)
    print(ratios, model.summary(odds_ratios=True))


def encoded() -> None:
    """Categories as effects, groups apart, and rows held out."""
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    encoder: MixedEffectsEncoder = MixedEffectsEncoder(columns="group", random_state=0).fit(X, y)
    effects: NDArray[Any] = encoder.fit_transform(X, y)
    apart: WithinBetween = WithinBetween(groups="group", columns=["x0"], unknown="own").fit(X)
    panel: PanelDescription = describe_panel(X, "group")
    table: pd.DataFrame = panel.to_frame()
    for train, test in KnownGroupsKFold(3, groups="group").split(X, y):
        rows: int = len(train) + len(test)
        print(rows, effects[test], apart.transform(X), table)
    print(conditional_scorer("r2"))
