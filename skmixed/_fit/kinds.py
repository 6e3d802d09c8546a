"""The kinds of a prediction."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["conditional", "population", "marginal"]
KINDS: tuple[str, ...] = get_args(Kind)
