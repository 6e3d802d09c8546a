"""Results as they came: tables where tables were given, arrays where arrays were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Labels:
    """Whether results have labels, and those of the rows.

    Attributes
    ----------
    index : of the rows; None where everything came in arrays
    """

    index: pd.Index | None

    def series(self, values: np.ndarray, names: Sequence[str]) -> Any:
        """A vector, named or plain."""
        return values if self.index is None else pd.Series(values, index=list(names))

    def frame(self, values: np.ndarray, names: Sequence[str], columns: Any = None) -> Any:
        """A matrix, named or plain."""
        if self.index is None:
            return values
        return pd.DataFrame(values, list(names), list(names) if columns is None else columns)

    def rows(self, values: np.ndarray) -> Any:
        """One value a row."""
        return values if self.index is None else pd.Series(values, index=self.index)
