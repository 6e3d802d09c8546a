"""Trees of sums: no task has more than a few things to add."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

FAN_IN = 8


def batches(items: Sequence[Any]) -> list[Sequence[Any]]:
    """A few at a time."""
    return [items[start : start + FAN_IN] for start in range(0, len(items), FAN_IN)]


def added(total: Callable[[list], Any], items: Sequence[Any]) -> Any:
    """The total of delayed things, as a delayed thing."""
    import dask

    add = dask.delayed(total)
    items = [add(list(some)) for some in batches(items)]
    while len(items) > 1:
        items = [add(list(some)) for some in batches(items)]
    return items[0]
