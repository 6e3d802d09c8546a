"""Tables that print all of their columns."""

from __future__ import annotations

import numpy as np
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
        return self._printed().to_string(max_rows=MOST_ROWS, line_width=None)

    def _printed(self):
        """Columns that are printed."""
        return pd.DataFrame(self)


class CoefficientTable(WholeTable):
    """A table of coefficients that prints its degrees of freedom where there are such."""

    def _printed(self):
        table = pd.DataFrame(self)
        is_normal = "df" in table and np.all(np.isinf(table["df"]))
        return table.drop(columns="df") if is_normal else table

    def _repr_html_(self):
        return self._printed()._repr_html_()
