"""Every linear mixed model of the reference results, built as input for the estimator.

The reference folder holds lme4 formulas. Here the fixed part becomes a numeric design through
formulaic (treatment contrasts, the level order of the reference), the random part is rewritten in
the names of that design (a factor slope becomes one slope per dummy). Only what no formula says,
row selection and recoding, is written by hand in PREPARE.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from formulaic import model_matrix

INTERCEPT = "(Intercept)"
MISSING = (
    "the reference results are not here: set SKMIXED_REFERENCE to the folder that holds reference/ and "
    "data/, or put it beside the project as 'shared'"
)


def shared_folder():
    """The folder with `reference/` and `data/`, or None."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("SKMIXED_REFERENCE", beside))
    return folder if (folder / "reference").is_dir() and (folder / "data").is_dir() else None


# The stored results
@functools.cache
def entries(section, kind):
    """id -> (data set, entry) over all reference files, in file order."""
    folder = shared_folder()
    found = {}
    for path in sorted((folder / "reference").glob("*.json")) if folder else []:
        content = json.loads(path.read_text(encoding="utf-8"))
        chosen = [entry for entry in content.get(section, []) if entry.get("kind") == kind]
        found |= {entry["id"]: (content["dataset"], entry) for entry in chosen}
    return found


def models():
    """id -> (data set, reference entry) of every linear mixed model."""
    return entries("models", "lmm")


def predictions():
    """id -> (data set, reference entry) of every train/test fit of a linear mixed model."""
    return entries("predictions", "lmm_prediction")


# The data
def _prepare_nlswork(data):
    data = data.dropna(subset=["ln_wage", "ttl_exp", "race", "age", "idcode"]).reset_index(
        drop=True
    )
    return data.assign(race=data["race"].map({1: "white", 2: "black", 3: "other"}))


def _response(column, success):
    """Adds y: 1 where the column has the word."""
    return lambda data: data.assign(y=(data[column] == success).astype(int))


PREPARE = {
    "Arabidopsis": lambda data: data.assign(lf=np.log1p(data["total.fruits"])),
    "Contraception": lambda data: data.assign(
        y=(data["use"] == "Y").astype(int), urb=(data["urban"] == "Y").astype(float)
    ),
    "VerbAgg": _response("r2", "Y"),
    "cake": lambda data: data.assign(rr=data["recipe"] + ":" + data["replicate"].astype(str)),
    "guImmun": _response("immun", "Y"),
    "guPrenat": _response("prenat", "Modern"),
    "nlswork": _prepare_nlswork,
    "toenail": _response("outcome", "moderate or severe"),
}


@functools.cache
def read_data(dataset):
    """The prepared rows of one data set."""
    path = shared_folder() / "data" / f"{dataset}.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        data = pd.read_csv(file, keep_default_na=False, na_values=[""])
    return PREPARE.get(dataset, lambda unchanged: unchanged)(data)


def with_factors(data, levels):
    """Columns of `levels` (name -> ordered level names) as categoricals, compared as text."""
    coded = {
        name: pd.Categorical(data[name].astype(str), categories=order)
        for name, order in levels.items()
    }
    return data.assign(**coded)


# The formulas
@dataclass(frozen=True)
class Term:
    """One covariance matrix: a grouping factor and its effects, in lme4's names."""

    group: str
    effects: tuple[str, ...]

    @property
    def group_columns(self):
        return re.split("[:/]", self.group)

    @property
    def slopes(self):
        return [effect for effect in self.effects if effect != INTERCEPT]


_RANDOM_TERM = re.compile(
    r"\((?P<effects>(?:[^()|]|\([^()]*\))+)(?P<bar>\|\|?)(?P<group>[^()|]+)\)"
)


def split_formula(formula):
    """'y ~ x + (x | g)' -> ('y', 'x', [('x', '|', 'g')])."""
    response, right = (side.strip() for side in formula.split("~"))
    random = [
        tuple(part.strip() for part in found.groups()) for found in _RANDOM_TERM.finditer(right)
    ]
    fixed = [part.strip() for part in _RANDOM_TERM.sub("", right).split("+")]
    return response, " + ".join(part for part in fixed if part) or "1", random


def python_formula(formula):
    """An R formula side as formulaic reads it: powers as **, names with dots in backticks."""
    return re.sub(r"[A-Za-z]\w*(?:\.\w+)+", r"`\g<0>`", formula.replace("^", "**"))


def lme4_name(column):
    """'nutrient[T.8]:amd[T.clipped]' -> 'nutrient8:amdclipped'; 'Intercept' -> '(Intercept)'."""
    name = re.sub(r"\[(?:T\.)?([^\]]*)\]", r"\1", column).replace("**", "^")
    return INTERCEPT if name == "Intercept" else re.sub(r"\s*\^\s*", "^", name)


def design(formula, data):
    """The columns of one R formula side, named as lme4 names them."""
    return pd.DataFrame(model_matrix(python_formula(formula), data)).rename(columns=lme4_name)


def quoted(name):
    """A column name as it is written inside a random-effects term."""
    return name if name.isidentifier() else f"`{name}`"


def written_term(effects, bar, group):
    """'(1 + x | g)' from lme4's effect names."""
    start = "1" if INTERCEPT in effects else "0"
    slopes = [quoted(name) for name in effects if name != INTERCEPT]
    return f"({' + '.join([start, *slopes])} {bar} {group})"


def covariance_terms(effects, bar, group):
    """One Term, or one per effect when the bar is double."""
    sets = [tuple(effects)] if bar == "|" else [(effect,) for effect in effects]
    return [Term(group, names) for names in sets]


# The models built
@dataclass(frozen=True)
class Model:
    """What the estimator is given, and how its answers map to the reference entry."""

    id: str
    reference: dict
    X: pd.DataFrame
    y: pd.Series
    random_effects: str
    method: str
    terms: list[Term]  # one per covariance matrix, in the order written
    fixef_names: list[str]  # lme4's names of the fixed effects
    fit_intercept: bool = True
    row_scale: np.ndarray | None = (
        None  # rows were multiplied by this: square roots of prior weights
    )

    @property
    def parameters(self):
        """Positions of the fixed effects in `results_.params`, by name."""
        rename = {INTERCEPT: "Intercept"} if self.fit_intercept else {}
        return [rename.get(name, name) for name in self.fixef_names]

    @property
    def group_columns(self):
        return list(dict.fromkeys(name for term in self.terms for name in term.group_columns))

    @property
    def scale(self):
        return np.ones(len(self.y)) if self.row_scale is None else self.row_scale

    @property
    def loglik_shift(self):
        """What the log-likelihood of the unscaled rows has more: the log determinant of the scaling."""
        return float(np.log(self.scale).sum())

    @property
    def options(self):
        return {
            "random_effects": self.random_effects,
            "method": self.method,
            "fit_intercept": self.fit_intercept,
        }

    def varcomp(self):
        """The reference's entries of `varcomp` in the order of `terms` (lme4 sorts by number of levels)."""
        found = {
            (entry["group"], tuple(entry["terms"])): entry for entry in self.reference["varcomp"]
        }
        return [found[term.group, term.effects] for term in self.terms]

    @property
    def columns(self):
        """The fixed effects and slopes, with the intercept as a column if there is one."""
        columns = self.X.drop(columns=self.group_columns)
        return columns.assign(**{INTERCEPT: 1.0}) if self.fit_intercept else columns

    def labels(self, group):
        """The level of every row, named as lme4 names it."""
        parts = self.X[Term(group, ()).group_columns].astype(str)
        return parts.agg(":".join, axis=1).to_numpy(dtype=str)

    def levels(self, group):
        """Sorted levels of a grouping factor, named as lme4 names them."""
        columns = self.X[Term(group, ()).group_columns]
        rows = sorted(set(columns.itertuples(index=False, name=None)))
        return [":".join(map(str, row)) for row in rows]


def prior_weights(entry, n):
    """The weights stated in the entry's note, or None."""
    return 1 + (np.arange(1, n + 1) % 4) / 2 if "prior weights" in entry.get("note", "") else None


def assemble(entry, data):
    """The columns, terms and names that an entry's formula makes of the data, as arguments of a Model."""
    coded = with_factors(data, entry.get("factor_levels") or {})
    _, fixed, random = split_formula(entry["formula"])
    names = list(entry["fixef"])
    columns = design(fixed, coded)
    if set(columns) != set(names):
        raise ValueError(f"{entry['id']}: built {list(columns)}, the reference has {names}")
    columns, terms, written = columns[names], [], []
    for effects, bar, group in random:
        slopes = design(effects, coded)
        columns = columns.join(slopes.drop(columns=columns.columns.intersection(slopes.columns)))
        written.append(written_term(list(slopes), bar, group))
        terms += covariance_terms(list(slopes), bar, group)
    groups = list(dict.fromkeys(name for term in terms for name in term.group_columns))
    return {
        "X": columns.drop(columns=INTERCEPT).join(data[groups]),
        "random_effects": " + ".join(written),
        "terms": terms,
        "fixef_names": names,
    }


def build(dataset, entry):
    """The Model of one reference entry (a fit or a prediction), on all its rows."""
    data = read_data(dataset)
    response, _, _ = split_formula(entry["formula"])
    model = Model(
        id=entry["id"],
        reference=entry,
        y=data[response].astype(float),
        method=entry["estimator"].lower(),
        **assemble(entry, data),
    )
    weights = prior_weights(entry, len(data))
    return model if weights is None else with_scaled_rows(model, np.sqrt(weights))


def with_scaled_rows(model, scale):
    """Prior weights w (residual variance sigma2 / w) as rows of y, X and Z multiplied by sqrt(w).

    The intercept becomes an ordinary column, so the estimator is fitted without one.
    """
    groups = model.group_columns
    columns = model.X.drop(columns=groups)
    columns.insert(0, INTERCEPT, 1.0)
    written = [
        written_term(list(term.effects), "|", term.group)
        .replace("(1 +", f"(0 + `{INTERCEPT}` +")
        .replace("(1 |", f"(0 + `{INTERCEPT}` |")
        for term in model.terms
    ]
    changed = {
        "X": columns.mul(scale, axis=0).join(model.X[groups]),
        "y": model.y * scale,
        "random_effects": " + ".join(written),
        "fit_intercept": False,
        "row_scale": scale,
    }
    return Model(**{**vars(model), **changed})


def build_model(identifier):
    """The Model of a reference fit."""
    return build(*models()[identifier])


def build_prediction(identifier):
    """The Model of a reference prediction on all rows, and the mask of its test rows."""
    model = build(*predictions()[identifier])
    return model, held_out_rows(model)


def held_out_rows(model):
    """The mask of the rows that the reference left out of the fit: every seventh, and the groups it wants unseen."""
    entry = model.reference
    seventh = (np.arange(1, len(model.y) + 1) % 7) == 3
    unseen = model.X[entry["group"]].astype(str).isin(entry["unseen_groups"]).to_numpy()
    return seventh | unseen
