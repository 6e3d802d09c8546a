"""Transformers and tables for grouped data, to be used before a model of any kind."""

from ._encoder import MixedEffectsEncoder
from ._long import to_long
from ._panel import PanelDescription, Times, describe_panel
from ._within_between import WithinBetween

__all__ = [
    "MixedEffectsEncoder",
    "PanelDescription",
    "Times",
    "WithinBetween",
    "describe_panel",
    "to_long",
]
