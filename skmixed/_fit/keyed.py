"""Draws that depend on a label and a seed alone, for rows that nobody sees together.

A level whose rows are in several parts has one effect.  Its standard normals are made of its own
hash: the k-th is the normal quantile of the k-th number of the sequence that Steele, Lea and Flood
(2014, Fast splittable pseudorandom number generators) start there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri
from sklearn.utils import check_random_state

from .._data.factors import Factor, hashed
from .._data.rows import Rows
from .model import FittedModel
from .predictions import new_effects

STEP = np.uint64(0x9E3779B97F4A7C15)
MIXERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
TINY = 2.0**-53


class PartOfDraws(NamedTuple):
    """A seed for all parts, and which of them this is."""

    seed: int
    number: int


def drawing(random_state: Any) -> tuple[np.random.RandomState, Callable[..., np.ndarray]]:
    """What draws, and how effects of levels are drawn."""
    if not isinstance(random_state, PartOfDraws):
        return check_random_state(random_state), new_effects
    own = np.random.SeedSequence(list(random_state)).generate_state(4)
    return np.random.RandomState(own), KeyedEffects(random_state.seed)


@dataclass(frozen=True)
class KeyedEffects:
    """Effects of new levels, drawn in parts."""

    seed: int

    def __call__(
        self, model: FittedModel, f: int, covariance: np.ndarray, rows: Rows, n_samples: int, rng
    ) -> np.ndarray:
        """``z'b`` (rows, samples) with b drawn for every level of factor f."""
        size = n_samples, len(covariance)
        if rows.labels:
            labels = [rows.labels[name] for name in model.reader.groups[f]]
            factor, codes = Factor.from_columns("", labels)
            normals = np.append(self._of_levels(f, factor, size), np.zeros((1, *size)), axis=0)
            normals = normals[codes]
        else:
            codes = np.full(len(rows), -1)
            normals = np.zeros((len(rows), *size))
        unnamed = codes < 0  # each a level of its own
        normals[unnamed] = rng.standard_normal((np.sum(unnamed), *size))
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.einsum("nq,nsq->ns", model.predictor.varying(rows, f) @ root, normals)

    def _of_levels(self, f, factor, size):
        start = _mixed(hashed(factor.columns) + _mixed(np.uint64(self.seed) + np.uint64(f) * STEP))
        steps = STEP * np.arange(1, np.prod(size) + 1, dtype=np.uint64)
        mixed = _mixed(start[:, None] + steps)
        uniform = ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * TINY
        return ndtri(uniform).reshape(-1, *size)


def _mixed(bits):
    with np.errstate(over="ignore"):
        for shift, mixer in zip((30, 27), MIXERS, strict=True):
            bits = (bits ^ (bits >> np.uint64(shift))) * mixer
    return bits ^ (bits >> np.uint64(31))
