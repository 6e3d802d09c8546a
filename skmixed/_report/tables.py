"""Tables that print all of their columns, in as many digits as one reads."""

from __future__ import annotations

import numpy as np
import pandas as pd

MOST_ROWS = 60  # that are printed
#: columns whose figures span many powers of ten
RELATIVE = dict.fromkeys(("p_value", "weight"), "{:.4g}".format)


class WholeTable(pd.DataFrame):
    """A table that pandas does not cut in the middle when it is printed.

    Slices and copies of it are plain DataFrames.
    """

    @property
    def _constructor(self):
        return pd.DataFrame

    def __repr__(self):
        return self._printed().to_string(max_rows=MOST_ROWS, formatters=RELATIVE)

    def _repr_html_(self):
        return self._printed().to_html(max_rows=MOST_ROWS, notebook=True, formatters=RELATIVE)

    def _printed(self):
        """Columns that are printed."""
        return pd.DataFrame(self)


class CoefficientTable(WholeTable):
    """A table of coefficients that prints its degrees of freedom where there are such."""

    def _printed(self):
        table = pd.DataFrame(self)
        is_normal = "df" in table and np.all(np.isinf(table["df"]))
        return table.drop(columns="df") if is_normal else table


def rounded_html(table: pd.DataFrame) -> str:
    """A table with four digits for every number."""
    return table.to_html(notebook=True, float_format="{:.4g}".format)
