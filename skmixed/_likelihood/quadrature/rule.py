"""Nodes and weights of Gauss-Hermite rules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

MAX_DIMENSION = 3


@dataclass(frozen=True)
class Rule:
    """Nodes (k, q) of the product rule and ``log omega_k + |z_k|^2 / 2``."""

    nodes: np.ndarray
    log_weights: np.ndarray

    @classmethod
    @cache
    def product(cls, points, q):
        """Gauss-Hermite rule for the standard normal distribution in q dimensions."""
        x, w = np.polynomial.hermite_e.hermegauss(points)
        logs = np.log(w) - 0.5 * np.log(2.0 * np.pi) + 0.5 * x**2
        nodes = np.array(list(product(x, repeat=q)))
        return cls(nodes, np.array([sum(t) for t in product(logs, repeat=q)]))
