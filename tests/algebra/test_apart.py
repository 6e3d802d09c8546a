"""Components of the level graph apart: the same figures as one plan, and as dense formulas."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed._algebra import machine
from skmixed._algebra.apart import ApartPlan, components, components_apart
from skmixed._algebra.layout import MATRICES, layout_of
from skmixed._algebra.plan import Plan
from skmixed._algebra.plans import plan_of
from skmixed._fit.uncertainty import error_variances
from skmixed._likelihood.linear import ProfiledDeviance
from skmixed._sums.design import Design
from tests.helpers import dense
from tests.helpers.designs import design_of, term

pytestmark = pytest.mark.smoke

#: name -> (levels of each factor within a component, terms); "class" lies in "school"
DESIGNS = {
    "two crossed": (["pupil", "item"], [term(0), term(1)]),
    "vectors": (["item", "pupil"], [term(0, [0]), term(1, [0, 1])]),
    "three crossed": (["pupil", "item", "rater"], [term(0), term(1, [1]), term(2)]),
    "one nested": (["class", "item", "school"], [term(0, [0]), term(1), term(2)]),
}
designs = pytest.mark.parametrize("name", DESIGNS)


def rows(rng, n_components, n):
    """Labels of rows: components of sizes between nothing to speak of and most of the rows."""
    component = np.floor(n_components * rng.random(n) ** 2).astype(int)
    own = {
        "pupil": rng.integers(0, 9, n),
        "item": rng.integers(0, 6, n),
        "rater": rng.integers(0, 2, n),
        "class": rng.integers(0, 8, n),
    }
    own["school"] = own["class"] // 2
    labels = {name: component * 10 + codes for name, codes in own.items()}
    return {name: np.unique(codes, return_inverse=True)[1] for name, codes in labels.items()}


def design(name, *, seed=0, n_components=7, n=300):
    rng = np.random.default_rng(seed)
    factors, terms = DESIGNS[name]
    labels = rows(rng, n_components, n)
    codes = [labels[factor] for factor in factors]
    X, y = rng.normal(size=(n, 2)), rng.normal(size=n)
    weights = rng.integers(1, 4, n).astype(float)
    levels = [codes.max() + 1 for codes in codes]
    return X, y, weights, codes, design_of(Design, X, y, weights, codes, levels, terms)


def covariances(cross, *, singular=False):
    T = [np.eye(q) * 0.7 + 0.2 for q in cross.sizes]
    return [T[0] * 0.0, *T[1:]] if singular else T


@pytest.fixture
def in_small_parts(monkeypatch):
    monkeypatch.setattr(components, "COLUMNS_PER_PART", 8)
    monkeypatch.setattr(components, "OVERHEAD", 0.0)
    monkeypatch.setattr(components, "WORTH", np.inf)


def apart(cross):
    return ApartPlan(cross, components_apart(cross, layout_of(cross)), MATRICES)


def same(ours, theirs):
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-10, atol=1e-12)


@designs
@pytest.mark.parametrize("singular", [False, True])
@pytest.mark.usefixtures("in_small_parts")
def test_all_that_an_elimination_is_asked(name, singular):
    X, _, _, codes, found = design(name)
    one, several = Plan(found.cross), apart(found.cross)
    assert 1 < several.dense_order < one.dense_order
    T = covariances(found.cross, singular=singular)
    states = [ProfiledDeviance.of(plan, True)(T) for plan in (several, one)]
    same(*([s.value, s.fixed.beta, s.hessian] for s in states))
    for what in ("gradient", "effects", "scores", "B", "F"):
        same(*(getattr(s, what) for s in states))
    same(*(s.posterior.covariances for s in states))
    same(*(s.posterior.precisions for s in states))
    pairs = [s.posterior.pairs() for s in states]
    same(*([own[key] for key in found.cross.pairs] for own in pairs))
    z = [np.ones((20, 1)) if len(t) == 1 else np.ones((20, len(t))) * X[:20, :1] for t in T]
    levels = [np.append(c[5:20], np.full(5, -1)) for c in codes]
    x = np.column_stack([np.ones(20), X[:20]])
    same(*([error_variances(s, x, z, levels)] for s in states))


@designs
@pytest.mark.usefixtures("in_small_parts")
def test_new_weights(name):
    cross = design(name)[-1].cross
    blocks = [3.0 * cross.level_blocks(f) for f in range(len(cross.sizes))]
    values = {key: 3.0 * pair.values for key, pair in cross.pairs.items()}
    T = covariances(cross)
    plans = [plan.reweighted(blocks, values) for plan in (apart(cross), Plan(cross))]
    U = [cross.x_sums(f) for f in range(len(cross.sizes))]
    done = [plan.eliminate(T, once=True) for plan in plans]
    assert done[0].log_determinant == pytest.approx(done[1].log_determinant, rel=1e-12)
    same(done[0].solve(U)[0], done[1].solve(U)[0])
    same(plans[0].multiply(U), plans[1].multiply(U))
    same(plans[0].counted_blocks, plans[1].counted_blocks)


@designs
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), n_components=st.integers(2, 30), n=st.integers(40, 90))
def test_dense_formulas(name, seed, n_components, n):
    X, y, weights, codes, found = design(name, seed=seed, n_components=n_components, n=n)
    part = components_apart_anyway(found.cross)
    if part is None:
        return
    T = covariances(found.cross)
    terms = DESIGNS[name][1]
    frame = found.frame
    Zs = [
        dense.term_design(c, np.column_stack([np.ones(n), X[:, list(t.columns)]]))
        for c, t in zip(codes, terms, strict=True)
    ]
    bases = [found.factor_basis(f) for f in range(len(T))]
    own = [R @ t @ R.T for R, t in zip(bases, T, strict=True)]
    state = ProfiledDeviance.of(ApartPlan(found.cross, part, MATRICES), False)(T)
    theirs = dense.dense_deviance(
        y / frame.y_scale, np.column_stack([np.ones(n), X]), Zs, own, weights, reml=False
    )
    assert state.value == pytest.approx(theirs, rel=1e-9)


def components_apart_anyway(cross):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "COLUMNS_PER_PART", 4)
        patch.setattr(components, "OVERHEAD", 0.0)
        patch.setattr(components, "WORTH", np.inf)
        return components_apart(cross, layout_of(cross))


@pytest.mark.usefixtures("in_small_parts")
def test_levels_without_rows():
    cross = design("two crossed")[-1].cross
    places = [np.arange(m) + (np.arange(m) > 3) for m in cross.levels]
    wider = cross.spread(places, [m + 2 for m in cross.levels])
    T = covariances(cross)
    states = [ProfiledDeviance.of(plan, True)(T) for plan in (apart(wider), Plan(cross))]
    same([states[0].value], [states[1].value])
    same(states[0].gradient, states[1].gradient)
    assert states[0].effects[0].shape == (1, wider.levels[0])


def test_small_components_share_a_part():
    found = design("two crossed", n_components=400, n=6000)[-1]
    plan = plan_of(found.cross)
    assert isinstance(plan, ApartPlan)
    assert 2 < len(plan.parts) < 40
    assert plan.dense_order < 2 * components.COLUMNS_PER_PART


@pytest.mark.usefixtures("in_small_parts")
def test_one_component_is_one_plan():
    found = design("two crossed", n_components=1)[-1]
    assert components_apart(found.cross, layout_of(found.cross)) is None


def test_few_columns_are_one_plan():
    assert isinstance(plan_of(design("two crossed")[-1].cross), Plan)


def schools(n_schools, pupils, items):
    """Pupils by items within schools, shuffled."""
    rng = np.random.default_rng(1)
    grid = np.indices((n_schools, pupils, items)).reshape(3, -1)
    grid = grid[:, rng.permutation(grid.shape[1])]
    school, pupil, item = grid
    X = pd.DataFrame(
        {
            "x": rng.normal(size=len(school)),
            "pupil": school * pupils + pupil,
            "item": school * items + item,
        }
    )
    effects = rng.normal(size=n_schools * pupils)[X["pupil"]]
    effects += rng.normal(size=n_schools * items)[X["item"]]
    return X, 0.5 * X["x"] + effects + rng.normal(size=len(X))


def counted_plans(monkeypatch):
    """How many plans of either kind are made from now on."""
    made = Counter()
    for kind in (ApartPlan, Plan):
        first = kind.eliminate

        def eliminate(self, *args, _first=first, **kwargs):
            made[type(self)] += 1
            return _first(self, *args, **kwargs)

        monkeypatch.setattr(kind, "eliminate", eliminate)
    return made


@pytest.mark.parametrize(
    "model",
    [
        MixedLinearRegressor(groups=["pupil", "item"]),
        MixedLogisticClassifier(groups=["pupil", "item"]),
    ],
)
def test_a_fit_apart_is_that_of_one_plan(model, monkeypatch):
    X, y = schools(30, 8, 6)
    y = y if isinstance(model, MixedLinearRegressor) else y > 0.5
    found = []
    for columns, kind in [(16, ApartPlan), (10**6, Plan)]:
        monkeypatch.setattr(components, "COLUMNS_PER_PART", columns)
        monkeypatch.setattr(components, "OVERHEAD", 0.0)
        made = counted_plans(monkeypatch)
        model.fit(X, y)
        assert (made[ApartPlan] > 0) == (kind is ApartPlan)
        known = model.predict(X[:50], return_std=True) if hasattr(model, "scale_") else ()
        table = model.random_effects_[["estimate", "std_error"]].to_numpy()
        results = model.results_
        shown = [model.coef_, results.bse, *model.covariances_, table, *known]
        found.append([np.array(model.loglik_), *shown])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def test_more_levels_than_one_dense_block_could_have(monkeypatch):
    monkeypatch.setattr(machine, "available", lambda: 2.0**30)
    X, y = schools(560, 9, 8)
    y = y.to_numpy()
    est = MixedLinearRegressor(groups=["pupil", "item"], solver="exact").fit(X, y)
    assert est.covariances_[1][0, 0] == pytest.approx(1.0, abs=0.1)
    X["item"] = np.random.default_rng(0).permutation(X["item"])
    with pytest.raises(ValueError, match="dense matrix of"):
        est.fit(X, y)
