"""Results in parts: estimates, rows, tests, and the whole."""

from .values import Found
from .whole import MixedLMResults

__all__ = ["Found", "MixedLMResults"]
