"""The kinds of a prediction."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["conditional", "population", "marginal"]
KINDS = get_args(Kind)


def unknown_kind(kind):
    """The error for a kind of prediction that does not exist."""
    return ValueError(
        f"kind={kind!r} is not known.\nUse {', '.join(map(repr, KINDS[:-1]))} or {KINDS[-1]!r}."
    )
