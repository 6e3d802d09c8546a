"""Scores of conditional predictions."""

from ._conditional import ConditionalScorer, conditional_scorer

__all__ = ["ConditionalScorer", "conditional_scorer"]
