"""Which kernels run, and what is said of it."""

import os
import subprocess
import sys

import pytest

import skmixed
from skmixed._algebra.kernels import CHOICE, compiled, reference
from skmixed._algebra.kernels.choice import Choice


class Module:
    """Stands for the compiled module."""

    def use(self, name):
        return {"best": "avx2", "baseline": "baseline"}[name]


def absent():
    raise ImportError("none were compiled")


def test_compiled_kernels_are_taken_where_they_are():
    choice = Choice("", Module)
    assert isinstance(choice.native, Module)
    assert choice.description == "compiled, avx2"
    assert Choice("native", Module).description == "compiled, avx2"
    assert Choice("baseline", Module).description == "compiled, baseline"


def test_numpy_where_they_are_not():
    choice = Choice("", absent)
    assert choice.native is None
    assert choice.description == "numpy; none were compiled"


def test_numpy_on_request():
    choice = Choice("numpy", Module)
    assert choice.native is None
    assert choice.description == "numpy, as SKMIXED_KERNELS says"


@pytest.mark.parametrize("wish", ["native", "baseline"])
def test_what_is_demanded_and_not_there(wish):
    with pytest.raises(ImportError, match=f"SKMIXED_KERNELS is '{wish}', but there are no"):
        Choice(wish, absent)


def test_unknown_wish():
    with pytest.raises(ImportError, match="unset, numpy, native, baseline"):
        Choice("fast", Module)


@pytest.mark.smoke
def test_versions_name_the_kernels(capsys):
    skmixed.show_versions()
    assert f"kernels         {CHOICE.description}\n" in capsys.readouterr().out


def test_what_is_chosen_is_used():
    """The very class, so that a run with SKMIXED_KERNELS=numpy tests numpy."""
    from skmixed._algebra.operators import PairOperator

    expected = reference if CHOICE.native is None else compiled
    assert PairOperator is expected.PairOperator


@pytest.mark.slow
def test_the_variable_is_read():
    code = "from skmixed._algebra.kernels import CHOICE; print(CHOICE.description)"
    env = {**os.environ, "SKMIXED_KERNELS": "numpy"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == "numpy, as SKMIXED_KERNELS says", done.stderr
