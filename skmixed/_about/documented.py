"""Where the documentation is, and how scikit-learn's HTML finds the page of a class."""

from __future__ import annotations

from typing import ClassVar

from .version import Stamped

DOCUMENTATION = "https://scikit-mixed.readthedocs.io/en/latest/"


class Documented(Stamped):
    """Base of public estimators and transformers: their HTML links to their pages, and what is
    saved of them knows its version.
    """

    _doc_link_module: ClassVar[str] = "skmixed"
    _doc_link_template: ClassVar[str] = (
        DOCUMENTATION + "reference/{estimator_module}.{estimator_name}.html"
    )
