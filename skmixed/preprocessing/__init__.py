"""Transformers and tables for grouped data, to be used before a model of any kind."""

from ._encoder import MixedEffectsEncoder

__all__ = ["MixedEffectsEncoder"]
