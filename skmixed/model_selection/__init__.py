"""Splitters for the questions that are asked of groups: known ones, new ones, and their future."""

from ._forward import ForwardSplit
from ._known import KnownGroupsKFold
from ._new import NewGroupsKFold

__all__ = ["ForwardSplit", "KnownGroupsKFold", "NewGroupsKFold"]
