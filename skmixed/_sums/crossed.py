"""Rows whose levels meet, with compiled sums over them.

A step of a search asks for sums over the rows by the levels of every factor and by the pairs of
levels that meet.  Compiled loops take some rows at a time through everything that is asked at once:
linear predictor, log-likelihood, scores and their sums, or weights and all of theirs.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np

from .._algebra.kernels import CHOICE
from .._algebra.packed import packed_size
from .._model.families import BernoulliLogit, BernoulliRows
from .blocks import RowBlock, Skewed, Swept, columns_of, pairs_of
from .grouping import grouping_of

MOST_COLUMNS = 64  # beyond which products of large matrices are faster
COMPILED = ("described", "_met")


class CrossedRows(RowBlock):
    """Some rows with all rows of their levels, which meet; its sums are compiled."""

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name not in COMPILED}

    @cached_property
    def described(self):
        """Effects, levels, and of every effect its row of z; codes; z."""
        columns = sum(self.z, start=())
        varying = [column for column in columns if column is not None]
        return (
            _integers([len(z) for z in self.z]),
            _integers([group.n_levels for group in self.groups]),
            _integers(_places(columns)),
            _integers([group.codes for group in self.groups]),
            np.array(varying, dtype=float).reshape(len(varying), len(self.y)),
        )

    @cached_property
    def _met(self):
        """Per pair of factors the pair of levels of every row, and how many there are."""
        groups = [group for group, *_ in self.pairs.values()]
        codes = _integers([group.codes for group in groups])
        return codes, _integers([group.n_levels for group in groups])

    def split(self, flat):
        """The effects of all levels, per factor (q_f, m_f)."""
        shapes = [(len(z), g.n_levels) for z, g in zip(self.z, self.groups, strict=True)]
        return _cut(flat, shapes)

    def outcomes(self, fixed):
        """The fixed part of the linear predictor, the response and weights."""
        return _numbers(fixed), _numbers(self.y), np.atleast_1d(_numbers(self.m))

    def sweep(self, family, fixed, b):
        """The family at ``fixed + Z b`` and ``Z'r``."""
        if type(family) is not BernoulliLogit:
            return super().sweep(family, fixed, b)
        eta, mean, weight = np.empty((3, len(self.y)))
        effects = _flat(b)
        scores = np.empty(len(effects))
        fixed, y, m = self.outcomes(fixed)
        out = (eta, mean, weight, scores)
        loglik = CHOICE.native.crossed_sweep(*self.described, fixed, effects, y, m, *out)
        point = family.at(eta, self.y, self.m)
        vars(point).update(mean=mean, weight=weight)
        return Swept(point, np.array([loglik]), self.split(scores))

    def weighed(self, weights):
        """``Z_f'WZ_f`` per factor, packed, and ``Z_f'WZ_g`` on the pairs of levels that meet."""
        shapes = [
            (packed_size(len(z)), g.n_levels) for z, g in zip(self.z, self.groups, strict=True)
        ]
        pair_shapes = [
            (len(self.z[f]), len(self.z[g]), group.n_levels)
            for (f, g), (group, *_) in self.pairs.items()
        ]
        blocks, pairs = (np.empty(sum(map(np.prod, each))) for each in (shapes, pair_shapes))
        w = _numbers(weights)
        CHOICE.native.crossed_weigh(*self.described, *self._met, w, blocks, pairs)
        return _cut(blocks, shapes), dict(zip(self.pairs, _cut(pairs, pair_shapes), strict=True))

    def level_blocks(self, weights):
        return self.weighed(weights)[0]

    def pair_values(self, weights):
        return self.weighed(weights)[1]

    def skewed(self, point, M, shared):
        if not isinstance(point, BernoulliRows):
            return super().skewed(point, M, shared)
        values = np.empty(len(self.y))
        sums = np.empty(self._n_effects)
        covariances = (_flat(M), _flat([shared[key] for key in self.pairs]))
        CHOICE.native.crossed_skewed(
            *self.described, *self._met, point.mean, point.weight, *covariances, values, sums
        )
        return Skewed(None, values, self.split(sums))

    @property
    def _n_effects(self):
        sizes, levels, *_ = self.described
        return int(sizes.astype(np.int64) @ levels)

    def random_part(self, b):
        if np.ndim(b[0]) > 2:
            return super().random_part(b)
        out = np.empty(len(self.y))
        CHOICE.native.crossed_spread(*self.described, _flat(b), out)
        return out

    def level_sums(self, values):
        out = np.empty(self._n_effects)
        CHOICE.native.crossed_gather(*self.described, _numbers(values), out)
        return self.split(out)

    def fixed_sums(self, weights):
        p = self.x.shape[1]
        if p > MOST_COLUMNS:
            return super().level_fixed(weights), self.fixed_gram(weights)
        sums, gram = np.empty(self._n_effects * p), np.empty((p, p))
        w = _numbers(weights)
        CHOICE.native.crossed_with_fixed(*self.described, w, _numbers(self.x), sums, gram)
        shapes = [(len(z), g.n_levels, p) for z, g in zip(self.z, self.groups, strict=True)]
        return [part.transpose(0, 2, 1) for part in _cut(sums, shapes)], gram

    def level_fixed(self, weights):
        return self.fixed_sums(weights)[0]

    def without_effects(self):
        return RowBlock(**self.__getstate__()).without_effects()


def rows_of(x, z, y, m, groups, pairs, levels, offset=None) -> RowBlock:
    """A block of rows, with the sums that suit it."""
    kind = CrossedRows if pairs and CHOICE.native is not None else RowBlock
    return kind(x, z, y, m, groups, pairs, levels, offset)


def row_block(x, z, y, m, codes, n_levels, offset=None):
    """One block of rows in the order in which they come.

    ``x`` (n, p), ``z`` per factor (q_f, n), ``m`` weights or one, ``codes`` per factor, ``offset``
    (n,) or None.
    """
    groups = tuple(grouping_of(c, levels) for c, levels in zip(codes, n_levels, strict=True))
    levels = tuple(slice(0, int(count)) for count in n_levels)
    columns = tuple(map(columns_of, z))
    return rows_of(x, columns, y, m, groups, pairs_of(codes, n_levels), levels, offset)


def _places(columns):
    """The place of every column among those that vary; -1 for ones."""
    varies = np.array([column is not None for column in columns])
    return np.where(varies, np.cumsum(varies) - 1, -1)


def _numbers(values):
    return np.ascontiguousarray(values, dtype=float)


def _integers(values):
    return np.ascontiguousarray(values, dtype=np.int32)


def _flat(parts):
    """All numbers, one part after the other."""
    return np.concatenate([part.ravel() for part in parts])


def _cut(flat, shapes):
    """Parts of given shapes, one after the other."""
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)]).tolist()
    parts = zip(pairwise(ends), shapes, strict=True)
    return [flat[lo:hi].reshape(shape) for (lo, hi), shape in parts]
