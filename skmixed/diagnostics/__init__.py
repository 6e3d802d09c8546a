"""What a fitted model has to say, in plain words."""

from __future__ import annotations

from ._explain.explain import Explanation, explain

__all__ = ["Explanation", "explain"]
