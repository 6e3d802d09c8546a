"""The rows of one data set."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd


class Rows:
    """One validated data set: numeric columns, and the labels of the grouping columns.

    ``X`` holds the fixed effects first, then columns that only random slopes use.
    """

    def __init__(self, X, names, n_fixed, labels, *, effects=None, intercept=True):
        self.X = X
        self.names = names
        self.n_fixed = n_fixed
        self.labels = labels
        self.effects = effects  # the terms of a formula
        self.intercept = intercept

    def __len__(self):
        return len(self.X)

    def take(self, keep):
        labels = {k: v[keep] for k, v in self.labels.items()}
        return Rows(
            self.X[keep],
            self.names,
            self.n_fixed,
            labels,
            effects=self.effects,
            intercept=self.intercept,
        )


class Given(NamedTuple):
    """What was passed to ``fit``."""

    X: Any
    groups: Any
    sample_weight: Any

    @classmethod
    def now(cls, X, groups, sample_weight):
        """As it is now: columns assigned to a table later do not count.  Arrays are not copied."""
        return cls(
            *(
                v.copy(deep=False) if isinstance(v, pd.DataFrame) else v
                for v in (X, groups, sample_weight)
            )
        )
