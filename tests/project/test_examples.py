"""Every script of the gallery has what a reader looks for; ``nox -s examples`` runs them all."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "examples").glob("plot_*.py"))
#: programs that are no pages of the gallery
PROGRAMS = ["big_parquet.py"]
#: headings of text cells, in the order in which every script ends
LAST = ["The picture", "The answer"]


def headings(text):
    return re.findall(r"^# %%\n# (.+)\n# -+$", text, flags=re.MULTILINE)


def test_there_is_a_gallery():
    assert len(SCRIPTS) >= 9
    others = {script.name for script in (ROOT / "examples").glob("*.py")}
    assert sorted(others.difference(script.name for script in SCRIPTS)) == PROGRAMS
    title, line = (ROOT / "examples" / "GALLERY_HEADER.rst").read_text().splitlines()[:2]
    assert (title, line) == ("Examples", "=" * 8)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_goes_from_a_question_to_a_picture_and_an_answer(script):
    text = script.read_text()
    title, line, _, *question = ast.get_docstring(ast.parse(text)).splitlines()
    assert line == "=" * len(title)
    assert "?" in " ".join(question)
    assert headings(text)[-2:] == LAST
    picture, answer = text.split("# The picture\n")[1].split("# The answer\n")
    assert len(re.findall("^# .{40}", picture, flags=re.MULTILINE)) >= 3  # what is to be seen
    assert "print(" in answer
    assert text.endswith("plt.show()\n")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_headings_are_underlined_in_full(script):
    pairs = re.findall(r"^# (.+)\n# (-+)$", script.read_text(), flags=re.MULTILINE)
    assert all(len(heading) == len(line) for heading, line in pairs)
    assert len(pairs) == len(headings(script.read_text()))


def test_the_readme_runs_one_of_them():
    named = re.findall(r"examples/(\w+\.py)", (ROOT / "README.md").read_text())
    assert set(named) <= {script.name for script in SCRIPTS}
    assert "plot_wages.py" in named
