"""The distribution of the residuals and of the random effects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from ..examination import Examination
from ..signs import NOTE, Sign, Signs, place

CERTAIN = 1e-5
UNLIKELY = 1e-4  # the same of a single test
NOT_BY_ONE = 0.01  # the same without the level that says most
SEVERAL = 5  # levels, of which one may be left out
RATIO = 1.5  # of standard deviations
FEWEST_ROWS = 15  # of a category
NORMAL_L_KURTOSIS = 0.1226
HEAVY = 0.165  # L-kurtosis of a logistic distribution
L_KURTOSIS_ERROR = 0.3  # its standard error at the normal, times the root of n
SKEWED = 0.8
FLAT = -0.8  # excess kurtosis of two modes
DETERMINED = 0.6  # share of the variance of the effects that their modes keep, on average
FEWEST_LEVELS = 20
MOST_TESTED = 4_000  # by Shapiro and Wilk
BOUND_SHARE = 0.05  # of the responses at one value
PILED = 0.11  # of the responses at one value beyond what a normal distribution has there
OUTLYING = 1e-3  # probability that normal residuals have one as large
MOST_ROWS = 5


def heteroscedastic(exam: Examination) -> Signs:
    """Residual deviations that go with the fitted values or a column, or differ by category."""
    if not exam.is_linear or not exam.has_rows:
        return
    size = np.abs(exam.standardised)
    found = [_along(size, exam.means, "fitted")]
    found += [_along(size, c.values, c.name) for c in exam.columns if not c.is_binary]
    found += [_between(size, *codes) for codes in _categories(exam)]
    p, ratio, name, words = min(found)
    if p * len(found) < CERTAIN and ratio > RATIO:
        yield Sign(place("residual", name), words)


def _along(size, values, name):
    """Rank correlation with a number, and the ratio of the deviations at its ends."""
    if np.ptp(values) == 0:
        return 1.0, 1.0, name, ""
    p = float(stats.spearmanr(size, values).pvalue)
    low, high = np.quantile(values, [0.25, 0.75])
    ends = size[values <= low].mean(), size[values >= high].mean()
    words = (
        f"The residual standard deviation at the highest quarter of {name} is "
        f"{ends[1] / ends[0]:.2g} times that at the lowest."
    )
    return p, float(max(ends) / min(ends)), name, words


def _categories(exam):
    """Categorical columns: codes of the rows and a name."""
    for block in exam.blocks:
        own = [c for c in block.columns if c.is_binary]
        if own and len(own) == len(block.columns):
            matrix = np.column_stack([c.values for c in own])
            codes = np.unique(matrix, axis=0, return_inverse=True)[1].ravel()
            yield codes, block.name


def _between(size, codes, name):
    """Kruskal and Wallis' test, and the ratio of the deviations of categories."""
    counts = np.bincount(codes)
    large = np.flatnonzero(counts >= FEWEST_ROWS)
    if len(large) < 2:
        return 1.0, 1.0, name, ""
    parts = [size[codes == k] for k in large]
    deviations = [part.mean() for part in parts]
    ratio = float(max(deviations) / min(deviations))
    words = f"The residual standard deviation differs between values of {name} by {ratio:.2g}."
    return float(stats.kruskal(*parts).pvalue), ratio, name, words


def heavy_tails(exam: Examination) -> Signs:
    """Residuals with heavier tails than the normal, but for the largest; a note of a few rows."""
    if not exam.is_linear or not exam.has_rows:
        return
    r = exam.standardised
    tails = _Tails.of(np.delete(r, np.argmax(np.abs(r))))
    if tails.are_heavy(UNLIKELY) and _without_a_level(exam).are_heavy(NOT_BY_ONE):
        share = 100 * np.mean(np.abs(r) > 3.0)
        yield Sign(
            place("residual", exam.response),
            f"{share:.2g} % of the residuals are beyond three standard deviations (normal: 0.27 %);"
            f" L-kurtosis {tails.value:.2f} (normal: 0.12).",
        )
        return
    yield from _outlying_rows(exam)


class _Tails(NamedTuple):
    """L-kurtosis of residuals, and how improbable one as large is at the normal."""

    value: float
    p_value: float

    @classmethod
    def of(cls, residuals):
        value = _l_kurtosis(np.sort(residuals))
        z = (value - NORMAL_L_KURTOSIS) * np.sqrt(len(residuals)) / L_KURTOSIS_ERROR
        return cls(value, float(stats.norm.sf(z)))

    def are_heavy(self, unlikely):
        return self.value > HEAVY and self.p_value < unlikely


def _without_a_level(exam):
    """Tails of the residuals without the level that varies most, where there are several."""
    squares = exam.standardised**2
    found = [_Tails.of(exam.standardised)]
    for factor in exam.factors:
        if factor.n_levels >= SEVERAL:
            worst = np.argmax(factor.sums(squares) - factor.sizes)
            found.append(_Tails.of(exam.standardised[factor.codes != worst]))
    return min(found)


def _outlying_rows(exam):
    """A note of single residuals that are larger than normal ones ever are."""
    size = np.abs(exam.standardised)
    far = np.flatnonzero(2.0 * stats.norm.sf(size) * exam.n < OUTLYING)
    if len(far):
        rows = far[np.argsort(-size[far], kind="stable")[:MOST_ROWS]]
        deviations = ", ".join(f"{exam.standardised[row]:.1f}" for row in rows)
        yield Sign(
            place("residual", *(f"row {exam.labels[row]}" for row in rows)),
            f"Residuals far out: {len(far)}; {deviations} standard deviations.",
            NOTE,
            "Check these rows; report the estimates without them too.",
        )


def _l_kurtosis(r):
    """Fourth L-moment over the second of sorted values (Hosking 1990)."""
    n = len(r)
    i = np.arange(n, dtype=float)
    b1 = np.mean(i / (n - 1) * r)
    b2 = np.mean(i * (i - 1) / ((n - 1) * (n - 2)) * r)
    b3 = np.mean(i * (i - 1) * (i - 2) / ((n - 1) * (n - 2) * (n - 3)) * r)
    b0 = r.mean()
    return float((20 * b3 - 30 * b2 + 12 * b1 - b0) / (2 * b1 - b0))


def skewed_effects(exam: Examination) -> Signs:
    """Random effects that are skewed or of two kinds, but for the largest."""
    for factor in exam.factors:
        b = exam.fit.effects[factor.position]
        errors = exam.fit.effect_covariances(factor.position)
        for k, name in enumerate(factor.effects):
            z = _scaled(b[:, k], errors[:, k, k], _variance(exam, factor, k))
            if z is None:
                continue
            p = stats.shapiro(z).pvalue
            skewness, kurtosis = stats.skew(z), stats.kurtosis(z)
            if p < CERTAIN and (abs(skewness) > SKEWED or kurtosis < FLAT):
                words = "two kinds" if kurtosis < FLAT else "a long tail"
                yield Sign(
                    factor.name,
                    f"Effects of {name} are of {words}: skewness {skewness:.2f}, excess kurtosis "
                    f"{kurtosis:.2f} (normal: 0, 0).",
                )
                break


def _variance(exam, factor, k):
    """Variance of an effect, by its position among those of a factor."""
    pairs = zip(exam.fit.covariance_model.terms, exam.fit.covariances, strict=True)
    return np.concatenate([np.diag(S) for t, S in pairs if t.factor == factor.position])[k]


def _scaled(b, errors, variance):
    """Modes of well determined levels in their deviations, without the largest; None for few."""
    if variance <= 0:
        return None
    kept = 1.0 - errors / variance
    good = kept > DETERMINED
    if good.sum() < FEWEST_LEVELS or good.mean() < DETERMINED:
        return None
    z = b[good] / np.sqrt(variance * kept[good])
    z = np.delete(z, np.argmax(np.abs(z - np.median(z))))
    return z if len(z) <= MOST_TESTED else z[:: len(z) // MOST_TESTED + 1]


def y_at_bounds(exam: Examination) -> Signs:
    """Responses that pile up at the smallest or the largest value."""
    if not exam.is_linear or not exam.has_rows:
        return
    values = np.unique(exam.y)
    if len(values) <= 2:
        return
    step = np.median(np.diff(values))
    spread = np.sqrt(exam.fit.sigma2)
    for word, bound in (("smallest", values[0]), ("largest", values[-1])):
        share = np.mean(exam.y == bound)
        edges = (bound + np.array([[-0.5], [0.5]]) * step - exam.means) / spread
        expected = np.mean(np.diff(stats.norm.cdf(edges), axis=0))
        is_high = share > 2.0 * expected or share - expected > PILED
        is_certain = share - expected > 4.0 * np.sqrt(expected / exam.n)
        if share > BOUND_SHARE and is_high and is_certain:
            yield Sign(
                exam.response,
                f"{100 * share:.0f} % of the responses are at the {word} value, {bound:g}.",
            )
