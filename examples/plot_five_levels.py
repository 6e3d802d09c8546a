"""
Five levels: pupils, teachers, districts, states and countries
==============================================================

At which level do reading scores differ, and how much of it can a teacher be praised for?

Pupils are taught by teachers, who work in districts of states of countries.  The scores are
simulated, so that the answer is known: every teacher, district, state and country has an effect of
its own.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmixed import MixedLinearRegressor
from skmixed.diagnostics import explain
from skmixed.displays import VarianceDisplay
from skmixed.inference import icc

TRUTH = {"country": 12.0, "state": 6.0, "district": 8.0, "teacher": 10.0, "pupil": 20.0}  # points

rng = np.random.default_rng(0)
shape = (14, 5, 4, 4, 6)  # 14 countries, 5 states in each, and so on to 6 pupils
rows = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 5)
data = pd.DataFrame(rows[:, :4], columns=list(TRUTH)[:4])
data["hours"] = rng.uniform(0, 10, len(data)).round(1)  # of reading a week
score = 500.0 + 3.0 * data["hours"]
for depth, sd in enumerate(TRUTH.values(), start=1):
    unit = np.ravel_multi_index(tuple(rows[:, :depth].T), shape[:depth])
    score = score + sd * rng.standard_normal(unit.max() + 1)[unit]
data["score"] = score.round(1)

# %%
# The model
# ---------
#
# ``country/state/district/teacher`` is four terms: states within countries, districts within
# states, teachers within districts.  Teacher 0 of one district is not teacher 0 of another, and the
# notation knows.

model = MixedLinearRegressor.from_formula(
    "score ~ hours + (1 | country/state/district/teacher)", data
)
print(model.summary())

# %%
# In plain words
# --------------

print(explain(model))

# %%
# Who is alike?
# -------------
#
# Two pupils of one teacher share all four effects, two of one country only the first: correlations
# rise from level to level.

print(icc(model).round(3).to_string())

# %%
# The picture
# -----------
#
# A bar per level with the estimated share of the variance, and an orange diamond at the share with
# which the scores were simulated.  Pupils have the longest bar.  The diamonds are near the ends of
# the bars; that of countries is too long, for there are only fourteen to learn from, and takes from
# the share of the pupils.

true = np.array(list(TRUTH.values())) ** 2
picture = VarianceDisplay.from_estimator(model)
ax = picture.ax_
for text in picture.artists_["texts"]:
    text.set_visible(False)
ax.plot(true / true.sum(), range(5), "D", color="#D55E00", label="simulated with")
ax.set_yticks(range(5), ["countries", "states", "districts", "teachers", "pupils"])
ax.set(xlabel="share of the variance of scores", xlim=(0, 0.65), title="Where scores differ")
ax.legend(loc="upper right")

# %%
# The answer
# ----------

hour = model.results_.params["hours"]
components = model.variance_components()["sd_or_corr"].to_numpy()
words = [f"{name} {sd:.1f} ({TRUTH[name]:.0f})" for name, sd in zip(TRUTH, components, strict=True)]
teacher, pupil = components[3:]
print("Standard deviations in points (simulated with):\n  " + ", ".join(words))
print(f"A teacher one standard deviation above others of the district brings {teacher:.0f} points,")
print(
    f"as much as {teacher / hour:.1f} hours of reading a week; pupils of one teacher who read alike"
)
print(f"differ by {pupil:.0f} points, one standard deviation.")
plt.show()
