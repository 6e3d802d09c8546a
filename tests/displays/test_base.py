"""What all displays share."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from matplotlib import pyplot

from skmixed.displays import RandomEffectsDisplay
from skmixed.displays._base import binned, label_of, panels, short, thinned


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("reaction_ms", "reaction (ms)"),
        ("share_pct", "share (%)"),
        ("ttl_exp", "ttl_exp"),
        ("n_days", "n_days"),
        ("time_in_days", "time_in_days"),
        ("hours", "hours"),
        (3, "3"),
    ],
)
def test_labels_have_units_where_names_end_in_one(name, label):
    assert label_of(name) == label


def test_long_names_are_cut_in_the_middle():
    cut = short("kind[T.a long description of a category, number 7]")
    assert len(cut) == 24
    assert (cut[:4], cut[-3:]) == ("kind", " 7]")
    assert short("school 7") == "school 7"


def test_thinning_keeps_both_ends():
    assert list(thinned(3)) == [0, 1, 2]
    found = thinned(20_000, 200)
    assert (found[0], found[-1], len(found)) == (0, 19_999, 200)


def test_bins_have_equally_many_rows_and_ties_stay_together():
    assert np.bincount(binned(np.arange(100.0), 5)).tolist() == [20] * 5
    assert np.ptp(binned(np.repeat([1.0, 2.0], 50), 5)[:50]) == 0


def test_without_matplotlib_the_error_says_what_to_install(sleep, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"RandomEffectsDisplay draws.*\nInstall it"):
        RandomEffectsDisplay.from_estimator(sleep)


def test_importing_the_displays_does_not_import_matplotlib():
    import subprocess

    code = "import sys, skmixed.displays; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_panels_share_the_place_of_the_axes():
    figure, (left, right) = pyplot.subplots(1, 2)
    found = panels(right, 3, 2)
    assert len(found) == 3
    assert all(ax.figure is figure for ax in found)
    assert min(ax.get_position().x0 for ax in found) > left.get_position().x1


def test_panels_need_a_subplot():
    with pytest.raises(ValueError, match=r"2 panels need the place of a subplot.*\nPass an ax"):
        panels(pyplot.figure().add_axes((0, 0, 1, 1)), 2, 2)
