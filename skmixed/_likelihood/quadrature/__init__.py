"""Adaptive Gauss-Hermite quadrature over the effects of a single grouping factor."""

from .adaptive import AdaptiveQuadrature
from .rule import MAX_DIMENSION

__all__ = ["MAX_DIMENSION", "AdaptiveQuadrature"]
