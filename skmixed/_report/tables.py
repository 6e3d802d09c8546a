"""Tables that print all of their columns."""

from __future__ import annotations

import pandas as pd

MOST_ROWS = 60  # that are printed


class WholeTable(pd.DataFrame):
    """A table that pandas does not cut in the middle when it is printed.

    Slices and copies of it are plain DataFrames.
    """

    @property
    def _constructor(self):
        return pd.DataFrame

    def __repr__(self):
        return self.to_string(max_rows=MOST_ROWS, line_width=None)
