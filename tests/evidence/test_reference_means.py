"""Marginal means, contrasts, slopes and their pairs against emmeans: every stored figure.

`python -m tests.evidence.test_reference_means` prints the worst difference of every quantity.
"""

import warnings
from collections import defaultdict

import numpy as np
import pytest

from skmixed.inference import marginal_means
from tests.helpers.comparisons import worst
from tests.helpers.reference_tools import entry_ids, entry_of, fitted, missing, stored

pytestmark = pytest.mark.slow  # stored results of eighteen models

METHODS = {
    "kenward-roger": "kenward-roger",
    "satterthwaite": "satterthwaite",
    "asymptotic": "normal",
}
ADJUSTMENTS = ("none", "holm", "bonferroni", "tukey")
#: of linear models; the second of logistic ones, whose information is of a numerical integral
LIMITS = {
    "estimate": (1e-5, 1e-5),
    "se": (1e-5, 1e-3),
    "df": (1e-3, 1e-3),
    "limits": (1e-4, 1e-3),
    "p": (1e-3, 1e-3),
}
#: a few of each kind; main has all of them
CHOSEN = (
    "warpbreaks_unbalanced_tension",
    "Machines_unbalanced",
    "Orthodont_slopes",
    "sleepstudy_thirds_slope_at_kr",
    "RatPup_sex_by_Treatment_satt",
    "Contraception_livch_equal",
)


def log_p(ours, theirs, is_tukey):
    """Of the logarithm, or absolute to 1e-6 (Tukey: relative, or to 3e-7), in units of 1e-3."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        if is_tukey:
            return worst(np.minimum(np.abs(ours / theirs - 1), np.abs(ours - theirs) / 3e-4))
        share = np.abs(np.log(ours) - np.log(theirs)) / np.abs(np.log(theirs))
    absolute = np.abs(ours - theirs) / 1e-3
    return worst(np.fmin(share, absolute))


def compared(ours, stored_table, adjust=None):
    """Quantities and their differences, each in the unit of its limit."""
    estimate, se = np.array(stored_table["estimate"]), np.array(stored_table["se"])
    df = np.array([np.inf if d is None else d for d in stored_table["df"]])
    p, low, high = (stored_table[name] for name in ("p", "lower", "upper"))
    if adjust is not None:
        p, low, high = p[adjust], low.get(adjust), high.get(adjust)
    yield "estimate", worst((ours["estimate"] - estimate) / se)
    yield "se", worst(ours["std_error"] / se - 1)
    yield "df", worst(np.where(np.isinf(df), np.isfinite(ours["df"]), ours["df"] / df - 1))
    yield "p", log_p(ours["p_value"], p, adjust == "tukey")
    if low is not None:
        yield "limits", worst((ours["ci_low"] - low) / se)
        yield "limits", worst((ours["ci_high"] - high) / se)


def means_of(entry):
    """The table that an entry asks for."""
    model = fitted("means", entry["fit"])
    options = {"df": METHODS[entry["df_method"]], "kind": "population"}
    if entry["tool"] == "emtrends":
        return marginal_means(model, entry["specs"], slopes=entry["var"], scale="link", **options)
    return marginal_means(
        model,
        entry["specs"],
        entry.get("by"),
        entry.get("at"),
        entry["weights"],
        scale="link" if entry["scale"] == "link" else "response",
        **options,
    )


def differences(entry):
    """All of an entry."""
    means = means_of(entry)
    theirs = entry.get("means") or entry["slopes"]
    names = {c: list(map(str, v)) for c, v in theirs["levels"].items()}
    assert {c: means[c].astype(str).to_list() for c in names} == names
    is_probability = "regrid" in entry["scale"]  # on whose scale they are tested and limited too
    own = means.contrasts(np.eye(len(means)), by=[]) if is_probability else means
    yield from compared(own, theirs)
    for adjust in ADJUSTMENTS:
        pairs = means.pairs(adjust=adjust, odds_ratios="odds" in entry["scale"])
        assert pairs["contrast"].to_list() == entry["pairs"]["levels"]["contrast"]
        yield from compared(pairs, entry["pairs"], adjust)
    if interactions := entry.get("interaction_contrasts"):
        for adjust in interactions["p"]:
            yield from compared(
                means.contrasts(interaction=True, adjust=adjust), interactions, adjust
            )


CASES = [name for name in entry_ids("means") if name.startswith(CHOSEN)]


@pytest.mark.skipif(not CASES, reason=missing)
def test_matches_emmeans():
    for name in CASES:
        entry = entry_of("means", name)
        is_linear = stored("means")["fits"][entry["fit"]]["kind"] == "lmm"
        for quantity, size in differences(entry):
            assert size <= LIMITS[quantity][0 if is_linear else 1], f"{name}: {quantity}"


def main():
    """The worst differences over all entries."""
    worst_of = defaultdict(lambda: (0.0, ""))
    warnings.simplefilter("ignore")
    for name in entry_ids("means"):
        entry = entry_of("means", name)
        kind = stored("means")["fits"][entry["fit"]]["kind"]
        for quantity, size in differences(entry):
            worst_of[kind, quantity] = max(worst_of[kind, quantity], (size, name))
    for (kind, quantity), (size, name) in sorted(worst_of.items()):
        print(f"{kind:5} {quantity:10} {size:.1e}  {name}")


if __name__ == "__main__":
    main()
