"""Fixed random vectors by which traces are estimated.

For a random Z with ``E ZZ' = I`` the average of ``Z'SZ`` is the trace of S (Hutchinson 1990).  With
signs it is off by the entries beside the diagonal only; each factor has vectors of its own, zero in
the others, and each effect as well, so that what factors and effects share adds nothing.  A factor
with few columns has its unit vectors, by which traces are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PROBES = 50  # vectors of a factor
LEAST_ROUNDS = 10  # random signs of the levels, however many effects a level has
SEED = 20_05


@dataclass(frozen=True, eq=False)
class Probes:
    """The vectors of one factor.

    Attributes
    ----------
    start : first column of the factor among those that are left
    vectors : (columns of the factor, vectors), small integers
    rounds : by what ``vectors @ vectors.T`` is divided to be the identity on average
    """

    start: int
    vectors: np.ndarray
    rounds: int

    @property
    def window(self):
        """Columns of the factor."""
        return slice(self.start, self.start + len(self.vectors))

    @property
    def is_exact(self):
        """Whether nothing is left to chance."""
        return self.rounds == 1

    def chunks(self, size):
        """Slices of the vectors."""
        count = self.vectors.shape[1]
        return [slice(lo, min(lo + size, count)) for lo in range(0, count, size)]

    def own(self, chunk):
        """Some of the vectors, within the factor."""
        return self.vectors[:, chunk].astype(float)

    def spread(self, own, width):
        """Vectors within the factor as vectors over all that is left."""
        out = np.zeros((width, own.shape[1]))
        out[self.window] = own
        return out


def make_probes(start, q, levels, count=PROBES, seed=SEED):
    """Those of a factor with so many effects and levels."""
    if q * levels <= count:
        return Probes(start, np.eye(q * levels, dtype=np.int8), 1)
    rounds = max(count // q, LEAST_ROUNDS)
    signs = random_signs(levels, rounds, seed + start)
    vectors = np.einsum("lk,rc->lrkc", signs, np.eye(q, dtype=np.int8))
    return Probes(start, vectors.reshape(levels * q, rounds * q), rounds)


def random_signs(rows, columns, seed):
    """A matrix of plus and minus one."""
    bits = np.random.default_rng(seed).integers(0, 2, (rows, columns), dtype=np.int8)
    return 2 * bits - 1
