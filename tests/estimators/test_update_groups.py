"""Effects of further rows equal those of a refit with beta and the covariances held fixed."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag
from sklearn.base import clone

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed._fit.predictions import read_rows
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.inference import icc
from tests.helpers.dense import gls, per_level, term_design

pytestmark = pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")

COLUMNS = ["x0", "x1", "group", "other"]
EFFECTS = {
    "(1 | group)": [("group", [])],
    "(1 + x0 | group)": [("group", ["x0"])],
    "(1 | group) + (1 + x1 | other)": [("group", []), ("other", ["x1"])],
    "(1 | group) + (1 | group:other)": [("group", []), ("group:other", [])],
}


def data(make, seed=0):
    """Forty levels of one factor, crossed with twelve of another."""
    X, y = make(n_groups=40, rows_per_group=10, random_state=seed)
    rng = np.random.default_rng(seed)
    X = X.assign(other=rng.integers(0, 12, len(X)))
    return X.assign(**{"group:other": X["group"] * 100 + X["other"]}), np.asarray(y)


def parts(X, how):
    """Rows of the fit, and two halves of the others: whole levels, or some rows of all."""
    fitted = (X["group"] < 32) if how == "new" else (np.arange(len(X)) % 5 > 0)
    rest = np.flatnonzero(~fitted)
    return np.flatnonzero(fitted), rest[::2], rest[1::2]


def updated(kind, effects, X, y, how, **params):
    """The model of some rows that was shown the others in two parts."""
    fitted, *rest = parts(X, how)
    model = kind(groups=["group", "other"], random_effects=effects, **params)
    model.fit(X.loc[fitted, COLUMNS], y[fitted])
    for rows in rest:
        model.update_groups(X.loc[rows, COLUMNS], y[rows])
    return model


def dense(model, effects, X):
    """Z of all rows, the covariance of all effects, and the names of factors."""
    terms = zip(EFFECTS[effects], model.covariances_, strict=True)
    Zs, Gs = [], []
    for (factor, slopes), S in terms:
        columns = np.column_stack([np.ones(len(X)), *(X[s] for s in slopes)])
        Zs.append(term_design(X[factor].to_numpy(), columns))
        Gs.append(per_level(Zs[-1], S))
    return np.hstack(Zs), block_diag(*Gs)


def modes(model):
    return model.random_effects_["estimate"].to_numpy()


@pytest.mark.parametrize("how", ["new", "known"])
@pytest.mark.parametrize("effects", EFFECTS)
def test_linear_effects_and_errors_are_those_of_the_dense_formula(effects, how):
    X, y = data(make_mixed_regression)
    model = updated(MixedLinearRegressor, effects, X, y, how)
    rows = np.concatenate(parts(X, how))
    Z, G = dense(model, effects, X)
    x = np.column_stack([np.ones(len(X)), X[["x0", "x1"]]])
    V = Z[rows] @ G @ Z[rows].T + model.scale_ * np.eye(len(rows))
    left = y - x @ np.append(model.intercept_, model.coef_)
    gain = G @ Z[rows].T @ np.linalg.inv(V)
    b = gain @ left[rows]
    assert modes(model) == pytest.approx(b, abs=1e-8)
    assert model.predict(X[COLUMNS]) == pytest.approx(y - left + Z @ b, abs=1e-8)
    # the error of beta is that of the fit, the error of b given beta that of all rows
    M = G - gain @ Z[rows] @ G
    way = x - Z @ gain @ x[rows]
    C = np.asarray(model.results_.cov_params())
    least = np.einsum("ij,jk,ik->i", Z, M, Z) + np.einsum("ij,jk,ik->i", way, C, way)
    std = model.predict(X[COLUMNS], return_std=True)[1]
    assert std**2 - of_the_covariances(model, X) == pytest.approx(least, rel=1e-7)


def of_the_covariances(model, X):
    """What their estimation adds to the variances of predictions."""
    fit = model._model.fit
    found, codes = read_rows(model._model, X[COLUMNS], None, "conditional")
    return fit.units.variance * fit.second_order.shifted(*fit.units.columns(found.X), codes)


def test_what_the_covariances_add_is_a_difference_of_effects():
    """Derivatives of updated effects in the covariances, beta moving with those of the fit."""
    X, y = data(make_mixed_regression)
    model = updated(MixedLinearRegressor, "(1 | group)", X, y, "new")
    fitted = parts(X, "new")[0]
    (direction,) = model._model.fit.second_order.directions.changes
    x = np.column_stack([np.ones(len(X)), X[["x0", "x1"]]])
    Z = term_design(X["group"].to_numpy(), np.ones(len(X)))

    def predicted(ratio):
        beta = gls(y[fitted], x[fitted], [Z[fitted]], [np.array([[ratio]])]).beta
        V = ratio * Z @ Z.T + np.eye(len(X))
        return x @ beta + ratio * Z @ Z.T @ np.linalg.solve(V, y - x @ beta)

    ratio = model.covariances_[0][0, 0] / model.scale_
    h, change = 1e-4, direction[0][0, 0]
    moved = change * (predicted(ratio + h) - predicted(ratio - h)) / (2.0 * h)
    assert of_the_covariances(model, X) == pytest.approx(moved**2, rel=1e-4)


@pytest.mark.smoke
@pytest.mark.parametrize("how", ["new", "known"])
@pytest.mark.parametrize("effects", EFFECTS)
def test_logistic_effects_solve_the_equations_of_the_modes(effects, how):
    X, y = data(make_mixed_classification)
    model = updated(MixedLogisticClassifier, effects, X, y, how, n_quadrature=1)
    Z, G = dense(model, effects, X)
    b = modes(model)
    eta = model.intercept_ + X[["x0", "x1"]] @ model.coef_ + Z @ b
    assert b == pytest.approx(G @ Z.T @ (y - 1.0 / (1.0 + np.exp(-eta))), abs=1e-8)


def test_weights_repeat_rows():
    for kind, make in [
        (MixedLinearRegressor, make_mixed_regression),
        (MixedLogisticClassifier, make_mixed_classification),
    ]:
        X, y = data(make)
        fitted, rest, _ = parts(X, "known")
        w = np.arange(len(rest)) % 3
        model = kind(groups="group").fit(X.loc[fitted, ["x0", "group"]], y[fitted])
        other = clone(model).fit(X.loc[fitted, ["x0", "group"]], y[fitted])
        model.update_groups(X.loc[rest, ["x0", "group"]], y[rest], sample_weight=w)
        again = np.repeat(rest, w)
        other.update_groups(X.loc[again, ["x0", "group"]], y[again])
        assert modes(model) == pytest.approx(modes(other), abs=1e-9)


@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
def test_parameters_and_results_stay_those_of_the_fit(kind):
    make = {MixedLinearRegressor: make_mixed_regression}.get(kind, make_mixed_classification)
    X, y = data(make)
    fitted, rest, _ = parts(X, "new")
    columns = ["x0", "x1", "group"]
    model = kind(groups="group").fit(X.loc[fitted, columns], y[fitted])
    before = (
        model.coef_,
        model.intercept_,
        model.covariances_,
        model.loglik_,
        icc(model)["icc"].to_list(),
    )
    effects = model.results_.effects_table()
    assert model.update_groups(X.loc[rest, columns], y[rest]) is model
    after = (
        model.coef_,
        model.intercept_,
        model.covariances_,
        model.loglik_,
        icc(model)["icc"].to_list(),
    )
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert len(model.random_effects_) > len(effects) == len(model.results_.effects_table())
    assert model.simulate(X[columns], kind="conditional", random_state=0).shape == (len(X), 1)
    again = clone(model).fit(X.loc[fitted, columns], y[fitted])
    model.fit(X.loc[fitted, columns], y[fitted])  # forgets the further rows
    assert model.random_effects_.equals(again.random_effects_)


@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
def test_pickled_models_learn_new_levels_and_keep_them(kind):
    make = {MixedLinearRegressor: make_mixed_regression}.get(kind, make_mixed_classification)
    X, y = data(make)
    fitted, first, second = parts(X, "new")
    columns = ["x0", "x1", "group"]
    model = kind(groups="group").fit(X.loc[fitted, columns], y[fitted])
    _ = model.random_effects_  # for errors, which a pickled classifier keeps if they are known
    copy = pickle.loads(pickle.dumps(model))
    for each in (model, copy):
        each.update_groups(X.loc[first, columns], y[first])
    copy = pickle.loads(pickle.dumps(copy))
    for each in (model, copy):
        each.update_groups(X.loc[second, columns], y[second])
    pd.testing.assert_frame_equal(model.random_effects_, copy.random_effects_)


@pytest.mark.parametrize(
    "effects", ["(1 | group)", "(1 + x0 | group)", "(1 | group) + (1 | other)"]
)
def test_a_pickled_classifier_has_an_expansion_of_the_rows_of_known_levels(effects):
    X, y = data(make_mixed_classification)
    fitted, first, second = parts(X, "known")
    columns = ["x0", "x1", "group", "other"]
    model = MixedLogisticClassifier(["group", "other"], effects, n_quadrature=1)
    model.fit(X.loc[fitted, columns], y[fitted])
    before = modes(model)  # with standard errors
    copy = pickle.loads(pickle.dumps(model))
    for each in (model, copy):
        each.update_groups(X.loc[first, columns], y[first])
    copy = pickle.loads(pickle.dumps(copy))
    for each in (model, copy):
        each.update_groups(X.loc[second, columns], y[second])
    moved = modes(model) - before
    assert np.linalg.norm(modes(copy) - modes(model)) < 0.15 * np.linalg.norm(moved)
    assert copy.random_effects_["std_error"].to_numpy() == pytest.approx(
        model.random_effects_["std_error"].to_numpy(), rel=0.1
    )


def test_a_pickled_classifier_without_sums_says_so():
    X, y = data(make_mixed_classification)
    fitted, rest, _ = parts(X, "known")
    model = MixedLogisticClassifier(groups="group").fit(X.loc[fitted, ["x0", "group"]], y[fitted])
    copy = pickle.loads(pickle.dumps(model))
    before = copy.predict_proba(X[["x0", "group"]])
    with pytest.raises(ValueError, match="before pickling, which keeps the sums"):
        copy.update_groups(X.loc[rest, ["x0", "group"]], y[rest])
    assert np.array_equal(copy.predict_proba(X[["x0", "group"]]), before)


def test_counts_and_class_weights_are_those_of_the_fit():
    X, y = data(make_mixed_classification)
    fitted, rest, _ = parts(X, "new")
    columns = ["x0", "group"]
    model = MixedLogisticClassifier(groups="group", class_weight="balanced", n_quadrature=1)
    model.fit(X.loc[fitted, columns], y[fitted])
    factors = len(fitted) / (2.0 * np.bincount(y[fitted]))
    plain = MixedLogisticClassifier(groups="group", n_quadrature=1)
    plain.fit(X.loc[fitted, columns], y[fitted], sample_weight=factors[y[fitted]])
    model.update_groups(X.loc[rest, columns], np.column_stack([y[rest], 1 - y[rest]]))
    plain.update_groups(X.loc[rest, columns], y[rest], sample_weight=factors[y[rest]])
    assert modes(model) == pytest.approx(modes(plain), abs=1e-7)
    with pytest.raises(ValueError, match="not one of the classes"):
        model.update_groups(X.loc[rest, columns], y[rest] + 1)


def test_labels_beside_X_offsets_and_formulas():
    X, y = data(make_mixed_regression)
    fitted, rest, _ = parts(X, "new")
    by_column = MixedLinearRegressor(groups="group").fit(X.loc[fitted, ["x0", "group"]], y[fitted])
    by_column.update_groups(X.loc[rest, ["x0", "group"]], y[rest])
    beside = MixedLinearRegressor().fit(X.loc[fitted, ["x0"]], y[fitted], groups=X["group"][fitted])
    beside.update_groups(X.loc[rest, ["x0"]], y[rest], groups=X["group"][rest])
    formula = MixedLinearRegressor(formula="x0 + (1 | group)").fit(X.loc[fitted], y[fitted])
    formula.update_groups(X.loc[rest], y[rest])
    assert modes(beside) == pytest.approx(modes(by_column), abs=1e-9)
    assert modes(formula) == pytest.approx(modes(by_column), abs=1e-9)
    shifted = MixedLinearRegressor(groups="group", offset="x1")
    shifted.fit(X.loc[fitted, ["x0", "x1", "group"]], y[fitted] + X["x1"][fitted])
    shifted.update_groups(X.loc[rest, ["x0", "x1", "group"]], y[rest] + X["x1"][rest])
    assert modes(shifted) == pytest.approx(modes(by_column), abs=1e-7)


def test_what_cannot_be_learned_is_said():
    X, y = data(make_mixed_regression)
    plain = MixedLinearRegressor().fit(X[["x0"]], y)
    with pytest.raises(ValueError, match="was fitted without groups"):
        plain.update_groups(X[["x0"]], y)
    model = MixedLinearRegressor(groups="group").fit(X[["x0", "group"]], y)
    with pytest.raises(ValueError, match="was given no labels"):
        model.update_groups(X[["x0"]], y)
    with pytest.raises(ValueError, match="levels of 'group' were numbers at fit and are text"):
        model.update_groups(X[["x0"]].assign(group=X["group"].astype(str)), y)
    with pytest.raises(ValueError, match="contains NaN"):
        model.update_groups(X[["x0"]].assign(group=np.nan), y)


def test_new_groups_close_the_stated_share_of_the_gap():
    """Of the error that a new group has beside a known effect, k rows take away kPsi / (kPsi + s2)."""
    rng = np.random.default_rng(0)
    psi, sigma2, m = 2.0, 1.0, 4000
    b = rng.normal(0.0, np.sqrt(psi), m)
    groups = np.repeat(np.arange(m), 10)
    y = b[groups] + rng.normal(0.0, np.sqrt(sigma2), len(groups))
    X = pd.DataFrame({"x": rng.normal(size=len(y)), "group": groups})
    old = groups < m // 2
    for k in (1, 3, 10):
        model = MixedLinearRegressor(groups="group").fit(X[old], y[old])
        rows = ~old & (np.arange(len(y)) % 10 < k)
        errors = [np.mean((model.predict(X[~old]) - b[groups][~old]) ** 2)]
        model.update_groups(X[rows], y[rows])
        errors.append(np.mean((model.predict(X[~old]) - b[groups][~old]) ** 2))
        assert 1.0 - errors[1] / errors[0] == pytest.approx(k * psi / (k * psi + sigma2), abs=0.03)
