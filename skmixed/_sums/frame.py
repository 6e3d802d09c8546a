"""The frame: how raw columns become the pool of the cross-products, and estimates those of the
data.

Every column is shifted and scaled, fixed effects are made orthogonal, and the response is replaced
by the residual of a pilot regression, so that sums of squares keep their digits whatever the units
of the data.  Fitted values are transformed back exactly; the frame also knows those maps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .._algebra.columns import ALIASED, independent_columns, orthogonalised
from .._model.ridge import NO_RIDGE, Ridge
from .._model.structures import positive
from .._model.terms import ONES
from .source import ROWS_PER_CHUNK, Moments, Sample, slices

ROUNDING = 1e-13  # residuals below this share of the response are nothing but rounding


@dataclass(frozen=True, eq=False)
class Columns:
    """Shifted and scaled columns of the rows.

    Attributes
    ----------
    sources : raw column of each; ONES for the constant
    shifts, scales : of each
    """

    sources: np.ndarray
    shifts: np.ndarray
    scales: np.ndarray

    def __len__(self):
        return len(self.sources)

    def some(self, places):
        """Some of them."""
        places = list(places)
        return Columns(self.sources[places], self.shifts[places], self.scales[places])

    def of(self, X, out):
        """Fill ``out`` (rows, columns)."""
        columns = zip(self.sources, self.shifts, self.scales, strict=True)
        for k, (source, shift, scale) in enumerate(columns):
            if source == ONES:
                out[:, k] = 1.0 / scale
            else:
                np.subtract(X[:, source], shift, out=out[:, k])
                out[:, k] /= scale


@dataclass(frozen=True, eq=False)
class Frame:
    """How raw rows become pool columns, and estimates in the pool's units those of the user.

    The pool holds the columns that vary between levels, the fixed effects, and the response.  Fixed
    effects are standardised and then made orthogonal by an upper triangular ``mixing``, so that
    nearly dependent columns lose no digits in the cross-products.

    Attributes
    ----------
    varying : columns that vary between levels
    candidates : the fixed effects before mixing, the intercept first if there is one
    effects : per factor, pool columns of its effects
    bases : per term R, effects in the user's units being R times effects in the pool's
    fit_intercept : whether there is an intercept
    mixing : (p, p) upper triangular
    means : (p,) of the fixed effects before mixing
    pilot : (p,) coefficients of the pilot regression, zero where there is none
    y_scale : what the response is divided by
    spread : (p,) standard deviations of the fixed effects before mixing, 0 for the intercept
    alpha : of the ridge on the fixed effects
    """

    varying: Columns
    candidates: Columns
    effects: tuple[tuple[int, ...], ...]
    bases: tuple[np.ndarray, ...]
    fit_intercept: bool
    means: np.ndarray
    mixing: np.ndarray
    pilot: np.ndarray
    y_scale: float = 1.0
    spread: np.ndarray = field(default_factory=lambda: np.zeros(0))
    alpha: float = 0.0

    @property
    def fixed(self):
        """Pool columns of the candidate fixed effects."""
        return len(self.varying) + np.arange(len(self.candidates))

    @property
    def response(self):
        """Pool column of the response, the last."""
        return len(self.varying) + len(self.candidates)

    def standardised(self, X):
        """Candidates before mixing, (rows, p)."""
        out = np.empty((len(X), len(self.candidates)))
        self.candidates.of(X, out)
        return out

    def pool(self, X, y=None):
        """Pool columns of some rows; without a response the last column is left out."""
        out = np.empty((len(X), self.response + (y is not None)))
        for rows in slices(len(X), ROWS_PER_CHUNK):
            self._fill(out[rows], X[rows], None if y is None else y[rows])
        return out

    def _fill(self, out, X, y):
        """The pool of so few rows that they stay in cache."""
        self.varying.of(X, out[:, : len(self.varying)])
        raw = np.empty((len(self.candidates), len(X)))
        self.candidates.of(X, raw.T)
        mixed = out[:, len(self.varying) : self.response]
        np.matmul(raw.T, self.mixing, out=mixed)
        if y is not None:
            np.subtract(y, mixed @ self.pilot, out=out[:, -1])
            out[:, -1] /= self.y_scale

    @property
    def coefficient_map(self):
        """Matrix from the pool's coefficients to the user's, upper triangular; intercept first."""
        inverse = 1.0 / self.candidates.scales
        found = inverse[:, None] * self.mixing
        if self.fit_intercept:
            found[0] -= (self.candidates.shifts / self.candidates.scales) @ self.mixing
        return found

    @property
    def penalty_rows(self):
        """Rows (k, p) of the candidates that a ridge adds to those of the data, mixed."""
        return _penalty_rows(self.spread, self.alpha) @ self.mixing

    def ridge(self, independent):
        """The ridge on the fixed effects that are not aliased."""
        if not self.alpha:
            return NO_RIDGE
        rows = self.penalty_rows
        left = -rows @ self.pilot / self.y_scale
        return Ridge(np.column_stack([rows[:, independent], left]))

    def unpenalised(self):
        """The same frame without a ridge."""
        return replace(self, alpha=0.0)

    def independent(self, gram, n):
        """Positions of the fixed effects that are not aliased, from their cross-products.

        R's rule: a share of the norm of the column before mixing.  The rows of a ridge count.
        """
        if self.alpha:
            everything = np.arange(len(gram))
            gram = Ridge(np.pad(self.penalty_rows, ((0, 0), (0, 1)))).among(gram, everything)
        return independent_columns(gram, ALIASED**2 * n * np.diag(self.mixing) ** 2)


class _Pool:
    """Collects distinct (source, shift, scale) columns."""

    def __init__(self):
        self._positions = {}

    def __call__(self, source, shift, scale):
        key = (int(source), float(shift), float(scale))
        return self._positions.setdefault(key, len(self._positions))

    def columns(self):
        table = np.array(list(self._positions), dtype=float).reshape(-1, 3)
        return Columns(table[:, 0].astype(int), table[:, 1], table[:, 2])


def make_frame(
    moments: Moments,
    sample: Sample,
    terms,
    n_factors: int,
    *,
    n: float,
    n_fixed: int,
    fit_intercept: bool,
    alpha: float = 0.0,
) -> Frame:
    """Choose the shifts and scales that the model allows, and orthogonalise the fixed effects.

    Fixed effects are centred when there is an intercept to absorb the shift.  A term with an
    unstructured covariance and an intercept is unchanged by any shift and scale of its slopes, one
    with a diagonal covariance by any scales, the others by one common scale.  The rows of a ridge
    are among those on which the fixed effects are made orthogonal.
    """
    pool = _Pool()
    effects = [[] for _ in range(n_factors)]
    bases = []
    for term in terms:
        shifts, scales = term.structure.standardise(term, moments)
        columns = zip(term.sources, shifts, scales, strict=True)
        effects[term.factor] += [pool(*column) for column in columns]
        bases.append(_basis(term, shifts, scales))
    candidates = _candidates(moments, fit_intercept, n_fixed)
    spread = np.append(moments.sd, 0.0)[candidates.sources] / candidates.scales
    return Frame(
        pool.columns(),
        candidates,
        tuple(map(tuple, effects)),
        tuple(bases),
        fit_intercept,
        _means(candidates, moments),
        *_mixed(candidates, sample, _penalty_rows(spread, alpha / n)),
        spread=spread,
        alpha=alpha,
    )


def _candidates(moments, fit_intercept, n_fixed):
    if not fit_intercept:
        scales = positive(moments.rms[:n_fixed])
        return Columns(np.arange(n_fixed), np.zeros(n_fixed), scales)
    shifts = np.append(0.0, moments.mean[:n_fixed])
    scales = np.append(1.0, positive(moments.sd[:n_fixed]))
    return Columns(np.arange(ONES, n_fixed), shifts, scales)


def _penalty_rows(spread, alpha):
    """``sqrt(alpha) s_j e_j`` for the columns that vary; none without a penalty."""
    if not alpha:
        return np.zeros((0, len(spread)))
    rows = np.diag(np.sqrt(alpha) * spread)
    return rows[np.any(rows > 0, axis=1)]


def _means(candidates, moments):
    """Of the fixed effects; the constant is the source before the first column."""
    raw = np.append(moments.mean, 1.0)[candidates.sources]
    return (raw - candidates.shifts) / candidates.scales


def _basis(term, shifts, scales):
    R = np.diag(1.0 / scales)
    if term.intercept:
        R[0] -= np.where(np.arange(term.size) > 0, shifts / scales, 0.0)
    return R


def _mixed(candidates, sample, penalty):
    """The mixing that makes the columns orthonormal on the sample and the rows of a penalty, and
    the pilot regression there: its coefficients, and the scale of what it leaves.
    """
    norm = np.linalg.norm(sample.root)
    P = np.empty((len(sample.root), len(candidates)))
    candidates.of(sample.X, P)
    P *= sample.root[:, None] / norm
    mixing, Q = orthogonalised(np.vstack([P, penalty]) if len(penalty) else P)
    Q = Q[: len(P)]
    if sample.y is None:
        return mixing, np.zeros(len(candidates)), 1.0
    largest = np.max(np.abs(sample.y)) or 1.0
    target = sample.root * (sample.y / largest) / norm  # whose squares do not overflow
    pilot = Q.T @ target
    scale = np.linalg.norm(target - Q @ pilot)
    return mixing, largest * pilot, largest * (scale if scale > ROUNDING else 1.0)
