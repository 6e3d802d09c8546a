"""What is summed over the nodes of every level."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..._algebra.packed import packed_size, triangle_entries


class Nodes(NamedTuple):
    """Some nodes of every level.

    Attributes
    ----------
    z : (k, q) the nodes of the rule
    u : (q, k, m) spherical effects
    share : (k, m) weights, relative to the density at the mode
    score : (k, n) of the rows
    s : (q, k, m) of the levels, ``Z'r``
    h : (q, k, m) ``u - L's``
    v : (q, k, m) ``C^-1 h``
    """

    z: np.ndarray
    u: np.ndarray
    share: np.ndarray
    score: np.ndarray
    s: np.ndarray
    h: np.ndarray
    v: np.ndarray


class Integral:
    """What is summed over the nodes of every level; averages are those of the posterior weights."""

    def __init__(self, q, m, rows):
        self._codes = rows.groups[0].codes
        self.total = np.zeros(m)
        self._score = np.zeros(len(self._codes))
        self._e = np.zeros((q, m))
        self._outer = np.zeros((q, q, m))
        self._Y = np.zeros((packed_size(q), m))

    def add(self, nodes: Nodes):
        """Some more nodes."""
        share = nodes.share
        self.total += np.sum(share, axis=0)
        self._score += np.einsum("kn,kn->n", share[:, self._codes], nodes.score)
        self._e += np.einsum("km,qkm->qm", share, nodes.h)
        self._outer += np.einsum("km,rkm,ckm->rcm", share, nodes.s, nodes.u)
        scaled = share * nodes.v
        for k, (r, c) in enumerate(triangle_entries(len(nodes.u))):
            self._Y[k] += nodes.z[:, r] @ scaled[c]

    @cached_property
    def score(self):
        """``sum_k pi_k r_k`` per row."""
        return self._score / self.total[self._codes]

    @cached_property
    def e(self):
        """``sum_k pi_k h_k``."""
        return self._e / self.total

    @cached_property
    def outer(self):
        """``sum_k pi_k s_k u_k'`` of every level, (q, q, m)."""
        return self._outer / self.total

    @cached_property
    def Y(self):
        """Packed: the lower triangle of ``sum_k pi_k z_k (C^-1 h_k)'``."""
        return self._Y / self.total
