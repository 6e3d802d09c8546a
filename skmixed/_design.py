"""Rows become cross-products, or blocks of rows in standard columns: the only module that reads X.

A :class:`Frame` says how raw columns become the pool of :mod:`skmixed._crossprod`: every column is shifted and scaled,
fixed effects are made orthogonal, and the response is replaced by the residual of a pilot regression, so that sums of
squares keep their digits whatever the units of the data.  Fitted values are transformed back exactly; the frame also
knows those maps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.linalg import block_diag

from ._covariance import STRUCTURES, Absent, CovarianceModel, TermBlock
from ._crossprod import CrossProducts, PairSums
from ._kernels import blas_threads, level_sums
from ._rows import make_blocks

ROWS_PER_CHUNK = 1 << 13
PILOT_ROWS = 4096
ALIASED = 1e-7  # a column is dropped when this share of its norm, or less, is new: the rule of R's lm
CONSTANT = 1e-12
ROUNDING = 1e-13  # residuals below this share of the response are nothing but rounding
ONES = -1


@dataclass(frozen=True)
class Term:
    """One random-effects term in terms of positions: a factor, columns of X, and a covariance structure."""

    factor: int
    columns: tuple
    intercept: bool
    covariance: str

    @property
    def size(self):
        return len(self.columns) + self.intercept

    @property
    def sources(self):
        """Raw columns of the effects, the intercept first."""
        return ((ONES,) if self.intercept else ()) + tuple(self.columns)


@dataclass(frozen=True)
class Moments:
    """Weighted means, standard deviations and root mean squares of the columns of X."""

    mean: np.ndarray
    sd: np.ndarray
    rms: np.ndarray

    @classmethod
    def of(cls, X, weights):
        total = len(X) if weights is None else np.sum(weights)
        mean = (np.sum(X, axis=0) if weights is None else weights @ X) / total
        squares = np.zeros(X.shape[1])
        for rows in _row_chunks(len(X), ROWS_PER_CHUNK):
            centred = X[rows] - mean
            np.multiply(centred, centred, out=centred)
            squares += centred.sum(axis=0) if weights is None else weights[rows] @ centred
        variance = squares / total
        sd = np.sqrt(variance)
        return cls(mean, np.where(sd <= CONSTANT * np.abs(mean), 0.0, sd), np.sqrt(variance + mean**2))


@dataclass(frozen=True)
class Columns:
    """Shifted and scaled columns of the rows."""

    sources: np.ndarray  # raw column of each; ONES for the constant
    shifts: np.ndarray
    scales: np.ndarray

    def __len__(self):
        return len(self.sources)

    def of(self, X, out):
        """Fill ``out`` (rows, columns)."""
        for k, (source, shift, scale) in enumerate(zip(self.sources, self.shifts, self.scales, strict=True)):
            if source == ONES:
                out[:, k] = 1.0 / scale
            else:
                np.subtract(X[:, source], shift, out=out[:, k])
                out[:, k] /= scale


@dataclass(frozen=True)
class Frame:
    """How raw rows become pool columns, and how estimates in the pool's units become estimates in the user's.

    The pool holds the columns that vary between levels, the fixed effects, and the response.  Fixed effects are
    standardised and then made orthogonal by an upper triangular ``mixing``, so that nearly dependent columns lose no
    digits in the cross-products.
    """

    varying: Columns
    candidates: Columns  # the fixed effects before mixing, the intercept first if there is one
    effects: tuple  # per factor, pool columns of its effects
    bases: tuple  # per term R: effects in the user's units are R times effects in the pool's
    fit_intercept: bool
    mixing: np.ndarray | None = None
    pilot: np.ndarray | None = None  # coefficients of the pilot regression
    y_scale: float = 1.0

    @property
    def fixed(self):
        """Pool columns of the candidate fixed effects."""
        return len(self.varying) + np.arange(len(self.candidates))

    @property
    def response(self):
        """Pool column of the response, the last."""
        return len(self.varying) + len(self.candidates)

    def pool(self, X, y=None):
        """Pool columns of some rows; without a response the last column is left out."""
        out = np.empty((len(X), self.response + (y is not None)))
        standardised = np.empty((len(X), len(self.candidates)))
        self.varying.of(X, out[:, : len(self.varying)])
        self.candidates.of(X, standardised)
        mixed = standardised @ self.mixing
        out[:, self.fixed] = mixed
        if y is not None:
            np.subtract(y, mixed @ self.pilot, out=out[:, -1])
            out[:, -1] /= self.y_scale
        return out

    @property
    def coefficient_map(self):
        """Matrix from the pool's coefficients to the user's, upper triangular; intercept first."""
        table = np.diag(1.0 / self.candidates.scales)
        if self.fit_intercept:
            table[0] -= self.candidates.shifts / self.candidates.scales
        return table @ self.mixing

    def log_scale(self, kept):
        """What the units of X add to ``log|X'V^-1X| / 2``."""
        return -float(np.sum(np.log(np.diag(self.coefficient_map)[kept])))


def _row_chunks(n, size):
    return [slice(lo, min(lo + size, n)) for lo in range(0, n, size)]


class _Pool:
    """Collects distinct (source, shift, scale) columns."""

    def __init__(self):
        self._positions = {}

    def __call__(self, source, shift=0.0, scale=1.0):
        return self._positions.setdefault((int(source), float(shift), float(scale)), len(self._positions))

    def columns(self):
        table = np.array(list(self._positions), dtype=float).reshape(-1, 3)
        return Columns(table[:, 0].astype(int), table[:, 1], table[:, 2])


def make_frame(X, weights, terms, n_factors, fit_intercept, n_fixed):
    """Choose shifts and scales that the model allows.

    Fixed effects are centred when there is an intercept to absorb the shift.  A term with an unstructured covariance
    and an intercept is unchanged by any shift and scale of its slopes, one with a diagonal covariance by any scales,
    the others by one common scale.
    """
    moments, pool = Moments.of(X, weights), _Pool()
    effects, bases = [[] for _ in range(n_factors)], []
    for term in terms:
        shifts, scales = _STANDARDISED[STRUCTURES[term.covariance](term.size).invariance](term, moments)
        effects[term.factor] += [pool(s, a, b) for s, a, b in zip(term.sources, shifts, scales, strict=True)]
        bases.append(_basis(term, shifts, scales))
    candidates = _candidates(moments, fit_intercept, n_fixed)
    return Frame(pool.columns(), candidates, tuple(effects), tuple(bases), fit_intercept)


def _candidates(moments, fit_intercept, n_fixed):
    shifts = moments.mean[:n_fixed] if fit_intercept else np.zeros(n_fixed)
    scales = _positive((moments.sd if fit_intercept else moments.rms)[:n_fixed])
    if not fit_intercept:
        return Columns(np.arange(n_fixed), shifts, scales)
    return Columns(np.arange(-1, n_fixed), np.append(0.0, shifts), np.append(1.0, scales))


def _basis(term, shifts, scales):
    R = np.diag(1.0 / scales)
    if term.intercept:
        R[0] -= np.where(np.arange(term.size) > 0, shifts / scales, 0.0)
    return R


def _affine(term, moments):
    if not term.intercept:
        return _scaled(term, moments)
    columns = list(term.columns)
    return np.append(0.0, moments.mean[columns]), np.append(1.0, _positive(moments.sd[columns]))


def _scaled(term, moments):
    rms = moments.rms[list(term.columns)]
    return np.zeros(term.size), _positive(np.append([1.0] * term.intercept, rms))


def _commonly_scaled(term, moments):
    _, scales = _scaled(term, moments)
    return np.zeros(term.size), np.full(term.size, np.sqrt(np.mean(scales**2)))


_STANDARDISED = {"affine": _affine, "scale": _scaled, "common scale": _commonly_scaled}


def _positive(scales):
    return np.where(scales > 0, scales, 1.0)


def with_mixing(frame, X, weights):
    """Orthogonalise the fixed effects on a sample of the rows."""
    return replace(frame, mixing=_sampled(frame, X, weights)[0])


def _sampled(frame, X, weights):
    """The mixing, the orthonormal columns it makes on the sample, the sample, and the roots of its weights."""
    rows = slice(None, None, -(-len(X) // PILOT_ROWS))
    root = np.sqrt(np.ones(len(X[rows])) if weights is None else weights[rows])
    P = np.empty((len(root), len(frame.candidates)))
    frame.candidates.of(X[rows], P)
    P *= root[:, None] / np.linalg.norm(root)
    return *_orthogonalised(P), rows, root


def with_pilot(frame, X, y, weights):
    """Orthogonalise the fixed effects and regress y on them, on a sample of the rows."""
    mixing, Q, rows, root = _sampled(frame, X, weights)
    target = root * y[rows] / np.linalg.norm(root)
    pilot = Q.T @ target
    scale, largest = np.linalg.norm(target - Q @ pilot), np.max(np.abs(y[rows]))
    y_scale = (scale if scale > ROUNDING * largest else largest) or 1.0
    return replace(frame, mixing=mixing, pilot=pilot, y_scale=y_scale)


def _orthogonalised(P):
    """Upper triangular ``mixing`` that makes the columns orthonormal in order, and ``P mixing``.

    Gram-Schmidt, each projection done twice.  A column that adds less than ``ALIASED`` of its norm keeps its scale and
    counts as zero: the rows beyond the sample decide about it.
    """
    p = P.shape[1]
    mixing, Q, adds = np.eye(p), np.zeros_like(P, order="F"), np.zeros(p, dtype=bool)
    for k in range(p):
        v, combination = P[:, k].copy(), np.eye(p)[k]
        for _ in range(2):
            projection = np.where(adds[:k], Q[:, :k].T @ v, 0.0)
            v -= Q[:, :k] @ projection
            combination -= mixing[:, :k] @ projection
        rest = np.linalg.norm(v)
        adds[k] = rest > ALIASED * np.linalg.norm(P[:, k])
        mixing[:, k] = combination / (rest if adds[k] else 1.0)
        if adds[k]:
            Q[:, k] = v / rest
    return mixing, Q


def independent_columns(gram, least):
    """Columns whose squared norm beyond the columns before them exceeds ``least``, in order (Cholesky form)."""
    G, kept = np.array(gram, dtype=float), []
    for k in range(len(G)):
        if G[k, k] > least[k]:
            kept.append(k)
            row = G[k] / np.sqrt(G[k, k])
            G -= np.outer(row, row)
    return np.array(kept, dtype=int)


def _kept_columns(frame, gram, n):
    """Fixed effects that are not aliased: R's rule, a share of the norm of the column before mixing."""
    return independent_columns(gram, ALIASED**2 * n * np.diag(frame.mixing) ** 2)


def cross_products(frame, X, y, weights, codes, n_levels):
    """One pass over the rows."""
    width = frame.response + 1
    sums = [np.zeros((len(e), m, width)) for e, m in zip(frame.effects, n_levels, strict=True)]
    gram, crossed = np.zeros((width, width)), {}
    parents = _parents(codes, n_levels)
    for rows in _row_chunks(len(X), _chunk_length(codes, n_levels)):
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
    pairs = {key: _merged(parts, n_levels[key[0]], n_levels[key[1]]) for key, parts in crossed.items()}
    pairs |= {key: parents.pair_sums(key, sums, frame.effects, n_levels) for key in parents.nested}
    return CrossProducts(n, gram, sums, pairs, frame.fixed, frame.response, tuple(map(tuple, frame.effects)))


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
        levels, shape = np.arange(n_levels[inner]), (n_levels[f], n_levels[g])
        if first_is_inner:
            return PairSums(levels, parent, values, shape)
        return PairSums(parent, levels, values.transpose(1, 0, 2), shape)


def _parents(codes, n_levels):
    crossed, nested = [], {}
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
    """Rows per chunk: few enough for the cache, many enough to pay for touching the levels they span."""
    spans = [int(np.ptp(c[:ROWS_PER_CHUNK])) if len(c) else 0 for c in codes]
    return int(
        np.clip(2 * max([min(s, m) for s, m in zip(spans, n_levels, strict=True)], default=0), ROWS_PER_CHUNK, 1 << 22)
    )


@dataclass(frozen=True)
class Terms:
    """The frame of a data set and the random-effects terms in it."""

    frame: Frame
    terms: tuple
    kept: np.ndarray  # positions of the fixed effects that are not aliased, among the candidates

    def covariance_model(self, absent=()):
        """Structures of the terms and their places in the factors; terms of ``absent`` factors get none."""
        used, blocks = [0] * len(self.frame.effects), []
        for term in self.terms:
            structure = Absent if term.factor in absent else STRUCTURES[term.covariance]
            blocks.append(TermBlock(structure(term.size), term.factor, used[term.factor]))
            used[term.factor] += term.size
        return CovarianceModel(blocks, used)

    def factor_basis(self, f):
        """R of a factor: effects in the user's units are R times those in the pool's."""
        bases = [R for R, term in zip(self.frame.bases, self.terms, strict=True) if term.factor == f]
        return block_diag(*bases)


@dataclass(frozen=True)
class Design(Terms):
    """The cross-products of a data set with the frame they were made in: all a linear model needs."""

    cross: CrossProducts

    @classmethod
    def from_rows(cls, X, y, weights, codes, n_levels, terms, fit_intercept, n_fixed=None):
        """``X`` (n, k) floats, ``codes`` per factor integers below ``n_levels``, ``weights`` None or positive.

        The first ``n_fixed`` columns of X (default all) are fixed effects; terms may name any.
        """
        frame = make_frame(X, weights, terms, len(codes), fit_intercept, X.shape[1] if n_fixed is None else n_fixed)
        with blas_threads():
            frame = with_pilot(frame, X, y, weights)
            cross = cross_products(frame, X, y, weights, codes, n_levels)
        kept = _kept_columns(frame, cross.gram[np.ix_(frame.fixed, frame.fixed)], cross.n)
        return cls(frame, tuple(terms), kept, cross.with_fixed(frame.fixed[kept]))


@dataclass(frozen=True)
class RowDesign(Terms):
    """The rows of a data set in the frame's columns, ordered by level: what a generalised linear model needs."""

    blocks: list

    @classmethod
    def from_rows(cls, X, y, weights, codes, n_levels, terms, fit_intercept, n_fixed=None):
        """As :meth:`Design.from_rows`."""
        frame = make_frame(X, weights, terms, len(codes), fit_intercept, X.shape[1] if n_fixed is None else n_fixed)
        with blas_threads():
            frame = with_mixing(frame, X, weights)
            pool, gram = _pooled(frame, X, weights)
        kept = _kept_columns(frame, gram, len(X) if weights is None else np.sum(weights))
        z = [np.ascontiguousarray(pool[:, list(effects)].T) for effects in frame.effects]
        m = 1.0 if weights is None else weights
        return cls(frame, tuple(terms), kept, make_blocks(pool[:, frame.fixed[kept]], z, y, m, codes, n_levels))

    def without_rows(self):
        """The design without its data."""
        return replace(self, blocks=[])


def _pooled(frame, X, weights):
    """Pool columns of all rows, and the cross-products of the fixed effects."""
    pool, gram = np.empty((len(X), frame.response)), 0.0
    for rows in _row_chunks(len(X), ROWS_PER_CHUNK):
        pool[rows] = frame.pool(X[rows])
        fixed = pool[rows, len(frame.varying) :]
        gram = gram + fixed.T @ (fixed if weights is None else weights[rows, None] * fixed)
    return pool, gram


class Factor:
    """A grouping factor: one column of labels, or several whose combinations are the levels."""

    def __init__(self, name, levels, combinations=None):
        self.name = name
        self.levels = levels  # sorted labels of each column
        self.combinations = combinations  # sorted mixed-radix codes that occur, for several columns

    @classmethod
    def from_columns(cls, name, columns):
        """The factor and the code of every row."""
        encoded = [encode(c) for c in columns]
        levels = tuple(labels for _, labels in encoded)
        if len(columns) == 1:
            return cls(name, levels), encoded[0][0]
        mixed = _mixed_radix([codes for codes, _ in encoded], levels)
        codes, combinations = encode(mixed)
        return cls(name, levels, combinations), codes

    @property
    def n_levels(self):
        return len(self.levels[0]) if self.combinations is None else len(self.combinations)

    def codes(self, columns):
        """Codes of rows; -1 where the level was never seen."""
        each = [lookup(labels, column) for labels, column in zip(self.levels, columns, strict=True)]
        if self.combinations is None:
            return each[0]
        mixed = _mixed_radix(each, self.levels)
        place = np.minimum(np.searchsorted(self.combinations, mixed), len(self.combinations) - 1)
        known = (self.combinations[place] == mixed) & np.all([c >= 0 for c in each], axis=0)
        return np.where(known, place, -1)

    @property
    def labels(self):
        """One label per level; combinations are joined with a colon."""
        if self.combinations is None:
            return self.levels[0]
        rest, parts = self.combinations, []
        for labels in reversed(self.levels):
            rest, code = np.divmod(rest, len(labels))
            parts.insert(0, np.asarray(labels)[code].astype(str))
        joined = parts[0]
        for part in parts[1:]:
            joined = np.char.add(np.char.add(joined, ":"), part)
        return joined.astype(object)


def _mixed_radix(codes, levels):
    total = np.zeros(len(codes[0]), dtype=np.int64)
    for c, labels in zip(codes, levels, strict=True):
        total = total * len(labels) + c
    return total


def encode(values):
    """Codes 0..m-1 and the sorted labels; integers in a narrow range go through a table instead of a sort."""
    values = np.asarray(values) if not isinstance(values, pd.Categorical) else values
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu" and len(values):
        low, high = int(values.min()), int(values.max())
        if high - low < 4 * len(values) + 1024:
            return _encode_by_table(values, low, high)
    try:
        codes, labels = pd.factorize(values, sort=True)
    except TypeError:  # labels of mixed types have no order: keep the order of appearance
        codes, labels = pd.factorize(values, sort=False)
    return codes, np.asarray(labels)


def _encode_by_table(values, low, high):
    offset = values.astype(np.int64) - low  # a narrow type could not hold the difference
    seen = np.zeros(high - low + 1, dtype=bool)
    seen[offset] = True
    if seen.all():
        return offset.astype(np.int32), np.arange(low, high + 1)
    place = np.cumsum(seen, dtype=np.int32) - 1
    return place[offset], np.flatnonzero(seen) + low


def lookup(labels, values):
    """Position of every value among sorted labels, -1 where there is none."""
    return pd.Index(labels).get_indexer(pd.Index(np.asarray(values)))
