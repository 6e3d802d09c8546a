"""Tables of every kind give the same fit; wrong input is named, with what to do; copies predict the same."""

from __future__ import annotations

import copy
import functools
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skmixed import (
    GroupsWarning,
    MixedLinearRegressor,
    MixedLogisticClassifier,
    RandomEffect,
    RankDeficiencyWarning,
    SeparationWarning,
    SkmixedWarning,
)
from skmixed.datasets import make_mixed_regression
from tests.helpers.kinds import (
    BOTH,
    NAMES,
    OF_NEW_LEVELS,
    answer,
    for_kinds,
    linear_only,
    logistic_only,
)
from tests.helpers.rows import schools_and_towns

TERMS = "(1 + age | school) + (1 | town)"
#: what takes rows and gives one answer or more for each
LINEAR = ["predict", "predict_interval", "simulate"]
LOGISTIC = ["predict", "predict_proba", "predict_log_proba", "decision_function", "simulate"]
METHODS = {MixedLinearRegressor: LINEAR, MixedLogisticClassifier: LOGISTIC}


@pytest.fixture(scope="module", params=BOTH, ids=NAMES.get)
def kind(request):
    return request.param


rows = functools.cache(schools_and_towns)


@pytest.fixture
def data(kind):
    return rows(kind)


@functools.cache
def fitted(kind, make=lambda t: t, **parameters):
    """A model of the rows as a table of some kind; not to be changed, for other tests have it too."""
    table, y = rows(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        return kind(**({"random_effects": TERMS} | parameters)).fit(make(table), y)


# ----------------------------------------------------------------------------------------------------- kinds of tables

TABLES = {
    "plain": lambda t: t,
    "categorical": lambda t: t.astype({"school": "category", "town": "category"}),
    "unused category": lambda t: t.assign(
        school=pd.Categorical(
            t["school"], categories=["none", *sorted(set(t["school"]), reverse=True)]
        )
    ),
    "nullable": lambda t: t.convert_dtypes(),
    "arrow-backed": lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
    "object": lambda t: t.astype(object),
    "shuffled index": lambda t: t.set_index(np.arange(len(t))[::-1]),
    "other column order": lambda t: t[["town", "age", "school", "hours"]],
    "float32 ids": lambda t: t.astype({"town": "float32"}),
    "polars": pl.from_pandas,
    "polars categorical": lambda t: pl.from_pandas(t).with_columns(
        pl.col("school").cast(pl.Categorical)
    ),
    "pyarrow": pa.Table.from_pandas,
    "pyarrow dictionary": lambda t: pa.Table.from_pandas(t.astype({"school": "category"})),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_tables_give_the_same_fit(kind, data, make):
    table, y = data
    expected, X = fitted(kind), make(table)
    model = kind(random_effects=TERMS).fit(X, y)
    assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
    assert list(model.feature_names_in_) == (
        list(X.column_names) if hasattr(X, "column_names") else list(X.columns)
    )
    rtol = 1e-6 if kind is MixedLinearRegressor else 1e-5
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=rtol)
    np.testing.assert_allclose(answer(model, X), answer(expected, table), rtol=rtol)


def test_fitted_on_one_kind_predicts_on_another(kind, data):
    table, _ = data
    model = fitted(kind)
    expected = answer(model, table)
    for name, make in TABLES.items():
        if name != "other column order":
            np.testing.assert_allclose(answer(model, make(table)), expected, rtol=1e-10)


def test_arrays_by_position(kind, data):
    table, y = data
    expected = fitted(kind)
    for X in (
        table.to_numpy(),
        table.astype({"school": "category"}).assign(school=table["school"]).to_numpy(object),
    ):
        model = kind(random_effects=[RandomEffect(2, (0,)), RandomEffect(-1)]).fit(X, y)
        assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
        np.testing.assert_allclose(answer(model, X), answer(expected, table), rtol=1e-6)


ARGUMENTS = {
    "list": list,
    "tuple": tuple,
    "array": np.asarray,
    "Series": lambda g: pd.Series(g),
    "Series with another index": lambda g: pd.Series(g, index=range(len(g), 0, -1), name="school"),
    "Index": pd.Index,
    "Categorical": pd.Categorical,
    "string array": lambda g: pd.array(g, dtype="string"),
    "arrow Series": lambda g: pd.Series(g, dtype="string[pyarrow]"),
    "DataFrame": lambda g: pd.DataFrame({"school": g}),
    "polars": pl.Series,
    "polars frame": lambda g: pl.DataFrame({"school": g}),
    "pyarrow": pa.array,
    "pyarrow chunked": lambda g: pa.chunked_array([g]),
}
BY_NAME = RandomEffect("school", ("age",))


@pytest.mark.parametrize(
    ("make", "terms"),
    [
        *(pytest.param(m, t, id=f"{n}-{t}") for n, m in ARGUMENTS.items() for t in (None, BY_NAME)),
        # a plain array has no names
        pytest.param(lambda g: np.asarray(g)[:, None], None, id="column-None"),
    ],
)
def test_labels_of_any_kind(kind, data, make, terms):
    """The keyword takes what holds one label per row, positionally."""
    table, y = data
    X, labels = table[["age", "hours"]], list(table["school"])
    expected = kind("school", terms).fit(X.assign(school=labels), y)
    groups = make(labels)
    model = kind(random_effects=terms).fit(X, y, groups=groups)
    assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
    np.testing.assert_allclose(
        answer(model, X, groups=groups), answer(expected, X.assign(school=labels)), rtol=1e-6
    )


def test_several_factors_as_an_argument(kind, data):
    table, y = data
    X = table[["age", "hours"]]
    expected = kind(["school", "town"]).fit(table, y).loglik_
    as_array = np.column_stack([table["school"], table["town"]])
    for groups in (table[["school", "town"]], as_array, pl.from_pandas(table[["school", "town"]])):
        assert kind().fit(X, y, groups=groups).loglik_ == pytest.approx(expected, rel=1e-10)


LABELS = {
    "dates": pd.date_range("2020", periods=10).repeat(6),
    "booleans": np.array([True, False]).repeat(30),
    "mixed": np.array([1, "one"], dtype=object).repeat(30),
    "tuples": np.array([(1, 2), (1, 3)] * 30 + [None], dtype=object)[:60],
    "far apart": np.array([2**63 - 1, -(2**63)]).repeat(30),
    "unsigned": np.array([0, 2**64 - 1], dtype=np.uint64).repeat(30),
    "bytes": np.array([b"a", b"b"]).repeat(30),
    "floats": np.arange(60) // 6 / 7.0,
    "categories of booleans": pd.Categorical([True, False] * 30),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_of_any_type(kind, labels):
    """Only equality of labels counts."""
    rng = np.random.default_rng(0)
    codes = pd.factorize(labels)[0]
    X, y = rng.standard_normal((60, 1)), rng.standard_normal(60) + codes
    if kind is MixedLogisticClassifier:
        y = (y > np.median(y)).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        model = kind().fit(X, y, groups=labels)
        expected = kind().fit(X, y, groups=codes)
    assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
    np.testing.assert_allclose(
        answer(model, X, groups=labels), answer(expected, X, groups=codes), rtol=1e-8
    )


# ---------------------------------------------------------------------------------------------- errors: labels, columns


def assert_helpful(error):
    """Two sentences: what is wrong, and what to do."""
    lines = str(error.value).split("\n")
    assert len(lines) >= 2 and all(len(line) > 10 for line in lines[:2])


@pytest.mark.parametrize(
    "parameters", [{"groups": "school"}, {"random_effects": "(1 | school)"}], ids=str
)
def test_both_styles_at_once(kind, data, parameters):
    table, y = data
    X = table[["age", "school"]]
    with pytest.raises(ValueError, match="not both") as error:
        kind(**parameters).fit(X, y, groups=table["town"])
    assert_helpful(error)
    model = kind(**parameters).fit(X, y)
    for method in METHODS[kind]:
        with pytest.raises(ValueError, match="not both"):
            getattr(model, method)(X, groups=table["town"])
    with pytest.raises(ValueError, match="not both"):
        model.score(X, y, groups=table["town"])


def test_dict_of_groups(kind, data):
    table, y = data
    with pytest.raises(TypeError, match="dict") as error:
        kind().fit(table[["age"]], y, groups={"school": table["school"]})
    assert_helpful(error)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, np.inf], ids=str)
def test_missing_labels(kind, data, missing):
    """Refused at fit, in both styles, with the name of the factor; new levels at predict."""
    table, y = data
    broken = table[["age", "school"]].astype({"school": object})
    if missing is np.inf:
        broken["school"] = table["town"].astype(float)
    complete = broken.copy()
    broken.loc[3, "school"] = missing
    model = kind("school")
    with pytest.raises(ValueError, match=r"'school'.* 1 rows") as error:
        model.fit(broken, y)
    assert_helpful(error)
    new = complete.copy()
    new.loc[3, "school"] = -7.5 if missing is np.inf else "never seen"
    model.fit(complete, y)
    np.testing.assert_array_equal(answer(model, broken), answer(model, new))
    with pytest.raises(ValueError, match="groups"):
        kind().fit(table[["age"]], y, groups=broken["school"])
    by_argument = kind().fit(table[["age"]], y, groups=complete["school"])
    np.testing.assert_array_equal(
        answer(by_argument, table[["age"]], groups=broken["school"]),
        answer(by_argument, table[["age"]], groups=new["school"]),
    )


@pytest.mark.parametrize(
    "make",
    [
        pl.from_pandas,
        pa.Table.from_pandas,
        lambda t: t.convert_dtypes(),
        lambda t: t.astype({"school": "category"}),
    ],
    ids=["polars", "pyarrow", "nullable", "categorical"],
)
def test_missing_labels_in_any_table(kind, data, make):
    table, y = data
    broken = table[["age", "school"]].astype({"school": object})
    broken.loc[3, "school"] = None
    with pytest.raises(ValueError, match="'school'"):
        kind("school").fit(make(broken), y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"groups": "schol"}, r"groups: no column 'schol'.*\n.*'school'"),
        ({"random_effects": "(1 | schol)"}, r"random_effects: no column 'schol'.*\n.*'school'"),
        ({"random_effects": "(1 + agee | school)"}, r"random_effects: no column 'agee'.*\n.*'age'"),
        ({"groups": 9}, r"groups=9.*only 2 features"),
        ({"groups": -3}, r"groups=-3.*only 2 features"),
        ({"groups": "school", "random_effects": RandomEffect("school", (7,))}, r"random_effects=7"),
        (
            {"groups": ["school", "nothing like it"]},
            "no column 'nothing like it' among 'age', 'school'",
        ),
        ({"random_effects": "(1 | school) + (1 | school)"}, r"'Intercept' of school appears twice"),
    ],
    ids=str,
)
def test_unknown_columns(kind, data, parameters, message):
    table, y = data
    with pytest.raises(ValueError, match=message) as error:
        kind(**parameters).fit(table[["age", "school"]], y)
    assert_helpful(error)


def test_unknown_slope_with_labels_as_an_argument(kind, data):
    table, y = data
    with pytest.raises(ValueError, match=r"no column 'agee'.*\n.*'age'"):
        kind(random_effects="(1 + agee | school)").fit(table[["age"]], y, groups=table[["school"]])


def test_unknown_factor_among_the_argument(kind, data):
    table, y = data
    with pytest.raises(ValueError, match="no column 'city'"):
        kind(random_effects="(1 | school) + (1 | city)").fit(
            table[["age"]], y, groups=table[["school", "town"]]
        )


def test_text_is_shown_with_what_to_do(kind, data):
    table, y = data
    with pytest.raises(ValueError, match=r"column 'school' holds text, such as 'school") as error:
        kind("town").fit(table, y)
    assert "OneHotEncoder" in str(error.value)


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_text_among_the_fixed_effects(kind, data, make):
    table, y = data
    with pytest.raises(ValueError, match="'school'") as error:
        kind("town").fit(make(table), y)
    assert_helpful(error)


@for_kinds("method", ["fit", *LINEAR], ["fit", *LOGISTIC])
@pytest.mark.parametrize(
    "make",
    [lambda t: t, lambda t: t.convert_dtypes(), pl.from_pandas, pa.Table.from_pandas],
    ids=["plain", "nullable", "polars", "pyarrow"],
)
def test_missing_values_name_their_column(kind, data, make, method):
    table, y = data
    broken = table.copy()
    broken.loc[[3, 5], "hours"] = None
    if method == "fit":
        call = functools.partial(kind(["school", "town"]).fit, y=y)
    else:
        call = getattr(fitted(kind, make), method)
    message = f"'hours' contains NaN in 2 of {len(table)} rows"
    with pytest.raises(ValueError, match=message) as error:
        call(make(broken))
    assert_helpful(error)


def test_infinite_values_name_their_column(kind, data):
    table, y = data
    broken = table.copy()
    broken.loc[3, "hours"] = np.inf
    with pytest.raises(ValueError, match="'hours'"):
        kind(["school", "town"]).fit(broken, y)


# ---------------------------------------------------------------------------------------------- errors: other arguments

WRONG = [
    lambda kind, X, y: kind("school").fit(X, y[:-1]),
    lambda kind, X, y: kind().fit(X[["age"]], y, groups=X["school"][:-1]),
    lambda kind, X, y: kind("school").fit(X, y, sample_weight=np.ones(3)),
    lambda kind, X, y: kind("school").fit(X, y, sample_weight=np.full(len(y), -1.0)),
    lambda kind, X, y: kind("school").fit(X, y, sample_weight=np.zeros(len(y))),
    lambda kind, X, y: kind("school").fit(X.iloc[:1], y[:1]),
    lambda kind, X, y: kind("school").fit(X.iloc[:0], y[:0]),
    lambda kind, X, y: kind("school").fit(X, np.column_stack([y, y, y])),
    lambda kind, X, y: kind("school", covariance="toeplitz").fit(X, y),
    lambda kind, X, y: kind("school", RandomEffect("school", covariance="toeplitz")).fit(X, y),
    lambda kind, X, y: kind("school", tol=0.0).fit(X, y),
    lambda kind, X, y: kind("school", max_iter=0).fit(X, y),
    lambda kind, X, y: kind(1.5).fit(X, y),
    lambda kind, X, y: kind([None]).fit(X, y),
    lambda kind, X, y: kind("school", random_effects=3).fit(X, y),
    lambda kind, X, y: kind("school", random_effects=["(1 | school)", None]).fit(X, y),
    lambda kind, X, y: kind(random_effects="age").fit(X, y),
    lambda kind, X, y: kind(random_effects="(1 | )").fit(X, y),
    lambda kind, X, y: kind(random_effects="(0 | school)").fit(X, y),
    lambda kind, X, y: kind(random_effects="(1 + | school").fit(X, y),
    lambda kind, X, y: kind("school").fit(X, y).summary(level=95),
]
WRONG_LINEAR = [
    lambda kind, X, y: kind("school", method="mle").fit(X, y),
    lambda kind, X, y: kind("school").fit(X, y).predict_interval(X, level=95),
    lambda kind, X, y: kind("school").fit(X, y).predict_interval(X, target="mode"),
]


@for_kinds("call", WRONG + WRONG_LINEAR, WRONG)
def test_wrong_arguments(kind, data, call):
    """An error of the package's or scikit-learn's own, never a bare one from numpy."""
    table, y = data
    with pytest.raises((ValueError, TypeError)) as error:
        call(kind, table[["age", "school"]], y)
    assert any(name in str(error.traceback[-1].path) for name in ("skmixed", "sklearn"))


def test_weights_or_groups_by_place(kind, data):
    """Only by keyword, so that weights are never taken for groups."""
    table, y = data
    with pytest.raises(TypeError):
        kind("school").fit(table[["age", "school"]], y, np.ones(len(y)))


@for_kinds("method", ["predict", "simulate"], LOGISTIC)
def test_unknown_kind_of_prediction(kind, data, method):
    with pytest.raises(ValueError, match="kind='typical' is not known") as error:
        getattr(fitted(kind), method)(data[0], kind="typical")
    assert_helpful(error)


WITHOUT_ROWS = ["summary", "variance_components"]


@for_kinds("method", [*LINEAR, "score", *WITHOUT_ROWS], [*LOGISTIC, "score", *WITHOUT_ROWS])
def test_not_fitted(kind, data, method):
    arguments = () if method in WITHOUT_ROWS else data if method == "score" else data[:1]
    with pytest.raises(NotFittedError):
        getattr(kind("school"), method)(*arguments)


def test_table_of_effects_before_fit(kind):
    with pytest.raises(NotFittedError):
        _ = kind("school").random_effects_


def test_wrong_number_of_factors(kind, data):
    table, y = data
    X = table[["age"]]
    model = kind().fit(X, y, groups=table[["school", "town"]])
    for groups in (table["school"], table[["school"]], table[["school"]].to_numpy()):
        with pytest.raises(ValueError, match="factor") as error:
            answer(model, X, groups=groups)
        assert_helpful(error)


def test_more_factors_than_at_fit(kind, data):
    table, y = data
    X, labels = table[["age"]], np.column_stack([table["school"], table["town"]])
    model = kind().fit(X, y, groups=labels[:, 0])
    with pytest.raises(ValueError, match="factor"):
        answer(model, X, groups=labels)


def test_three_dimensional_groups(kind, data):
    table, y = data
    with pytest.raises(ValueError, match="shape"):
        kind().fit(table[["age"]], y, groups=np.zeros((len(y), 2, 2)))


# ------------------------------------------------------------------------------------------------------------ warnings


def test_no_groups_at_fit(kind, data):
    table, y = data
    X = table[["age", "hours"]]
    with pytest.warns(GroupsWarning, match="without groups"):
        model = kind().fit(X, y)
    assert model.covariances_ == [] and model.converged_
    found, std = answer(model, X, return_std=True)
    np.testing.assert_array_equal(found, answer(model, X, kind="population"))
    assert np.isfinite(found).all() and np.all(std > 0)
    residual = ["Residual"] if kind is MixedLinearRegressor else []
    assert list(model.variance_components()["factor"]) == residual
    assert len(model.random_effects_) == 0
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(answer(other, X), found)


def test_no_groups_at_predict(kind, data):
    """Every level counts as new."""
    table, y = data
    X = table[["age", "hours"]]
    model = kind().fit(X, y, groups=table["school"])
    for method in METHODS[kind]:
        with pytest.warns(GroupsWarning, match="every level counts as new"):
            getattr(model, method)(X)
    with pytest.warns(GroupsWarning):
        found = answer(model, X)
    expected = answer(model, X, kind=OF_NEW_LEVELS[kind])  # which does not warn
    np.testing.assert_array_equal(found, expected)
    with pytest.warns(GroupsWarning):
        assert model.score(X, y) < model.score(X, y, groups=table["school"])


@pytest.mark.parametrize("style", ["column", "argument"])
@pytest.mark.parametrize("swap", [False, True])
def test_labels_of_another_kind_at_predict(kind, data, style, swap):
    table, y = data
    number, text = table["town"], table["town"].astype(str)
    before, after = (number, text) if swap else (text, number)
    X = table[["age"]]
    if style == "column":
        model = kind("town").fit(X.assign(town=before), y)
        known, other, groups = X.assign(town=before), X.assign(town=after), {}
    else:
        model = kind().fit(X, y, groups=before)
        known, other, groups = X, X, {"groups": after}
    with pytest.warns(GroupsWarning, match=r"text.*numbers|numbers.*text"):
        predicted = answer(model, other, **groups)
    np.testing.assert_array_equal(predicted, answer(model, known, kind=OF_NEW_LEVELS[kind]))


def test_unseen_labels_of_the_same_kind_are_silent(kind, data):
    table, y = data
    X = table[["age", "school"]]
    model = kind("school").fit(X, y)
    new = X.assign(school="a new school")
    np.testing.assert_array_equal(answer(model, new), answer(model, X, kind=OF_NEW_LEVELS[kind]))


def test_whole_numbers_as_floats_are_the_same_labels(kind, data):
    table, y = data
    model = kind("town").fit(table[["age", "town"]], y)
    floats = table[["age", "town"]].astype({"town": float})
    np.testing.assert_array_equal(answer(model, floats), answer(model, table[["age", "town"]]))


def test_dropped_column_is_named(kind, data):
    table, y = data
    X = table[["age", "school"]].assign(months=12 * table["age"])
    with pytest.warns(RankDeficiencyWarning, match="'months' depends linearly"):
        model = kind("school").fit(X, y)
    assert model.coef_[1] == 0
    expected = kind("school").fit(table[["age", "school"]], y)
    rtol = 1e-8 if kind is MixedLinearRegressor else 1e-6
    np.testing.assert_allclose(
        answer(model, X), answer(expected, table[["age", "school"]]), rtol=rtol
    )


def test_name_of_the_response(kind, data):
    table, y = data
    model = kind("school").fit(table.drop(columns="town"), pd.Series(y, name="passed"))
    assert "passed" in str(model.summary())


# -------------------------------------------------------------------------------------------------------------- copies

MODELS = {
    "crossed": {"random_effects": TERMS},
    "slope": {"random_effects": "(1 + age | school)", "groups": ("school", "town")},
    "formula": {"random_effects": None, "formula": "age + hours + (1 | school)"},
}
QUADRATURE = {
    "quadrature": {
        "random_effects": "(1 | school)",
        "groups": ("school", "town"),
        "n_quadrature": 7,
    },
}
COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle twice": lambda model: pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(model)))),
}


@pytest.mark.parametrize("how", COPIES)
@for_kinds("name", MODELS, MODELS | QUADRATURE)
def test_copies_say_the_same(kind, data, name, how):
    table, _ = data
    model = fitted(kind, **(MODELS | QUADRATURE)[name])
    model.summary()  # whatever needs the rows has been asked for; pickling keeps the answers
    other = COPIES[how](model)
    for what in ("conditional", "population", OF_NEW_LEVELS[kind]):
        expected, found = (answer(m, table, kind=what, return_std=True) for m in (model, other))
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert str(other.summary()).splitlines()[4:] == str(model.summary()).splitlines()[4:]
    pd.testing.assert_frame_equal(other.variance_components(), model.variance_components())
    pd.testing.assert_frame_equal(other.random_effects_, model.random_effects_)
    np.testing.assert_array_equal(other.predict(table), model.predict(table))
    assert other.loglik_ == model.loglik_ and other.results_.aic == model.results_.aic
    if kind is MixedLogisticClassifier:
        assert str(other.summary(odds_ratios=True)) == str(model.summary(odds_ratios=True))


def test_pickle_is_small(kind, data):
    """The rows are not part of the model."""
    table, y = data
    many = pd.concat([table] * 50, ignore_index=True)
    model = kind(["school", "town"]).fit(many, np.tile(y, 50))
    assert len(pickle.dumps(model)) < 100_000
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(answer(again, table), answer(model, table))
    with pytest.raises(AttributeError, match="training rows are not kept"):
        _ = again.results_.fittedvalues
    if kind is MixedLogisticClassifier:  # whose standard errors go over the rows
        with pytest.raises(AttributeError, match=r"results_\.attach\(X, y\)"):
            again.summary()


def test_clone_is_not_fitted(kind, data):
    table, y = data
    model = kind(random_effects=TERMS, tol=1e-8, covariance="diagonal").fit(table, y)
    again = clone(model)
    assert again.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        again.predict(table)
    assert again.fit(table, y).loglik_ == model.loglik_


def test_fit_leaves_its_input_alone(kind, data):
    table, y = data
    X, target, weights = table.copy(), y.copy(), np.random.default_rng(0).random(len(y))
    kept = weights.copy()
    kind("school").fit(X.drop(columns="town"), target, sample_weight=weights)
    pd.testing.assert_frame_equal(X, table)
    np.testing.assert_array_equal(target, y)
    np.testing.assert_array_equal(weights, kept)


# --------------------------------------------------------------------------------------------------------- linear only


@linear_only
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_response(kind, data, bad):
    table, y = data
    with pytest.raises(ValueError, match="Input y contains NaN or infinity") as error:
        kind(["school", "town"]).fit(table, np.where(np.arange(len(y)) == 3, bad, y))
    assert_helpful(error)


@linear_only
def test_least_squares_without_groups(kind, data):
    table, y = data
    with pytest.warns(GroupsWarning, match="without groups"):
        model = kind().fit(table[["age", "hours"]], y)
    design = np.column_stack([np.ones(len(y)), table[["age", "hours"]]])
    expected = np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose([model.intercept_, *model.coef_], expected, rtol=1e-10)


# ------------------------------------------------------------------------------------------------------- logistic only

CLASSES = {
    "numbers": [0, 1],
    "floats": [-1.0, 1.0],
    "text": ["no", "yes"],
    "booleans": [False, True],
    "large numbers": [7, 2**40],
}
CONTAINERS = {
    "array": np.asarray,
    "list": lambda y: np.asarray(y).tolist(),
    "objects": lambda y: np.asarray(y).astype(object),
    "Series": lambda y: pd.Series(y, index=np.arange(len(y))[::-1], name="passed"),
    "categorical": lambda y: pd.Categorical(y),
    "polars": lambda y: pl.Series(np.asarray(y).tolist()),
    "pyarrow": lambda y: pa.array(np.asarray(y).tolist()),
}


@logistic_only
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("names", CLASSES)
def test_classes_of_any_kind(kind, data, names, container):
    """The order of the labels decides about which class the probabilities are; predictions are labels."""
    table, y = data
    X, labels = table.drop(columns="town"), np.array(CLASSES[names])
    model = kind("school").fit(X, CONTAINERS[container](labels[y]))
    expected = kind("school").fit(X, y)
    assert model.classes_.tolist() == CLASSES[names]
    assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
    np.testing.assert_array_equal(model.predict(X), labels[expected.predict(X)])
    assert set(np.unique(model.simulate(X, n_samples=2, random_state=0))) == set(CLASSES[names])
    assert model.score(X, labels[y]) == expected.score(X, y)


RESPONSES = {
    "three": (lambda y: np.arange(len(y)) % 3, "Only binary classification"),
    "three texts": (lambda y: np.array(["a", "b", "c"])[np.arange(len(y)) % 3], "3 classes"),
    "continuous": (
        lambda y: y + 0.5 * np.random.default_rng(0).random(len(y)),
        "Unknown label type: continuous",
    ),
    "one": (lambda y: np.ones(len(y)), r"y: .*only one class: .*1"),
    "one text": (lambda y: np.full(len(y), "yes"), "only one class: .*'yes'"),
    "NaN": (lambda y: np.where(np.arange(len(y)) == 3, np.nan, y), "y contains NaN"),
    "infinity": (lambda y: np.where(np.arange(len(y)) == 3, np.inf, y), "y contains"),
    "None": (
        lambda y: np.where(np.arange(len(y)) == 3, None, y.astype(object)),
        "y contains NaN",
    ),
    "no y": (lambda y: None, "requires y"),
}


@logistic_only
@pytest.mark.parametrize(("make", "message"), RESPONSES.values(), ids=RESPONSES)
def test_responses_that_are_not_two_classes(kind, data, make, message):
    table, y = data
    with pytest.raises(ValueError, match=message) as error:
        kind(["school", "town"]).fit(table, make(y))
    assert_helpful(error)


@logistic_only
def test_one_class_with_positive_weight(kind, data):
    """Rows of weight zero do not count; the labels do."""
    table, y = data
    with pytest.raises(ValueError, match=r"only one class: .*1") as error:
        kind(["school", "town"]).fit(table, y, sample_weight=y)
    assert_helpful(error)


@logistic_only
def test_quadrature_with_several_factors(kind, data):
    table, y = data
    for terms in (TERMS, "(1 | school/town)"):
        with pytest.raises(ValueError, match=r"n_quadrature=7: .*school") as error:
            kind(random_effects=terms, n_quadrature=7).fit(table, y)
        assert_helpful(error)


@logistic_only
@pytest.mark.parametrize(
    "terms", ["(1 + age + hours + town | school)", "(1 + age + hours + town || school)"]
)
def test_quadrature_with_four_effects(kind, data, terms):
    table, y = data
    with pytest.raises(
        ValueError, match=r"n_quadrature=3: school has 4 effects per level"
    ) as error:
        kind(random_effects=terms, n_quadrature=3).fit(table, y)
    assert_helpful(error)


@logistic_only
@pytest.mark.parametrize("n_quadrature", [0, -1, 1.5, 102, "7", None])
def test_quadrature_of_no_points(kind, data, n_quadrature):
    table, y = data
    with pytest.raises(ValueError, match="n_quadrature"):
        kind("school", n_quadrature=n_quadrature).fit(table[["age", "school"]], y)


@logistic_only
def test_logistic_regression_without_groups(kind, data):
    table, y = data
    X = table[["age", "hours"]]
    with pytest.warns(GroupsWarning, match="without groups"):
        model = kind().fit(X, y)
    assert model.predict_proba(X).mean(axis=0)[1] == pytest.approx(y.mean(), rel=1e-8)
    assert "Logistic regression" in str(model.summary())
    other = pickle.loads(pickle.dumps(model))
    assert str(other.summary(odds_ratios=True)) == str(model.summary(odds_ratios=True))


@logistic_only
def test_effects_of_new_levels_are_averaged_over(kind, data):
    """Which is not the same as setting them to zero."""
    table, y = data
    X = table[["age", "hours"]]
    model = kind().fit(X, y, groups=table["school"])
    average, typical = (model.predict_proba(X, kind=k) for k in ("marginal", "population"))
    assert np.all(np.abs(average - 0.5) <= np.abs(typical - 0.5))


@logistic_only
@pytest.mark.parametrize("weighted", [False, True])
def test_separating_column_is_named(kind, data, weighted):
    """The warning names the column, and no other; the fit does not count as converged."""
    table, y = data
    X = table[["age", "school"]].assign(leak=y + 0.1 * table["hours"].clip(upper=3))
    weights = 1.0 + table["town"] if weighted else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = kind("school").fit(X, y, sample_weight=weights)
    (message,) = [str(w.message) for w in caught if issubclass(w.category, SeparationWarning)]
    assert "'leak'" in message and "'age'" not in message
    assert not model.converged_ and np.isfinite(model.coef_).all()


def test_messages_quote_values_plainly():
    X, y = make_mixed_regression(random_state=0)
    with pytest.raises(ValueError, match=r"only one class: 1\.0\.\n"):
        MixedLogisticClassifier(groups="group").fit(X, np.ones(len(X)))
    with pytest.raises(ValueError, match="Did you mean 'group'"):
        MixedLinearRegressor(groups="GROUP").fit(X, y)
    with pytest.raises(ValueError, match=r"expected \(\d+,\)\.\n"):
        MixedLinearRegressor(groups="group").fit(X, y, sample_weight=[1.0, 2.0])
    with pytest.raises(ValueError, match="are for MixedLogisticClassifier"):
        MixedLinearRegressor(groups="group").fit(X, np.where(y > 0, "yes", "no"))
