"""Every logistic mixed model of the reference results, built as input for the estimator.

Formulas and data as in `reference_models`. Grouped binomial rows become two weighted ones, and
their entries are restated for zeros and ones. The nested adaptive quadrature of
`nested_quadrature.json` is left out: the library integrates several factors by Laplace's
approximation only.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tests.helpers import reference_models
from tests.helpers.reference_models import Model

SPURIOUS = {
    "guPrenat_nested_laplace"
}  # an artefact of Laplace's approximation: no target for estimates


# The stored results
@functools.cache
def models():
    """id -> (data set, reference entry) of every logistic mixed model."""
    found = reference_models.entries("models", "glmm").items()
    return {
        name: (data, restated(entry))
        for name, (data, entry) in found
        if data != "nested_quadrature"
    }


@functools.cache
def predictions():
    """id -> (data set, reference entry) of every train/test fit of a logistic mixed model."""
    return reference_models.entries("predictions", "glmm_prediction")


def restated(entry):
    """The entry with `varcomp` and `singular` where they are missing, and without binomial coefficients."""
    entry = (
        {"varcomp": [stated_in_varpar(entry)], "singular": False, **entry}
        if "varcomp" not in entry
        else entry
    )
    return as_zeros_and_ones(entry) if entry.get("grouped_binomial") else entry


def stated_in_varpar(entry):
    """The `varcomp` of a model with one term, from the lower triangle that `varpar` lists column by column."""
    names, estimates = entry["varpar"]["names"], entry["varpar"]["estimate"]
    effects = [name.partition("|var(")[2][:-1] for name in names if "|var(" in name]
    cov = np.zeros((len(effects), len(effects)))
    for j, i, estimate in zip(*np.triu_indices(len(effects)), estimates, strict=True):
        cov[i, j] = cov[j, i] = estimate
    sd = np.sqrt(np.diag(cov))
    group = names[0].partition("|")[0]
    return {
        "group": group,
        "terms": effects,
        "cov": cov.tolist(),
        "sd": sd,
        "corr": cov / np.outer(sd, sd),
    }


def as_zeros_and_ones(entry):
    """A grouped entry as that of the expanded data: no binomial coefficients, and trials in place of rows."""
    constant, n = entry["log_binomial_coefficients"], entry["n_trials"]
    points = {key: value - constant for key, value in entry["loglik_at_estimate_by_points"].items()}
    loglik = entry["loglik"] - constant
    return entry | {
        "n": n,
        "loglik": loglik,
        "aic": 2 * entry["n_params"] - 2 * loglik,
        "bic": np.log(n) * entry["n_params"] - 2 * loglik,
        "loglik_at_estimate_by_points": points,
    }


# The models built
@dataclass(frozen=True)
class LogisticModel(Model):
    """What the classifier is given; `weights` are None where every row counts once."""

    weights: np.ndarray | None = None
    n_quadrature: int = 1

    @property
    def options(self):
        return {"random_effects": self.random_effects, "n_quadrature": self.n_quadrature}

    @property
    def listed_rows(self):
        """The rows whose probabilities the reference lists: of two weighted copies the first."""
        return np.arange(len(self.y) if self.weights is None else len(self.y) // 2)


def weighted_rows(data):
    """cbpp as two rows for each of the file: the animals with an incidence, then those without."""
    counts = [data["incidence"], data["size"] - data["incidence"]]
    copies = [data.assign(y=y, count=count) for y, count in zip((1, 0), counts, strict=True)]
    return pd.concat(copies, ignore_index=True)


def expanded_rows(data):
    """cbpp as one row per animal, of every row of the file first those with an incidence."""
    expanded = data.loc[data.index.repeat(data["size"])]
    animal = expanded.groupby(level=0).cumcount()
    return expanded.assign(y=(animal < expanded["incidence"]).astype(int)).reset_index(drop=True)


def n_quadrature(entry):
    """The number of points: stated, or at the end of the estimator's name."""
    return entry.get("nAGQ") or int(entry["estimator"].rpartition("nAGQ=")[2])


def build(dataset, entry):
    """The LogisticModel of one reference entry (a fit or a prediction), on all its rows."""
    data, grouped = reference_models.read_data(dataset), entry.get("grouped_binomial", False)
    if dataset == "cbpp":
        data = weighted_rows(data) if grouped else expanded_rows(data)
    return LogisticModel(
        id=entry["id"],
        reference=entry,
        y=data["y"],
        method="ml",
        weights=data["count"].to_numpy(dtype=float) if grouped else None,
        n_quadrature=n_quadrature(entry),
        **reference_models.assemble(entry, data),
    )


def build_model(identifier):
    """The LogisticModel of a reference fit."""
    return build(*models()[identifier])


def build_prediction(identifier):
    """The LogisticModel of a reference prediction on all rows, and the mask of its test rows."""
    model = build(*predictions()[identifier])
    return model, reference_models.held_out_rows(model)
