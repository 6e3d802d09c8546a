"""A plan for every part of the levels."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np

from ..layout import check_dense_size
from ..plan import Plan, with_pair_values
from .elimination import ApartElimination
from .sorting import Sorting


class ApartPlan:
    """As :class:`Plan`, for levels in parts that share no rows.

    Columns are those of the factors one after the other, level by level.

    Attributes
    ----------
    cross : the sums
    blocks : per factor its packed diagonal blocks
    levels, pairs : levels of every factor, and the pairs that meet of every pair of factors, by
        part
    parts : a plan for each part
    offsets, width : factor -> its first column, and the number of columns
    """

    solver = "exact"

    def __init__(self, cross, part, matrices):
        """``part`` of every level, per factor."""
        n_parts = 1 + max(int(own.max(initial=0)) for own in part)
        self.cross = cross
        self.blocks = [cross.level_blocks(f) for f in range(len(cross.sizes))]
        self.levels = [Sorting(own, n_parts) for own in part]
        self.pairs = {
            (f, g): Sorting(part[f][pair.rows], n_parts) for (f, g), pair in cross.pairs.items()
        }
        self.parts = [Plan(own, matrices) for own in self._sums_of_parts()]
        check_dense_size([plan.layout for plan in self.parts], cross.sizes, matrices)
        ends = np.cumsum([0] + [q * m for q, m in zip(cross.sizes, cross.levels, strict=True)])
        self.offsets = dict(enumerate(ends[:-1].tolist()))
        self.width = int(ends[-1])

    def _sums_of_parts(self):
        """The cross-products of effects of every part, with levels numbered anew."""
        sums = zip(self.cross.sums, self.cross.effects, self.levels, strict=True)
        sums = [sorting.split(own[:, list(effects)]) for own, effects, sorting in sums]
        pairs = self._pairs_of_parts()
        for k in range(len(self.levels[0].windows)):
            yield replace(
                self.cross,
                gram=np.zeros((0, 0)),
                sums=tuple(own[k] for own in sums),
                pairs={key: own[k] for key, own in pairs.items()},
                fixed=np.zeros(0, dtype=int),
                response=0,
                effects=tuple(tuple(range(q)) for q in self.cross.sizes),
            )

    def _pairs_of_parts(self):
        """Pair sums of every part."""
        places = [sorting.places for sorting in self.levels]
        counts = [[window.stop - window.start for window in s.windows] for s in self.levels]
        found = {}
        for (f, g), pair in self.cross.pairs.items():
            rows, cols, values = (
                self.pairs[f, g].split(own)
                for own in (places[f][pair.rows], places[g][pair.cols], pair.values)
            )
            each = zip(rows, cols, values, zip(counts[f], counts[g], strict=True), strict=True)
            found[f, g] = [
                replace(pair, rows=own, cols=other, values=shared, shape=shape)
                for own, other, shared, shape in each
            ]
        return found

    def eliminate(self, T, roots=None, *, once=False):
        """The factorisation at one T, with ``once`` the last of this plan."""
        return ApartElimination(self, T, roots, once=once)

    def with_sums(self, cross):
        """The same plan for cross-products with another response."""
        other = copy(self)
        other.cross = cross
        return other

    def reweighted(self, blocks, pair_values):
        """The same plan for other weights: packed diagonal blocks per factor, sums per pair of
        factors.
        """
        other = copy(self)
        other.blocks = blocks
        other.cross = with_pair_values(self.cross, pair_values)
        own = self.split(blocks)
        shared = {key: sorting.split(pair_values[key]) for key, sorting in self.pairs.items()}
        other.parts = [
            plan.reweighted(own[k], {key: values[k] for key, values in shared.items()})
            for k, plan in enumerate(self.parts)
        ]
        return other

    @property
    def counted_blocks(self):
        """Diagonal blocks: every level stands for itself."""
        return self.blocks

    @property
    def dense_order(self):
        """Order of the largest dense matrix."""
        return max(plan.dense_order for plan in self.parts)

    def split(self, values):
        """For every part the values of its levels, from a list over factors of (..., m)."""
        each = (sorting.split(own) for sorting, own in zip(self.levels, values, strict=True))
        return [list(own) for own in zip(*each, strict=True)]

    def joined(self, parts):
        """The inverse of :meth:`split`."""
        each = zip(self.levels, zip(*parts, strict=True), strict=True)
        return [sorting.joined(own) for sorting, own in each]

    def columns(self):
        """All columns, part after part, each in the order of its own plan."""
        return np.concatenate([self._own_columns(k) for k in range(len(self.parts))])

    def _own_columns(self, k):
        own = []
        for f in self.parts[k].layout.order:
            levels = self.levels[f].order[self.levels[f].windows[k]]
            q = self.cross.sizes[f]
            own.append((self.offsets[f] + levels[:, None] * q + np.arange(q)).ravel())
        return np.concatenate(own)

    def to_rows(self, values):
        """All factors' (q, k, m) below each other, (width, k)."""
        return np.concatenate([v.transpose(2, 0, 1).reshape(-1, v.shape[1]) for v in values])

    def multiply(self, H):
        """``A H`` for effects ``H``, a list over factors of (q, k, m)."""
        parts = zip(self.parts, self.split(H), strict=True)
        return self.joined([plan.multiply(own) for plan, own in parts])
