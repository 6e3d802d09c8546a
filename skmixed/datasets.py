"""Simulated data for examples and tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.utils import check_random_state

__all__ = ["make_mixed_classification", "make_mixed_regression"]


def make_mixed_regression(
    n_groups: int = 100,
    rows_per_group: int = 10,
    *,
    coef: ArrayLike = (1.0, 2.0),
    intercept: float = 0.0,
    covariance: ArrayLike = ((1.0, 0.3), (0.3, 0.5)),
    scale: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[pd.DataFrame, pd.Series]:
    """Rows of ``y = intercept + X coef + b_0 + b_1 x_0 + e`` with random effects b per group.

    Parameters
    ----------
    n_groups, rows_per_group : int
    coef : sequence of float
        Fixed effects of the standard normal columns x0, x1, ...
    intercept : float
    covariance : array-like of shape (q, q)
        Covariance of the effects of one group: the intercept, then the slopes of x0, x1, ...
    scale : float
        Residual variance.
    random_state : int, RandomState or None

    Returns
    -------
    X : DataFrame of shape (n_groups * rows_per_group, len(coef) + 1)
        Columns x0, x1, ... and group.
    y : Series

    Examples
    --------
    >>> from skmixed.datasets import make_mixed_regression
    >>> X, y = make_mixed_regression(n_groups=3, rows_per_group=2, random_state=0)
    >>> list(X.columns), len(y)
    (['x0', 'x1', 'group'], 6)
    """
    rng = check_random_state(random_state)
    X, eta = _linear_predictor(rng, n_groups, rows_per_group, coef, intercept, covariance)
    return X, pd.Series(eta + np.sqrt(scale) * rng.standard_normal(len(eta)), name="y")


def make_mixed_classification(
    n_groups: int = 100,
    rows_per_group: int = 10,
    *,
    coef: ArrayLike = (1.0, 2.0),
    intercept: float = 0.0,
    covariance: ArrayLike = ((1.0,),),
    random_state: int | np.random.RandomState | None = None,
) -> tuple[pd.DataFrame, pd.Series]:
    """Rows of zeros and ones with log-odds ``intercept + X coef + b_0 + b_1 x_0`` and random
    effects b per group.

    Parameters
    ----------
    n_groups, rows_per_group : int
    coef : sequence of float
        Fixed effects of the standard normal columns x0, x1, ...
    intercept : float
    covariance : array-like of shape (q, q)
        Covariance of the effects of one group: the intercept, then the slopes of x0, x1, ...
    random_state : int, RandomState or None

    Returns
    -------
    X : DataFrame of shape (n_groups * rows_per_group, len(coef) + 1)
        Columns x0, x1, ... and group.
    y : Series of int

    Examples
    --------
    >>> from skmixed.datasets import make_mixed_classification
    >>> X, y = make_mixed_classification(n_groups=3, rows_per_group=2, random_state=0)
    >>> list(X.columns), sorted(set(y))
    (['x0', 'x1', 'group'], [0, 1])
    """
    rng = check_random_state(random_state)
    X, eta = _linear_predictor(rng, n_groups, rows_per_group, coef, intercept, covariance)
    return X, pd.Series((rng.random_sample(len(eta)) < expit(eta)).astype(int), name="y")


def _linear_predictor(
    rng: np.random.RandomState,
    n_groups: int,
    rows_per_group: int,
    coef: ArrayLike,
    intercept: float,
    covariance: ArrayLike,
) -> tuple[pd.DataFrame, np.ndarray]:
    """X with its group column, and ``intercept + X coef + Z b``."""
    beta = np.asarray(coef, dtype=float)
    Sigma = np.asarray(covariance, dtype=float)
    group = np.repeat(np.arange(n_groups), rows_per_group)
    x = rng.standard_normal((len(group), len(beta)))
    b = rng.multivariate_normal(np.zeros(len(Sigma)), Sigma, size=n_groups)[group]
    Z = np.column_stack([np.ones(len(group)), x])[:, : len(Sigma)]
    X = pd.DataFrame(x, columns=[f"x{j}" for j in range(len(beta))]).assign(group=group)
    return X, intercept + x @ beta + np.sum(Z * b, axis=1)
