"""What CONTRIBUTING.md shows is what is tested, word for word."""

import re
from pathlib import Path

import pytest

from tests import test_extension

ROOT = Path(__file__).parents[2]
SHOWN = dict(
    re.findall(
        r"<!-- code: (\w+) -->\n```python\n(.*?)```",
        (ROOT / "CONTRIBUTING.md").read_text(),
        flags=re.DOTALL,
    )
)
TESTED = Path(test_extension.__file__).read_text()


@pytest.mark.parametrize("name", ["family", "structure", "rule", "display", "source"])
def test_code_is_that_of_the_tests(name):
    tested = TESTED.split(f"# start: {name}\n")[1].split(f"# end: {name}\n")[0]
    assert SHOWN[name].strip() == tested.strip()
    assert len(tested.strip().splitlines()) <= 60


def test_nothing_else_is_shown():
    assert set(SHOWN) == {"family", "structure", "rule", "display", "source"}
