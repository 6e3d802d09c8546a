"""Contrasts and joint tests of the fixed effects.

A hypothesis is ``L b = c``.  How its statistics are distributed is for a *rule* to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special, stats

from ..._data.checks import check_level
from ..._report.words import html_of_text, p_value
from .dof import Rule
from .hypotheses import in_words, read_hypothesis

RANK = 1e-10  # share of the largest eigenvalue, or of a row, below which a direction is lost
ROUNDING = 1e-13  # share of what it is compared with, below which a variance is none


class WaldTest(NamedTuple):
    """A joint test that some coefficients are zero.

    Attributes
    ----------
    statistic : float
        Chi-squared.
    df : int
        Number of coefficients.
    pvalue : float
    """

    statistic: float
    df: int
    pvalue: float

    _repr_html_ = html_of_text

    def __repr__(self):
        return f"Wald test: chi2({self.df}) = {self.statistic:.4g}, {p_value(self.pvalue)}"


class JointTest(NamedTuple):
    """A joint test that some coefficients are zero, chi-squared or F."""

    statistic: float
    df: int
    df_denom: float
    pvalue: float


def wald_chi2(coefficients, covariance):
    """``b' Cov(b)^-1 b``, chi-squared with as many degrees of freedom as coefficients."""
    if len(coefficients) == 0:
        return WaldTest(0.0, 0, np.nan)
    if not np.all(np.isfinite(covariance)):
        return WaldTest(np.nan, len(coefficients), np.nan)
    if not np.all(np.diag(covariance) > 0):
        return WaldTest(np.inf, len(coefficients), 0.0)
    scale = 1.0 / np.sqrt(np.diag(covariance))
    z = coefficients * scale
    values, vectors = np.linalg.eigh(scale[:, None] * covariance * scale)
    kept = values > ROUNDING * values[-1]
    statistic = float(np.sum((vectors.T @ z)[kept] ** 2 / values[kept]))
    pvalue = float(special.chdtrc(len(coefficients), statistic))
    return WaldTest(statistic, len(coefficients), pvalue)


def _student(share, t, df):
    """Quantiles of Student's distribution, and its upper tails; normal ones without bound."""
    if np.all(np.isposinf(df)):
        return special.ndtri(share), special.ndtr(-t)
    return stats.t.ppf(share, df), stats.t.sf(t, df)


@dataclass(frozen=True)
class Coefficients:
    """Fixed effects with a rule for the distribution of their contrasts.

    The rule works in other units: there a contrast L is ``L transform``.  A variance that is
    nothing beside that of ``scale`` is rounding, as where clusters determine a coefficient, and
    counts as unknown.

    Attributes
    ----------
    names, estimates : (p,)
    transform : (p, p)
    rule : for the distribution of contrasts
    is_normal : whether tests are z and chi-squared rather than t and F
    method : how it was done, in a sentence, where that is not the default
    scale : a covariance to compare with; None: whatever the rule says is believed
    terms : positions of the coefficients of every term, by name
    """

    names: list[str]
    estimates: np.ndarray
    transform: np.ndarray
    rule: Rule
    is_normal: bool = True
    method: str = ""
    scale: np.ndarray | None = None
    terms: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def covariance(self):
        """Covariance matrix of the estimates."""
        # infinite where the units leave the range of floats
        with np.errstate(over="ignore", invalid="ignore"):
            return self.transform @ self.rule.covariance @ self.transform.T

    def std_errors(self, L):
        """Standard errors of the rows of ``L b``; NaN where the variance is nothing but
        rounding."""
        return self.row_errors(L @ self.transform)

    def row_errors(self, rows):
        """The same of rows in the units of the rule."""
        with np.errstate(over="ignore", invalid="ignore"):
            variances = np.maximum(_forms(rows, self.rule.covariance), 0.0)
            if self.scale is not None:
                variances = np.where(
                    variances > ROUNDING * _forms(rows, self.scale), variances, np.nan
                )
            return np.sqrt(variances)

    def df(self, L):
        """Degrees of freedom of the rows of ``L b``."""
        return self.rule.df(L @ self.transform)

    def table(self, level):
        """``coef, std_err, df, t, p_value, ci_low, ci_high`` by coefficient."""
        L = np.eye(len(self.names))
        std_err = self.std_errors(L)
        df = self.df(L)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(std_err > 0, self.estimates / std_err, np.nan)
        quantiles, tails = _student(0.5 + check_level(level) / 2.0, np.abs(t), df)
        half = quantiles * std_err
        columns = {
            "coef": self.estimates,
            "std_err": std_err,
            "df": df,
            "t": t,
            "p_value": 2.0 * tails,
            "ci_low": self.estimates - half,
            "ci_high": self.estimates + half,
        }
        return pd.DataFrame(columns, index=self.names)

    def t_test(self, spec):
        """Every row of a hypothesis on its own: statsmodels' ContrastResults."""
        from .printed import NamedContrasts  # statsmodels takes long to import

        L, c = read_hypothesis(spec, self.names, self.terms)
        names = self._in_words(L, c)
        effect = L @ self.estimates
        std_err = self.std_errors(L)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(std_err > 0, (effect - c) / std_err, np.nan)
        if self.is_normal:
            numbers = {"statistic": t, "distribution": "norm"}
        else:
            numbers = {"t": t, "df_denom": self.df(L)}
        return NamedContrasts(names, effect=effect, sd=std_err, **numbers)

    def _in_words(self, L, c):
        """Rows of a hypothesis as they are printed."""
        return [in_words(*row, self.names) for row in zip(L, c, strict=True)]

    def wald_test(self, spec):
        """All rows of a hypothesis together: statsmodels' ContrastResults."""
        from .printed import JointContrasts  # statsmodels takes long to import

        L, c = read_hypothesis(spec, self.names, self.terms)
        F, df_num, df_denom = self.joint(L, c)
        if np.isnan(F):
            raise ValueError(
                f"the covariance of these {df_num} rows is singular, or has no degrees of "
                "freedom.\nTest fewer rows, or use another cov or df (a robust covariance needs "
                "more clusters than rows)."
            )
        names = self._in_words(L, c)
        if self.is_normal:
            chi2 = F * df_num
            return JointContrasts(
                names, chi2=chi2, statistic=chi2, df_denom=df_num, distribution="chi2"
            )
        return JointContrasts(names, F=F, df_num=df_num, df_denom=df_denom)

    def joint_test(self, positions):
        """The test that the coefficients at some positions are all zero."""
        L = np.eye(len(self.names))[positions]
        F, df_num, df_denom = self.joint(L, np.zeros(len(L)))
        if self.is_normal:
            return JointTest(F * df_num, df_num, np.inf, float(stats.chi2.sf(F * df_num, df_num)))
        return JointTest(F, df_num, df_denom, float(stats.f.sf(F, df_num, df_denom)))

    def joint(self, L, c):
        """The F statistic of ``L b = c`` and its degrees of freedom; rows that depend on others are
        left out.

        NaN where the covariance of the rows is singular or leaves no degrees of freedom.
        """
        L, c = _independent(L, c, self.std_errors(np.eye(L.shape[1])))
        if np.any(np.isnan(self.std_errors(L))):
            return np.nan, len(L), np.nan
        quadratic = _quadratic_form(L @ self.estimates - c, L @ self.covariance @ L.T)
        if np.isnan(quadratic):
            return np.nan, len(L), np.nan
        scale, df = self.rule.joint(L @ self.transform)
        F = float(scale * quadratic / len(L)) if df > 0 else np.nan  # NaN is not above zero
        return F, len(L), df


def _quadratic_form(d, covariance):
    """``d' V^-1 d`` in units of the standard errors; NaN where V is singular."""
    with np.errstate(all="ignore"):
        sd = np.sqrt(np.diag(covariance))
        correlations = covariance / sd / sd[:, None]
    if not np.all(np.isfinite(correlations)):
        return np.nan
    values, vectors = np.linalg.eigh(correlations)
    if not values[0] > RANK * values[-1]:
        return np.nan
    return np.sum((vectors.T @ (d / sd)) ** 2 / values)


def _forms(rows, covariance):
    """``l'Vl`` of every row."""
    return np.sum(rows @ covariance * rows, axis=-1)


def _independent(L, c, std_errors):
    """Rows of a hypothesis that do not follow from those before; contradictory ones are an
    error."""
    units = np.where(np.isfinite(std_errors) & (std_errors > 0), std_errors, 1.0)
    scaled = L * units
    kept = []
    Q = np.zeros((0, L.shape[1]))
    for k, row in enumerate(scaled):
        rest = row - Q.T @ (Q @ row)
        rest -= Q.T @ (Q @ rest)
        if np.linalg.norm(rest) > RANK * np.linalg.norm(row):
            kept.append(k)
            Q = np.vstack([Q, rest / np.linalg.norm(rest)])
    shares = np.linalg.lstsq(L[kept].T, L.T, rcond=None)[0].T
    if not np.allclose(shares @ c[kept], c, rtol=1e-8, atol=1e-8 * np.max(np.abs(c), initial=0.0)):
        raise ValueError(
            "the rows of the hypothesis contradict each other.\n"
            "Drop one of those that say the same."
        )
    return L[kept], c[kept]
