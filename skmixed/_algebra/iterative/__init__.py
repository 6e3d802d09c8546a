"""Crossed factors too large to factorise: conjugate gradients and stochastic traces.

The largest factor is eliminated exactly, level by level, as everywhere.  What is left,

    S = I + R' (A_RR - C' M C) R,

is never formed: it is multiplied with vectors, by sparse products.  Solutions are those of
conjugate gradients; traces of its inverse and its log-determinant are averages over fixed random
vectors, which are the same for every T, so that estimates are a smooth function of the data.
"""

from .plan import IterativePlan

__all__ = ["IterativePlan"]
