"""The doctor finds the illness of simulated data first, and none where there is none."""

import re
import warnings

import numpy as np
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, diagnose
from skmixed.diagnostics._doctor import diagnose as doctor
from skmixed.diagnostics._doctor.kinds import KINDS, Kind

from .patients import HEALTHY, SICK, healthy, trees
from .table import PAGE, table

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]


def fitted(X, y, params, **fit):
    estimator = MixedLogisticClassifier if y.nunique() == 2 else MixedLinearRegressor
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator(**params).fit(X, y, **fit)


def ill(kind, seed):
    make, where, params = SICK[kind]
    X, y = make(np.random.default_rng([seed, list(SICK).index(kind)]))
    return fitted(X, y, params), where


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", SICK)
def test_illness_is_found_first(kind, seed):
    model, where = ill(kind, seed)
    report = diagnose(model)
    assert not report.failed
    first = report.findings[0]
    assert first.kind == kind
    for name in where.split(", "):
        assert re.search(rf"\b{name}\b", first.where), first.where


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_models_get_a_clean_bill(name, seed):
    X, y = healthy(np.random.default_rng([seed, 99]), HEALTHY[name])
    report = diagnose(fitted(X, y, HEALTHY[name]))
    assert not report.failed
    assert not report
    assert "Nothing found" in str(report)
    assert "Nothing found" in report._repr_html_()


@pytest.mark.smoke
def test_a_report_prints_and_is_a_table():
    report = diagnose(ill("omitted_slope", 0)[0])
    table = report.to_frame()
    assert list(table.columns) == ["kind", "severity", "where", "evidence", "advice"]
    assert len(table) == len(report) >= 1
    assert "WARNING  omitted_slope: sun" in str(report)
    assert "<td>omitted_slope</td>" in report._repr_html_()
    with pytest.raises(AttributeError):
        report.findings[0].kind = "other"


def test_every_kind_has_a_patient():
    assert {kind.name for kind in KINDS} == set(SICK)


def test_consequences_become_notes_and_stand_below_their_causes():
    for k, kind in enumerate(KINDS):
        below = {other.name for other in KINDS[k + 1 :]}
        assert below.issuperset(kind.explains), kind.name
    report = diagnose(ill("duplicated_rows", 0)[0])
    assert [f.severity for f in report][1:] == ["note"] * (len(report) - 1)


def test_a_rule_that_breaks_is_said_to(monkeypatch):
    def broken(exam):
        raise ZeroDivisionError("no such luck")

    X, y, _ = trees(np.random.default_rng(5))
    monkeypatch.setattr(doctor, "KINDS", (*KINDS[:3], Kind("odd", broken, "", "")))
    report = diagnose(fitted(X, y, {"groups": "wood"}))
    assert report.failed == ("odd (no such luck)",)
    assert "Not looked for: odd (no such luck)" in str(report)


def test_models_of_every_style():
    X, y, g = trees(np.random.default_rng(6))
    weights = np.random.default_rng(7).integers(1, 3, len(y))
    plain = X.drop(columns="wood")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = [
            MixedLinearRegressor().fit(plain.to_numpy(), y.to_numpy(), groups=g),
            MixedLinearRegressor().fit(plain.to_numpy(), y.to_numpy(), groups=np.c_[g, g % 7]),
            MixedLinearRegressor().fit(plain, y),
            MixedLinearRegressor(groups="wood").fit(X, y, sample_weight=weights),
            MixedLogisticClassifier(groups="wood").fit(X, (y > y.mean()) * 1),
            MixedLogisticClassifier().fit(plain, (y > y.mean()) * 1),
        ]
    for model in models:
        assert not diagnose(model).failed


def test_polars_and_several_factors():
    polars = pytest.importorskip("polars")
    X, y, g = trees(np.random.default_rng(8))
    X["year"] = np.random.default_rng(9).integers(2000, 2012, len(g))
    model = fitted(polars.from_pandas(X), y, {"groups": ["wood", "year"]})
    assert not diagnose(model).failed


def test_what_it_cannot_examine():
    with pytest.raises(TypeError, match="expected a mixed model"):
        diagnose(3)


def test_the_table_of_the_documentation_is_that_of_the_rules():
    assert table() in PAGE.read_text()
