"""Wide tables, a column per occasion, as long ones, a row per occasion."""

from __future__ import annotations

import re
from typing import Any, Literal

import narwhals.stable.v1 as nw

from .._data import tables
from .._data.checks import check_choice, nearest

__all__ = ["to_long"]


def to_long(
    df: Any,
    columns: str | list[str],
    *,
    id: str | list[str] | None = None,
    time: str = "time",
    sep: str = "",
    suffix: str = r"\d+",
    missing: Literal["keep", "drop"] = "keep",
) -> Any:
    """A row per occasion from a column per occasion: ``score1, score2`` become ``time, score``.

    What pandas calls ``wide_to_long``, for tables of any kind, without an index, and with rows that
    need no name.

    Parameters
    ----------
    df : table
        pandas, polars or pyarrow.
    columns : str or list of str
        What the names of the columns begin with: ``"score"`` for ``score1, score2``.
    id : str or list of str, default=None
        Columns that tell the rows apart; None numbers them in a new column ``id``, from 0.
    time : str, default="time"
        Name of the new column with the occasions: whole numbers where all are, else text.
    sep : str, default=""
        What stands between a name and an occasion: ``"_"`` for ``score_1``.
    suffix : str, default="\\\\d+"
        Regular expression of an occasion.
    missing : {"keep", "drop"}, default="keep"
        Whether occasions without any value stay as rows.

    Returns
    -------
    table
        Of the kind of df, sorted by id and time: ids, time, the other columns, which are repeated,
        and those that were asked for.

    Raises
    ------
    ValueError
        For names that no column begins with, ids that are not unique, and names that are taken.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmixed.preprocessing import to_long
    >>> wide = pd.DataFrame({"child": ["a", "b"], "score1": [3, 4], "score2": [5, 6]})
    >>> to_long(wide, "score", id="child", time="visit")
      child  visit  score
    0     a      1      3
    1     a      2      5
    2     b      1      4
    3     b      2      6
    """
    check_choice("missing", missing, ("keep", "drop"))
    tables.check_in_memory(df)
    frame = _frame(df)
    stubs = _listed(columns)
    found = {stub: _occasions(stub, frame.columns, sep, suffix) for stub in stubs}
    taken = {name for names in found.values() for name in names.values()}
    ids = ["id"] if id is None else _listed(id)
    _check_names(frame, id, ids, [time, *stubs], taken)
    frame = frame.with_row_index("id") if id is None else frame
    _check_unique(frame, ids)
    others = [name for name in frame.columns if name not in {*taken, *ids}]
    long = _stacked(frame, found, ids, others, time).select(*ids, time, *others, *stubs)
    if missing == "drop":
        long = long.filter(~nw.all_horizontal(*[nw.col(stub).is_null() for stub in stubs]))
    return _without_index(long.sort(*ids, time).to_native())


def _frame(df: Any) -> nw.DataFrame[Any]:
    try:
        return nw.from_native(df, eager_only=True)
    except TypeError as error:
        raise TypeError(
            f"df: expected a table with named columns, got {type(df).__name__}.\n"
            "Make a pandas or polars DataFrame of it."
        ) from error


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _without_index(table: Any) -> Any:
    return table.reset_index(drop=True) if hasattr(table, "reset_index") else table


def _occasions(stub: str, names: list[str], sep: str, suffix: str) -> dict[str, str]:
    """Names of the columns of a stub, by occasion."""
    pattern = re.compile(f"{re.escape(stub + sep)}({suffix})")
    matches = {name: pattern.fullmatch(str(name)) for name in names}
    found = {match.group(1): name for name, match in matches.items() if match}
    if not found:
        stems = {re.sub(rf"{re.escape(sep)}{suffix}$", "", str(name)) for name in names}
        meant = nearest(stub, stems)
        advice = f"Did you mean {meant!r}?" if meant else f"They are {', '.join(map(str, names))}."
        raise ValueError(
            f"columns: no column is called {stub + sep!r} and an occasion ({suffix}).\n{advice}"
        )
    return found


def _stacked(
    frame: Any, found: dict[str, dict[str, str]], ids: list[str], others: list[str], time: str
) -> nw.DataFrame[Any]:
    """The rows of one occasion after the other."""
    times = set().union(*found.values())
    are_whole = all(t.isdecimal() for t in times)
    kinds = {stub: _common(frame, names) for stub, names in found.items()}
    parts = []
    for t in sorted(times):
        there = {stub: names[t] for stub, names in found.items() if t in names}
        columns = [_cast(nw.col(name), kinds[stub]).alias(stub) for stub, name in there.items()]
        occasion = nw.lit(int(t) if are_whole else t).alias(time)
        parts.append(frame.select(*ids, *others, *columns).with_columns(occasion))
    return nw.concat(parts, how="diagonal")


def _cast(column: nw.Expr, kind: Any) -> nw.Expr:
    return column if kind is None else column.cast(kind)


def _common(frame: Any, names: dict[str, str]) -> Any:
    """A type for all columns of a stub, where they are numbers of several types."""
    kinds = {frame.schema[name] for name in names.values()}
    return nw.Float64 if len(kinds) > 1 and all(kind.is_numeric() for kind in kinds) else None


def _check_names(frame: Any, given: Any, ids: list[str], new: list[str], taken: set[str]) -> None:
    if given is not None:
        for name in ids:
            if name not in frame.columns:
                raise tables.unknown_column("id", name, list(frame.columns))
    stay = [name for name in frame.columns if name not in taken]
    for name in new + (ids if given is None else []):
        if name in stay:
            raise ValueError(
                f"There is a column {name!r} already.\n"
                "Rename it, or call the new one something else by id= or time=."
            )


def _check_unique(frame: Any, ids: list[str]) -> None:
    if frame.select(*ids).is_duplicated().any():
        raise ValueError(
            f"id={ids!r}: some rows have the same ids.\n"
            "Name more columns, or leave id out to have the rows numbered."
        )
