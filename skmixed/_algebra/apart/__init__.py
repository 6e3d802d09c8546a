"""Elimination of connected components of the level graph one by one.

Levels are connected where they share rows.  Effects of levels that no path connects are independent
given the data, so the dense block of crossed factors is block diagonal, a block for each component.
"""

from .components import components_apart
from .plan import ApartPlan

__all__ = ["ApartPlan", "components_apart"]
