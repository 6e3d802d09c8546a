"""For tests and examples of docstrings alike: pictures need no screen, and are closed.

Linear algebra runs on one thread: the workers of a test run are as many as the processors, and
threads of several that wait for each other make small matrices ten times slower.
"""

import os
import sys

os.environ.setdefault("MPLBACKEND", "Agg")
for library in ("OPENBLAS", "MKL", "OMP"):  # read when they are loaded
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def pytest_runtest_teardown():
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
