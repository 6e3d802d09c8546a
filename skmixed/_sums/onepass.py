"""One pass over the rows: everything a linear model asks of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._algebra.levels import level_sums
from .crossprod import CrossProducts, PairSums
from .frame import ROWS_PER_CHUNK, row_chunks


def cross_products(frame, X, y, weights, codes, n_levels):
    """One pass over the rows."""
    width = frame.response + 1
    sums = [np.zeros((len(e), m, width)) for e, m in zip(frame.effects, n_levels, strict=True)]
    gram = np.zeros((width, width))
    crossed = {}
    parents = _parents(codes, n_levels)
    for rows in row_chunks(len(X), _chunk_length(codes, n_levels)):
        pool = frame.pool(X[rows], y[rows])
        w = None if weights is None else weights[rows]
        gram += pool.T @ (pool if w is None else w[:, None] * pool)
        for f, effects in enumerate(frame.effects):
            for r, column in enumerate(effects):
                values = pool[:, column] if w is None else w * pool[:, column]
                level_sums(codes[f][rows], np.ascontiguousarray(values), pool, sums[f][r])
        for f, g in parents.crossed:
            values = _pair_values(pool, frame.effects[f], frame.effects[g], w)
            crossed.setdefault((f, g), []).append((codes[f][rows], codes[g][rows], values))
    n = float(len(X)) if weights is None else float(np.sum(weights))
    sums = tuple(np.ascontiguousarray(s.transpose(0, 2, 1)) for s in sums)
    pairs = {
        key: _merged(parts, n_levels[key[0]], n_levels[key[1]]) for key, parts in crossed.items()
    }
    pairs |= {key: parents.pair_sums(key, sums, frame.effects, n_levels) for key in parents.nested}
    return CrossProducts(
        n, gram, sums, pairs, frame.fixed, frame.response, tuple(map(tuple, frame.effects))
    )


def _pair_values(pool, left, right, weights):
    first = pool[:, left].T if weights is None else pool[:, left].T * weights
    return first[:, None, :] * pool[:, right].T[None]


def _merged(parts, rows, cols):
    own, other, values = zip(*parts, strict=True)
    return PairSums.from_entries(
        np.concatenate(own), np.concatenate(other), np.concatenate(values, axis=2), (rows, cols)
    )


@dataclass(frozen=True)
class _Parents:
    """Which factors are nested in which: (f, g) -> the level of g that holds every level of f."""

    crossed: list
    nested: dict  # (f, g) with f < g -> (is f the inner one, parent levels)

    def pair_sums(self, key, sums, effects, n_levels):
        """The sums shared by a nested pair are among the sums of the inner factor."""
        f, g = key
        first_is_inner, parent = self.nested[key]
        inner, outer = (f, g) if first_is_inner else (g, f)
        values = np.array([[s[c] for c in effects[outer]] for s in sums[inner]])
        levels = np.arange(n_levels[inner])
        shape = (n_levels[f], n_levels[g])
        if first_is_inner:
            return PairSums(levels, parent, values, shape)
        return PairSums(parent, levels, values.transpose(1, 0, 2), shape)


def _parents(codes, n_levels):
    crossed = []
    nested = {}
    for f in range(len(codes)):
        for g in range(f + 1, len(codes)):
            first_is_inner = n_levels[f] >= n_levels[g]
            inner, outer = (f, g) if first_is_inner else (g, f)
            parent = _parent(codes[inner], codes[outer], n_levels[inner])
            if parent is None:
                crossed.append((f, g))
            else:
                nested[f, g] = (first_is_inner, parent)
    return _Parents(crossed, nested)


def _parent(inner, outer, n_inner):
    """The outer level of every inner level if there is only one each, else None."""
    parent = np.zeros(n_inner, dtype=outer.dtype)
    for rows in (slice(0, 4096), slice(None)):
        parent[inner[rows]] = outer[rows]
        if not np.array_equal(parent[inner[rows]], outer[rows]):
            return None
    return parent


def _chunk_length(codes, n_levels):
    """Rows per chunk: few enough for the cache, many enough to pay for touching the levels they
    span.
    """
    spans = [int(np.ptp(c[:ROWS_PER_CHUNK])) if len(c) else 0 for c in codes]
    return int(
        np.clip(
            2 * max([min(s, m) for s, m in zip(spans, n_levels, strict=True)], default=0),
            ROWS_PER_CHUNK,
            1 << 22,
        )
    )
