"""Elimination of the random effects: a block Cholesky factorisation that never inverts a covariance.

Write ``V = W^-1 + sum_f Z_f T_f Z_f'``.  Factors whose diagonal block is block diagonal are eliminated level by level
(*stages*), largest first.  Eliminating a factor keeps the block-diagonal form of every factor it is nested in,
so chains of nested factors stay batched to the end; what is left, crossed factors, forms one dense matrix.  With
``R'AR + I`` factored per level, ``M = R (R'AR + I)^-1 R'``, and ``C`` the sums shared with later factors,

    later blocks  -=  C' M C          later right-hand sides  -=  C' M U

leaves for the later factors exactly their cross-products under the covariance of the rows and the factors
eliminated so far.  Every quantity is well defined at a singular T; the posterior covariance of the effects is ``M``,
not the inverse of a precision that may be infinite.

``C' M C`` is linear in ``M``: the *pair operator* ``P``, a sparse matrix from packed ``M`` to the entries it changes,
is the forward update, and its transpose gathers ``C S C'`` for the derivatives.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.linalg import blas, lapack

from . import _kernels as kernels
from ._covariance import pivoted_root

MAX_PAIRS_PER_ENTRY = 16  # beyond this many pair products per dense entry a dense product is cheaper
PAIRS_PER_CHUNK = 1 << 16
MAX_DENSE = 16_000  # columns of the dense block: 2 GiB, of which a fit holds up to four


@dataclass(frozen=True)
class Layout:
    """Order of elimination: batched stages first, then the factors of the dense block."""

    stages: tuple
    dense: tuple
    offsets: dict  # factor -> first column, in elimination order
    width: int
    dense_start: int

    @property
    def order(self):
        return self.stages + self.dense

    def after(self, f):
        """Factors that are eliminated after f."""
        return self.order[self.order.index(f) + 1 :]


def layout(sizes, levels, nested):
    """Choose the order; ``nested[f][g]`` says whether every level of f lies in one level of g."""
    blocked, stages = set(range(len(sizes))), []
    while blocked:
        inner = [f for f in blocked if not any(nested[g][f] and not nested[f][g] for g in blocked - {f})]
        f = max(inner, key=lambda f: (sizes[f] * levels[f], -f))
        stages.append(f)
        blocked = {g for g in blocked - {f} if nested[f][g]}
    dense = sorted(set(range(len(sizes))) - set(stages), key=lambda f: -levels[f])
    order = stages + dense
    ends = np.cumsum([0] + [sizes[f] * levels[f] for f in order])
    offsets = {f: int(start) for f, start in zip(order, ends[:-1], strict=True)}
    return Layout(tuple(stages), tuple(dense), offsets, int(ends[-1]), int(ends[len(stages)]))


@dataclass(frozen=True)
class Coupling:
    """``C``: the sums a stage shares with all later columns; row ``r * m + l`` holds effect r of level l."""

    indptr: np.ndarray  # pattern over levels
    columns: np.ndarray  # later columns, elimination order
    data: np.ndarray  # (q, entries)
    matrix: sparse.csr_matrix  # (q * m, width), sharing the pattern
    order: np.ndarray  # entry of the later factors' pair sums, one factor after the other, for every entry here

    @property
    def entries(self):
        return len(self.columns)

    def with_data(self, data):
        """The same pattern with other sums."""
        matrix = self.matrix
        matrix = sparse.csr_matrix((data.ravel(), matrix.indices, matrix.indptr), shape=matrix.shape)
        return replace(self, data=data, matrix=matrix)

    def in_pair_order(self, values):
        """Values of the entries (q, entries), back in the order of the pair sums."""
        out = np.empty_like(values)
        out[:, self.order] = values
        return out


def _coupling(cross, layout, f):
    """Collect the pair sums of stage ``f`` with every later factor."""
    m, rows, columns = cross.levels[f], [], []
    for g in layout.after(f):
        pair, width = cross.pairs[min(f, g), max(f, g)], cross.sizes[g]
        own, other = (pair.rows, pair.cols) if f < g else (pair.cols, pair.rows)
        rows.append(np.repeat(own, width))
        columns.append((layout.offsets[g] + other[:, None] * width + np.arange(width)).ravel())
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    order = np.argsort(rows, kind="stable")  # later factors and their columns already increase
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=m))]).astype(np.int32)
    columns, data = columns[order].astype(np.int32), _coupled_sums(cross, layout, f, order)
    return Coupling(indptr, columns, data, _stacked(indptr, columns, data, len(data) * m, layout.width), order)


def _coupled_sums(cross, layout, f, order):
    """Pair sums of stage ``f`` with every later factor, (q, entries)."""
    data = []
    for g in layout.after(f):
        values = cross.pairs[min(f, g), max(f, g)].values
        values = values if f < g else values.transpose(1, 0, 2)
        data.append(values.transpose(0, 2, 1).reshape(len(values), -1))
    return np.ascontiguousarray(np.concatenate(data, axis=1)[:, order])


def _stacked(indptr, columns, data, height, width):
    q, entries = data.shape
    starts = np.concatenate([indptr[:-1] + r * entries for r in range(q)] + [[q * entries]])
    return sparse.csr_matrix((data.ravel(), np.tile(columns, q), starts), shape=(height, width))


@dataclass(frozen=True)
class Segments:
    """Positions, in one flat vector, of every matrix entry that elimination changes.

    Per later stage its packed diagonal blocks and the entries of its coupling, then the dense block.
    """

    blocks: dict  # stage -> slice
    couplings: dict  # stage -> slice
    dense: slice
    length: int


def _segments(cross, layout, couplings):
    blocks, shared, position = {}, {}, 0
    for f in layout.stages[1:]:
        size = kernels.packed_size(cross.sizes[f]) * cross.levels[f]
        blocks[f] = slice(position, position + size)
        position += size
        entries = couplings[f].data.size if f in couplings else 0
        shared[f] = slice(position, position + entries)
        position += entries
    side = layout.width - layout.dense_start
    return Segments(blocks, shared, slice(position, position + side * side), position + side * side)


def _slot_pairs(indptr):
    """All pairs of entries (i >= j) of every level, level after level in the order returned first.

    Levels come in groups with equally many entries.  Returns that order, the number of pairs of each, and the pairs.
    """
    counts = np.diff(indptr)
    levels, first, second = [], [], []
    for count in np.flatnonzero(np.bincount(counts)):
        own = np.flatnonzero(counts == count)
        i, j = (index.astype(np.int32) for index in np.tril_indices(count))
        levels.append(own)
        first.append((indptr[own][:, None] + i).ravel())
        second.append((indptr[own][:, None] + j).ravel())
    levels = np.concatenate(levels)
    return levels, counts[levels] * (counts[levels] + 1) // 2, np.concatenate(first), np.concatenate(second)


class PairOperator:
    """The linear map from packed ``M`` of a stage to the entries of ``C' M C``, and its transpose.

    Its pattern is fixed; :meth:`at` fills in the products of given values of C, which later stages change with T.
    """

    def __init__(self, cross, layout, segments, couplings, f):
        coupling = couplings[f]
        self.q, self.levels = cross.sizes[f], cross.levels[f]
        self._level_order, n_pairs, self._first, self._second = _slot_pairs(coupling.indptr)
        high, low = coupling.columns[self._first], coupling.columns[self._second]
        targets = _targets(cross, layout, segments, couplings, high, low)
        self.targets, self._compact = _compressed(targets, segments.length)
        self._weights = np.ones(len(self.targets))
        self._weights[self._compact] = np.where(high == low, 1.0, 2.0)
        self._halves = 0.5 / kernels.halves(self.q)[:, None]
        packed = kernels.packed_size(self.q)
        self._indices = np.tile(self._compact, packed)
        self._indptr = np.concatenate([[0], np.cumsum(np.tile(n_pairs, packed))]).astype(np.int32)
        self._shape = (len(self.targets), packed * self.levels)

    def at(self, data):
        """The operator for these values of C (q, entries)."""
        products = np.empty((kernels.packed_size(self.q), len(self._first)))
        for lo in range(0, len(self._first), PAIRS_PER_CHUNK):
            pairs = slice(lo, lo + PAIRS_PER_CHUNK)
            left, right = ([row[slots[pairs]] for row in data] for slots in (self._first, self._second))
            for k, (r, c) in enumerate(kernels.entries(self.q)):
                np.multiply(left[r], right[c], out=products[k, pairs])
                if r != c:
                    products[k, pairs] += left[c] * right[r]
        return sparse.csc_matrix((products.ravel(), self._indices, self._indptr), shape=self._shape, copy=False)

    def subtract(self, P, M, state):
        """``state -= C' M C`` in the entries concerned."""
        state[self.targets] -= P @ M[:, self._level_order].ravel()

    def gather(self, P, state):
        """Packed ``C S C'`` of every level, from the entries of S in ``state``."""
        out = np.empty((kernels.packed_size(self.q), self.levels))
        flat = P.T @ (self._weights * state[self.targets])
        out[:, self._level_order] = flat.reshape(-1, self.levels) * self._halves
        return out

    def spread(self, P, data, state):
        """``C S`` on the pattern of C, (q, entries).

        The pairs of an entry with those before it follow each other, itself last.
        """
        i, j, last = self._first, self._second, self._last
        S = state[self.targets][self._compact]
        out = np.array([np.bincount(j, row[i] * S, data.shape[1]) for row in data])
        out[:, i[last]] += np.array([np.add.reduceat(row[j] * S, np.append(0, last[:-1] + 1)) for row in data])
        out[:, i[last]] -= data[:, i[last]] * S[last]
        return out

    @cached_property
    def _last(self):
        """Position of every entry's pair with itself."""
        return np.append(np.flatnonzero(np.diff(self._first)), len(self._first) - 1)


class DenseOperator:
    """The same two maps by dense products, for a stage that shares rows with most of the dense block."""

    def __init__(self, cross, layout, segments, couplings, f):
        start = layout.dense_start
        self.q, self.levels = cross.sizes[f], cross.levels[f]
        self._dense = segments.dense
        self._side, self._columns = layout.width - start, couplings[f].columns - start
        self._level = np.repeat(np.arange(self.levels), np.diff(couplings[f].indptr))

    def at(self, data):
        """``C`` as dense blocks, (q, levels, columns)."""
        blocks = np.zeros((self.q, self.levels, self._side))
        blocks[:, self._level, self._columns] = data
        return blocks

    def subtract(self, blocks, M, state):
        m = kernels.unpack(M, self.q)
        side = blocks.shape[2]
        update = state[self._dense].reshape(side, side)
        for r in range(self.q):
            MC = sum(m[r][c][:, None] * blocks[c] for c in range(self.q))
            update -= blocks[r].T @ MC

    def gather(self, blocks, state):
        side = blocks.shape[2]
        S = _mirrored(state[self._dense].reshape(side, side))
        SC = [block @ S for block in blocks]
        return np.array([np.einsum("ms,ms->m", SC[r], blocks[c]) for r, c in kernels.entries(self.q)])

    def spread(self, blocks, data, state):
        """``C S`` on the pattern of C, (q, entries)."""
        S = _mirrored(state[self._dense].reshape(self._side, self._side))
        return np.array([(block @ S)[self._level, self._columns] for block in blocks])


def _mirrored(lower):
    """Full symmetric matrix from its lower triangle."""
    full = np.tril(lower)
    full += np.tril(full, -1).T
    return full


def _compressed(targets, length):
    """Distinct targets in increasing order, and the index of every target among them."""
    seen = np.zeros(length, dtype=bool)
    seen[targets] = True
    distinct = np.flatnonzero(seen)
    index = np.zeros(length, dtype=np.int32)
    index[distinct] = np.arange(len(distinct))
    return distinct, index[targets]


def _targets(cross, layout, segments, couplings, high, low):
    """Flat positions of the entries (high, low) of the later matrix; columns in elimination order, high >= low."""
    side = layout.width - layout.dense_start
    if len(layout.stages) == 1:
        start = layout.dense_start
        return segments.dense.start + (high - start).astype(np.int64) * side + (low - start)
    out = np.empty(len(high), dtype=np.int64)
    dense = low >= layout.dense_start
    out[dense] = segments.dense.start + (high[dense] - layout.dense_start) * side + low[dense] - layout.dense_start
    for f in layout.stages[1:]:
        start, q, m = layout.offsets[f], cross.sizes[f], cross.levels[f]
        own = (low >= start) & (low < start + q * m)
        both = own & (high < start + q * m)
        level, effect = np.divmod(low - start, q)
        packed = kernels.packed_index(q)
        out[both] = segments.blocks[f].start + packed[(high[both] - start) % q, effect[both]] * m + level[both]
        shared = own & ~both
        if np.any(shared):
            slots = _slots(couplings[f], layout.width, level[shared], high[shared])
            out[shared] = segments.couplings[f].start + effect[shared] * couplings[f].entries + slots
    return out


def _slots(coupling, width, levels, columns):
    """Positions of (level, column) in the pattern of a coupling; they exist because f is nested in its target."""
    levels = levels.astype(np.int64)
    keys = np.repeat(np.arange(len(coupling.indptr) - 1), np.diff(coupling.indptr)) * width + coupling.columns
    return np.searchsorted(keys, levels * width + columns)


class Plan:
    """What does not change with the covariances: order, patterns, operators and the unreduced sums."""

    def __init__(self, cross):
        self.cross = cross
        sizes, levels = cross.sizes, cross.levels
        factors = range(len(sizes))
        self.layout = layout(sizes, levels, [[f == g or _nested(cross, f, g) for g in factors] for f in factors])
        _check_dense_size(self.layout)
        stages = self.layout.stages
        self.blocks = [cross.level_blocks(f) for f in range(len(sizes))]
        self.couplings = {f: _coupling(cross, self.layout, f) for f in stages if f != self.layout.order[-1]}
        self.segments = _segments(cross, self.layout, self.couplings)
        self.operators = {f: self._operator(f) for f in self.couplings}
        self._fill()

    def _fill(self):
        """What depends on the values of the sums."""
        self.state = self._initial_state()
        changing = self.segments.couplings
        self.filled = {f: P.at(self.couplings[f].data) for f, P in self.operators.items() if f not in changing}

    def reweighted(self, blocks, pair_values):
        """The same plan for other weights: packed diagonal blocks per factor, sums per pair of factors."""
        other = copy(self)
        other.blocks = blocks
        if not pair_values:
            return other
        pairs = {key: replace(pair, values=pair_values[key]) for key, pair in self.cross.pairs.items()}
        other.cross = replace(self.cross, pairs=pairs)
        other.couplings = {
            f: c.with_data(_coupled_sums(other.cross, self.layout, f, c.order)) for f, c in self.couplings.items()
        }
        other._fill()
        return other

    @property
    def counted_blocks(self):
        """Diagonal blocks times the number of levels each one stands for."""
        counts = self.cross.counts
        return self.blocks if counts is None else [A * counts for A in self.blocks]

    def _operator(self, f):
        counts = np.diff(self.couplings[f].indptr).astype(float)
        side = self.dense_order
        first_of_crossed = f == self.layout.stages[0] and len(self.layout.stages) == 1
        many = np.sum(counts**2) / 2 > MAX_PAIRS_PER_ENTRY * side**2
        kind = DenseOperator if first_of_crossed and many else PairOperator
        return kind(self.cross, self.layout, self.segments, self.couplings, f)

    def _initial_state(self):
        state = np.zeros(self.segments.length)
        for f in self.layout.stages[1:]:
            state[self.segments.blocks[f]] = self.blocks[f].ravel()
            if f in self.couplings:
                state[self.segments.couplings[f]] = self.couplings[f].data.ravel()
        if self.layout.dense:
            state[self.segments.dense] = self._dense_block().ravel()
        return state

    def _dense_block(self):
        """Lower triangle of the cross-products of the factors in the dense block."""
        start, side = self.layout.dense_start, self.layout.width - self.layout.dense_start
        block = np.zeros((side, side))
        for f in self.layout.dense:
            self._fill_diagonal(block, f, self.layout.offsets[f] - start)
        for (f, g), pair in self.cross.pairs.items():
            if f in self.layout.dense and g in self.layout.dense:
                self._fill_pair(block, f, g, pair, start)
        return block

    def _fill_diagonal(self, block, f, offset):
        q, m = self.cross.sizes[f], self.cross.levels[f]
        first = offset + np.arange(m) * q
        for k, (r, c) in enumerate(kernels.entries(q)):
            block[first + r, first + c] = self.blocks[f][k]

    def _fill_pair(self, block, f, g, pair, start):
        rows = self.layout.offsets[f] - start + pair.rows * self.cross.sizes[f]
        cols = self.layout.offsets[g] - start + pair.cols * self.cross.sizes[g]
        for r in range(self.cross.sizes[f]):
            for c in range(self.cross.sizes[g]):
                i, j = rows + r, cols + c
                block[np.maximum(i, j), np.minimum(i, j)] = pair.values[r, c]

    @property
    def dense_order(self):
        """Order of the dense matrix that crossed factors leave."""
        return self.layout.width - self.layout.dense_start

    def to_columns(self, f, values):
        """(q, k, m) of factor f as rows (m q, k) in elimination order."""
        q, k, m = values.shape
        return values.transpose(2, 0, 1).reshape(m * q, k)

    def to_levels(self, f, columns):
        """The inverse of :meth:`to_columns`, from all columns (width, k)."""
        start, q, m = self.layout.offsets[f], self.cross.sizes[f], self.cross.levels[f]
        return np.ascontiguousarray(columns[start : start + q * m].reshape(m, q, -1).transpose(1, 2, 0))

    def to_rows(self, values):
        """All factors' (q, k, m) below each other, (width, k), in elimination order."""
        return np.concatenate([self.to_columns(f, values[f]) for f in self.layout.order])

    def multiply(self, H):
        """``A H`` for effects ``H``, a list over factors of (q, k, m): cross-products of fitted random parts."""
        own = [kernels.multiply_levels(self.blocks[f], h) for f, h in enumerate(H)]
        if self.couplings:
            self._add_coupled(H, own)
        for (f, g), pair in self.cross.pairs.items():
            if f in self.layout.dense and g in self.layout.dense:
                own[f] += _pair_product(pair.rows, pair.cols, pair.values, H[g], pair.shape)
                own[g] += _pair_product(pair.cols, pair.rows, pair.values.transpose(1, 0, 2), H[f], pair.shape[::-1])
        return own

    def _add_coupled(self, H, own):
        """Add what the stages and the factors after them share."""
        rows, later = self.to_rows(H), 0.0
        for f, coupling in self.couplings.items():
            q, k, m = H[f].shape
            own[f] += (coupling.matrix @ rows).reshape(q, m, k).transpose(0, 2, 1)
            later = later + coupling.matrix.T @ H[f].transpose(0, 2, 1).reshape(q * m, k)
        for f in range(len(own)):
            own[f] += self.to_levels(f, later)


def _pair_product(rows, cols, values, H, shape):
    """``sum_k C_lk H_k`` for every level l, (q, k, m)."""
    out = np.zeros((len(values), H.shape[1], shape[0]))
    for r in range(len(values)):
        for c in range(len(H)):
            out[r] += (sparse.csr_matrix((values[r, c], (rows, cols)), shape=shape) @ H[c].T).T
    return out


def _nested(cross, f, g):
    """Whether every level of f occurs with one level of g only: as many pairs as levels."""
    pair = cross.pairs[min(f, g), max(f, g)]
    return len(pair.rows) == pair.shape[0 if f < g else 1]


def _check_dense_size(layout):
    side = layout.width - layout.dense_start
    if side > MAX_DENSE:
        raise ValueError(
            f"random_effects: the crossed factors leave a dense matrix of {side:,} columns, more than {MAX_DENSE:,}.\n"
            "Drop or coarsen the crossed factor that has the second most levels."
        )


def _symmetric_product(lower, B):
    """``S B`` from the lower triangle of S, stored row by row."""
    return blas.dsymm(1.0, lower.T, np.asfortranarray(B), lower=0)


class Elimination:
    """The factorisation at one T: solves, log-determinant, and the blocks of the posterior covariance.

    With ``once`` the plan's sums are overwritten: no other factorisation will need them.
    """

    def __init__(self, plan, T, roots=None, *, once=False):
        self.plan, self.T = plan, T
        self.roots = [pivoted_root(t)[0] for t in T] if roots is None else roots
        self.state = plan.state if once or not plan.segments.length else plan.state.copy()
        self.log_determinant, self.M, self.C, self.C_transposed, self.P = 0.0, {}, {}, {}, {}
        for f in plan.layout.stages:
            self._eliminate(f)
        if plan.layout.dense:
            self._factor_dense()

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_posterior"}

    def blocks(self, f):
        """Packed diagonal blocks of a stage, reduced by the stages before it."""
        if f in self.plan.segments.blocks:
            return self.state[self.plan.segments.blocks[f]].reshape(-1, self.plan.cross.levels[f])
        return self.plan.blocks[f]

    def _eliminate(self, f):
        self.M[f], log_determinant = kernels.invert_levels(self.blocks(f), self.roots[f], self.plan.cross.counts)
        self.log_determinant += log_determinant
        if f not in self.plan.couplings:
            return
        self.C[f] = self._current_coupling(f)
        self.C_transposed[f] = self.C[f].T
        self.P[f] = self._operator(f)
        self.plan.operators[f].subtract(self.P[f], self.M[f], self.state)

    def _operator(self, f):
        if f in self.plan.filled:
            return self.plan.filled[f]
        return self.plan.operators[f].at(self._entries(f))

    def _entries(self, f):
        """Current values of C, (q, entries)."""
        return self.C[f].data.reshape(len(self.roots[f]), -1)

    def _current_coupling(self, f):
        """C of a stage; all but the first have been changed by the stages before."""
        matrix = self.plan.couplings[f].matrix
        if f not in self.plan.segments.couplings:
            return matrix
        data = self.state[self.plan.segments.couplings[f]].copy()
        return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def _factor_dense(self):
        side = self.plan.dense_order
        self.reduced = self.state[self.plan.segments.dense].reshape(side, side)
        S = np.empty_like(self.reduced)
        _congruence(self.plan, [self.roots[f].T for f in self.plan.layout.dense], self.reduced, out=S)
        S.flat[:: side + 1] += 1.0
        self.chol, failed = lapack.dpotrf(S.T, lower=0, clean=0, overwrite_a=1)
        if failed:
            raise np.linalg.LinAlgError("the dense block lost its positive definiteness to rounding")
        self.log_determinant += 2.0 * np.sum(np.log(np.diag(self.chol)))

    def _scaled(self, rows):
        """``R' rows`` with R the block-diagonal root of the dense factors."""
        return _apply_roots(self.plan, [self.roots[f].T for f in self.plan.layout.dense], rows)

    def _unscaled(self, rows):
        return _apply_roots(self.plan, [self.roots[f] for f in self.plan.layout.dense], rows)

    def reduce(self, U):
        """Forward elimination of right-hand sides.

        ``U`` holds (q_f, k, m_f) per factor.  Returns the reduced right-hand sides per factor, the stages' ``M U`` and
        the k x k matrix ``U' M U`` summed over all steps: the part of the cross-products that random effects take up.
        """
        layout = self.plan.layout
        later = self.plan.to_rows(U) if len(layout.order) > 1 else None
        reduced, taken, explained = {}, {}, 0.0
        for f in layout.stages:
            reduced[f] = U[f] if f == layout.order[0] else self.plan.to_levels(f, later)
            taken[f] = kernels.multiply_levels(self.M[f], reduced[f])
            explained = explained + kernels.inner_products(reduced[f], taken[f])
            if f in self.C:
                later -= self.C_transposed[f] @ taken[f].transpose(0, 2, 1).reshape(-1, later.shape[1])
        if layout.dense:
            reduced["dense"] = later[layout.dense_start :]
            half = self.whiten(reduced["dense"])
            explained = explained + half.T @ half
        return reduced, taken, explained

    def whiten(self, rows):
        """``L^-1 R' rows`` for rows of the dense block: their squared norm is what the dense effects take up."""
        return lapack.dtrtrs(self.chol, self._scaled(rows), lower=0, trans=1)[0]

    def solve(self, U):
        """Effects ``B = T Z'V^-1 [..]`` and residual sums ``F = Z'V^-1 [..]`` for right-hand sides ``U = Z'W[..]``.

        Also returns ``U' M U`` as :meth:`reduce` does.  B and F are lists over factors of (q_f, k, m_f).
        """
        plan, layout = self.plan, self.plan.layout
        reduced, B, explained = self.reduce(U)
        F = [None] * len(U)
        known = np.zeros((layout.width, U[0].shape[1])) if len(layout.order) > 1 else None
        if layout.dense:
            self._solve_dense(reduced["dense"], known, B, F)
        for f in reversed(layout.stages):
            rest = reduced[f]
            if f in self.C:
                q, m = plan.cross.sizes[f], plan.cross.levels[f]
                rest = rest - (self.C[f] @ known).reshape(q, m, -1).transpose(0, 2, 1)
                B[f] = kernels.multiply_levels(self.M[f], rest)
            F[f] = rest - kernels.multiply_levels(self.blocks(f), B[f])
            if f in plan.segments.blocks:
                start, rows = layout.offsets[f], plan.to_columns(f, B[f])
                known[start : start + len(rows)] = rows
        return [B[f] for f in range(len(U))], F, explained

    def _solve_dense(self, rhs, known, B, F):
        plan, start = self.plan, self.plan.layout.dense_start
        solution = lapack.dpotrs(self.chol, self._scaled(rhs), lower=0)[0]
        known[start:] = self._unscaled(solution)
        rest = np.zeros_like(known)
        rest[start:] = rhs - _symmetric_product(self.reduced, known[start:])
        for f in plan.layout.dense:
            B[f], F[f] = plan.to_levels(f, known), plan.to_levels(f, rest)

    def precisions(self):
        """Packed diagonal blocks of ``Z_f'V^-1 Z_f`` and of the posterior covariance, per factor."""
        return self._posterior[:2]

    def pair_covariances(self):
        """Posterior covariances of the levels that meet: (f, g) -> (q_f, q_g, pairs), in the order of the pair sums."""
        found = {}
        for f in self.C:
            values, start = self.plan.couplings[f].in_pair_order(self._cross_covariance(f, self._posterior[2])), 0
            for g in self.plan.layout.after(f):
                pair, width = self.plan.cross.pairs[min(f, g), max(f, g)], self.plan.cross.sizes[g]
                stop = start + width * len(pair.rows)
                shared = values[:, start:stop].reshape(len(values), -1, width).transpose(0, 2, 1)
                found[min(f, g), max(f, g)] = shared if f < g else shared.transpose(1, 0, 2)
                start = stop
        return found | self._dense_pairs()

    def _dense_pairs(self):
        """The same for pairs of factors within the dense block."""
        plan, found = self.plan, {}
        side, start = plan.dense_order, plan.layout.dense_start
        S = self._posterior[2][plan.segments.dense].reshape(side, side)
        for (f, g), pair in plan.cross.pairs.items():
            if f in plan.layout.dense and g in plan.layout.dense:
                (q, rows), (k, cols) = [
                    (plan.cross.sizes[h], plan.layout.offsets[h] - start + levels * plan.cross.sizes[h])
                    for h, levels in ((f, pair.rows), (g, pair.cols))
                ]
                i, j = rows + np.arange(q)[:, None, None], cols + np.arange(k)[:, None]
                found[f, g] = S[np.maximum(i, j), np.minimum(i, j)]
        return found

    @cached_property
    def _posterior(self):
        """:meth:`precisions`, and the entries of the later posterior covariance in the layout of the state."""
        plan = self.plan
        N, posterior = [None] * len(self.T), [None] * len(self.T)
        cov = np.empty(plan.segments.length)
        if plan.layout.dense:
            self._dense_precisions(cov, N, posterior)
        for f in reversed(plan.layout.stages):
            Q = plan.operators[f].gather(self.P[f], cov) if f in self.C else None
            N[f] = kernels.marginal_precision(self.blocks(f), self.M[f], Q)
            posterior[f] = self.M[f] if Q is None else kernels.posterior_covariance(self.M[f], Q)
            if f in plan.segments.blocks:
                cov[plan.segments.blocks[f]] = posterior[f].ravel()
                if f in self.C:
                    cov[plan.segments.couplings[f]] = self._cross_covariance(f, cov).ravel()
        return N, posterior, cov

    def _cross_covariance(self, f, cov):
        """Posterior covariances ``-M C S`` of a stage with the later columns it shares rows with."""
        coupling, operator = self.plan.couplings[f], self.plan.operators[f]
        q, m = self.plan.cross.sizes[f], self.plan.cross.levels[f]
        CS = operator.spread(self.P[f], self._entries(f), cov)
        M = kernels.unpack(self.M[f], q)
        level = np.repeat(np.arange(m), np.diff(coupling.indptr))
        return -np.array([sum(M[r][c][level] * CS[c] for c in range(q)) for r in range(q)])

    def _dense_precisions(self, cov, N, posterior):
        plan = self.plan
        inverse = lapack.dpotri(self.chol, lower=0)[0].T
        S = cov[plan.segments.dense].reshape(inverse.shape)
        _congruence(plan, [self.roots[f] for f in plan.layout.dense], inverse, out=S)
        for f in plan.layout.dense:
            rows = self._dense_rows(f)
            posterior[f] = _diagonal_blocks(S, rows, plan.cross.sizes[f])
            N[f] = self._dense_precision(f, rows, inverse)

    def _dense_rows(self, f):
        start = self.plan.layout.offsets[f] - self.plan.layout.dense_start
        return slice(start, start + self.plan.cross.sizes[f] * self.plan.cross.levels[f])

    def _dense_precision(self, f, rows, inverse):
        """``R^-T (I - [S^-1]_ll) R^-1`` where the root is well conditioned, else ``A - A M A``."""
        q = self.plan.cross.sizes[f]
        reduced = _diagonal_blocks(self.reduced, rows, q)
        typical = np.sqrt(max(np.mean(reduced[-1]), np.finfo(float).tiny))
        if np.linalg.svd(self.roots[f], compute_uv=False)[-1] * typical > 1e-3:
            half = np.linalg.inv(self.roots[f])
            taken = _diagonal_blocks(inverse, rows, q)
            pairs = kernels.entries(q)
            taken = [(r == c) - taken[k] for k, (r, c) in enumerate(pairs)]
            return np.array(kernels.sandwich(half.T, kernels.unpack(taken, q), q))
        A = _mirrored(self.reduced)
        columns = A[:, rows]
        solved = lapack.dpotrs(self.chol, self._scaled(columns), lower=0)[0]
        return reduced - _diagonal_blocks(columns.T @ self._unscaled(solved), slice(0, columns.shape[1]), q)


def _all_scalar(plan):
    return all(plan.cross.sizes[f] == 1 for f in plan.layout.dense)


def _congruence(plan, roots, lower, out):
    """Lower triangle of ``G S G'`` in ``out``, G block diagonal in ``roots``, from the lower triangle of S."""
    if not _all_scalar(plan):
        out[:] = _apply_roots(plan, roots, _apply_roots(plan, roots, _mirrored(lower)).T.copy())
        return
    ends = np.cumsum([0] + [plan.cross.levels[f] for f in plan.layout.dense])
    windows = [slice(lo, hi) for lo, hi in pairwise(ends)]
    for i, rows in enumerate(windows):
        for j, cols in enumerate(windows):  # above the diagonal too: what is never written may hold NaN
            np.multiply(lower[rows, cols], roots[i][0, 0] * roots[j][0, 0], out=out[rows, cols])


def _apply_roots(plan, roots, rows):
    """Multiply the rows of every level by the q x q matrix of its factor."""
    out, start = np.empty_like(rows), 0
    for f, root in zip(plan.layout.dense, roots, strict=True):
        q, m = plan.cross.sizes[f], plan.cross.levels[f]
        window = slice(start, start + q * m)
        if q == 1:
            np.multiply(rows[window], root[0, 0], out=out[window])
        else:
            out[window] = np.einsum("rc,mck->mrk", root, rows[window].reshape(m, q, -1)).reshape(q * m, -1)
        start += q * m
    return out


def _diagonal_blocks(matrix, rows, q):
    """Packed q x q diagonal blocks of the given rows of a matrix whose lower triangle is valid."""
    first = np.arange(rows.start, rows.stop, q)
    return np.array([matrix[first + r, first + c] for r, c in kernels.entries(q)])
