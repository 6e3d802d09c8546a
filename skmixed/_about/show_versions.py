"""What a report of a problem should say of the machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

from .._algebra.kernels import CHOICE
from .version import __version__

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "statsmodels",
    "formulaic",
    "narwhals",
    "joblib",
    "threadpoolctl",
    "matplotlib",
    "skops",
    "tqdm",
)


def show_versions() -> None:
    """Print the versions of this package and of those it uses, whether its compiled loops run or
    those of numpy, and the libraries of linear algebra.

    Worth pasting into a report of a problem.

    Examples
    --------
    >>> from skmixed import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    scikit-mixed...
    """
    lines = {
        "scikit-mixed": __version__,
        "kernels": CHOICE.description,
        "python": sys.version.split()[0],
        "machine": f"{platform.platform()}, {os.cpu_count()} cores",
        **{name: _version_of(name) for name in PACKAGES},
    }
    for name, found in lines.items():
        print(f"{name:15} {found}")
    for pool in threadpool_info():
        words = (pool["internal_api"], pool.get("version"), f"{pool['num_threads']} threads")
        print(f"{pool['user_api']:15} {' '.join(str(word) for word in words if word)}")


def _version_of(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
