"""Items sorted by the part they belong to."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


class Sorting:
    """Levels of a factor, or pairs of levels, in an order in which every part is a window.

    Attributes
    ----------
    part : (items,) part of every item
    order : items, part after part
    windows : part -> slice of ``order``
    """

    def __init__(self, part, n_parts):
        self.part = part
        self.order = np.argsort(part, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(part, minlength=n_parts))])
        self.windows = [slice(int(lo), int(hi)) for lo, hi in pairwise(ends)]
        self._starts = ends[:-1]

    def split(self, values):
        """Views of the values, the last axis being that of the items, for every part."""
        values = values[..., self.order]
        return [values[..., window] for window in self.windows]

    def joined(self, parts):
        """The inverse of :meth:`split`."""
        values = np.concatenate(parts, axis=-1)
        out = np.empty_like(values)
        out[..., self.order] = values
        return out

    @property
    def places(self):
        """Position of every item within its part."""
        out = np.empty(len(self.order), dtype=np.int64)
        out[self.order] = np.arange(len(self.order))
        return out - self._starts[self.part]
