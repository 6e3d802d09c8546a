"""The doctor finds the illness of simulated data first, and none where there is none."""

import inspect
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, diagnose
from skmixed.diagnostics._doctor import diagnose as doctor
from skmixed.diagnostics._doctor.kinds import KINDS, Kind

from .patients import HEALTHY, SICK, fitted, healthy, trees
from .table import PAGE, WORK, at_work, kinds

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]


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


def test_the_tables_of_the_documentation_are_those_of_the_rules_and_patients():
    text = PAGE.read_text()
    assert kinds() in text
    for kind, (make, *_) in SICK.items():  # the seeds are those of the tests above
        assert f"| `{kind}` | {inspect.getdoc(make)} | 5 of 5 |" in text


@pytest.mark.slow
def test_the_doctor_at_work_on_the_page_finds_all():
    assert WORK in PAGE.read_text()
    assert {score["found first"] for score in at_work().values()} == {"5 of 5"}


COUNTS = [
    "num_rooms",
    "visit_no",
    "trial_number",
    "price_index",
    "code_lines",
    "zip_size",
    "week_nr",
]


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_no_identifiers_by_their_names(name):
    rng = np.random.default_rng(20)
    X, y, g = trees(rng)
    X.insert(0, name, rng.integers(1, 30, len(g)))
    assert not diagnose(fitted(X, y + 0.2 * X[name], {"groups": "wood"}))


@pytest.mark.parametrize("name", ["schid", "wood_id", "idcode", "zip", "woodID", "tree_no"])
def test_identifiers_by_their_names(name):
    rng = np.random.default_rng(21)
    X, y, g = trees(rng)
    X.insert(0, name, rng.permutation(9000)[:40][g])
    first = diagnose(fitted(X, y, {"groups": "wood"})).findings[0]
    assert (first.kind, first.where) == ("id_as_number", name)


def test_numbers_of_rows_and_of_labels_are_identifiers():
    rng = np.random.default_rng(22)
    X, y, g = trees(rng)
    found = diagnose(fitted(X.assign(ticket=rng.permutation(len(g))), y, {"groups": "wood"}))
    assert found.findings[0].where == "ticket"
    assert "one per row" in found.findings[0].evidence
    number = 3 * rng.permutation(40)[g]
    X = X.assign(stand=number, wood=[f"wood-{k}" for k in number])
    found = diagnose(fitted(X, y, {"groups": "wood"}))
    assert found.findings[0].where == "stand"
    assert "labels of wood" in found.findings[0].evidence


def test_a_scale_of_whole_numbers_that_many_reach_the_end_of():
    rng = np.random.default_rng(23)
    X, y, g = trees(rng)
    score = 0.7 * (y - y.mean()) / y.std() + rng.normal(0, 1, len(g))
    stars = [(score + middle).round().clip(0, 10).rename("stars") for middle in (9.2, 6.0)]
    found = [[f.kind for f in diagnose(fitted(X, y, {"groups": "wood"}))] for y in stars]
    assert found[0][0] == "y_at_bounds"
    assert "y_at_bounds" not in found[1]


def test_a_slope_that_differs_in_one_level_alone_is_that_level():
    rng = np.random.default_rng(24)
    X, y, g = trees(rng, 20)
    X.loc[g == 6, "sun"] = 6 + 3 * (X["sun"] - 6)
    first = diagnose(fitted(X, y - 4 * (X["sun"] - 6) * (g == 6), {"groups": "wood"})).findings[0]
    assert (first.kind, first.where) == ("influential_group", "wood 06")


def test_another_unit_is_seen_in_levels_of_few_rows():
    for seed in range(4):
        rng = np.random.default_rng([25, seed])
        g = np.repeat(np.arange(50), rng.integers(8, 15, 50))
        y = 60 + rng.normal(0, 4, 50)[g] + 8 * rng.normal(0, 1, len(g))
        X = pd.DataFrame({"age": rng.normal(9, 2, len(g)), "clinic": g})
        y = pd.Series(np.where(g == 31, 2.2046 * y, y), name="weight")
        first = diagnose(fitted(X, y, {"groups": "clinic"})).findings[0]
        assert (first.kind, first.where) == ("wrong_unit_level", "clinic 31")


def test_rows_far_out_that_move_nothing_are_a_note():
    X, y, _ = trees(np.random.default_rng(26))
    y[50] += 12.0
    (found,) = diagnose(fitted(X, y, {"groups": "wood"}))
    assert (found.kind, found.severity) == ("heavy_tails", "note")
    assert found.where == "residual, row 50"
