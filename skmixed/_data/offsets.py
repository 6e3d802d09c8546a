"""Offsets: what is known of the linear predictor."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from .tables import Array, Table, name_at


def offset_name(wanted: Any, at_fit: Hashable, names: Sequence[Hashable]) -> Hashable:
    """Name of the offset's column among those of new rows, which may lack grouping columns.

    ``wanted`` is what the parameter says, ``at_fit`` what the column was called then.
    """
    return at_fit if at_fit in names else name_at("offset", wanted, names)


def read_offset(table: Table | Array, name: Hashable) -> np.ndarray:
    """A column as finite floats."""
    try:
        return table.matrix([name])[:, 0]
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            f"offset={name!r}: {reason}.\n"
            "An offset is a finite number in every row, on the scale of the linear predictor."
        ) from error


def added(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    """The sum of two offsets, None for none."""
    if first is None or second is None:
        return second if first is None else first
    return first + second
