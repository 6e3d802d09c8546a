"""Boosted trees with groups, several ways: ``python -m benchmarks.fixed_parts``.

Five hundred groups of fourteen rows, a nonlinear fixed part, and effects and residuals of variance
one; the same scikit-learn booster out of fold and in sample in ``MixedRegressor``, in merf where it
is installed, with the group as a number or target-encoded, and without it; and GPBoost's own, where
it is installed, with as many leaves and steps.  Errors are those of the mean of further rows of
known groups, and of f for new ones.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder

from skmixed.meta import MixedRegressor

GROUPS, NEW, ROWS, FURTHER = 500, 200, 14, 4
BOOSTERS = {
    "31 leaves": {"learning_rate": 0.1, "max_leaf_nodes": 31, "max_iter": 100},
    "8 leaves": {"learning_rate": 0.05, "max_leaf_nodes": 8, "max_iter": 200},
}
COLUMNS = list("abcdef")


class Rows:
    """Rows of the fit, further rows of their groups, and rows of new groups."""

    def __init__(self, seed: int):
        rng = np.random.default_rng(seed)
        per_group = ROWS + FURTHER
        g = np.repeat(np.arange(GROUPS + NEW), per_group)
        X = rng.random((len(g), len(COLUMNS)))
        self.f = (
            2.0 * np.sin(np.pi * X[:, 0] * X[:, 1])
            + 4.0 * (X[:, 2] - 0.5) ** 2
            + 2.0 * X[:, 3]
            + X[:, 4]
        )
        self.mean = self.f + rng.normal(size=GROUPS + NEW)[g]
        self.y = self.mean + rng.normal(size=len(g))
        self.X = pd.DataFrame(X, columns=COLUMNS).assign(g=g)
        place = np.arange(len(g)) % per_group
        self.fit = (g < GROUPS) & (place < ROWS)
        self.known = (g < GROUPS) & (place >= ROWS)
        self.new = g >= GROUPS

    def table(self, which: np.ndarray, *, with_group: bool) -> pd.DataFrame:
        """Some rows, with the column of the group or without it."""
        return self.X.loc[which, COLUMNS + ["g"] * with_group].reset_index(drop=True)


def by_estimator(estimator, *, with_group: bool = True):
    """An estimator with the interface of scikit-learn; variances where it has them."""

    def run(rows):
        model = clone(estimator).fit(rows.table(rows.fit, with_group=with_group), rows.y[rows.fit])
        parts = (rows.table(which, with_group=with_group) for which in (rows.known, rows.new))
        variances = (np.nan, np.nan)
        if isinstance(model, MixedRegressor):
            variances = model.covariances_[0][0, 0], model.scale_
        return [model.predict(part) for part in parts], variances

    return run


def by_merf(booster):
    """merf, twenty iterations, which is its default."""
    from merf import MERF

    def run(rows):
        model = MERF(fixed_effects_model=clone(booster))

        def given(which):
            ones = pd.DataFrame({"one": np.ones(np.sum(which))})
            table = rows.table(which, with_group=True)
            return table[COLUMNS], ones, table["g"]

        model.fit(*given(rows.fit), pd.Series(rows.y[rows.fit]))
        found = [model.predict(*given(which)) for which in (rows.known, rows.new)]
        return found, (model.D_hat_history[-1][0][0], model.sigma2_hat_history[-1])

    return run


def by_gpboost(booster):
    """GPBoost's booster with the same leaves and steps."""
    import gpboost

    def run(rows):
        model = gpboost.GPModel(group_data=rows.X["g"][rows.fit], likelihood="gaussian")
        data = gpboost.Dataset(rows.X.loc[rows.fit, COLUMNS], rows.y[rows.fit])
        found = gpboost.train(
            params={
                "learning_rate": booster.learning_rate,
                "num_leaves": booster.max_leaf_nodes,
                "verbose": -1,
            },
            train_set=data,
            gp_model=model,
            num_boost_round=booster.max_iter,
        )
        means = [
            found.predict(
                data=rows.X.loc[which, COLUMNS],
                group_data_pred=rows.X["g"][which],
                pred_latent=False,
            )["response_mean"]
            for which in (rows.known, rows.new)
        ]
        sigma2, psi = np.ravel(np.asarray(model.get_cov_pars()))[:2]
        return means, (psi, sigma2)

    return run


def ways(booster) -> dict:
    """What is compared."""
    encoded = make_pipeline(
        make_column_transformer(
            (TargetEncoder(target_type="continuous", random_state=0), ["g"]),
            remainder="passthrough",
        ),
        booster,
    )
    found = {
        "MixedRegressor": by_estimator(MixedRegressor(booster, "g", random_state=0)),
        "MixedRegressor, cv=None": by_estimator(
            MixedRegressor(booster, "g", cv=None, random_state=0)
        ),
        "booster without the group": by_estimator(booster, with_group=False),
        "booster, group as a number": by_estimator(booster),
        "booster, TargetEncoder": by_estimator(encoded),
    }
    for name, way in {"merf": by_merf, "GPBoost": by_gpboost}.items():
        try:
            found[name] = way(booster)
        except ImportError as error:
            print(f"{name}: {error}")
    return found


def compared(seed: int, options: dict) -> dict:
    """Per way: both errors, both variances, seconds and processor seconds."""
    rows = Rows(seed)
    found = {}
    for name, run in ways(HistGradientBoostingRegressor(**options)).items():
        start = time.perf_counter(), time.process_time()
        (known, new), variances = run(rows)
        took = time.perf_counter() - start[0], time.process_time() - start[1]
        errors = (
            np.sqrt(np.mean((known - rows.mean[rows.known]) ** 2)),
            np.sqrt(np.mean((new - rows.f[rows.new]) ** 2)),
        )
        found[name] = (*errors, *variances, *took)
    return found


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print("| booster | way | known | new | Psi | sigma^2 | seconds | processor |")
    print("| --- | --- | --: | --: | --: | --: | --: | --: |")
    for booster, options in BOOSTERS.items():
        table = defaultdict(list)
        for seed in range(arguments.seeds):
            for name, numbers in compared(seed, options).items():
                table[name].append(numbers)
        for name, numbers in table.items():
            shown = " | ".join(f"{value:.3g}" for value in np.mean(numbers, axis=0))
            print(f"| {booster} | {name} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
