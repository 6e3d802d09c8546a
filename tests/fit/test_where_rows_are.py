"""Whatever may be asked of a linear model, by where its rows are: in memory, in chunks, in sums only
(after ``partial_fit``), or nowhere (unpickled).

Every public name is in the table, and the table is what happens: the source counts how often it is
read.
"""

import pickle

import matplotlib
import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, chunks, diagnostics, displays, inference
from skmixed.results import MixedResults

WORKS = "works"  # by the estimates and the sums
READS = "reads again"
DRAWS = "draws the sums"
MESSAGE = "message"
#: chunks, partial_fit, unpickled
SUMS_DO = WORKS, WORKS, WORKS
ROWS_DO = READS, MESSAGE, MESSAGE
DRAWN = DRAWS, DRAWS, DRAWS
IN_MEMORY = MESSAGE, MESSAGE, MESSAGE

matplotlib.use("Agg")
FORMULA = "x0 + arm + x1 + (1 | school/pupil)"


def results(name, *args, **options):
    def ask(est):
        found = getattr(est.results_, name)
        return found(*args, **options) if callable(found) else found

    return ask


def function(name, *args, **options):
    return lambda est: getattr(inference, name)(est, *args, **options)


def display(name, *args, **options):
    return lambda est: getattr(displays, name).from_estimator(est, *args, **options)


def other(est):
    """A model of the same rows without a column."""
    return est.smaller


NO_ARGUMENTS = """aic bic bse bse_fe conf_int converged cov_params cov_re default_model_infos df_model df_resid
effects_table fe_params fingerprint k_constant llf n_missing n_params nobs params pvalues random_effects
random_effects_cov random_effects_test reml scale summary summary2 tvalues use_t vcomp wald_chi2 wald_test_terms"""

RESULTS = {
    **{name: (results(name), SUMS_DO) for name in NO_ARGUMENTS.split()},
    "coef_table": (results("coef_table", "kenward-roger"), SUMS_DO),
    "coef_table, CR0": (results("coef_table", cov="CR0"), ROWS_DO),
    "coef_table, CR2": (results("coef_table", cov="CR2", clusters="school"), ROWS_DO),
    "coef_table, clusters": (results("coef_table", cov="CR1", clusters="city"), ROWS_DO),
    "conf_int": (results("conf_int"), SUMS_DO),
    "f_test": (results("f_test", "x0 = 0"), SUMS_DO),
    "t_test": (results("t_test", "x0 = 0"), SUMS_DO),
    "t_test, CR3": (results("t_test", "x0 = 0", cov="CR3", df="satterthwaite"), ROWS_DO),
    "t_test_pairwise": (results("t_test_pairwise", "arm"), SUMS_DO),
    "wald_test": (results("wald_test", "x0 = 0"), SUMS_DO),
    "variance_table": (results("variance_table"), SUMS_DO),
    "variance_table, profile": (results("variance_table", method="profile"), SUMS_DO),
    "variance_table, bootstrap": (
        results("variance_table", method="bootstrap", n_samples=2, random_state=0),
        DRAWN,
    ),
    "fittedvalues": (results("fittedvalues"), ROWS_DO),
    "predict": (results("predict"), ROWS_DO),
    "resid": (results("resid"), ROWS_DO),
    "resid_pearson": (results("resid_pearson"), ROWS_DO),
    "resid_standardized": (results("resid_standardized"), ROWS_DO),
    "model": (lambda est: est.results_.model.endog, ROWS_DO),
    "model, columns": (lambda est: est.results_.model.exog, ROWS_DO),
    "get_prediction": (results("get_prediction"), IN_MEMORY),
    "attach": (lambda est: None, SUMS_DO),  # tests/fit/test_parts.py
    "remove_data": (lambda est: None, SUMS_DO),
}

INFERENCE = {
    "anova": (function("anova"), SUMS_DO),
    "average_effects": (function("average_effects"), ROWS_DO),
    "average_predictions": (function("average_predictions", by="arm"), ROWS_DO),
    "bootstrap": (function("bootstrap", n_samples=2, random_state=0), DRAWN),
    "collinearity": (function("collinearity"), SUMS_DO),
    "compare": (lambda est: inference.compare([est, other(est)]), SUMS_DO),
    "conditional_aic": (function("conditional_aic"), SUMS_DO),
    "design": (lambda est: None, SUMS_DO),  # of no fitted model
    "design_effect": (function("design_effect"), SUMS_DO),
    "drop_one": (function("drop_one"), ROWS_DO),
    "drop_one, bootstrap": (
        function("drop_one", method="bootstrap", n_samples=2, random_state=0),
        ROWS_DO,
    ),
    "hausman_test": (lambda est: inference.hausman_test(est.single), SUMS_DO),
    "icc": (function("icc"), SUMS_DO),
    "influence": (function("influence"), IN_MEMORY),
    "influence, levels": (function("influence", by="school"), ROWS_DO),
    "influence, refit": (function("influence", by="school", refit=True), IN_MEMORY),
    "likelihood_ratio_test": (
        lambda est: inference.likelihood_ratio_test(est, other(est)),
        SUMS_DO,
    ),
    "likelihood_ratio_test, bootstrap": (
        lambda est: inference.likelihood_ratio_test(
            est, other(est), method="bootstrap", n_samples=2
        ),
        DRAWN,
    ),
    "loo_predict": (function("loo_predict"), ROWS_DO),
    "loo_predict, levels": (function("loo_predict", by="school"), IN_MEMORY),
    "marginal_means": (function("marginal_means", "arm"), ROWS_DO),
    "marginal_means, frequencies": (
        function("marginal_means", "arm", weights="proportional"),
        ROWS_DO,
    ),
    "median_odds_ratio": (lambda est: None, SUMS_DO),  # of classifiers
    "pool": (lambda est: inference.pool([est, est]), SUMS_DO),
    "power": (function("power", "x0", n_samples=2, random_state=0), IN_MEMORY),
    "profile": (function("profile"), SUMS_DO),
    "r_squared": (function("r_squared"), SUMS_DO),
    "report": (lambda est: inference.report([est]), SUMS_DO),
    "residuals": (function("residuals", "standardized", "population"), ROWS_DO),
    "residuals, decorrelated": (
        function("residuals", "decorrelated", "population"),
        IN_MEMORY,
    ),
    "simulate_design": (function("simulate_design", random_state=0), IN_MEMORY),
    "slope_distribution": (lambda est: None, SUMS_DO),  # of random slopes
}

DIAGNOSTICS = {
    "diagnose": (lambda est: diagnostics.diagnose(est), ROWS_DO),
    "explain": (lambda est: diagnostics.explain(est), ROWS_DO),
}

DISPLAYS = {
    "CalibrationByGroupDisplay": (display("CalibrationByGroupDisplay"), ROWS_DO),
    "CoefficientsDisplay": (display("CoefficientsDisplay"), SUMS_DO),
    "CoefficientsDisplay, standardize": (
        display("CoefficientsDisplay", standardize=True),
        ROWS_DO,
    ),
    "EffectsDisplay": (display("EffectsDisplay"), ROWS_DO),
    "EffectsDisplay, predictions": (display("EffectsDisplay", "x0"), ROWS_DO),
    "GroupLinesDisplay": (display("GroupLinesDisplay", "x0"), ROWS_DO),
    "InfluenceDisplay": (display("InfluenceDisplay"), IN_MEMORY),
    "InfluenceDisplay, levels": (display("InfluenceDisplay", "school"), ROWS_DO),
    "PowerDisplay": (lambda est: None, SUMS_DO),  # of what power returns
    "ProfileDisplay": (display("ProfileDisplay"), SUMS_DO),
    "RandomEffectsDisplay": (display("RandomEffectsDisplay"), SUMS_DO),
    "ResidualsDisplay": (display("ResidualsDisplay"), ROWS_DO),
    "ResidualsDisplay, qq": (display("ResidualsDisplay", "qq"), ROWS_DO),
    "ResidualsDisplay, group": (display("ResidualsDisplay", "group"), ROWS_DO),
    "ResidualsDisplay, binned": (display("ResidualsDisplay", "binned"), ROWS_DO),
    "VarianceDisplay": (display("VarianceDisplay"), SUMS_DO),
}

ALL = {"results": RESULTS, "inference": INFERENCE, "diagnostics": DIAGNOSTICS, "displays": DISPLAYS}


class Counted(list):
    """Tables that count how often they are read."""

    n = 0

    def __iter__(self):
        self.n += 1
        return super().__iter__()


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(2)
    n = 240
    found = pd.DataFrame(rng.normal(size=(n, 2)), columns=["x0", "x1"])
    found["arm"] = np.array(["a", "b", "c"])[rng.integers(0, 3, n)]
    found["school"] = rng.integers(0, 12, n)
    found["pupil"] = rng.integers(0, 4, n)
    found["city"] = found["school"] // 2
    effects = (
        rng.normal(size=12)[found["school"]]
        + rng.normal(size=48)[4 * found["school"] + found["pupil"]]
    )
    return found.assign(y=1 + found["x0"] + effects + rng.normal(size=n))


@pytest.fixture(scope="module")
def models(rows):
    """The same model with its rows in four places, each beside a smaller one, and the sources."""
    X, y = rows.drop(columns="y"), rows["y"]
    whole, in_chunks, in_parts = (_with_others() for _ in range(3))
    source = Counted([rows[:100], rows[100:]])
    for est in (whole, whole.smaller, whole.single):
        est.fit(X, y)
    for est in (in_chunks, in_chunks.smaller, in_chunks.single):
        est.fit(chunks(source), "y")
    for est in (in_parts, in_parts.smaller, in_parts.single):
        est.partial_fit(X[:100], y[:100]).partial_fit(X[100:], y[100:])
        assert est.results_.nobs == len(rows)
    unpickled = pickle.loads(pickle.dumps(whole))
    return (whole, in_chunks, in_parts, unpickled), source


def _with_others():
    est = MixedLinearRegressor(formula=FORMULA, method="ml")
    est.smaller = MixedLinearRegressor(formula=FORMULA.replace("+ x1 ", ""), method="ml")
    est.single = MixedLinearRegressor(formula=FORMULA.replace("/pupil", ""), method="ml")
    return est


def outcome(ask, est, source):
    before = source.n
    try:
        ask(est)
    except (AttributeError, ValueError) as error:
        first, _, second = str(error).partition("\n")
        assert any(word in first + second for word in ("rows", "chunks")), error
        assert "attach" in second or "X" in second, error
        return MESSAGE
    finally:
        if "pyplot" in vars(matplotlib):
            matplotlib.pyplot.close("all")
    return READS if source.n > before else WORKS


def names_of(room):
    if room == "results":
        return {name for name in dir(MixedResults) if not name.startswith("_")}
    module = {"inference": inference, "diagnostics": diagnostics, "displays": displays}[room]
    return {name for name in module.__all__ if room == "displays" or name.islower()}


@pytest.mark.smoke
@pytest.mark.parametrize("room", ALL)
def test_every_public_name_is_in_the_table(room):
    assert {name.partition(",")[0] for name in ALL[room]} == names_of(room)


ASKS = [(room, name) for room in ALL for name in ALL[room]]


@pytest.mark.slow
@pytest.mark.parametrize(("room", "name"), ASKS, ids=[name for _, name in ASKS])
@pytest.mark.filterwarnings("ignore::skmixed.exceptions.ConvergenceWarning")
def test_the_table_is_what_happens(room, name, models):
    (whole, *others), source = models
    ask, expected = ALL[room][name]
    ask(whole)
    found = tuple(outcome(ask, est, source) for est in others)
    assert found == tuple(WORKS if e == DRAWS else e for e in expected)
