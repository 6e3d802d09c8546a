"""
Restaurants: who complains, and where?
======================================

Three questions about customers of 500 restaurants: which of them complain, do restaurants differ
beyond what is known of them, and what multiplies the odds of a complaint?

The rows are simulated, with the columns of a data set that Stata's courses use and that is not
free: a customer's ``age``, ``gender``, ``race``, ``income`` (thousand USD a year), ``grade`` (years
at school) and whether the dish was a ``popular`` one; of the restaurant, the number of workers
``nworkers`` and the gender ``genderm`` of the manager.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit

from skmixed import MixedLogisticClassifier
from skmixed.displays import CoefficientsDisplay, RandomEffectsDisplay
from skmixed.inference import average_predictions, likelihood_ratio_test

RACES = ["white", "black", "other"]

rng = np.random.default_rng(1)
n_restaurants = 500
sizes = rng.integers(2, 10, n_restaurants)
restaurant = np.repeat(np.arange(1, n_restaurants + 1), sizes)
n = len(restaurant)

male_manager = rng.random(n_restaurants) < 0.6
nworkers = rng.integers(4, 16, n_restaurants)
unknown = 0.7 * rng.standard_normal(n_restaurants)  # what no column tells of a restaurant
data = pd.DataFrame(
    {
        "restaurant": restaurant,
        "age": rng.integers(18, 70, n),
        "gender": np.where(rng.random(n) < 0.5, "female", "male"),
        "race": pd.Categorical.from_codes(rng.choice(3, n, p=[0.6, 0.25, 0.15]), RACES),
        "income": np.round(rng.lognormal(3.6, 0.4, n), 1),
        "grade": rng.integers(8, 18, n),
        "popular": rng.integers(0, 2, n),
        "nworkers": np.repeat(nworkers, sizes),
        "genderm": np.repeat(np.where(male_manager, "male", "female"), sizes),
    }
)
log_odds = (
    -1.2
    - 0.015 * (data["age"] - 40)
    + 0.35 * (data["gender"] == "male")
    + 0.40 * (data["race"] == "black")
    - 0.008 * data["income"]
    + 0.04 * (data["grade"] - 12)
    - 0.50 * data["popular"]
    - 0.06 * (data["nworkers"] - 10)
    + 0.40 * (data["genderm"] == "male")
    + np.repeat(unknown, sizes)
)
data["complain"] = (rng.random(n) < expit(log_odds)).astype(int)
print(f"{n} customers, {data['complain'].sum()} of whom complained")

# %%
# Which customers complain?
# -------------------------
#
# Nine slopes, and one effect per restaurant.  Two tests ask whether the columns say anything:
# Wald's of all slopes, and the likelihood ratio against a model that knows the restaurants only.

columns = "I(age / 10) + gender + race + I(income / 10) + grade + popular + nworkers + genderm"
model = MixedLogisticClassifier.from_formula(f"complain ~ {columns} + (1 | restaurant)", data)
empty = MixedLogisticClassifier.from_formula("complain ~ 1 + (1 | restaurant)", data)
wald = model.results_.wald_chi2
print(f"Wald test of all slopes: chi2({wald.df}) = {wald.statistic:.1f}, p = {wald.pvalue:.2g}\n")
print(likelihood_ratio_test(empty, model))

# %%
# Do restaurants differ?
# ----------------------
#
# A variance cannot be negative: under the hypothesis that it is zero, half of all samples have a
# likelihood ratio of nothing, which ``chibar2(01)`` knows.

test = model.results_.random_effects_test()
print(f"{test.distribution} = {test.statistic:.1f}, p = {test.pvalue:.2g}")
(sd,) = model.variance_components()["sd_or_corr"]
print(f"One standard deviation between restaurants multiplies the odds by {np.exp(sd):.2f}.")

# %%
# What multiplies the odds?
# -------------------------

names = {
    "I(age / 10)": "age (10 years)",
    "gender[T.male]": "customer: man",
    "race[T.black]": "race: black, not white",
    "race[T.other]": "race: other, not white",
    "I(income / 10)": "income (10,000 USD)",
    "grade": "school (one year)",
    "popular": "popular dish",
    "nworkers": "one worker more",
    "genderm[T.male]": "manager: man",
}
ratios = model.results_.odds_ratios().rename(names)
print(ratios[["odds_ratio", "ci_low", "ci_high", "p_value"]].round(3).to_string())

# %%
# The picture
# -----------
#
# On the left a forest: a row per column with its odds ratio as a point and the 95 % limits as a
# bar, on a logarithmic axis with a dashed line at one, where nothing changes.  On the right the 500
# restaurants from the fewest complaints to the most, their effects in log-odds as a rising line;
# most limits cross zero, for a handful of customers tell little about one restaurant.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4.6), width_ratios=[1.25, 1], layout="constrained"
)
forest = CoefficientsDisplay.from_estimator(model, odds_ratios=True, ax=left)
left.set_yticks(range(len(names)), [names[name] for name in forest.table["name"]])
left.set_xlabel("odds ratio of a complaint, 95 % limits")
RandomEffectsDisplay.from_estimator(model, ax=right)
right.set_xlabel("effect of a restaurant (log-odds), 95 % limits")

# %%
# The answer
# ----------

manager = average_predictions(model, at={"genderm": ["female", "male"]})
woman, man = 100 * manager["estimate"]
dish = 100 * average_predictions(model, at={"popular": [0, 1]})["estimate"]
odds = ratios.loc["manager: man"]
limits = f"{odds['ci_low']:.2f} to {odds['ci_high']:.2f}"
print(f"Under a man as manager {man:.0f} of 100 customers complain, under a woman {woman:.0f}")
print(f"(odds ratio {odds['odds_ratio']:.2f}, {limits}; simulated with {np.exp(0.4):.2f}).")
print(f"A popular dish brings {dish[0]:.0f} complaints in 100 down to {dish[1]:.0f}.")
worse = expit(np.log(0.25) + sd)
print(
    f"Where 20 of 100 would complain, {100 * worse:.0f} do in a restaurant one standard deviation"
)
print("worse for reasons that no column tells.")
plt.show()
