"""Comparisons of fitted models: likelihood-ratio tests, information criteria, random against fixed effects.

One model is nested in another if its fixed effects lie in the other's column space and its covariances among the
other's: with ``Z_S = Z_L A`` its T appears there as ``A T A'``.  At such a T some directions of the larger model are
free and others must stay in a cone of semidefinite matrices, which the boundary module turns into a mixture of
chi-squareds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats
from scipy.linalg import block_diag
from sklearn.utils.validation import check_is_fitted

from .. import _kernels as kernels
from .._design import independent_columns
from ._boundary import (
    LikelihoodRatioTest,
    TangentCone,
    information_without_effects,
    likelihood_ratio,
    mixture_test,
    mixture_weights,
    sums_of,
)

CONTAINED = 1e-6  # share of the norm of a column that others may leave unexplained
CONSTANT_WITHIN = 1e-10  # share of the sum of squares of a column, within levels, below which it does not vary there


class NotNested(ValueError):
    """Neither model is a special case of the other."""


def likelihood_ratio_test(smaller: Any, larger: Any) -> LikelihoodRatioTest:
    """Likelihood-ratio test between two nested models fitted to the same rows.

    The statistic is ``2 (l_larger - l_smaller)``.  Where the models differ by fixed effects, or by covariances in the
    interior of their range (diagonal against unstructured), it is compared with a chi-squared.  Where the larger model
    has variances that the smaller fixes at zero it is compared with the mixture of chi-squareds that the directions
    open to it give (Self and Liang 1987): one more slope next to q unstructured effects is half chi2(q), half
    chi2(q + 1).  Where no closed form exists the weights are simulated with a fixed seed, in the metric of the
    information at the smaller model's estimates: the expected information for a single grouping factor or where the
    smaller model has no random effects, the average information otherwise.

    Parameters
    ----------
    smaller, larger : fitted estimators
        Two linear models by the same method, or two classifiers with as many quadrature points.  The order does not
        matter: the one with fewer parameters is the null.

    Returns
    -------
    LikelihoodRatioTest
        ``statistic, df, pvalue, null, distribution, weights``, and ``pvalue_chi2`` for the plain chi-squared.

    Raises
    ------
    ValueError
        For other rows, another response or other weights; different methods; restricted likelihoods of different fixed
        effects; models that are not nested.

    References
    ----------
    Stram and Lee (1994), Variance components testing in the longitudinal mixed effects model, Biometrics 50.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import likelihood_ratio_test
    >>> X, y = make_mixed_regression(n_groups=100, rows_per_group=8, random_state=0)
    >>> intercepts = MixedLinearRegressor("group").fit(X, y)
    >>> slopes = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    >>> test = likelihood_ratio_test(intercepts, slopes)
    >>> test.distribution, test.df
    ('chibar2(1:2)', 2)
    """
    smaller, larger = sorted((smaller, larger), key=_n_params)
    return _nested_test(_comparable(smaller, larger))


def compare(models: Sequence | Mapping[str, Any], names: Sequence[str] | None = None) -> pd.DataFrame:
    """Models side by side, from few to many parameters.

    Parameters
    ----------
    models : list of fitted estimators, or dict of them by name
        All of the same rows and response.
    names : list of str, default=None
        Names of the models of a list; "model 1", "model 2", ... if not given.

    Returns
    -------
    DataFrame
        By model: ``loglik, n_params, aic, bic, delta_aic, weight`` (Akaike weights, ``exp(-delta_aic / 2)`` in shares),
        and ``statistic, df, p_value`` of the likelihood-ratio test against the row above, NaN where that one is not
        nested in it.  Restricted log-likelihoods are those in the units of the first row's columns.

    Raises
    ------
    ValueError
        For other rows, another response or other weights; different methods; restricted likelihoods of different fixed
        effects.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import compare
    >>> X, y = make_mixed_regression(n_groups=100, rows_per_group=8, random_state=0)
    >>> intercepts = MixedLinearRegressor("group").fit(X, y)
    >>> slopes = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    >>> compare({"intercepts": intercepts, "slopes": slopes})["n_params"].to_list()
    [5, 7]
    """
    named = _named(models, names)
    named.sort(key=lambda pair: _n_params(pair[1]))
    estimators = [est for _, est in named]
    shifts = [0.0] + [_comparable(estimators[0], est).shift for est in estimators[1:]]
    table = pd.DataFrame(index=pd.Index([name for name, _ in named], name="model"))
    table["loglik"] = [est.results_.llf - shift for est, shift in zip(estimators, shifts, strict=True)]
    table["n_params"] = [est.results_.n_params for est in estimators]
    table["aic"] = 2.0 * table["n_params"] - 2.0 * table["loglik"]
    table["bic"] = np.log(estimators[0].results_.nobs) * table["n_params"] - 2.0 * table["loglik"]
    table["delta_aic"] = table["aic"] - table["aic"].min()
    share = np.exp(-0.5 * table["delta_aic"])
    table["weight"] = share / share.sum()
    tests = [_test_or_nan(smaller, larger) for smaller, larger in pairwise(estimators)]
    table[["statistic", "df", "p_value"]] = np.array([(np.nan,) * 3, *tests], dtype=float)
    return table


def _n_params(est):
    check_is_fitted(est)
    return est.results_.n_params


def _named(models, names):
    if isinstance(models, Mapping):
        return list(models.items())
    models = list(models)
    names = [f"model {k + 1}" for k in range(len(models))] if names is None else list(names)
    if not models or len(names) != len(models):
        raise ValueError(
            f"names: {len(names)} names for {len(models)} models.\nPass at least one model, and one name for each."
        )
    return list(zip(names, models, strict=True))


def _test_or_nan(smaller, larger):
    try:
        test = _nested_test(_comparable(smaller, larger))
    except NotNested:
        return (np.nan,) * 3
    return test.statistic, test.df, test.pvalue


# ------------------------------------------------------------------------------------------------- two fitted models


def _comparable(smaller, larger):
    """The two models side by side, once it is certain that their likelihoods may be compared."""
    first, second = smaller.results_, larger.results_
    if (smaller._fit.sigma2 is None) != (larger._fit.sigma2 is None):
        raise ValueError(
            "a regressor and a classifier have likelihoods of different responses.\nCompare two of a kind."
        )
    if first.reml != second.reml:
        raise ValueError("one model was fitted by REML, the other by ML.\nRefit both with the same method.")
    if _points(smaller) != _points(larger) and 0 not in (_points(smaller), _points(larger)):
        raise ValueError(
            f"n_quadrature: {_points(smaller)} and {_points(larger)} points give different approximations.\n"
            "Refit both with the same n_quadrature."
        )
    by_name = first._rows is None or second._rows is None
    pair = (ByName if by_name else ByRows)(smaller, larger)
    if not pair.same_data:
        raise ValueError(
            "the models were fitted to different rows, responses or weights.\n"
            "Fit both to the same rows in the same order (drop rows with missing values first)."
        )
    if first.reml and not (pair.fixed is not None and len(smaller._fit.design.kept) == len(larger._fit.design.kept)):
        raise ValueError(
            "restricted likelihoods of models with different fixed effects cannot be compared.\n"
            "Refit both with method='ml'."
        )
    return pair


def _points(est):
    """Quadrature points; 0 where nothing is integrated, or nothing needs approximation."""
    return 0 if est._fit.sigma2 is not None or not est._fit.n_variance_parameters else est._fit.points


class ByRows:
    """How the columns of the smaller model are combinations of the larger one's, found on the rows of the fit."""

    def __init__(self, smaller, larger):
        self.smaller, self.larger = smaller, larger
        self.rows = [est.results_._training() for est in (smaller, larger)]

    @cached_property
    def pools(self):
        return [
            est._fit.design.frame.pool(training.rows.X)
            for est, training in zip((self.smaller, self.larger), self.rows, strict=True)
        ]

    @property
    def same_data(self):
        first, second = self.rows
        weights = [np.ones(len(t.y)) if t.weights is None else t.weights for t in self.rows]
        return np.array_equal(first.y, second.y) and np.array_equal(*weights)

    @cached_property
    def fixed(self):
        """A with ``X_S = X_L A``; None where there is none."""
        designs = [est._fit.design for est in (self.smaller, self.larger)]
        return _combination(*(pool[:, d.frame.fixed[d.kept]] for pool, d in zip(self.pools, designs, strict=True)))

    @cached_property
    def shift(self):
        """What the restricted log-likelihood of the larger gains by its units of X."""
        if not self.larger.results_.reml:
            return 0.0
        first, second = (est._fit.design.frame.log_scale(est._fit.design.kept) for est in (self.smaller, self.larger))
        shift = first - second + np.linalg.slogdet(self.fixed)[1]
        return shift if abs(shift) > 1e-8 else 0.0

    def factor(self, f):
        """The larger model's factor with the levels of the smaller one's factor f; None where there is none."""
        codes = [[pd.factorize(c)[0] for c in training.codes] for training in self.rows]
        return next((g for g, c in enumerate(codes[1]) if np.array_equal(codes[0][f], c)), None)

    def effects(self, f, g):
        """A with ``Z_S = Z_L A`` for a pair of factors; None where there is none."""
        frames = [est._fit.design.frame for est in (self.smaller, self.larger)]
        columns = (p[:, list(fr.effects[h])] for p, fr, h in zip(self.pools, frames, (f, g), strict=True))
        return _combination(*columns)


class ByName(ByRows):
    """The same by the names of columns and factors, for models that were pickled without their rows."""

    def __init__(self, smaller, larger):
        self.smaller, self.larger = smaller, larger
        self.labels = [est.results_._labels for est in (smaller, larger)]

    @property
    def same_data(self):
        sums = [_response_sums(est._fit) for est in (self.smaller, self.larger)]
        return np.allclose(*sums, rtol=1e-10, atol=0.0)

    @cached_property
    def fixed(self):
        first, second = (list(est.results_.params.index) for est in (self.smaller, self.larger))
        return _selection(first, second)

    shift = 0.0

    def factor(self, f):
        name = self.labels[0].factors[f]
        return self.labels[1].factors.index(name) if name in self.labels[1].factors else None

    def effects(self, f, g):
        A = _selection(self.labels[0].effects[f], self.labels[1].effects[g])
        if A is None:
            return None
        own, other = self.smaller._fit.design.factor_basis(f), self.larger._fit.design.factor_basis(g)
        return np.linalg.solve(other, A @ own)


def _combination(columns, others):
    """A with ``columns = others A``, or None."""
    if not columns.shape[1]:
        return np.zeros((others.shape[1], 0))
    if not others.shape[1]:
        return None
    A = np.linalg.lstsq(others, columns, rcond=None)[0]
    left = np.linalg.norm(columns - others @ A, axis=0)
    return A if np.all(left <= CONTAINED * np.linalg.norm(columns, axis=0)) else None


def _selection(names, others):
    """The same for columns that are known by name."""
    if not set(names) <= set(others):
        return None
    A = np.zeros((len(others), len(names)))
    A[[list(others).index(name) for name in names], np.arange(len(names))] = 1.0
    return A


def _response_sums(fit):
    """Number of observations, and for a linear model the sum of squares of the response."""
    if fit.sigma2 is None:
        return np.array([fit.n])
    frame, gram = fit.design.frame, fit.design.cross.gram
    y = np.append(frame.pilot, frame.y_scale)
    columns = np.append(frame.fixed, frame.response)
    return np.array([fit.n, y @ gram[np.ix_(columns, columns)] @ y])


# -------------------------------------------------------------------------------------------------- nested models


def _nested_test(pair):
    """The test of a comparable pair; raises :class:`NotNested`."""
    smaller, larger = pair.smaller, pair.larger
    df = larger.results_.n_params - smaller.results_.n_params
    if df == 0:
        raise NotNested(
            "the models have equally many parameters: neither is a special case of the other.\nUse compare."
        )
    if pair.fixed is None:
        raise NotNested("the smaller model has fixed effects that the larger one lacks.\nUse compare for their AIC.")
    null = Embedding(pair)
    coefficients = larger._fit.rank - smaller._fit.rank
    statistic = likelihood_ratio(larger.results_.llf - pair.shift, smaller.results_.llf)
    weights = mixture_weights(null.information, null.tangent.cones)
    return mixture_test(statistic, weights, _in_words(coefficients, df - coefficients), free=df + 1 - len(weights))


def _in_words(coefficients, covariances):
    counted = ((coefficients, "fixed effect"), (covariances, "covariance parameter"))
    parts = [f"{count} {name}{'s' * (count > 1)}" for count, name in counted if count]
    return f"the smaller model holds ({' and '.join(parts)} fewer)"


class Embedding:
    """The covariances of the smaller model among those of the larger."""

    def __init__(self, pair):
        self.fit, own = pair.larger._fit, pair.smaller._fit
        sizes = self.fit.model.sizes
        self.T, span = ([np.zeros((q, q)) for q in sizes] for _ in range(2))
        estimates = own.model.assemble(own.optimum.point[: len(own.model.blocks)])
        images = [np.zeros((0, sum(map(kernels.packed_size, sizes))))]
        for block in own.model.blocks:
            if len(block.structure.basis):
                g, A = self._place(pair, block)
                self.T[g] += A @ estimates[block.factor][block.window, block.window] @ A.T
                span[g] += A @ A.T
                images.append(np.array([self._packed(g, A @ B @ A.T) for B in block.structure.basis]))
        self._check_span(np.vstack(images))
        self.tangent = TangentCone.of(self.fit.model, self.fit.model.split(span))

    def _place(self, pair, block):
        """The larger model's factor of a term, and its effects there."""
        g = pair.factor(block.factor)
        A = None if g is None else pair.effects(block.factor, g)
        if A is None:
            name = pair.smaller.results_._labels.factors[block.factor]
            raise NotNested(
                f"{name}: the smaller model has random effects that the larger one lacks.\nUse compare for their AIC."
            )
        return g, np.where(np.abs(A) > 1e-9 * np.max(np.abs(A)), A, 0.0)[:, block.window]

    def _packed(self, g, matrix):
        """A matrix of one factor in packed coordinates of all factors of the larger model."""
        parts = [np.zeros(kernels.packed_size(q)) for q in self.fit.model.sizes]
        parts[g] = matrix[kernels.lower_triangle(len(matrix))]
        return np.concatenate(parts)

    def _check_span(self, images):
        """Whether the larger model's structures allow the smaller one's covariances."""
        model = self.fit.model
        basis = [model.packed(block, block.structure.basis) for block in model.blocks]
        if len(images) and _combination(images.T, np.vstack([*basis, images[:0]]).T) is None:
            raise NotNested(
                "the smaller model's covariance structure is no special case of the larger one's.\n"
                "Use compare for their AIC."
            )

    def information(self):
        """Of the directions in the cones, the free covariances being nuisances."""
        objective = sums_of(self.fit)
        with kernels.blas_threads(), np.errstate(all="ignore"):
            if not any(np.any(T) for T in self.T):
                return self.tangent.efficient(information_without_effects(objective))
            return self.tangent.efficient(_information(objective(self.T)))


def _information(state):
    """Expected information of the covariances (packed) for a single factor, the average information otherwise."""
    if not state.exact:
        return state.hessian
    (part,) = state.parts
    q, objective = part.q, state.objective
    traces = part.gradient + objective.precision(state.r2) * part.gg_sum
    traces = 2.0 * kernels.halves(q) * traces[kernels.lower_triangle(q)]
    return state._trace_products() - objective.profiled(objective.nu) * np.outer(traces, traces)


# ------------------------------------------------------------------------------------------------------- Hausman


@dataclass(frozen=True)
class HausmanTest:
    """Random against fixed effects.

    Attributes
    ----------
    statistic : float
    df : int
    pvalue : float
    null : str
        The null hypothesis in words.
    table : DataFrame
        By coefficient: ``fixed, random, difference, std_err`` (of the difference).
    """

    statistic: float
    df: int
    pvalue: float
    null: str
    table: pd.DataFrame


def hausman_test(est: Any, scale: Literal["random", "own"] = "random") -> HausmanTest:
    """Hausman's specification test of a linear model with one grouping factor: random against fixed effects.

    Where the effects of the levels are correlated with the columns of X the fixed-effects ("within") estimator, which
    gives every level effects of its own, remains consistent, and the random-effects estimator does not.  With d the
    difference of the two on the coefficients that both estimate

        H = d' (V_fixed - V_random)^- d,     chi-squared with rank(V_fixed - V_random) degrees of freedom.

    Coefficients of columns that are constant within levels have no within estimator and are left out, as is the
    intercept.  With random slopes the levels of the within model have slopes of their own too.

    Parameters
    ----------
    est : fitted MixedLinearRegressor
        With one grouping factor.
    scale : {"random", "own"}, default="random"
        Residual variance in the two covariance matrices: that of the random-effects model in both (Stata's
        ``sigmamore``), which makes their difference positive semidefinite, or each model's own, with which the
        statistic may come out negative.

    Returns
    -------
    HausmanTest

    Raises
    ------
    ValueError
        For a classifier, several grouping factors, or none; where nothing varies within levels, or no residual is left.

    References
    ----------
    Hausman (1978), Specification tests in econometrics, Econometrica 46.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import hausman_test
    >>> X, y = make_mixed_regression(n_groups=100, rows_per_group=8, random_state=0)
    >>> test = hausman_test(MixedLinearRegressor("group").fit(X, y))
    >>> test.table.index.to_list()
    ['x0', 'x1']
    """
    check_is_fitted(est)
    fit = est._fit
    _check_hausman(fit, scale)
    within = Within.of(fit)
    if not len(within.places):
        raise ValueError("no fixed effect varies within levels.\nThere is no fixed-effects estimator to compare with.")
    random = fit.coefficients[fit.design.kept][within.places]
    V = fit.coefficient_covariance[np.ix_(within.places, within.places)]
    sigma2 = fit.sigma2 if scale == "random" else within.sigma2
    difference, spread = within.coefficients - random, sigma2 * within.covariance - V
    statistic, df = _quadratic_form(difference, spread, np.sqrt(sigma2 * np.diag(within.covariance)))
    errors = np.sqrt(_without_rounding(np.diag(spread), sigma2 * np.diag(within.covariance)))
    columns = {"fixed": within.coefficients, "random": random, "difference": difference, "std_err": errors}
    names = [est.results_.params.index[k] for k in within.places]
    null = f"random effects are uncorrelated with the columns; chi-squared with {df} degree{'s' * (df != 1)} of freedom"
    pvalue = float(stats.chi2.sf(statistic, df)) if df else np.nan
    return HausmanTest(statistic, df, pvalue, null, pd.DataFrame(columns, index=names))


def _without_rounding(variances, size):
    """Variances, zero where they are rounding errors of others of this size, NaN where negative."""
    return np.where(np.abs(variances) <= 1e-9 * size, 0.0, np.where(variances < 0, np.nan, variances))


def _check_hausman(fit, scale):
    if scale not in ("random", "own"):
        raise ValueError(f"scale={scale!r} is not known.\nUse 'random' or 'own'.")
    if fit.sigma2 is None:
        raise ValueError("the Hausman test is for linear models.\nFit a MixedLinearRegressor.")
    if fit.state.degenerate:
        raise ValueError("the fixed effects reproduce the response.\nThere is no variance to compare estimators by.")
    if len(fit.model.sizes) != 1:
        raise ValueError(
            f"the Hausman test needs a single grouping factor, the model has {len(fit.model.sizes)}.\n"
            "Fit a model with the factor in question."
        )


def _quadratic_form(d, V, errors):
    """``d' V^- d`` and the rank of V, judged in units of the standard errors."""
    values, vectors = np.linalg.eigh(V / np.outer(errors, errors))
    known = np.abs(values) > 1e-9
    along = vectors[:, known].T @ (d / errors)
    return float(np.sum(along**2 / values[known])), int(known.sum())


@dataclass(frozen=True)
class Within:
    """The within estimator, from cross-products."""

    places: np.ndarray  # among the kept coefficients
    coefficients: np.ndarray
    covariance: np.ndarray  # in units of the residual variance
    sigma2: float

    @classmethod
    def of(cls, fit):
        """With effects of its own for every level: ``X'WX - sum B_l' A_l^- B_l``, and so for y."""
        frame, kept = fit.design.frame, fit.design.kept
        mixing, (S, rank) = frame.mixing[np.ix_(kept, kept)], _within_gram(fit)
        # the orthonormal columns of the fit back to standardised ones, whose shifts the levels absorb
        back = block_diag(np.linalg.inv(mixing), 1.0)
        S, total = back.T @ S @ back, back.T @ fit.objective.gram @ back
        found = independent_columns(S[:-1, :-1], CONSTANT_WITHIN * np.diag(total)[:-1])
        inverse = np.linalg.inv(S[np.ix_(found, found)])
        beta = frame.y_scale * inverse @ S[found, -1] + inverse @ S[found, :-1] @ mixing @ frame.pilot[kept]
        rss = S[-1, -1] - S[found, -1] @ inverse @ S[found, -1]
        sigma2 = frame.y_scale**2 * rss / max(fit.n - rank - len(found), np.finfo(float).tiny)
        units, slopes = 1.0 / frame.candidates.scales[kept[found]], found >= frame.fit_intercept
        covariance = (np.outer(units, units) * inverse)[np.ix_(slopes, slopes)]
        return cls(found[slopes], (units * beta)[slopes], covariance, float(sigma2))


def _within_gram(fit):
    """``[X y]'W[X y]`` without what the levels' own effects explain, and the number of these effects."""
    q, gram = fit.model.sizes[0], fit.objective.gram
    A = fit.objective.plan.blocks[0][kernels.packed_index(q)].transpose(2, 0, 1)
    U = fit.objective.U[0].transpose(2, 0, 1)
    values, vectors = np.linalg.eigh(A)
    known = values > 1e-10 * values[:, -1:]
    inverse = np.where(known, 1.0 / np.where(known, values, 1.0), 0.0)
    half = (np.sqrt(inverse)[:, :, None] * (vectors.transpose(0, 2, 1) @ U)).reshape(-1, gram.shape[0])
    return gram - half.T @ half, int(known.sum())
