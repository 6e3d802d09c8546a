"""What the size of a likelihood-ratio test of fixed effects is where groups are few.

A coefficient is decided between the m levels of a factor where its column is a combination, in
every level, of the columns of its random effects.  Of p_b such coefficients every one of q effects
takes p_b / q from the m levels, so that d = m - p_b / q degrees of freedom are left, and m times
the logarithm of a sum of squares is what the likelihood ratio is:

    LR = m log(1 + k F / d),    F ~ F(k, d),

for a test of k of them, exactly in balanced data where the variance between levels is not zero.
For a linear model d is Kenward and Roger's, which counts rows as well where levels differ little,
and m is d + p_b / q.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.linalg import null_space

from ..._algebra.columns import independent_columns
from ..._algebra.machine import computing
from ..._algebra.packed import packed_index
from .._coefficients.dof import KenwardRoger
from .pairs import Pair

LEVEL = 0.05
FEW = 100  # levels, up to which the size is looked at
NOTABLE = 0.055  # size from which it is worth a sentence
LARGE = 500  # order of dense matrices beyond which Kenward and Roger's sums take long
CONSTANT = 1e-10  # share of the squares of a column that is none
SINGULAR = 1e-10  # share of the largest eigenvalue of a level's block that is none


class Between(NamedTuple):
    """The factor that decides a test: its levels, and what the coefficients take from them."""

    factor: int
    levels: int
    taken: float

    @property
    def df(self) -> float:
        """Degrees of freedom that are left."""
        return self.levels - self.taken


def size_of_chi2(rows: int, df: float, taken: float) -> float:
    """Share of true null hypotheses that the chi-squared rejects at 5 %.

    ``P((d + t) log(1 + k F / d) > chi2_k)`` with F(k, d), t coefficients taken from the levels.
    """
    quantile = stats.chi2.isf(LEVEL, rows)
    F = df * np.expm1(quantile / (df + taken)) / rows
    return float(stats.f.sf(F, rows, df))


def likely_size(pair: Pair) -> tuple[Between, float] | None:
    """The factor between whose levels fixed effects are tested, and the size of the test at 5 %.

    None where there is none, or it has many levels.
    """
    found = _decisive(pair)
    if found is None:
        return None
    rows = pair.larger.fit.rank - pair.smaller.fit.rank
    df = max(found.df, 1.0)
    degrees = DEGREES[pair.larger.fit.family.has_residual]
    return found, size_of_chi2(rows, max(degrees(pair, df), df), found.taken)


def _decisive(pair):
    """The factor with the fewest degrees of freedom for what is tested."""
    factors = range(len(pair.larger.fit.effects))
    every = (_between(pair, f) for f in factors)
    return min(filter(None, every), key=lambda between: between.df, default=None)


def _between(pair, f):
    """None where no tested coefficient is decided between the levels of the factor."""
    fit = pair.larger.fit
    levels = len(fit.effects[f])
    if not 1 < levels <= FEW or not np.any(fit.covariances):
        return None
    within = _within_gram(fit.sums, f)
    total = fit.sums.gram[:-1, :-1]
    own = len(total) - _rank(within, total)
    A = pair.fixed
    others = A.shape[1] - _rank(A.T @ within @ A, A.T @ total @ A)
    if own <= others:
        return None
    return Between(f, levels, own / fit.covariance_model.sizes[f])


def _rank(within, total):
    return len(independent_columns(within, CONSTANT * np.diag(total)))


def _within_gram(sums, f):
    """``X'WX`` without what the effects of the levels of a factor explain."""
    U = sums.U[f][:, :-1]
    A = sums.plan.blocks[f][packed_index(len(U))].transpose(2, 0, 1)
    values, vectors = np.linalg.eigh(A)
    known = values > SINGULAR * values[:, -1:]
    inverse = np.where(known, 1.0 / np.where(known, values, 1.0), 0.0)
    along = vectors.transpose(0, 2, 1) @ U.transpose(2, 0, 1)
    half = (np.sqrt(inverse)[:, :, None] * along).reshape(-1, U.shape[1])
    return sums.gram[:-1, :-1] - half.T @ half


def _kenward_roger(pair, df):
    """For a linear model; those by levels where there are none."""
    fit = pair.larger.fit
    if fit.dense_order > LARGE:
        return df
    L = null_space(pair.fixed.T).T
    try:
        with computing():
            found = KenwardRoger(fit).joint(L)[1]
    except ValueError:
        return df
    return found if np.isfinite(found) and found > 0 else df


def _by_levels(pair, df):
    return df


#: by whether there is a residual variance
DEGREES = {True: _kenward_roger, False: _by_levels}
