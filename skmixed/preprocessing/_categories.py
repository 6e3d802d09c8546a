"""The categories of a column, and their codes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from .._data.checks import warn
from .._data.columns import check_label_kinds, is_missing, kind_of
from .._data.factors import encode
from ..exceptions import GroupsWarning


def encoded(name: Hashable, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Codes of a column, -1 where it is missing, and its categories."""
    try:
        codes, levels = encode(labels)
    except TypeError:
        check_label_kinds({str(name): labels}, role="columns")
        raise
    check_label_kinds({str(name): levels}, role="columns")
    return codes, levels


def codes_among(labels: Any, categories: np.ndarray) -> np.ndarray:
    """Places of labels among the categories, -1 for those that are not there."""
    places = pd.Index(categories)
    if isinstance(labels, pd.Categorical):
        each = np.append(places.get_indexer(labels.categories), -1)
        return each[labels.codes]
    return places.get_indexer(pd.Index(np.asarray(labels)))


def warn_if_other_kind(name: Hashable, labels: Any, categories: np.ndarray) -> None:
    """Say so where no category is known since text became numbers, or numbers text."""
    values = np.asarray(labels)
    found, fitted = kind_of(values[~is_missing(values)]), kind_of(categories)
    if found != fitted and not np.all(is_missing(values)):
        warn(
            f"X: none of the categories of column {name!r} is known; they were {fitted} at fit and "
            f"are {found} now.\nConvert them to the type used at fit: all are encoded as zero.",
            GroupsWarning,
        )


def looked_up(effects: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return np.append(effects, 0.0)[codes]
