"""The frame: how raw columns become the pool of the cross-products, and estimates those of the
data.

Every column is shifted and scaled, fixed effects are made orthogonal, and the response is replaced
by the residual of a pilot regression, so that sums of squares keep their digits whatever the units
of the data.  Fitted values are transformed back exactly; the frame also knows those maps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .._algebra.columns import ALIASED, independent_columns, orthogonalised
from .._model.structures import STRUCTURES
from .._model.terms import ONES

ROWS_PER_CHUNK = 1 << 13
PILOT_ROWS = 4096
CONSTANT = 1e-12
ROUNDING = 1e-13  # residuals below this share of the response are nothing but rounding


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
        for rows in row_chunks(len(X), ROWS_PER_CHUNK):
            centred = X[rows] - mean
            np.multiply(centred, centred, out=centred)
            squares += centred.sum(axis=0) if weights is None else weights[rows] @ centred
        variance = squares / total
        sd = np.sqrt(variance)
        return cls(
            mean, np.where(sd <= CONSTANT * np.abs(mean), 0.0, sd), np.sqrt(variance + mean**2)
        )


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
        for k, (source, shift, scale) in enumerate(
            zip(self.sources, self.shifts, self.scales, strict=True)
        ):
            if source == ONES:
                out[:, k] = 1.0 / scale
            else:
                np.subtract(X[:, source], shift, out=out[:, k])
                out[:, k] /= scale


@dataclass(frozen=True)
class Frame:
    """How raw rows become pool columns, and how estimates in the pool's units become estimates in
    the user's.

    The pool holds the columns that vary between levels, the fixed effects, and the response.  Fixed
    effects are standardised and then made orthogonal by an upper triangular ``mixing``, so that
    nearly dependent columns lose no digits in the cross-products.
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


def row_chunks(n, size):
    return [slice(lo, min(lo + size, n)) for lo in range(0, n, size)]


class _Pool:
    """Collects distinct (source, shift, scale) columns."""

    def __init__(self):
        self._positions = {}

    def __call__(self, source, shift=0.0, scale=1.0):
        return self._positions.setdefault(
            (int(source), float(shift), float(scale)), len(self._positions)
        )

    def columns(self):
        table = np.array(list(self._positions), dtype=float).reshape(-1, 3)
        return Columns(table[:, 0].astype(int), table[:, 1], table[:, 2])


def make_frame(X, weights, terms, n_factors, fit_intercept, n_fixed):
    """Choose shifts and scales that the model allows.

    Fixed effects are centred when there is an intercept to absorb the shift.  A term with an
    unstructured covariance and an intercept is unchanged by any shift and scale of its slopes, one
    with a diagonal covariance by any scales, the others by one common scale.
    """
    moments = Moments.of(X, weights)
    pool = _Pool()
    effects = [[] for _ in range(n_factors)]
    bases = []
    for term in terms:
        shifts, scales = _STANDARDISED[STRUCTURES[term.covariance](term.size).invariance](
            term, moments
        )
        effects[term.factor] += [
            pool(s, a, b) for s, a, b in zip(term.sources, shifts, scales, strict=True)
        ]
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
    """The mixing, the orthonormal columns it makes on the sample, the sample, and the roots of its
    weights.
    """
    rows = slice(None, None, -(-len(X) // PILOT_ROWS))
    root = np.sqrt(np.ones(len(X[rows])) if weights is None else weights[rows])
    P = np.empty((len(root), len(frame.candidates)))
    frame.candidates.of(X[rows], P)
    P *= root[:, None] / np.linalg.norm(root)
    return *orthogonalised(P), rows, root


def with_pilot(frame, X, y, weights):
    """Orthogonalise the fixed effects and regress y on them, on a sample of the rows."""
    mixing, Q, rows, root = _sampled(frame, X, weights)
    target = root * y[rows] / np.linalg.norm(root)
    pilot = Q.T @ target
    scale = np.linalg.norm(target - Q @ pilot)
    largest = np.max(np.abs(y[rows]))
    y_scale = (scale if scale > ROUNDING * largest else largest) or 1.0
    return replace(frame, mixing=mixing, pilot=pilot, y_scale=y_scale)


def kept_columns(frame, gram, n):
    """Fixed effects that are not aliased: R's rule, a share of the norm of the column before
    mixing.
    """
    return independent_columns(gram, ALIASED**2 * n * np.diag(frame.mixing) ** 2)
