"""The fits that the stored results of tools refer to (`tools_*.json`), by formulas of the library."""

from __future__ import annotations

import functools
import json
import re
import warnings

import numpy as np

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from tests.helpers import reference_models
from tests.helpers.reference_models import python_formula, read_data, shared_folder, with_factors

THIRDS = ["early", "middle", "late"]


@functools.cache
def stored(tool):
    """The content of one file; empty where the reference is not here."""
    folder = shared_folder()
    if folder is None:
        return {"fits": {}, "entries": []}
    return json.loads((folder / "reference" / f"tools_{tool}.json").read_text(encoding="utf-8"))


def entry_ids(tool):
    """Names of its entries."""
    return [entry["id"] for entry in stored(tool)["entries"]]


def entry_of(tool, name):
    """An entry."""
    return next(entry for entry in stored(tool)["entries"] if entry["id"] == name)


PREPARE = {
    "sleepstudy": lambda d: d.assign(third=np.array(THIRDS)[np.digitize(d["Days"], [3, 7])]),
    "Arabidopsis": lambda d: d.assign(
        ly=np.log1p(d["total.fruits"]), popgen=d["popu"] + ":" + d["gen"].astype(str)
    ),
    "cbpp": lambda d: d.assign(rest=d["size"] - d["incidence"]),
    "dietox": lambda d: d.dropna(subset=["Start"]),
}


def rows_of(fit):
    """The table of a fit."""
    data = read_data(fit["dataset"]).reset_index(drop=True)
    data = PREPARE.get(fit["dataset"], lambda unchanged: unchanged)(data).reset_index(drop=True)
    if left_out := re.search(r"\(1-based\) ([\d, ]+) left out", fit["prep"]):
        data = data.drop(index=[int(k) - 1 for k in left_out[1].split(",")])
    return with_factors(data, fit.get("factor_levels") or {}).reset_index(drop=True)


@functools.cache
def fitted(tool, name):
    """The estimator of a fit."""
    fit = stored(tool)["fits"][name]
    formula = python_formula(fit["formula"]).replace(
        "cbind(incidence, size - incidence)", "cbind(incidence, rest)"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if fit["kind"] == "lmm":
            method = fit["estimator"].lower()
            return MixedLinearRegressor.from_formula(formula, rows_of(fit), method=method)
        points = int(fit["estimator"].split()[-1]) if "AGQ" in fit["estimator"] else 1
        return MixedLogisticClassifier.from_formula(formula, rows_of(fit), n_quadrature=points)


def term_of(table, name):
    """The row of a term, whatever the order of its factors."""
    wanted = sorted(re.sub(r"[\s`]|\*\*|\^", "", name).split(":"))
    (row,) = [
        row
        for own, row in table.iterrows()
        if sorted(re.sub(r"[\s`]|\*\*|\^", "", own).split(":")) == wanted
    ]
    return row


missing = reference_models.MISSING
