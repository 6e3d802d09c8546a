"""How many rows of a data set are read: lines from time to time, a bar, or nothing."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import Self

from .progress import Progress, say

PAUSE = 5.0  # seconds between two lines


class RowsRead:
    """Counts the rows of a data set while they are read.

    Parameters
    ----------
    total : number of all rows; None where nobody knows
    lines : whether lines say how far it is
    bar : whether a bar shows it
    """

    def __init__(self, total: int | None, *, lines: bool, bar: bool):
        self.total = total
        self.lines = lines
        self.bar = Progress(total, "rows", "row", bar)
        self.n = 0
        self.begun = self.said = monotonic()

    def __enter__(self) -> Self:
        self.bar.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.__exit__(kind, error, trace)
        if self.lines and kind is None:
            self._say()

    def advance(self, n: int) -> None:
        """n more rows are read."""
        self.n += n
        self.bar.advance(n)
        if self.lines and monotonic() - self.said > PAUSE:
            self._say()

    def _say(self):
        self.said = monotonic()
        speed = self.n / max(self.said - self.begun, 1e-3)
        of_all = f" of {self.total:,} ({self.n / self.total:.0%})" if self.total else ""
        say(f"rows {self.n:,}{of_all}   {speed:,.0f} a second")
