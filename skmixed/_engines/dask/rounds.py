"""Rows of a classifier: moved once so that a level is in one place, and asked there in rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from operator import add, itemgetter
from typing import Any

import numpy as np

from ..._algebra.machine import computing
from ..._fit.placing import Placing, Survey
from ..._fit.spilling import Check, Spilled
from ..._reader import Spec
from ..._store.design import StoredDesign
from ..._store.protocol import Elsewhere, Held, Round, first_blocks, visited
from .partitions import Partitions, part_of
from .trees import added


@contextmanager
def placed(
    spec: Spec,
    alpha: float,
    class_weight: Any,
    X: Any,
    y: Any,
    groups: Any,
    sample_weight: Any,
    check: Check,
    *,
    lines: bool,
) -> Iterator[Spilled | None]:
    """All rows where rounds reach them, or None where no row counts."""
    import dask

    rows = Partitions.of(X, y, groups, sample_weight)
    opened = rows.opened(spec, alpha)
    blocks = [] if opened is None else rows.needed(opened).blocks
    look = dask.delayed(partial(_survey, opened, check), traverse=False)
    surveys = [look(*block) for block in blocks]
    (survey,) = dask.compute(added(_total, surveys)) if blocks else (None,)
    if survey is None:
        yield None
        return
    placing = Placing.of(opened, survey, class_weight, sample_weight is not None)
    yield _in_place(placing, survey.n_rows, blocks)


def _survey(opened, check, X, y, groups, weights):
    part = part_of(X, y, groups, weights)
    return None if part is None else Survey.of(opened, part, check)


def _total(surveys):
    surveys = [survey for survey in surveys if survey is not None]
    return Survey.total(surveys) if surveys else None


def _split(placing, number, X, y, groups, weights):
    part = part_of(X, y, groups, weights)
    return [None] * placing.n_shares if part is None else placing.shares(part, number)


def _gathered(placing, pieces):
    return placing.gathered(pieces)


def _facts(share):
    return None if share is None else share.facts


def _with_columns(independent, share):
    return share.with_columns(independent)


def _in_place(placing, n_rows, blocks):
    """The rows in shares, which stay where they are."""
    shares, facts = _shared(placing, blocks)
    gram, n = sum(own.gram for own in facts), sum(own.n for own in facts)
    frame = placing.frame
    independent = frame.independent(gram[np.ix_(frame.fixed, frame.fixed)], n)
    if len(independent) < len(frame.fixed):
        shares = _kept(partial(_with_columns, independent), shares)
    places = [np.concatenate(own) for own in _zip(*(own.levels for own in facts))]
    store = Shared(shares, [own.blocks for own in facts], places or None)
    design = StoredDesign(frame, placing.reader.terms, independent, store, gram, n)
    sums = _level_sums(facts, places)
    return Spilled(placing.reader, design, placing.classes, placing.factors, *sums, n_rows)


def _level_sums(facts, places):
    """Rows, observations and events of every level, per factor."""
    beside = [np.concatenate(own, axis=1) for own in _zip(*(own.sums for own in facts))]
    sums = [_in_order(own, place) for own, place in _zip(beside, places)]
    return [[own[k] for own in sums] for k in range(3)]


def _shared(placing, blocks):
    """Shares that have rows, and what is known of them."""
    import dask

    sent = dask.delayed(placing, traverse=False)
    split = [dask.delayed(_split)(sent, k, *block) for k, block in enumerate(blocks)]
    pieces = [[dask.delayed(itemgetter(k))(one) for one in split] for k in range(placing.n_shares)]
    shares = dask.persist(*(dask.delayed(_gathered)(sent, own) for own in pieces))
    facts = dask.compute(*map(dask.delayed(_facts), shares))
    return _zip(*(pair for pair in _zip(shares, facts) if pair[1] is not None))


def _kept(function, things):
    """A function of things that stay where they are, as such things."""
    import dask

    return dask.persist(*map(dask.delayed(function), things))


def _zip(*columns):
    return zip(*columns, strict=True)


def _in_order(values, place):
    out = np.empty_like(values)
    out[:, place] = values
    return out


def _visited(function, request, share, before):
    with computing():
        return visited(share.blocks, function, request, None if before is None else before.handle)


def _first(rows, share):
    found = share.blocks[: first_blocks([len(block.rows.y) for block in share.blocks], rows)]
    return [block.rows for block in found]


class Shared(Elsewhere):
    """Blocks of rows in shares, each of which stays in one place.

    Parameters
    ----------
    shares : delayed, and there already
    counts : per share, the numbers of rows of its blocks
    places : per factor, where the levels in the order of the blocks stand among those of the model
    """

    def __init__(
        self, shares: Sequence[Any], counts: list[list[int]], places: list[np.ndarray] | None
    ):
        self.shares = shares
        self.counts = counts
        self.places = places

    def round(self, function, request, handle=None):
        import dask

        visit = dask.delayed(partial(_visited, function, request), traverse=False)
        before = [None] * len(self.shares) if handle is None else handle
        found = dask.persist(*map(visit, self.shares, before))
        totals = dask.compute(*map(dask.delayed(itemgetter(0)), found))
        return Round(reduce(add, totals), found)

    def first(self, rows):
        import dask

        blocks = []
        for share, counts in zip(self.shares, self.counts, strict=True):
            blocks += dask.compute(dask.delayed(partial(_first, rows))(share))[0]
            rows -= sum(counts)
            if rows <= 0:
                break
        return Held.of(blocks)
