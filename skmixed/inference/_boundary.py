"""Tests of variances, which cannot be negative: the null is on the boundary of the parameters.

Near the null the log-likelihood of the covariances t is ``u't - t'It / 2`` with scores ``u ~ N(0, I)`` and I the
information with beta and sigma^2 profiled out.  Its maximum over the cone K of covariances makes the likelihood-ratio
statistic the squared length of a normal vector projected on K in the metric I: a mixture of chi-squareds, *chi-bar
squared*, whose weights are the intrinsic volumes of K (Self and Liang 1987; Shapiro 1988).  K is a product of cones of
positive semidefinite matrices, numbers among them.  Even and odd weights each sum to one half (Gauss and Bonnet).

For a single variance the distribution in finite samples is known as well (Crainiceanu and Ruppert 2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special, stats

from .. import _kernels as kernels
from .._covariance import Unstructured
from .._lmm import FixedEffects

ROUNDING = 1e-9  # a difference of log-likelihoods below this share of them is none
FLAT = 1e-10  # directions with less than this share of the information have none
ANGLES = 512  # of the rule for cones of 2 x 2 matrices
DRAWS, FEWER_DRAWS = 8192, 2048  # normal vectors for simulated weights; fewer where matrices of order 3 or more occur
STEPS, ROUNDS, BINS = 200, 30, 200  # steps of a projection at most; rounds of the estimate of weights, bins of shares
ENOUGH = 1e-3  # change of a projection, as a share of the vector, at which its steps end
MAX_DENSE_EIGENVALUES = 3000
GRID = np.concatenate([[0.0], np.exp(np.arange(-10.0, 12.0, 0.2))])  # variance ratios in units of the typical one


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """A likelihood-ratio test; ``null`` says in words what was tested.

    Attributes
    ----------
    statistic : float
        Twice the difference of the (restricted) log-likelihoods.
    df : int
        Number of parameters that the null fixes.
    pvalue : float
    null : str
        The null hypothesis and its distribution, in words.
    distribution : str
        As printed: "chi2(2)", "chibar2(01)", "chibar2(0:3)", or "RLRT" and "LRT" for the exact tests.
    weights : tuple of float
        Weights of the chi-squareds with 0, 1, 2, ... degrees of freedom; empty for an exact test.
    """

    statistic: float
    df: int
    pvalue: float
    null: str
    distribution: str
    weights: tuple = ()

    @property
    def pvalue_chi2(self) -> float:
        """From the chi-squared with ``df`` degrees of freedom: too large where variances are tested."""
        return float(stats.chi2.sf(self.statistic, self.df)) if self.df else np.nan


def random_effects_test(fit, method="chibar", *, n_samples=10_000, random_state=0):
    """Likelihood-ratio test of the model against the one without any random effect, same rows and criterion.

    Parameters
    ----------
    fit : LinearFit or GlmmFit
    method : {"chibar", "exact"}, default="chibar"
        "chibar" is the mixture of chi-squareds that holds for many groups.  Where no closed form of its weights exists
        they are simulated with a fixed seed.  "exact" simulates the distribution for these very rows; linear models
        with one variance only.
    n_samples : int, default=10_000
        Draws of the exact test.
    random_state : int, default=0
        Seed of the exact test.

    Returns
    -------
    LikelihoodRatioTest

    References
    ----------
    Self and Liang (1987), Asymptotic properties of maximum likelihood estimators under nonstandard conditions, JASA 82.
    Crainiceanu and Ruppert (2004), Likelihood ratio tests in linear mixed models with one variance
    component, JRSS B 66.
    """
    if method not in ("chibar", "exact"):
        raise ValueError(f"method={method!r} is not known.\nUse 'chibar' or 'exact'.")
    statistic = likelihood_ratio(fit.loglik, fit.loglik_without_effects)
    if method == "exact":
        return _exact_test(fit, statistic, n_samples, random_state)
    tangent = TangentCone.of(fit.model)
    null = "all random-effect variances are zero" if tangent.dimension > 1 else "the random-effect variance is zero"
    return mixture_test(statistic, mixture_weights(lambda: null_information(fit, tangent), tangent.cones), null)


def likelihood_ratio(larger, smaller):
    """``2 (l1 - l0)``, and zero where the difference is rounding."""
    statistic = 2.0 * (larger - smaller)
    return statistic if statistic >= ROUNDING * max(1.0, abs(larger)) else 0.0


def mixture_test(statistic, weights, null, free=0):
    """The test of a statistic against a mixture of chi-squareds.

    ``weights`` are those of cones, and ``free`` is the number of parameters that may move either way besides.
    """
    df = free + len(weights) - 1
    degrees = np.arange(free, df + 1)
    if df == 0:
        return LikelihoodRatioTest(statistic, 0, np.nan, f"{null}: nothing to test", "chi2(0)", (1.0,))
    pvalue = weights @ special.gammaincc(degrees / 2.0, statistic / 2.0) if statistic > 0 else 1.0
    if free == df:
        name, words = f"chi2({df})", f"chi-squared with {df} degree{'s' * (df > 1)} of freedom"
    else:
        name = "chibar2(01)" if df == 1 else f"chibar2({free}:{df})"
        words = f"mixture of chi-squareds with {free} to {df} degrees of freedom"
    return LikelihoodRatioTest(
        float(statistic), df, float(pvalue), f"{null}; {words}", name, (0.0,) * free + tuple(float(w) for w in weights)
    )


# ----------------------------------------------------------------------------------------------- the cone at the null


@dataclass(frozen=True)
class TangentCone:
    """Covariances near a null: directions that are free there, then those of cones of semidefinite matrices.

    ``cones`` are the orders of these matrices; a variance that is zero under the null is a matrix of order one.
    """

    free: np.ndarray  # (directions, packed)
    directions: np.ndarray  # (directions, packed), cone after cone, each in packed order
    cones: tuple

    @classmethod
    def of(cls, model, within=None):
        """At covariances of ``model`` that span ``within``, one matrix per term; all zero if not given."""
        free, cone, sizes = [], [], []
        for k, block in enumerate(model.blocks):
            size = block.structure.size
            own, found = _split(block.structure, np.zeros((size, size)) if within is None else within[k])
            free.append(model.packed(block, own))
            cone += [model.packed(block, matrices) for _, matrices in found]
            sizes += [order for order, _ in found]
        width = sum(kernels.packed_size(q) for q in model.sizes)
        empty = [np.zeros((0, width))]
        return cls(np.vstack(empty + free), np.vstack(empty + cone), tuple(sizes))

    @property
    def dimension(self):
        """Number of directions of the cones."""
        return len(self.directions)

    def efficient(self, information):
        """The information (packed) in the directions of the cones, the free ones being nuisances."""
        own = self.directions @ information @ self.directions.T
        if not len(self.free):
            return own
        shared = self.free @ information @ self.directions.T
        known = self.free @ information @ self.free.T
        return own - shared.T @ np.linalg.lstsq(known, shared, rcond=FLAT)[0]


def _split(structure, within):
    """Free directions of a term at a covariance with the span of ``within``, and its (order, directions) of cones."""
    if not len(structure.basis):
        return structure.basis, []
    if isinstance(structure, Unstructured):
        values, vectors = np.linalg.eigh(within)
        zero = values <= 1e-9 * max(values[-1], np.finfo(float).tiny)
        vectors, nulls = vectors[:, np.argsort(~zero, kind="stable")], int(zero.sum())
        return _symmetric(vectors, nulls, structure.size), ([(nulls, _symmetric(vectors, 0, nulls))] if nulls else [])
    sizes = np.einsum("kij,ij->k", structure.projections, within)
    zero = sizes <= 1e-9 * max(sizes.max(), np.finfo(float).tiny)
    return structure.projections[~zero], [(1, P[None]) for P in structure.projections[zero]]


def _symmetric(vectors, start, stop):
    """``v_r v_c' + v_c v_r'`` (half of it for r = c) in packed order, r from ``start`` to ``stop``."""
    pairs = [(r, c) for r, c in kernels.entries(stop) if r >= start]
    found = [np.outer(vectors[:, r], vectors[:, c]) for r, c in pairs]
    stack = np.array([m if r == c else m + m.T for m, (r, c) in zip(found, pairs, strict=True)])
    return stack.reshape(-1, len(vectors), len(vectors))


# ------------------------------------------------------------------------------------------ the information at the null


def sums_of(fit):
    """The objective whose cross-products describe the rows: for a logistic model that of its working linear model."""
    return fit.objective if fit.sigma2 is not None else fit.working.objective


def null_information(fit, tangent):
    """Expected information of the covariances where all are zero, in the directions of the cones.

    ``tr(P V_a P V_b) - tr(P V_a) tr(P V_b) / nu`` with ``P = W - WX (X'WX)^-1 X'W`` under REML and ``P = W`` under ML.
    Linear models know sigma^2 from the rest; for a logistic model W holds the working weights at the estimates, which
    under the null are those without effects, sigma^2 is 1, and the scores of the levels count as normal.
    """
    with np.errstate(all="ignore"):
        return tangent.efficient(information_without_effects(sums_of(fit)))


def information_without_effects(objective):
    """The same for all packed directions of all factors, from cross-products."""
    fixed = FixedEffects.from_sums(objective.gram)
    # columns of L^-1 X'WZ with X'WX = LL', so that WX (X'WX)^-1 X'W is theirs times their transpose
    along = [objective.reml * np.einsum("pr,qrm->qpm", fixed.half_inverse, U[:, :-1]) for U in objective.U]
    sandwiches = np.concatenate([_sandwiches(b) for b in along])
    table = _own_and_shared(objective.plan, along) + np.einsum("aps,bsp->ab", sandwiches, sandwiches)
    totals = [A.sum(axis=1) * 2.0 * kernels.halves(kernels.order(len(A))) for A in objective.plan.blocks]
    traces = np.concatenate(totals) - np.einsum("app->a", sandwiches)
    return table - objective.profiled(objective.nu) * np.outer(traces, traces)


def _sandwiches(along):
    """``sum_l b_l'E_a b_l`` for every packed direction a, (K, p, p)."""
    inner = np.einsum("qpm,rsm->psqr", along, along, optimize=True)
    return kernels.symmetric_directions(inner).transpose(2, 0, 1)


def _own_and_shared(plan, along):
    """``tr(W V_a W V_b) - 2 tr(W V_a H V_b)`` with H the part of W along X, over the levels that meet."""
    ends = np.cumsum([0] + [len(A) for A in plan.blocks])
    windows = [slice(lo, hi) for lo, hi in pairwise(ends)]
    table = np.zeros((ends[-1], ends[-1]))
    for window, A, b in zip(windows, plan.blocks, along, strict=True):
        crossed = kernels.pair_traces(kernels.packed_outer(b) @ A.T)
        table[window, window] = kernels.pair_traces(A @ A.T) - crossed - crossed.T
    for (f, g), pair in plan.cross.pairs.items():
        shared = np.einsum("qpi,rpi->qri", along[f][:, :, pair.rows], along[g][:, :, pair.cols])
        table[windows[f], windows[g]] = _cross_traces(pair.values, pair.values - 2.0 * shared)
        table[windows[g], windows[f]] = table[windows[f], windows[g]].T
    return table


def _cross_traces(C, D):
    """``sum tr(E_a C E_b D')`` over pairs of levels, for packed directions a of the one and b of the other factor."""
    products = np.einsum("sti,rui->rstu", C, D)
    inner = kernels.symmetric_directions(products)
    return kernels.symmetric_directions(inner.transpose(2, 0, 1)).T


# ------------------------------------------------------------------------------------------------ weights of a mixture


def mixture_weights(information, cones):
    """Weights of the chi-squareds with 0, 1, ..., k degrees of freedom, k the dimension of the product of the cones.

    Parameters
    ----------
    information : callable
        Returns the (k, k) information in packed order of the cones; not needed for k < 2.
    cones : tuple of int
        Orders of the matrices that must be positive semidefinite.
    """
    k = sum(kernels.packed_size(order) for order in cones)
    if k < 2:
        return np.full(k + 1, 1.0 / (k + 1))
    with np.errstate(all="ignore"):
        metric = _standardised(information(), cones)
    if not np.all(np.isfinite(metric)):
        return np.eye(k + 1)[k]  # numbers beyond the range of floats: the largest distribution is on the safe side
    closed_form = _CLOSED_FORMS.get(cones)
    if closed_form and np.linalg.cond(metric) < 1.0 / FLAT:
        return closed_form(metric)
    return _simulated_weights(metric, cones)


def _standardised(information, cones):
    """The information in units in which every variance has one: a congruence, which leaves the cones as they are."""
    scale, start = [], 0
    for order in cones:
        rows, cols = kernels.lower_triangle(order)
        variances = np.diag(information)[start : start + len(rows)][rows == cols]
        own = np.maximum(variances, FLAT * max(np.max(variances), np.finfo(float).tiny)) ** -0.25
        scale.append(own[rows] * own[cols])
        start += len(rows)
    scale = np.concatenate(scale)
    return information * np.outer(scale, scale)


def _positive_share(correlations):
    """Probability that three normal variables with these correlations are all positive."""
    pairs = correlations[np.tril_indices(3, -1)]
    return 0.125 + np.sum(np.arcsin(np.clip(pairs, -1.0, 1.0))) / (4.0 * np.pi)


def _correlations(covariance):
    scale = 1.0 / np.sqrt(np.maximum(np.diag(covariance), np.finfo(float).tiny))
    return covariance * np.outer(scale, scale)


def _weights_of_two(metric):
    """Two variances: a sector of the plane, whose angle is that between the two directions."""
    largest = np.arccos(np.clip(_correlations(metric)[1, 0], -1.0, 1.0)) / (2.0 * np.pi)
    return np.array([0.5 - largest, 0.5, largest])


def _weights_of_three(metric):
    """Three variances: spherical triangles (of the cone and of its polar), and Gauss-Bonnet."""
    none = _positive_share(_correlations(metric))
    every = _positive_share(_correlations(np.linalg.inv(metric)))
    return np.clip([none, 0.5 - every, 0.5 - none, every], 0.0, 0.5)


def _weights_of_matrix(metric):
    """A 2 x 2 covariance matrix: the shares of the sphere in the cone and in its polar, and Gauss-Bonnet.

    Semidefinite matrices are a circular cone, ``t_11 t_22 >= t_21^2``, so that with ``t ~ N(0, I^-1)`` the share is
    that of a quadratic form with one positive eigenvalue: an integral over the angle of the other two.
    """
    # t = (t11, t21, t22); a score u = (tr UE_a) has the matrix [u1, u2 / 2; u2 / 2, u3]
    matrix, score = (
        np.array([[0, 0, 0.5], [0, -1, 0], [0.5, 0, 0]]),
        np.array([[0, 0, 0.5], [0, -0.25, 0], [0.5, 0, 0]]),
    )
    every = _share_of_cone(np.linalg.inv(metric), matrix)
    none = _share_of_cone(metric, score)
    return np.clip([none, 0.5 - every, 0.5 - none, every], 0.0, 0.5)


def _share_of_cone(covariance, form):
    """``P(t'Qt > 0) / 2`` for normal t and a form Q with one positive and two negative eigenvalues."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    low, middle, high = np.linalg.eigvalsh(root.T @ form @ root)
    angles = np.pi * np.arange(ANGLES) / ANGLES
    squares = np.maximum(-low, 0.0) * np.cos(angles) ** 2 + np.maximum(-middle, 0.0) * np.sin(angles) ** 2
    return 0.5 * float(np.mean(1.0 - np.sqrt(squares / (squares + max(high, np.finfo(float).tiny)))))


_CLOSED_FORMS = {(1, 1): _weights_of_two, (1, 1, 1): _weights_of_three, (2,): _weights_of_matrix}


def _simulated_weights(metric, cones):
    """Weights from the share of simulated normal vectors that the projection on the cone keeps.

    A vector that the projection takes to the interior of a face of dimension j keeps a share of its squared length that
    is Beta(j / 2, (k - j) / 2): the weights are those of this mixture, by maximum likelihood, even and odd ones summing
    to one half each.
    """
    isometry = 1.0 / np.sqrt(2.0 * np.concatenate([kernels.halves(order) for order in cones]))
    k = len(isometry)
    metric = metric * np.outer(isometry, isometry)
    values, vectors = np.linalg.eigh(metric)
    known = values > FLAT * values[-1]
    size = (DRAWS if max(cones) < 3 else FEWER_DRAWS) // 2
    draws = np.random.default_rng(0).standard_normal((size, int(known.sum())))
    draws = np.concatenate([draws, -draws])
    scores = draws @ (vectors[:, known] * np.sqrt(values[known])).T
    kept = _projected(metric, scores, cones) / np.sum(draws**2, axis=1)
    weights = np.zeros(k + 1)
    weights[: known.sum() + 1] = _mixture_of_shares(kept, int(known.sum()))
    return weights


def _projected(metric, scores, cones):
    """Squared lengths of the projections: ``max 2 u't - t'It`` over the cone, by alternating directions (ADMM).

    The best multiple of a nearly right t is right to second order, so few steps do.
    """
    values, vectors = np.linalg.eigh(metric)
    rho = np.sqrt(values[-1] * max(values[0], 1e-3 * values[-1]))
    shrink = (vectors / (np.maximum(values, 0.0) + rho)) @ vectors.T
    found, rows = np.zeros_like(scores), np.arange(len(scores))
    fixed, v, w = scores @ shrink, np.zeros_like(scores), np.zeros_like(scores)
    for _ in range(STEPS):
        t = fixed + rho * (v - w) @ shrink
        t = 1.6 * t - 0.6 * v
        before, v = v, _nearest(t + w, cones)
        w += t - v
        found[rows] = v
        moves = np.sum((v - before) ** 2 + (t - v) ** 2, axis=1) > ENOUGH**2 * np.sum(fixed**2, axis=1)
        if not np.any(moves):
            break
        rows, fixed, v, w = rows[moves], fixed[moves], v[moves], w[moves]
    v = found
    slope, length = np.sum(scores * v, axis=1), np.einsum("nk,kl,nl->n", v, metric, v, optimize=True)
    return np.where(length > 0, np.maximum(slope, 0.0) ** 2 / np.where(length > 0, length, 1.0), 0.0)


def _nearest(points, cones):
    """The nearest positive semidefinite matrices, isometric packed coordinates, cone after cone."""
    out, start = np.empty_like(points), 0
    for order in cones:
        window = slice(start, start + kernels.packed_size(order))
        out[:, window] = _nearest_matrices(points[:, window], order)
        start = window.stop
    return out


def _nearest_matrices(points, order):
    if order == 1:
        return np.maximum(points, 0.0)
    if order == 2:
        return _nearest_of_order_two(points)
    isometry = np.sqrt(2.0 * kernels.halves(order))
    values, vectors = np.linalg.eigh((points / isometry)[:, kernels.packed_index(order)])
    nearest = (vectors * np.maximum(values, 0.0)[:, None, :]) @ vectors.transpose(0, 2, 1)
    return nearest[(slice(None), *kernels.lower_triangle(order))] * isometry


def _nearest_of_order_two(points):
    """In closed form: ``c I + D`` with D of trace zero has eigenvalues ``c +- |D| / sqrt 2``."""
    a, b, d = points.T
    centre, half = (a + d) / 2.0, (a - d) / 2.0
    radius = np.sqrt(half**2 + b**2 / 2.0)
    high, low = np.maximum(centre + radius, 0.0), np.maximum(centre - radius, 0.0)
    middle, share = (high + low) / 2.0, (high - low) / 2.0 / np.where(radius > 0, radius, 1.0)
    return np.column_stack([middle + share * half, share * b, middle - share * half])


def _mixture_of_shares(kept, k):
    """Weights 0 ... k of the Beta mixture of the shares of squared length, by expectation and maximisation.

    Neighbouring weights are hard to tell apart: a few rounds from those of k orthogonal variances keep them smooth.
    """
    interior = (kept > 1e-6) & (kept < 1.0 - 1e-6)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    counts = np.histogram(kept[interior], edges)[0]
    inner = np.arange(1, k)
    chances = np.diff(special.betainc(inner[:, None] / 2.0, (k - inner[:, None]) / 2.0, edges), axis=1)
    weights, fixed = stats.binom.pmf(np.arange(k + 1), k, 0.5), np.zeros(k + 1)
    fixed[0], fixed[k] = np.sum(kept <= 1e-6), np.sum(kept >= 1.0 - 1e-6)
    for _ in range(ROUNDS):
        expected = fixed.copy()
        joint = weights[inner, None] * chances
        expected[inner] += (joint / np.maximum(joint.sum(axis=0), np.finfo(float).tiny)) @ counts
        weights = expected
        for parity in (0, 1):
            weights[parity::2] *= 0.5 / max(weights[parity::2].sum(), np.finfo(float).tiny)
    return weights


# -------------------------------------------------------------------------------------- one variance, finite samples


def _exact_test(fit, statistic, n_samples, random_state):
    """The test of one variance against the simulated distribution of its statistic for these rows."""
    if fit.sigma2 is None:
        raise ValueError(
            "method='exact': the exact test exists for linear models only.\nUse method='chibar' for a classifier."
        )
    if fit.n_variance_parameters != 1:
        raise ValueError(
            f"method='exact': the test needs one variance parameter, the model has {fit.n_variance_parameters}.\n"
            "Use method='chibar'."
        )
    draws = simulated_statistics(fit, n_samples, random_state)
    pvalue = float(np.mean(draws >= statistic)) if statistic > 0 else 1.0
    null = f"the random-effect variance is zero; {n_samples:,} draws of the statistic for these rows"
    return LikelihoodRatioTest(float(statistic), 1, pvalue, null, "RLRT" if fit.reml else "LRT")


def simulated_statistics(fit, n_samples, random_state):
    """Draws of ``2 (l1 - l0)`` of one variance under the null.

    With mu the eigenvalues of ``Z'PZ``, xi those that enter the log-determinant (mu under REML, those of ``Z'WZ`` under
    ML) and independent chi-squareds c_s, and c_0 with n - p - rank degrees of freedom, the statistic is the maximum
    over the variance ratio lambda of

        nu log(sum c / (c_0 + sum c_s / (1 + lambda mu_s))) - sum log(1 + lambda xi_s).
    """
    mu, multiplicities = projected_eigenvalues(fit)
    xi, copies = (mu, multiplicities) if fit.reml else eigenvalues(fit)
    rng, present = np.random.default_rng(random_state), mu > 1e-12 * mu.max()
    mu, multiplicities = mu[present], multiplicities[present]
    c = rng.chisquare(multiplicities, (n_samples, len(mu)))
    rest = fit.df_resid - multiplicities.sum()
    c0 = rng.chisquare(rest, n_samples) if rest > 0 else np.zeros(n_samples)
    ratios = GRID / (multiplicities @ mu / multiplicities.sum())
    left = c0[:, None] + c @ (1.0 / (1.0 + mu[:, None] * ratios))
    penalty = copies @ np.log1p(xi[:, None] * ratios)
    gains = np.log(c0 + c.sum(axis=1))[:, None] - np.log(left, out=left)
    return _peaks(fit.objective.nu * gains - penalty)


def _peaks(values):
    """The maximum of every row, from the parabola through the highest point and its neighbours on the grid."""
    place = np.argmax(values, axis=1)
    inner = (place > 1) & (place < values.shape[1] - 1)
    rows, place = np.flatnonzero(inner), place[inner]
    before, top, after = (values[rows, place + step] for step in (-1, 0, 1))
    peaks = np.max(values, axis=1)
    peaks[inner] += (after - before) ** 2 / (8.0 * np.maximum(2.0 * top - before - after, np.finfo(float).tiny))
    return peaks


def _only_term(fit):
    """``A_l`` (m, q, q) and ``B_l = Z_l'WX`` (m, q, p) of the only term with a variance."""
    block = next(block for block in fit.model.blocks if len(block.structure.basis))
    q = fit.model.sizes[block.factor]
    A = fit.objective.plan.blocks[block.factor][kernels.packed_index(q)][block.window, block.window]
    B = fit.objective.U[block.factor][block.window, :-1]
    return A.transpose(2, 0, 1), B.transpose(2, 0, 1)


def eigenvalues(fit):
    """Eigenvalues of ``Z'WZ`` and how often each occurs."""
    A, _ = _only_term(fit)
    return np.unique(np.linalg.eigvalsh(A).ravel(), return_counts=True)


def projected_eigenvalues(fit):
    """Eigenvalues of ``Z'PZ``, ``P = W - WX (X'WX)^-1 X'W``, and how often each occurs.

    Levels of a scalar effect with equal ``A_l = a`` are interchangeable: combinations of them that are orthogonal to
    ``B_l`` have the eigenvalue a, and p combinations are left to a small dense problem.
    """
    A, B = _only_term(fit)
    half = FixedEffects.from_sums(fit.objective.gram).half_inverse
    B = B @ half.T
    if A.shape[1] == 1:
        return _scalar_eigenvalues(A[:, 0, 0], B[:, 0])
    _check_dense(A.shape[0] * A.shape[1])
    flat = B.reshape(-1, B.shape[2])
    dense = -flat @ flat.T
    rows = np.arange(len(flat)).reshape(len(A), -1)
    dense[rows[:, :, None], rows[:, None, :]] += A
    return np.maximum(np.linalg.eigvalsh(dense), 0.0), np.ones(len(flat))


def _scalar_eigenvalues(a, B):
    kinds, kind, counts = np.unique(a, return_inverse=True, return_counts=True)
    taken = np.minimum(counts, B.shape[1])
    _check_dense(taken.sum())
    order = np.argsort(kind, kind="stable")
    parts = np.split(B[order], np.cumsum(counts)[:-1])
    roots = np.vstack([_root_rows(part, r) for part, r in zip(parts, taken, strict=True)])
    dense = np.diag(np.repeat(kinds, taken)) - roots @ roots.T
    found = np.maximum(np.linalg.eigvalsh(dense), 0.0) if len(dense) else np.zeros(0)
    free = counts > taken
    return np.append(found, kinds[free]), np.append(np.ones(len(found)), (counts - taken)[free])


def _root_rows(rows, rank):
    """``rank`` rows with the same cross-products."""
    if len(rows) == rank:
        return rows
    values, vectors = np.linalg.eigh(rows.T @ rows)
    largest = slice(len(values) - rank, None)
    return (vectors[:, largest] * np.sqrt(np.maximum(values[largest], 0.0))).T


def _check_dense(order):
    if order > MAX_DENSE_EIGENVALUES:
        raise ValueError(
            f"method='exact': {order:,} groups differ from each other, more than {MAX_DENSE_EIGENVALUES:,}.\n"
            "Use method='chibar', which is accurate for so many groups."
        )
