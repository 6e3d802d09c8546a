"""For tests and examples of docstrings alike: pictures need no screen, and are closed."""

import os
import sys

os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_runtest_teardown():
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
