"""Rows under working weights: what a generalised linear mixed model asks of its data again and
again.

A linear model reads its rows once.  A logistic one has new weights at every step, so its rows stay,
ordered by level, and this module answers with sums over them: per level, per pair of levels, over
all.  Everything above works with those sums and with vectors of one number per row, such as the
linear predictor, that it hands to the family and back.

The levels of a single grouping factor do not meet, so its rows are cut into blocks that fit the
cache; crossed or nested factors are one block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .._algebra.packed import packed_index, triangle_entries
from .crossprod import CrossProducts, PairSums
from .grouping import Grouping, Runs, level_order

ROWS_PER_BLOCK = 1 << 16


def times(column, values):
    """``column * values``; a column of ones, which is None, costs nothing."""
    return values if column is None else column * values


def columns_of(z):
    """The rows of (q, n) one by one, None for ones."""
    return tuple(None if np.all(column == 1.0) else column for column in z)


class Swept(NamedTuple):
    """Rows at some effects.

    Attributes
    ----------
    point : the family there
    loglik : numbers whose sums by part are those of its log-likelihood
    scores : ``Z'r`` per factor, (q_f, m_f)
    """

    point: Any
    loglik: np.ndarray
    scores: list


class Skewed(NamedTuple):
    """How rows take part in the derivatives of a log-determinant.

    Attributes
    ----------
    forms : ``v = z'Mz`` per row; None where these are not kept
    values : ``w'v`` per row
    sums : Z' of these per factor, (q_f, m_f)
    """

    forms: np.ndarray | None
    values: np.ndarray
    sums: list


@dataclass(frozen=True, eq=False)
class RowBlock:
    """Some rows with all rows of their levels.

    Attributes
    ----------
    x : (n, p) columns of the fixed effects
    z : per factor q_f columns of the random effects; a column is None where it is all ones
    y, m : (n,) response and weights; m may be the number one
    groups : per factor, the Grouping of its levels
    pairs : (f, g) -> (Grouping of the pairs of levels that meet, levels of f, levels of g)
    levels : per factor, which of its levels are here
    offset : (n,) known part of the linear predictor; None for none
    """

    x: np.ndarray
    z: tuple
    y: np.ndarray
    m: object
    groups: tuple
    pairs: dict
    levels: tuple[slice, ...]
    offset: np.ndarray | None = None

    @property
    def is_separable(self):
        """Whether levels do not meet, so that every level has its own mode."""
        return not self.pairs

    def random_part(self, b):
        """``Z b`` for effects per factor (q_f, m_f), or (q_f, k, m_f) for k of them at once."""
        parts = [
            times(z, effect[..., group.codes])
            for columns, effects, group in zip(self.z, b, self.groups, strict=True)
            for z, effect in zip(columns, effects, strict=True)
        ]
        for part in parts[1:]:
            parts[0] += part
        return parts[0]

    def sweep(self, family, fixed, b):
        """The family at ``fixed + Z b`` and ``Z'r``: a :class:`Swept`."""
        point = family.at(fixed + self.random_part(b), self.y, self.m)
        return Swept(point, point.loglik, self.level_sums(point.score))

    def fixed_part(self, beta):
        """``X beta``, with the offset."""
        fixed = self.x @ beta
        return fixed if self.offset is None else fixed + self.offset

    def predictor(self, beta, b):
        """``X beta + Z b``, with the offset."""
        return self.fixed_part(beta) + self.random_part(b)

    def level_sums(self, values):
        """``Z'values`` per factor, (q_f, m_f)."""
        return [
            np.array([group.sum(times(column, values)) for column in z])
            for z, group in zip(self.z, self.groups, strict=True)
        ]

    def level_sums_each(self, values):
        """``Z'values`` of the single factor for values (k, n), (q, k, m)."""
        (z,) = self.z
        (group,) = self.groups
        return np.array([group.sum_each(times(column, values)) for column in z])

    def level_blocks(self, weights):
        """``A_f = Z_f'WZ_f`` per factor, packed (K_f, m_f)."""
        return [
            np.array(
                [group.sum(times(z[r], times(z[c], weights))) for r, c in triangle_entries(len(z))]
            )
            for z, group in zip(self.z, self.groups, strict=True)
        ]

    def pair_values(self, weights):
        """``Z_f'WZ_g`` on the pairs of levels that meet, (f, g) -> (q_f, q_g, pairs)."""
        return {
            (f, g): np.array(
                [
                    [group.sum(times(left, times(right, weights))) for right in self.z[g]]
                    for left in self.z[f]
                ]
            )
            for (f, g), (group, *_) in self.pairs.items()
        }

    def weighed(self, weights):
        """What an elimination is made of: both of these."""
        return self.level_blocks(weights), self.pair_values(weights)

    def level_fixed(self, weights):
        """``Z_f'WX`` per factor, (q_f, p, m_f)."""
        return [
            np.array([group.sum(times(column, weights)[:, None] * self.x).T for column in z])
            for z, group in zip(self.z, self.groups, strict=True)
        ]

    def x_of(self, rows):
        """The columns x of some rows."""
        return self.x[rows]

    def x_sums(self, values):
        """``X'values``."""
        return values @ self.x

    def fixed_gram(self, weights):
        """``X'WX``."""
        return (weights[:, None] * self.x).T @ self.x

    def fixed_sums(self, weights):
        """``Z'WX`` per factor and ``X'WX``."""
        return self.level_fixed(weights), self.fixed_gram(weights)

    def moments(self, weights):
        """Sums of ``w z_r z_c`` times x and z for the packed entries (r, c) of one factor: (K, p,
        m) and (K, q, m).
        """
        (z,) = self.z
        (group,) = self.groups
        with_x = []
        with_z = []
        for r, c in triangle_entries(len(z)):
            product = times(z[r], times(z[c], weights))
            with_x.append(group.sum(product[:, None] * self.x).T)
            with_z.append([group.sum(times(column, product)) for column in z])
        return np.array(with_x), np.array(with_z)

    def quadratic_forms(self, M, shared):
        """``z'Mz`` per row, from packed blocks per factor and the covariances ``shared`` on pairs
        of levels.
        """
        out = np.zeros(len(self.y))
        for z, blocks, group in zip(self.z, M, self.groups, strict=True):
            for k, (r, c) in enumerate(triangle_entries(len(z))):
                out += times(z[r], times(z[c], (1.0 + (r != c)) * blocks[k][group.codes]))
        for (f, g), values in shared.items():
            codes = self.pairs[f, g][0].codes
            for r, left in enumerate(self.z[f]):
                for c, right in enumerate(self.z[g]):
                    out += times(left, times(right, 2.0 * values[r, c][codes]))
        return out

    def skewed(self, point, M, shared):
        """``w' z'Mz`` per row of what :meth:`quadratic_forms` takes, and its sums."""
        forms = self.quadratic_forms(M, shared)
        values = point.skew * forms
        return Skewed(forms, values, self.level_sums(values))

    def pair_sums(self, weights):
        """:class:`PairSums` of every pair of factors."""
        values = self.pair_values(weights)
        levels = [group.n_levels for group in self.groups]
        return {
            (f, g): PairSums(rows, cols, values[f, g], (levels[f], levels[g]))
            for (f, g), (_, rows, cols) in self.pairs.items()
        }

    @property
    def n(self):
        """Number of observations: the sum of the weights."""
        return float(np.sum(self.m) if np.ndim(self.m) else len(self.y))

    def with_fixed(self, chosen):
        """The same rows with some columns of the fixed effects."""
        return replace(self, x=np.ascontiguousarray(self.x[:, chosen]))

    def without_effects(self):
        """The same rows with one effect for all of them, which is to have no variance."""
        one = Runs(np.array([0, len(self.y)]))
        return replace(self, z=((None,),), groups=(one,), pairs={}, levels=(slice(0, 1),))

    def first_levels(self, n):
        """The rows of the first levels."""
        group = self.groups[0].first(n)
        rows = slice(0, group.n_rows)
        m = self.m[rows] if np.ndim(self.m) else self.m
        z = (tuple(None if column is None else column[rows] for column in self.z[0]),)
        return replace(
            self,
            x=self.x[rows],
            z=z,
            y=self.y[rows],
            m=m,
            groups=(group,),
            levels=(slice(0, n),),
            offset=None if self.offset is None else self.offset[rows],
        )

    def by_part(self, values, effects):
        """Sums of row values and of effects, for every part with modes of its own: each level, or
        all together.
        """
        if self.is_separable:
            return self.groups[0].sum(values) + np.sum(effects[0], axis=0)
        return np.array([np.sum(values) + sum(np.sum(e) for e in effects)])

    @property
    def pattern(self):
        """Cross-products without values: sizes, and which levels meet."""
        sums = tuple(
            np.zeros((len(z), len(z), g.n_levels)) for z, g in zip(self.z, self.groups, strict=True)
        )
        effects = tuple(tuple(range(len(z))) for z in self.z)
        pairs = self.pair_sums(np.ones(len(self.y))) if self.pairs else {}
        return CrossProducts(
            self.n, np.zeros((0, 0)), sums, pairs, np.zeros(0, dtype=int), 0, effects
        )

    def cross_products(self, weights, response, response_square):
        """Cross-products of ``[Z X response]`` with weights; ``response`` is already weighted.

        The pool is the columns of all Z_f, those of X, and the response.
        """
        starts = np.cumsum([0] + [len(z) for z in self.z])
        windows = [slice(lo, hi) for lo, hi in pairwise(starts)]
        fixed = starts[-1] + np.arange(self.x.shape[1])
        width = len(fixed) + int(starts[-1]) + 1
        gram = np.zeros((width, width))
        gram[np.ix_(fixed, fixed)] = self.fixed_gram(weights)
        gram[fixed, -1] = gram[-1, fixed] = self.x_sums(response)
        gram[-1, -1] = response_square
        parts = zip(
            windows,
            self.level_blocks(weights),
            self.level_fixed(weights),
            self.level_sums(response),
            strict=True,
        )
        sums = [_pool_sums(width, fixed, *part) for part in parts]
        effects = tuple(tuple(range(w.start, w.stop)) for w in windows)
        pairs = self.pair_sums(weights)
        return CrossProducts(self.n, gram, tuple(sums), pairs, fixed, width - 1, effects)


def _pool_sums(width, fixed, window, A, U, s):
    """``Z'W pool`` of one factor from ``A = Z'WZ``, packed, ``U = Z'WX`` and ``s = Z'Wy``."""
    table = np.zeros((len(s), width, A.shape[1]))
    table[:, window] = A[packed_index(len(s))]
    table[:, fixed] = U
    table[:, -1] = s
    return table


def joined(parts):
    """Cross-products of blocks whose levels follow each other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    ends = np.cumsum([part.levels for part in parts], axis=0)
    starts = np.vstack([np.zeros_like(ends[:1]), ends[:-1]])
    return replace(
        first,
        n=sum(part.n for part in parts),
        gram=sum(part.gram for part in parts),
        sums=tuple(
            np.concatenate(own, axis=2) for own in zip(*(p.sums for p in parts), strict=True)
        ),
        pairs={key: _joined_pairs(key, parts, starts, ends[-1]) for key in first.pairs},
    )


def _joined_pairs(key, parts, starts, levels):
    """The pairs of two factors, whose levels follow each other part after part."""
    f, g = key
    pairs = [part.pairs[key] for part in parts]
    return PairSums(
        np.concatenate([pair.rows + start[f] for pair, start in zip(pairs, starts, strict=True)]),
        np.concatenate([pair.cols + start[g] for pair, start in zip(pairs, starts, strict=True)]),
        np.concatenate([pair.values for pair in pairs], axis=2),
        (int(levels[f]), int(levels[g])),
    )


def pairs_of(codes, n_levels):
    """For every pair of factors the pairs of levels that meet, in the order of their levels."""
    factors = range(len(codes))
    return {(f, g): _pairs_of_two(codes, n_levels, f, g) for f in factors for g in factors if f < g}


def _pairs_of_two(codes, n_levels, f, g):
    """The rows are ordered by the levels of g, then by those of f."""
    by_g, _ = level_order(codes[g], n_levels[g])
    order = by_g[level_order(codes[f][by_g], n_levels[f])[0]]
    rows, cols = codes[f][order], codes[g][order]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (rows[1:] != rows[:-1]) | (cols[1:] != cols[:-1])
    pair = np.empty(len(order), dtype=np.int32)
    pair[order] = np.cumsum(is_new) - 1
    rows, cols = rows[is_new].astype(np.int64), cols[is_new].astype(np.int64)
    return Grouping(pair, len(rows)), rows, cols
