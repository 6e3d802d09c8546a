"""The page says what happens."""

from __future__ import annotations

import pytest

from .page import LOST, PAGE, PASSES, SILENT, VERSION, page
from .sections import SECTIONS

pytest.importorskip("matplotlib")
pytest.importorskip("polars")


@pytest.fixture(scope="module")
def written():
    return PAGE.read_text()


def cells(text):
    """Name, column, position, labels and way out of the lines of tables."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip()[1:-1].split(" | ")] for line in lines]


def test_every_tool_is_on_the_page(written):
    for tools in SECTIONS.values():
        for tool in tools:
            assert f"| {tool.name} |" in written


def test_nothing_is_lost_in_silence(written):
    assert LOST in written
    assert f"| {SILENT} |" not in written


@pytest.mark.slow
def test_the_page_is_true(written):
    if f"inside scikit-learn {VERSION}," not in written:
        pytest.skip(f"the page is about another scikit-learn than {VERSION}")
    assert page() == written


#: they make an array of X, or take columns away
NAMELESS = {
    "`BaggingRegressor`",
    "`BaggingClassifier`",
    "`AdaBoostRegressor`",
    "`AdaBoostClassifier`",
    "`OneVsOneClassifier`",
    "`RegressorChain`",
}
SELECTING = {
    "`RFE`",
    "`RFECV`",
    "`SelectFromModel`",
    "`SequentialFeatureSelector`",
    "`SelectFromModel` and the model in a pipeline",
}


def test_a_column_passes(written):
    """By its name everywhere but where there are no names; there by its position."""
    rows = cells(written.partition("## Steps before the model")[0])
    assert {row[0] for row in rows if row[1] != PASSES} == NAMELESS | SELECTING
    assert {row[0] for row in rows if row[2]} == NAMELESS
    assert all(row[2] == PASSES for row in rows if row[2])
    assert all(row[4] for row in rows if PASSES not in (row[1], row[3]) or row[3] != PASSES)
