"""The same deviance in two compiled visits of the rows.

The first is that of Laplace, which finds the modes, how they move, and second derivatives; the
other one sums over the nodes around them.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from ..._algebra.kernels import CHOICE
from ..laplace import SweptPart
from ..modes import Density
from ..sweep import Sweep, arguments
from .agreeing import agreeing, agreeing_levels
from .rule import Rule


class NodeSums(NamedTuple):
    """What a visit of all nodes finds.

    Attributes
    ----------
    deviances : (m,) of the levels
    row_gradients : (n,) ``dd / d eta`` of every row as far as beta is concerned
    root_gradients : (q, q, m) ``dd / dL`` of every level
    """

    deviances: np.ndarray
    row_gradients: np.ndarray
    root_gradients: np.ndarray

    @classmethod
    def of(cls, density: Density, c: np.ndarray, rule: Rule) -> Self:
        """Around the modes, where ``T^-1 b`` is c."""
        q, m = c.shape
        found = cls(np.empty(m), np.empty(len(density.rows.y)), np.empty((q, q, m)))
        CHOICE.native.quadrature_sweep(*arguments(density), c, rule.nodes, rule.log_weights, *found)
        return found


class SweptQuadrature(SweptPart):
    """Contribution of one block of rows to the deviance by quadrature.

    Second derivatives are those of Laplace.  Nothing is kept row by row, or of the nodes: who asks
    for that has them visited again.
    """

    def __init__(self, density: Density, found: Sweep, integration):
        super().__init__(density, found)
        self.integration = integration
        nodes = self._nodes()
        self._value = float(np.sum(nodes.deviances))
        self._slope = self.rows.x_sums(nodes.row_gradients)
        self._root_gradient = np.sum(nodes.root_gradients, axis=2)

    def _nodes(self):
        return NodeSums.of(self.density, self.found.c, self.integration.rule)

    @property
    def value(self):
        return self._value

    @cached_property
    def gradient(self):
        (L,) = self.density.roots
        axes = self.integration.axes
        return [agreeing(self.found.gradient, L, self._root_gradient, axes)]

    @property
    def beta_gradient(self):
        return self._slope

    def row_gradients(self):
        return self._nodes().row_gradients

    def level_gradients(self):
        (laplace,) = super().level_gradients()
        (L,) = self.density.roots
        axes = self.integration.axes
        return [agreeing_levels(laplace, L, self._nodes().root_gradients, axes)]
