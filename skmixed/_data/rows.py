"""The rows of one data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .tables import some_rows


@dataclass(frozen=True)
class Rows:
    """One validated data set: numeric columns, and the labels of the grouping columns.

    Attributes
    ----------
    X : (n, k) the fixed effects first, then columns that only random slopes use
    labels : name -> labels of a grouping column; empty where none came
    offset : (n,) known part of the linear predictor, whose coefficient is one; None for none.  The
        parameter ``offset`` and the ``offset(...)`` terms of a formula are summed by the door
    """

    X: np.ndarray
    labels: dict[str, Any]
    offset: np.ndarray | None = None

    def __len__(self):
        return len(self.X)

    def take(self, places: np.ndarray) -> Rows:
        """Some of the rows."""
        labels = {name: values[places] for name, values in self.labels.items()}
        offset = None if self.offset is None else self.offset[places]
        return Rows(self.X[places], labels, offset)


class Given(NamedTuple):
    """What was passed to ``fit``."""

    X: Any
    groups: Any
    sample_weight: Any

    def now(self):
        """As it is now: columns assigned to a table later do not count.  Arrays are not copied."""
        return Given(*map(as_it_is, self))

    def take(self, keep):
        """Without the rows that do not count; None keeps all."""
        if keep is None:
            return self
        return Given(*(some_rows(values, np.flatnonzero(keep)) for values in self))


def as_it_is(values: Any) -> Any:
    """A pandas object that later assignments do not reach; anything else itself."""
    return values.copy(deep=False) if isinstance(values, pd.DataFrame | pd.Series) else values
