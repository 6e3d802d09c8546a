"""The sums of a linear model: one task per partition, and a tree that adds them."""

from __future__ import annotations

from functools import partial
from itertools import zip_longest
from typing import Any

from ..._fit.stream import Stream
from ..._reader import Spec
from .partitions import Partitions, part_of
from .trees import batches

MANY_LEVELS = 100_000  # of one partition, from which they are shared out
N_SHARES = 8


def stream(
    spec: Spec, alpha: float, X: Any, y: Any, groups: Any, sample_weight: Any, *, lines: bool
) -> Stream | None:
    """The sums of all partitions, or None where no row counts."""
    import dask

    rows = Partitions.of(X, y, groups, sample_weight)
    opened = rows.opened(spec, alpha)
    if opened is None:
        return None
    sent = dask.delayed(opened, traverse=False)
    sums = [dask.delayed(_summed)(sent, *block) for block in rows.needed(opened).blocks]
    found = dask.compute(*_added(sums))
    streams = [one for shares in found for one in shares if one is not None]
    return Stream.total(streams) if streams else None


def _summed(opened, X, y, groups, weights):
    part = part_of(X, y, groups, weights)
    return [] if part is None else opened.streams(part, MANY_LEVELS, N_SHARES)


def _totals(lists):
    """Share by share."""
    shares = (list(filter(None, same)) for same in zip_longest(*lists))
    return [Stream.total(streams) if streams else None for streams in shares]


def _share(k, shares):
    return shares[k : k + 1]


def _added(lists):
    """A tree for every share; there may be one share only."""
    import dask

    add = dask.delayed(_totals)
    lists = [add(some) for some in batches(lists)]
    if len(lists) == 1:
        return lists
    trees = []
    for k in range(N_SHARES):
        share = dask.delayed(partial(_share, k))
        tree = [share(one) for one in lists]
        while len(tree) > 1:
            tree = [add(some) for some in batches(tree)]
        trees += tree
    return trees
