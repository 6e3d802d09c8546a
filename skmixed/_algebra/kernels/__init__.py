"""The sweeps over rows and levels that pay in a compiled language.

There are two implementations of one interface: :mod:`~skmixed._algebra.kernels.reference` in numpy,
which is always there and says what is meant, and
:mod:`~skmixed._algebra.kernels.compiled`, whose loops are in the folder ``native`` of the sources.
They agree to rounding.
"""

from . import compiled, reference
from .choice import CHOICE, MOST_EFFECTS
from .factors import factored

_chosen = reference if CHOICE.native is None else compiled

PairOperator = _chosen.PairOperator
is_dense_product = _chosen.is_dense_product
level_sums = _chosen.level_sums
follow = _chosen.follow
mark_labels = _chosen.mark_labels
place_labels = _chosen.place_labels
floats = _chosen.floats
quadratic = _chosen.quadratic

__all__ = [
    "CHOICE",
    "MOST_EFFECTS",
    "PairOperator",
    "factored",
    "floats",
    "follow",
    "is_dense_product",
    "level_sums",
    "mark_labels",
    "place_labels",
    "quadratic",
]
