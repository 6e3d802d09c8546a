"""Cross-products of the rows: everything a linear mixed model ever needs to know about its data.

The rows enter through a *pool* of columns: the intercept, the standardised columns of X, the
response, and what else the random-effects terms need.  With Z_f holding the pool columns of factor
f in the block of the row's level,

    gram     = pool' W pool                    (P, P)
    sums[f]  = Z_f' W pool, level by level     (q_f, P, m_f)
    pairs    = Z_f' W Z_g, for every pair of levels that occur together (f before g)

All of them are sums over rows, so chunks, streams and partitions are combined by ``+``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from .._algebra.levels import LEVELS_PER_CHUNK, level_sums
from .._algebra.packed import packed_size, triangle_entries


@dataclass(frozen=True, eq=False)
class PairSums:
    """``Z_f' W Z_g`` on the pairs that meet: ``values[:, :, i]`` of levels ``rows[i], cols[i]``.

    Attributes
    ----------
    rows, cols : (pairs,) levels of f and g
    values : (q_f, q_g, pairs)
    shape : numbers of levels
    """

    rows: np.ndarray
    cols: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def from_entries(cls, rows, cols, values, shape):
        """Merge entries that belong to the same pair of levels."""
        flat = values.reshape(-1, values.shape[2])
        merged = [sparse.csr_matrix((v, (rows, cols)), shape=shape) for v in flat]
        table = merged[0]
        out_rows = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(table.indptr))
        data = np.array([m.data for m in merged]).reshape(*values.shape[:2], -1)
        return cls(out_rows, table.indices, data, shape)

    @classmethod
    def total(cls, parts, places, shape):
        """Of several, whose levels are ``places[k]`` among all."""
        rows = [place[pair.rows] for pair, (place, _) in zip(parts, places, strict=True)]
        cols = [place[pair.cols] for pair, (_, place) in zip(parts, places, strict=True)]
        values = np.concatenate([pair.values for pair in parts], axis=2)
        return cls.from_entries(np.concatenate(rows), np.concatenate(cols), values, shape)

    def __add__(self, other):
        """Entry by entry: the smaller table is looked up in the larger one."""
        more, fewer = sorted((self._in_order(), other._in_order()), key=lambda table: -len(table))
        if not len(fewer):
            return more
        keys, wanted = more._keys, fewer._keys
        place = np.searchsorted(keys, wanted)
        is_new = keys[np.minimum(place, len(keys) - 1)] != wanted
        place += np.cumsum(is_new) - is_new  # where they stand among all
        is_old = np.ones(len(keys) + np.count_nonzero(is_new), dtype=bool)
        is_old[place[is_new]] = False
        rows, cols = np.empty((2, len(is_old)), dtype=np.int32)
        values = np.zeros((*more.values.shape[:2], len(is_old)))
        rows[is_old], cols[is_old] = more.rows, more.cols
        rows[place], cols[place] = fewer.rows, fewer.cols
        values[:, :, is_old] = more.values
        values[:, :, place] += fewer.values
        return PairSums(rows, cols, values, self.shape)

    def __len__(self):
        return len(self.rows)

    @property
    def _keys(self):
        """Where a table of all pairs would have them."""
        return self.rows.astype(np.int64) * self.shape[1] + self.cols

    def _in_order(self):
        keys = self._keys
        if np.all(keys[1:] > keys[:-1]):
            return self
        order = np.argsort(keys)
        return PairSums(self.rows[order], self.cols[order], self.values[:, :, order], self.shape)


@dataclass(frozen=True, eq=False)
class CrossProducts:
    """Sums over rows, with the roles of the pool's columns.

    Attributes
    ----------
    n : sum of the weights: the number of observations
    gram : (P, P)
    sums : per factor (q_f, P, m_f)
    pairs : (f, g) -> sums of their levels that meet, f < g
    fixed, response : pool columns of the fixed effects and of the response
    effects : per factor the pool columns of Z_f
    counts : levels that each level of a condensed factor stands for
    """

    n: float
    gram: np.ndarray
    sums: tuple[np.ndarray, ...]
    pairs: dict[tuple[int, int], PairSums]
    fixed: np.ndarray
    response: int
    effects: tuple[tuple[int, ...], ...]
    counts: np.ndarray | None = None

    def __getstate__(self):
        pairs = [(*key, pair) for key, pair in self.pairs.items()]  # keys that any reader knows
        return vars(self) | {"pairs": pairs}

    def __setstate__(self, state):
        vars(self).update(state, pairs={(f, g): pair for f, g, pair in state["pairs"]})

    def __add__(self, other):
        return replace(
            self,
            n=self.n + other.n,
            gram=self.gram + other.gram,
            sums=tuple(a + b for a, b in zip(self.sums, other.sums, strict=True)),
            pairs={key: pairs + other.pairs[key] for key, pairs in self.pairs.items()},
        )

    @property
    def n_fixed(self):
        return len(self.fixed)

    @property
    def sizes(self):
        """Number of effects of each factor."""
        return [len(e) for e in self.effects]

    @property
    def levels(self):
        """Number of levels of each factor."""
        return [s.shape[2] for s in self.sums]

    def spread(self, places, n_levels):
        """The same sums among more levels, of which ``places[f]`` are those of factor f."""
        sums = []
        for own, place, m in zip(self.sums, places, n_levels, strict=True):
            table = np.zeros((*own.shape[:2], m))
            table[:, :, place] = own
            sums.append(table)
        pairs = {
            (f, g): PairSums.from_entries(
                places[f][pair.rows], places[g][pair.cols], pair.values, (n_levels[f], n_levels[g])
            )
            for (f, g), pair in self.pairs.items()
        }
        return replace(self, sums=tuple(sums), pairs=pairs)

    def contiguous(self):
        """The same sums, each level's next to each other."""
        return replace(self, sums=tuple(np.ascontiguousarray(own) for own in self.sums))

    @classmethod
    def total(cls, parts, places, n_levels):
        """Of several parts; ``places[k][f]`` are the levels of factor f of part k among all."""
        first = parts[0]
        sums = [np.zeros((*own.shape[:2], m)) for own, m in zip(first.sums, n_levels, strict=True)]
        for part, place in zip(parts, places, strict=True):
            for table, own, where in zip(sums, part.sums, place, strict=True):
                table[:, :, where] += own
        pairs = {
            (f, g): PairSums.total(
                [part.pairs[f, g] for part in parts],
                [(place[f], place[g]) for place in places],
                (n_levels[f], n_levels[g]),
            )
            for f, g in first.pairs
        }
        n = sum(part.n for part in parts)
        gram = np.sum([part.gram for part in parts], axis=0)
        return replace(first, n=n, gram=gram, sums=tuple(sums), pairs=pairs)

    def with_fixed(self, fixed):
        """The same sums with other fixed-effects columns."""
        return replace(self, fixed=np.asarray(fixed, dtype=int))

    def fixed_gram(self):
        """``[X y]' W [X y]``."""
        columns = np.append(self.fixed, self.response)
        return self.gram[np.ix_(columns, columns)]

    def x_sums(self, f):
        """``U_f = Z_f' W [X y]``, (q_f, p + 1, m_f)."""
        return np.ascontiguousarray(self.sums[f][:, np.append(self.fixed, self.response)])

    def level_blocks(self, f):
        """``A_ff = Z_f' W Z_f``, packed (K, m_f)."""
        out = np.empty((packed_size(self.sizes[f]), self.levels[f]))
        for k, (r, c) in enumerate(triangle_entries(self.sizes[f])):
            out[k] = self.sums[f][r, self.effects[f][c]]
        return out


MOST_ROWS_PER_LEVEL = 1 << 16


def condensed(cross):
    """The same model with far fewer levels, where one scalar effect makes levels interchangeable;
    else None.

    The likelihood depends on a level through ``A_l`` and ``U_l``.  Levels with equal ``A_l``, such
    as groups with as many rows, enter only through their number and ``sum U_l'U_l``, for which as
    many levels as U has columns suffice.
    """
    if cross.sizes != [1]:
        return None
    A = cross.level_blocks(0)[0]
    U = cross.x_sums(0)[0]
    if A.max() > MOST_ROWS_PER_LEVEL or not np.array_equal(A, np.rint(A)):
        return None
    kinds = A.astype(np.int64)
    counts = np.bincount(kinds)
    present = np.flatnonzero(counts)
    if 4 * len(present) * len(U) > len(A):
        return None
    return _with_levels(cross, present, counts[present], _class_roots(kinds, present, U))


def _class_roots(kinds, present, U):
    """Per class the columns of a root of ``sum U_l'U_l``, (classes, columns, columns)."""
    place = np.zeros(present[-1] + 1, dtype=np.int32)
    place[present] = np.arange(len(present))
    products = np.zeros((len(U), len(present), len(U)))
    for lo in range(0, len(kinds), LEVELS_PER_CHUNK):
        some = slice(lo, lo + LEVELS_PER_CHUNK)
        part = np.zeros_like(products)
        columns = np.ascontiguousarray(U[:, some].T)
        for r, own in enumerate(part):
            level_sums(place[kinds[some]], np.ascontiguousarray(U[r, some]), columns, own)
        products += part
    values, vectors = np.linalg.eigh(products.transpose(1, 0, 2))
    return vectors * np.sqrt(np.maximum(values, 0.0))[:, None]


def _with_levels(cross, A, counts, roots):
    width = roots.shape[1]
    sums = np.zeros((1, len(cross.gram), roots.shape[0] * width))
    sums[0, np.append(cross.fixed, cross.response)] = roots.transpose(1, 0, 2).reshape(width, -1)
    sums[0, cross.effects[0][0]] = np.repeat(A, width)
    return replace(cross, sums=(sums,), counts=np.repeat(counts / width, width))
