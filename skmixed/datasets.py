"""Simulated data for examples and tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

__all__ = ["make_mixed_regression"]


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
    rng, covariance = check_random_state(random_state), np.asarray(covariance, dtype=float)
    group = np.repeat(np.arange(n_groups), rows_per_group)
    x = rng.standard_normal((len(group), len(coef)))
    b = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=n_groups)[group]
    Z = np.column_stack([np.ones(len(group)), x])[:, : len(covariance)]
    y = intercept + x @ np.asarray(coef, dtype=float) + np.sum(Z * b, axis=1)
    y += np.sqrt(scale) * rng.standard_normal(len(group))
    X = pd.DataFrame(x, columns=[f"x{j}" for j in range(len(coef))]).assign(group=group)
    return X, pd.Series(y, name="y")
