"""Simulated data with one illness each, and without: the story is always another."""

import warnings

import numpy as np
import pandas as pd

from skmixed import MixedLinearRegressor, MixedLogisticClassifier

SICK = {}


def sick(where, **params):
    """Register a maker of X and y with what the first finding has to name; its name is the kind, and
    its docstring the story.
    """

    def register(make):
        SICK[make.__name__] = (make, where, params)
        return make

    return register


def fitted(X, y, params, **fit):
    """The model of a table, whose warnings are not the question."""
    estimator = MixedLogisticClassifier if y.nunique() == 2 else MixedLinearRegressor
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator(**params).fit(X, y, **fit)


def groups(rng, n_levels, low, high, prefix):
    g = np.repeat(np.arange(n_levels), rng.integers(low, high + 1, n_levels))
    return g, np.array([f"{prefix}{k:02d}" for k in range(n_levels)])[g]


def outcome(rng, eta, name):
    return pd.Series((rng.random(len(eta)) < 1.0 / (1.0 + np.exp(-eta))).astype(int), name=name)


def trees(rng, n_levels=40, low=12, high=20):
    """A healthy table: height of trees by rain and sun, in woods."""
    g, wood = groups(rng, n_levels, low, high, "wood ")
    X = pd.DataFrame(
        {"rain": rng.gamma(9, 10, len(g)), "sun": rng.normal(6, 1, len(g)), "wood": wood}
    )
    y = 12 + 0.05 * X["rain"] + 1.5 * X["sun"] + rng.normal(0, 1.5, n_levels)[g]
    return X, (y + rng.normal(0, 2, len(g))).rename("height"), g


@sick("sugar", groups="wood")
def scales(rng):
    """Trees in 40 woods; sugar in the soil is in tonnes per gram, millionths."""
    X, y, _ = trees(rng)
    X.insert(0, "sugar", rng.normal(3e-6, 1e-6, len(X)))
    return X, y + 1e6 * X["sugar"]


@sick("rain, mist, sun", groups="wood")
def collinearity(rng):
    """Trees in 40 woods; mist follows from rain and sun but for a little noise."""
    X, y, _ = trees(rng)
    X.insert(0, "mist", 0.1 * X["rain"] + 2 * X["sun"] + rng.normal(0, 0.05, len(X)))
    X.insert(0, "soil", rng.normal(0, 1, len(X)))
    return X, y


@sick("length", groups="wood")
def tiny_standard_error(rng):
    """Trees in 40 woods; one column is the height in feet."""
    X, y, _ = trees(rng)
    X.insert(0, "length", (y * 3.2808).round(2))
    return X, y


@sick("vaccine", groups="village")
def separation(rng):
    """People in 30 villages; nobody with the vaccine fell ill."""
    g, village = groups(rng, 30, 25, 35, "village ")
    X = pd.DataFrame({"age": rng.normal(40, 9, len(g)), "vaccine": (rng.random(len(g)) < 0.08) * 1})
    y = outcome(rng, 0.03 * (X["age"] - 40) + rng.normal(0, 0.5, 30)[g], "ill")
    y[X["vaccine"] == 1] = 0
    return X.assign(village=village), y


@sick("wood", groups="wood")
def variance_at_zero(rng):
    """Trees in 40 woods whose means do not differ at all."""
    X, y, g = trees(rng)
    means = y.groupby(g).transform("mean") - (0.05 * X["rain"] + 1.5 * X["sun"]).groupby(
        g
    ).transform("mean")
    return X, y - means


@sick("day, cow", random_effects="(1 + day | cow)")
def correlation_at_one(rng):
    """Milk of 40 cows over nine days; slopes are proportional to intercepts."""
    g, day = np.repeat(np.arange(40), 9), np.tile(np.arange(9.0), 40)
    b, e = rng.normal(0, 4, 40), rng.normal(0, 1, 360)
    for k in range(40):
        Z = np.column_stack([np.ones(9), day[:9]])
        e[g == k] -= 0.8 * Z @ np.linalg.lstsq(Z, e[g == k], rcond=None)[0]
    X = pd.DataFrame({"day": day, "cow": [f"cow {k}" for k in g]})
    return X, pd.Series(50 + day + b[g] * (1 + 0.2 * day) + e, name="milk")


@sick("buyer", groups="buyer")
def single_row_levels(rng):
    """1,100 buyers, 900 of whom came once."""
    g = np.r_[np.arange(900), np.repeat(np.arange(900, 1100), 3)]
    X = pd.DataFrame({"price": rng.normal(20, 4, len(g)), "buyer": [f"b{k}" for k in g]})
    y = 3 - 0.1 * X["price"] + rng.normal(0, 1, 1100)[g] + rng.normal(0, 1, len(g))
    return X, y.rename("pieces")


@sick("oven", groups="oven")
def few_levels(rng):
    """Bread from three ovens."""
    g = np.repeat(np.arange(3), 50)
    X = pd.DataFrame(
        {"heat": rng.normal(200, 9, 150), "oven": np.array(["left", "mid", "right"])[g]}
    )
    y = 5 + 0.02 * X["heat"] + np.array([-1.0, 0.2, 0.9])[g] + rng.normal(0, 1, 150)
    return X, y.rename("crust")


@sick("boat, captain", groups=["boat", "captain"])
def flat_likelihood(rng):
    """35 boats, each with its captain but for four days."""
    g, boat = groups(rng, 35, 10, 16, "boat ")
    captain = np.array([f"captain {k:02d}" for k in rng.permutation(35)])[g]
    captain[:4] = captain[-1]  # who was ill for four days
    X = pd.DataFrame({"wind": rng.gamma(4, 3, len(g)), "boat": boat, "captain": captain})
    y = 30 - 0.5 * X["wind"] + rng.normal(0, 5, 35)[g] + rng.normal(0, 6, len(g))
    return X, y.rename("catch")


@sick("voter", groups="voter", n_quadrature=1)
def laplace_error(rng):
    """700 voters asked three times, who differ a lot, fitted with one quadrature point."""
    g = np.repeat(np.arange(700), 3)
    X = pd.DataFrame({"news": rng.normal(0, 1, 2100), "voter": [f"v{k}" for k in g]})
    return X, outcome(rng, 0.3 + 0.8 * X["news"] + rng.normal(0, 3, 700)[g], "yes")


@sick("make", formula="power + C(make) + (1 | garage)")
def heteroscedastic(rng):
    """Bills of 40 garages, three times as variable for one make of car."""
    g, garage = groups(rng, 40, 15, 25, "garage ")
    make = rng.integers(0, 3, len(g))
    X = pd.DataFrame({"power": rng.normal(90, 20, len(g)), "make": np.array(["A", "B", "C"])[make]})
    y = (
        200
        + 2 * X["power"]
        + rng.normal(0, 20, 40)[g]
        + np.array([20, 20, 60])[make] * rng.normal(0, 1, len(g))
    )
    return X.assign(garage=garage), y.rename("bill")


@sick("residual", groups="wood")
def heavy_tails(rng):
    """Trees in 40 woods; the noise is Student's t with three degrees of freedom."""
    X, y, _ = trees(rng)
    return X, y + 4 * rng.standard_t(3, len(y))


@sick("wood", groups="wood")
def skewed_effects(rng):
    """Trees in 180 woods, a few of which are far taller."""
    X, y, g = trees(rng, 180)
    return X, y + (rng.exponential(1, 180) ** 2 * 6)[g]


@sick("wood 07", groups="wood")
def influential_group(rng):
    """Trees in 40 woods, one of them on the steepest slope and much too low."""
    X, y, g = trees(rng)
    slope = rng.normal(0, 0.5, 40)
    slope[7] = 5.0
    X["slope"] = slope[g]
    return X[["rain", "sun", "slope", "wood"]], y - 18.0 * (g == 7)


@sick("131", groups="wood")
def influential_row(rng):
    """Trees in 20 woods; one tree in the rain and in the shade is much too tall."""
    X, y, _ = trees(rng, 20)
    X.loc[131, ["rain", "sun"]], y[131] = [420.0, 2.0], 60.0
    return X, y


@sick("altitude", random_effects="(1 + altitude | wood)")
def constant_slope(rng):
    """Trees in 80 woods with a random slope of the altitude of the wood."""
    X, y, g = trees(rng, 80)
    altitude = rng.normal(500, 100, 80)
    X.insert(0, "altitude", altitude[g])
    return X, y + (rng.normal(0, 0.02, 80) * (altitude - 500))[g]


@sick("wood_no", groups="wood")
def id_as_number(rng):
    """Trees in 40 woods; the number of the wood is a column of X."""
    X, y, g = trees(rng)
    X.insert(0, "wood_no", 101 + rng.permutation(40)[g])
    return X, y


@sick("room", groups=["hotel", "room"])
def nested_ids_repeat(rng):
    """30 hotels whose rooms are numbered from 1 in each, fitted as crossed."""
    hotel, room = np.repeat(np.arange(30), 32), np.tile(np.repeat(np.arange(4), 8), 30)
    X = pd.DataFrame(
        {"nights": rng.poisson(3, 960), "hotel": [f"h{k}" for k in hotel], "room": room + 1}
    )
    y = 60 + 2 * X["nights"] + rng.normal(0, 5, 30)[hotel] + rng.normal(0, 6, (30, 4))[hotel, room]
    return X, (y + rng.normal(0, 6, 960)).rename("bill")


@sick("residual", groups="river")
def autocorrelated(rng):
    """Depths of 40 rivers over thirty weeks, each much like the week before."""
    e = rng.normal(0, 1, (40, 30))
    for t in range(1, 30):
        e[:, t] += 0.7 * e[:, t - 1]
    g = np.repeat(np.arange(40), 30)
    X = pd.DataFrame(
        {
            "week": np.tile(np.arange(30), 40),
            "dam": rng.normal(0, 1, 1200),
            "river": [f"r{k}" for k in g],
        }
    )
    return X, pd.Series(5 + X["dam"] + rng.normal(0, 2, 40)[g] + e.ravel(), name="depth")


@sick("sun", groups="wood")
def omitted_slope(rng):
    """Trees in 40 woods, to which sun means different things."""
    X, y, g = trees(rng)
    return X, y + rng.normal(0, 1.5, 40)[g] * (X["sun"] - 6)


@sick("rain", groups="wood")
def omitted_between(rng):
    """Trees in 80 woods; rain does another thing between woods than within."""
    X, y, g = trees(rng, 80)
    wet = rng.normal(0, 30, 80)[g]
    X["rain"] += wet + 100
    return X, y + 0.15 * wet


@sick("sun", groups="wood")
def nonlinear(rng):
    """Trees in 40 woods; six hours of sun are best."""
    X, y, _ = trees(rng)
    return X, y - 1.5 * (X["sun"] - 6.3) ** 2


@sick("wood", groups="wood")
def missing_not_at_random(rng):
    """150 woods, the lower the trees the more of them were measured."""
    b = rng.normal(0, 3, 150)
    sizes = np.clip(np.round(8 - 1.5 * b + rng.normal(0, 2, 150)), 2, 25).astype(int)
    g = np.repeat(np.arange(150), sizes)
    X = pd.DataFrame({"sun": rng.normal(6, 1, len(g)), "wood": [f"wood {k}" for k in g]})
    return X, (10 + X["sun"] + b[g] + rng.normal(0, 2, len(g))).rename("height")


@sick("rows", groups="wood")
def duplicated_rows(rng):
    """Trees in 40 woods, a fifth of the rows twice."""
    X, y, _ = trees(rng)
    again = rng.choice(len(X), len(X) // 5, replace=False)
    return pd.concat([X, X.iloc[again]], ignore_index=True), pd.concat(
        [y, y.iloc[again]], ignore_index=True
    )


@sick("height", groups="wood")
def y_at_bounds(rng):
    """Trees in 40 woods, measured with a pole that is too short for a quarter of them."""
    X, y, _ = trees(rng)
    return X, y.clip(upper=y.quantile(0.75)).rename("height")


@sick("fire", groups="wood")
def rare_outcome(rng):
    """Fires in 40 woods, about one tree in fifty."""
    X, _, g = trees(rng)
    y = outcome(rng, -3.9 + 0.3 * (X["sun"] - 6) + rng.normal(0, 0.3, 40)[g], "fire")
    return X, y


@sick("rows", groups="farm")
def overdispersed_rows(rng):
    """Eggs in 300 nests on 25 farms; eggs of a nest share their fate."""
    nest, g = np.repeat(np.arange(300), 10), np.repeat(np.arange(25), 120)
    warmth = rng.normal(20, 2, 300)
    eta = 0.3 * (warmth - 20) + rng.normal(0, 1, 300)
    X = pd.DataFrame({"warmth": warmth[nest], "farm": [f"farm {k}" for k in g]})
    return X, outcome(rng, eta[nest] + rng.normal(0, 0.5, 25)[g], "hatched")


@sick("wood 11", groups="wood")
def wrong_unit_level(rng):
    """Trees in 40 woods; one wood has its rain in another unit."""
    X, y, g = trees(rng)
    X.loc[g == 11, "rain"] *= 10
    return X, y


HEALTHY = {
    "woods": {"groups": "wood"},
    "woods with slopes": {"random_effects": "(1 + sun | wood)"},
    "formula": {"formula": "rain + sun + (1 | wood)"},
}


def healthy(rng, params):
    X, y, g = trees(rng)
    has_slopes = "random_effects" in params
    return X, y + has_slopes * rng.normal(0, 1, 40)[g] * (X["sun"] - 6)
