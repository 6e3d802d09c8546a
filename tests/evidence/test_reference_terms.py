"""Analysis of variance by term against lmerTest, pbkrtest and car, collinearity against car."""

import numpy as np
import pytest

from skmixed.inference import anova, collinearity
from tests.helpers import reference_tools as shared
from tests.helpers.comparisons import Difference, Tolerance, log_p, relative

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shared.entry_ids("anova"), reason=shared.missing),
]

TOLERANCES = {
    "F": Tolerance(1e-4, "relative"),
    "chi2": Tolerance(1e-4, "relative"),
    "chi2, logistic": Tolerance(2e-3, "relative"),
    "num_df": Tolerance(0, ""),
    "den_df": Tolerance(1e-3, "relative"),
    "p": Tolerance(1e-3, "relative on log p (1e-6 absolute near 1)"),
    "GVIF": Tolerance(1e-5, "relative"),
    "condition indices": Tolerance(1e-5, "relative"),
    "variance proportions": Tolerance(1e-4, "absolute"),
}


def rows(table, stored):
    for k, term in enumerate(stored["terms"]):
        if term != "(Intercept)":
            yield shared.term_of(table, term), {name: v[k] for name, v in stored.items()}


def against_f(est, type, df, stored, what):
    for ours, theirs in rows(anova(est, type, df), stored):
        yield Difference("F", relative(ours["F"], theirs["F"]), what)
        yield Difference("num_df", abs(ours["num_df"] - theirs["num_df"]), what)
        yield Difference("den_df", relative(ours["den_df"], theirs["den_df"]), what)
        yield Difference("p", log_p(ours["p_value"], theirs["p"]), what)


def against_chi2(est, type, stored, what, name="chi2"):
    for ours, theirs in rows(anova(est, type, "chi2"), stored):
        yield Difference(name, relative(ours["chi2"], theirs["chisq"]), what)
        yield Difference("num_df", abs(ours["num_df"] - theirs["num_df"]), what)
        yield Difference("p", log_p(ours["p_value"], theirs["p"]), what)


def is_like_car(entry, method):
    """Type II of lmerTest is another one; it is car's where car's F is the same."""
    kr, car = entry["lmerTest"]["kenward-roger_type2"], entry["car"]["F_kr_type2_treatment_coding"]
    return np.allclose(kr["F"], car["F"], rtol=1e-6)


def compare_linear(entry, est):
    for method in ("satterthwaite", "kenward-roger"):
        for type in (1, 2, 3):
            stored = entry["lmerTest"].get(f"{method}_type{type}")
            if stored and (type != 2 or is_like_car(entry, method)):
                yield from against_f(est, type, method, stored, f"{method}, type {type}")
    for type, coding in ((2, "treatment"), (3, "sum")) if "car" in entry else ():
        name = f"type{type}_{coding}_coding"
        stored = entry["car"][f"F_kr_{name}"]
        yield from against_f(est, type, "kenward-roger", stored, f"car, type {type}")
        yield from against_chi2(est, type, entry["car"][f"chisq_{name}"], f"car, type {type}")


def compare_logistic(entry, est):
    for type, coding in ((2, "treatment"), (3, "sum")):
        stored = entry["car"][f"chisq_type{type}_{coding}_coding_observed_vcov"]
        yield from against_chi2(est, type, stored, f"car, type {type}", "chi2, logistic")


def compare_collinearity(name):
    entry = shared.entry_of("collinearity", name)
    found = collinearity(shared.fitted("collinearity", entry["fit"]))
    for k, term in enumerate(entry["terms"]):
        row = shared.term_of(found, term)
        for ours, theirs in (("gvif", "gvif"), ("gvif_power", "gvif_power"), ("df", "df")):
            yield Difference("GVIF", relative(row[ours], entry[theirs][k]), term)
    each = sorted(entry["vif_per_column"].values())
    yield Difference("GVIF", relative(np.sort(found.vif), each), "by column")
    theirs = entry["condition_indices_unit_columns"]
    yield Difference("condition indices", relative(found.condition_indices, theirs), "indices")
    shares = np.array(entry["variance_proportions_by_index"])
    off = np.max(np.abs(np.sort(found.variance_proportions, axis=1) - np.sort(shares, axis=1)))
    yield Difference("variance proportions", off, "of a row")


def differences(name):
    entry = shared.entry_of("anova", name)
    est = shared.fitted("anova", entry["fit"])
    compare = compare_linear if "lmerTest" in entry else compare_logistic
    return list(compare(entry, est))


@pytest.mark.parametrize("name", shared.entry_ids("anova"))
def test_every_stored_table_by_term(name):
    found = differences(name)
    assert found
    bad = [d for d in found if not d.size <= TOLERANCES[d.quantity].limit]
    assert not bad


@pytest.mark.parametrize("name", shared.entry_ids("collinearity"))
def test_every_stored_collinearity(name):
    assert not [d for d in compare_collinearity(name) if not d.size <= TOLERANCES[d.quantity].limit]


if __name__ == "__main__":
    worst = {}
    parts = [(name, differences(name)) for name in shared.entry_ids("anova")]
    parts += [(name, compare_collinearity(name)) for name in shared.entry_ids("collinearity")]
    for name, found in parts:
        for d in found:
            if not d.size <= worst.get(d.quantity, (-1.0,))[0]:
                worst[d.quantity] = (d.size, name, d.what)
            if not d.size <= TOLERANCES[d.quantity].limit:
                print("BAD", name, d)
    for quantity, found in worst.items():
        print(quantity, TOLERANCES[quantity], found)
