"""Counts of two outcomes as the response, and weights of the classes."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_score
from sklearn.utils.class_weight import compute_class_weight

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification
from skmixed.exceptions import SeparationWarning, SingularFitWarning
from skmixed.inference import (
    average_effects,
    average_predictions,
    bootstrap,
    conditional_aic,
    icc,
    profile,
    r_squared,
)

pytestmark = pytest.mark.filterwarnings("ignore::skmixed.exceptions.LaplaceWarning")


def trials(seed=0):
    """Successes of trials in two rows of every litter, and the same trials one by one."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"dose": rng.normal(size=50), "litter": np.repeat(np.arange(25), 2)})
    total = rng.integers(0, 12, 50)
    eta = -0.5 + 0.8 * X["dose"] + rng.normal(0, 0.9, 25)[X["litter"]]
    alive = rng.binomial(total, expit(eta))
    times = np.column_stack([alive, total - alive]).ravel()
    single = X.loc[np.repeat(X.index, 2)].reset_index(drop=True)
    rows = np.repeat(np.arange(100), times)
    label = np.tile([1, 0], 50)[rows]
    return (
        X,
        np.column_stack([alive, total - alive]),
        single.iloc[rows].reset_index(drop=True),
        label,
    )


@pytest.mark.smoke
@pytest.mark.parametrize("points", [1, 9])
def test_counts_are_as_many_rows(points):
    X, counts, single, label = trials()
    model = MixedLogisticClassifier("litter", n_quadrature=points)
    long = clone(model).fit(single, label)
    short = clone(model).fit(X, counts)
    found, wanted = short.results_, long.results_
    assert short.loglik_ == pytest.approx(long.loglik_, abs=1e-8)
    np.testing.assert_allclose(short.coef_, long.coef_, atol=1e-7)
    np.testing.assert_allclose(short.covariances_, long.covariances_, atol=1e-6)
    np.testing.assert_allclose(found.bse, wanted.bse, rtol=1e-6)
    np.testing.assert_allclose(
        [found.aic, found.bic, found.nobs], [wanted.aic, wanted.bic, len(label)]
    )
    np.testing.assert_array_equal(short.classes_, [0, 1])
    for table in ("coef_table", "variance_table"):
        pd.testing.assert_frame_equal(getattr(found, table)(), getattr(wanted, table)(), rtol=1e-5)
    pd.testing.assert_frame_equal(
        found.coef_table(cov="CR1"), wanted.coef_table(cov="CR1"), rtol=1e-5
    )
    assert str(short.summary()).replace("y", "") == str(long.summary()).replace("y", "")
    assert short.score(X, counts) == pytest.approx(long.score(single, label))
    assert short.score(single, label) == pytest.approx(long.score(single, label))
    for function in (average_predictions, average_effects):
        pd.testing.assert_frame_equal(function(short), function(long), rtol=1e-5)
    assert conditional_aic(short).caic == pytest.approx(conditional_aic(long).caic)
    for residual in ("theoretical", "delta"):
        same = [r_squared(m, residual=residual).conditional for m in (short, long)]
        assert same[0] == pytest.approx(same[1])
    assert icc(short).icc.iloc[0] == pytest.approx(icc(long).icc.iloc[0])
    kept = counts.sum(axis=1) > 0
    share = counts[kept, 0] / counts[kept].sum(axis=1)
    np.testing.assert_allclose(found.resid + found.fittedvalues, share)


@pytest.mark.parametrize("make", [pd.DataFrame, "polars"])
def test_columns_are_the_labels_and_the_first_is_the_event(make):
    X, counts, *_ = trials()
    make = pytest.importorskip("polars").DataFrame if make == "polars" else make
    y = make({"alive": counts[:, 0], "dead": counts[:, 1]})
    model = MixedLogisticClassifier("litter", n_quadrature=1).fit(X, y)
    plain = MixedLogisticClassifier("litter", n_quadrature=1).fit(X, counts)
    assert model.classes_.tolist() == ["dead", "alive"]
    assert model.results_.event == "alive"
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(model.predict(X) == "alive", plain.predict(X) == 1)
    assert set(model.simulate(X, random_state=0).ravel()) == {"dead", "alive"}
    turned = make({"dead": counts[:, 1], "alive": counts[:, 0]})
    other = MixedLogisticClassifier("litter", n_quadrature=1).fit(X, turned)
    np.testing.assert_allclose(other.coef_, -model.coef_, rtol=1e-6)
    assert other.classes_.tolist() == ["alive", "dead"]
    # a score goes by the names, and by the order where there are none
    assert model.score(X, turned) == model.score(X, y) == model.score(X, counts)
    strange = make({"alive": counts[:, 0], "lost": counts[:, 1]})
    with pytest.raises(ValueError, match=r"columns \['alive', 'lost'\] are not the classes.*\n"):
        model.score(X, strange)


def test_weights_count_the_counts():
    X, counts, *_ = trials()
    w = np.random.default_rng(1).integers(0, 3, len(X))
    model = MixedLogisticClassifier("litter", n_quadrature=1)
    found = clone(model).fit(X, counts, sample_weight=w)
    wanted = clone(model).fit(X, counts * w[:, None])
    assert found.loglik_ == pytest.approx(wanted.loglik_, abs=1e-9)
    assert found.results_.nobs == np.sum(counts * w[:, None])
    hits = found.score(X, counts, sample_weight=w)
    assert hits == pytest.approx(wanted.score(X, counts * w[:, None]))
    beside = clone(model).set_params(groups=None).fit(X[["dose"]], counts, groups=X["litter"])
    assert beside.loglik_ == pytest.approx(clone(model).fit(X, counts.tolist()).loglik_, abs=1e-9)
    scores = cross_val_score(model, X, counts, cv=KFold(4))
    assert np.all((scores > 0) & (scores < 1))


def test_what_follows_from_a_fit_to_counts():
    X, counts, single, label = trials()
    model = MixedLogisticClassifier("litter", n_quadrature=1)
    long, short = clone(model).fit(single, label), clone(model).fit(X, counts)
    pd.testing.assert_frame_equal(profile(short), profile(long), rtol=1e-4)
    found = bootstrap(short, n_samples=20, random_state=0)
    assert found.n_failed == 0
    assert found.samples.std().between(0.05, 2.0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: y - 20, r"y: column 0 of its two holds -\d+.0? in row \d+.*\nGive the numbers"),
        (lambda y: y / 2, r"no count of outcomes.*\nGive the numbers"),
        (lambda y: np.where(y > 8, np.nan, y), r"holds nan in row.*\n"),
        (lambda y: np.full(y.shape, "a"), r"holds a in row 0.*\n"),
        (lambda y: 0 * y, r"counts are zero in every row.*\n"),
        (lambda y: y * [1, 0], r"only one class: .*1.*\n"),
        (lambda y: (y + 1)[:, 0] / (y + 1).sum(axis=1), r"continuous.*\n.*counts.*sample_weight"),
        (lambda y: np.ma.masked_greater(y, 8), r"holds -- in row.*\n"),
        (lambda y: np.column_stack([y, y[:, 0]]), r"y: 3 columns are more.*\n"),
        (lambda y: y[:-1], r"inconsistent numbers of samples"),
    ],
)
def test_what_is_no_count_is_refused_in_words(change, words):
    X, counts, *_ = trials()
    with pytest.raises(ValueError, match=words):
        MixedLogisticClassifier("litter").fit(X, change(counts))


@pytest.mark.parametrize(
    ("response", "labels"),
    [
        ("cbind(alive, dead)", ["dead", "alive"]),
        ("cbind(alive, total - alive)", ["total - alive", "alive"]),
        ("cbind(`no. alive`, dead)", ["dead", "no. alive"]),
    ],
)
def test_counts_in_a_formula(response, labels):
    X, counts, *_ = trials()
    table = X.assign(alive=counts[:, 0], dead=counts[:, 1], total=counts.sum(axis=1))
    table["no. alive"] = table["alive"]
    formula = f"{response} ~ dose + (1 | litter)"
    model = MixedLogisticClassifier.from_formula(formula, table, n_quadrature=1)
    plain = MixedLogisticClassifier("litter", n_quadrature=1).fit(X, counts)
    assert model.loglik_ == pytest.approx(plain.loglik_, abs=1e-9)
    assert model.classes_.tolist() == labels
    for wrong in ("cbind(alive)", "cbind(alive, alive)", "cbind(alive, dead, total)"):
        with pytest.raises(ValueError, match=r"is not the counts of two outcomes.*\n.*trials"):
            MixedLogisticClassifier.from_formula(f"{wrong} ~ dose + (1 | litter)", table)


def test_a_regressor_says_whom_counts_are_for():
    X, counts, *_ = trials()
    with pytest.raises(ValueError, match=r"y: 2 columns.*\n.*MixedLogisticClassifier"):
        MixedLinearRegressor("litter").fit(X, counts)


def test_counts_that_a_column_separates():
    """Rows that hold both outcomes are no separation; rows with one each are."""
    X = pd.DataFrame({"x": np.repeat([0.0, 1.0], 20), "g": np.tile(np.arange(10), 4)})
    counts = np.where(X[["x"]].to_numpy() > 0, [[5, 0]], [[0, 5]])
    with pytest.warns(SeparationWarning, match="x"):
        model = MixedLogisticClassifier("g", n_quadrature=1).fit(X, counts)
    assert not model.converged_
    mixed = counts + (X.index.to_numpy() % 3 == 0)[:, None]
    with pytest.warns(SingularFitWarning):
        assert MixedLogisticClassifier("g", n_quadrature=1).fit(X, mixed).converged_


def two_classes():
    X, y = make_mixed_classification(n_groups=30, rows_per_group=8, random_state=0)
    keep = (y == 1) | (np.arange(len(y)) % 3 == 0)
    return X[keep], np.where(y[keep] == 1, "yes", "no")


@pytest.mark.smoke
@pytest.mark.parametrize("class_weight", ["balanced", {"yes": 0.5, "no": 3}, {"no": 2.5}, {}])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_weights_multiply_the_weights(class_weight, weighted):
    X, y = two_classes()
    w = (
        np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
        if weighted
        else np.ones(len(y))
    )
    model = MixedLogisticClassifier("group", n_quadrature=1, class_weight=class_weight)
    model.fit(X, y, sample_weight=w if weighted else None)
    totals = np.array([w[y == label].sum() for label in ("no", "yes")])
    if class_weight == "balanced":
        factors = w.sum() / (2 * totals)
    else:
        factors = compute_class_weight(class_weight, classes=np.array(["no", "yes"]), y=y)
    by_hand = MixedLogisticClassifier("group", n_quadrature=1)
    by_hand.fit(X, y, sample_weight=w * factors[(y == "yes").astype(int)])
    assert model.loglik_ == pytest.approx(by_hand.loglik_, abs=1e-9)
    np.testing.assert_allclose(model.coef_, by_hand.coef_, rtol=1e-7)
    np.testing.assert_allclose(model.results_.bse, by_hand.results_.bse, rtol=1e-7)
    if class_weight == "balanced":
        assert model.results_.nobs == pytest.approx(w.sum())


def test_class_weights_of_counts():
    X, counts, single, label = trials()
    options = {"groups": "litter", "n_quadrature": 1}
    for class_weight in ("balanced", {1: 3.0, 0: 0.7}):
        model = MixedLogisticClassifier(class_weight=class_weight, **options)
        long, short = clone(model).fit(single, label), clone(model).fit(X, counts)
        assert short.loglik_ == pytest.approx(long.loglik_, abs=1e-8)


@pytest.mark.parametrize(
    ("class_weight", "words"),
    [
        ({"maybe": 2}, r"class_weight names \['maybe'\], but the classes are \['no', 'yes'\].*\n"),
        ({"yes": 1, "maybe": 2}, r"class_weight names \['maybe'\]"),
        ({"yes": 0}, r"must be positive.*\n"),
        ({"yes": np.nan}, r"must be positive.*\n"),
        ({"yes": "twice"}, r"must be positive.*\n"),
        ("even", "class_weight"),
    ],
)
def test_weights_of_other_classes_are_refused(class_weight, words):
    X, y = two_classes()
    with pytest.raises(ValueError, match=words):
        MixedLogisticClassifier("group", class_weight=class_weight).fit(X, y)
