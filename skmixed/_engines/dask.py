"""Dask: partitions are summed where they are, and asked where they are.

Every task is a function of its arguments, so that whoever runs it, and how often, is no matter: a
worker that is lost costs the time of its tasks.  What runs them is Dask's affair: threads, or the
client that is there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from .._data.tables import unknown_column
from .._fit.parts import RowParts
from .._fit.stream import Opened, Part, Stream
from .._reader import Reader, Spec
from ..streams import chunks

LIBRARIES = ("dask", "dask_expr")
FAN_IN = 8  # streams that one task adds
MANY_LEVELS = 100_000  # of one partition, from which they are shared out
N_SHARES = 8


def takes(X: Any) -> bool:
    """Whether X is a collection of Dask."""
    return type(X).__module__.partition(".")[0] in LIBRARIES and hasattr(X, "to_delayed")


def stream(
    spec: Spec, alpha: float, X: Any, y: Any, groups: Any, sample_weight: Any, *, lines: bool
) -> Stream | None:
    """The sums of all partitions, or None where no row counts."""
    import dask

    _check_columns(X, y, groups, sample_weight)
    beside = {"y": y, "groups": groups, "sample_weight": sample_weight}
    opened = _opened(spec, alpha, X, beside)
    if opened is None:
        return None
    if _is_table(X) and opened.reader.features.names is not None:
        X = _only(X, {*opened.reader.features.names, *(v for v in beside.values() if _named(v))})
    sent = dask.delayed(opened, traverse=False)
    summed = [dask.delayed(_summed)(sent, *block) for block in _blocks(X, **beside)]
    found = dask.compute(*_added(summed))
    streams = [one for shares in found for one in shares if one is not None]
    return Stream.total(streams) if streams else None


def rows(reader: Reader, n_rows: int, X: Any, y: Any, sample_weight: Any) -> RowParts | None:
    """The partitions of a table, fetched one by one; an array has no columns to name."""
    if not _is_table(X) or not all(v is None or _named(v) for v in (y, sample_weight)):
        return None
    known = list(reader.features.names)
    table = _only(X, {*known, y, sample_weight})
    fetched = chunks(lambda: (part.compute() for part in _parts(table)), known)
    return RowParts(reader, fetched, y, sample_weight, n_rows)


def placed(spec: Spec, alpha: float, class_weight: Any, X: Any, *args: Any, lines: bool) -> Any:
    """Rows that are asked again and again do not stay with the workers yet."""
    raise TypeError(
        f"X: a {type(X).__name__} of Dask is no data set for {spec.owner}.\n"
        "Fit X.compute() if it fits into memory, or chunks(...) of its files."
    )


def applied(ask: Callable, X: Any, groups: Any, answer: Any) -> Any:
    """What is asked of every partition, not before somebody wants it."""
    import dask

    if _is_table(X) and (known := getattr(ask.estimator, "feature_names_in_", None)) is not None:
        X = _only(X, known)
    sent = dask.delayed(ask, traverse=False)
    blocks = _blocks(X, groups=groups)
    asked = [dask.delayed(_asked)(sent, answer, k, *block) for k, block in enumerate(blocks)]
    if answer.count == 1:
        return _collected(asked, X, answer)
    each = [[dask.delayed(itemgetter(k))(one) for one in asked] for k in range(answer.count)]
    return tuple(_collected(one, X, answer) for one in each)


# What goes to the workers


def _opened_by(spec, alpha, X, y, groups, weights):
    part = _part(X, y, groups, weights)
    return None if part is None else Opened.by(spec, alpha, part)


def _summed(opened, X, y, groups, weights):
    part = _part(X, y, groups, weights)
    return [] if part is None else opened.streams(part, MANY_LEVELS, N_SHARES)


def _part(X, y, groups, weights):
    """Rows of a partition; the response and the weights may be columns of it."""
    named = [name for name in (y, weights) if _named(name)]
    y, weights = (X[v] if _named(v) else v for v in (y, weights))
    return Part.of(X.drop(columns=named) if named else X, y, groups, weights)


def _totals(lists):
    """Share by share."""
    shares = (list(filter(None, same)) for same in zip_longest(*lists))
    return [Stream.total(streams) if streams else None for streams in shares]


def _share(k, shares):
    return shares[k : k + 1]


def _asked(ask, answer, number, X, groups):
    """The answers of a partition, with its index."""
    found = _nothing(answer) if len(X) == 0 else ask(X, groups, number)
    if answer.count == 1:
        return _shaped(found, X, answer)
    return tuple(_shaped(values, X, answer) for values in found)


def _nothing(answer):
    width = () if answer.columns is None else (len(answer.columns),)
    empty = np.empty((0, *width), dtype=answer.dtype)
    return empty if answer.count == 1 else (empty,) * answer.count


def _shaped(values, X, answer):
    if not isinstance(X, pd.DataFrame):
        return values
    if answer.columns is None:
        return pd.Series(values, index=X.index)
    return pd.DataFrame(values, index=X.index, columns=list(answer.columns))


# What is done here


def _added(lists):
    """A tree of sums; every task of it has few streams to add."""
    import dask

    add = dask.delayed(_totals)
    lists = [add(some) for some in _batches(lists)]
    if len(lists) == 1:
        return lists
    trees = []
    for k in range(N_SHARES):
        share = dask.delayed(partial(_share, k))
        tree = [share(one) for one in lists]
        while len(tree) > 1:
            tree = [add(some) for some in _batches(tree)]
        trees += tree
    return trees


def _batches(items):
    return [items[start : start + FAN_IN] for start in range(0, len(items), FAN_IN)]


def _opened(spec, alpha, X, beside):
    """What the columns are: of a formula the first partition that has rows says it, else their
    types do.
    """
    import dask

    if spec.formula is None:
        try:
            return Opened.by(spec, alpha, _example_of(X, *beside.values()))
        except (TypeError, ValueError):  # the rows themselves know what is wrong
            pass
    for block in _blocks(X, **beside):
        (opened,) = dask.compute(dask.delayed(partial(_opened_by, spec, alpha))(*block))
        if opened is not None:
            return opened
    return None


def _blocks(X, **beside):
    """Per partition, what is of its rows: everything but names is cut as X is."""
    X = _with_whole_rows(X)
    parts = _parts(X)
    others = [_cut(role, given, X, len(parts)) for role, given in beside.items()]
    return list(zip(parts, *others, strict=True))


def _parts(X):
    return list(np.ravel(X.to_delayed()))


def _with_whole_rows(X):
    return X if _is_table(X) or X.numblocks[1:] in ((), (1,)) else X.rechunk({1: -1})


def _only(X, names):
    """A table without other columns."""
    return X[[name for name in X.columns if name in names]]


def _named(given):
    return isinstance(given, str)


def _is_table(X):
    return hasattr(X, "columns")


def _cut(role, given, X, n_parts):
    """The parts of what is given beside X."""
    if given is None or _named(given):
        return [given] * n_parts
    if not takes(given):
        raise TypeError(
            f"{role}: a {type(given).__name__} has no partitions, and those of X have other rows.\n"
            f"{_advice(role, X)}"
        )
    if hasattr(given, "chunks") and hasattr(X, "chunks"):
        given = _with_whole_rows(_with_chunks(role, given, X))
    parts = _parts(given)
    if len(parts) != n_parts:
        raise ValueError(
            f"{role}: {len(parts)} partitions, and X has {n_parts}.\n"
            "Cut both at the same rows: rechunk or repartition one of them."
        )
    return parts


def _with_chunks(role, given, X):
    """An array in the chunks of X, where it is known what these are."""
    if given.chunks[0] == X.chunks[0] or np.isnan([*given.chunks[0], *X.chunks[0]]).any():
        return given
    if given.shape[0] != X.shape[0]:
        raise ValueError(
            f"{role}: {given.shape[0]} rows, and X has {X.shape[0]}.\n"
            "Give both the same number of rows."
        )
    return given.rechunk({0: X.chunks[0]})


def _advice(role, X):
    if not _is_table(X):
        return f"Make an array of Dask of it: da.from_array({role}, chunks=X.chunks[0])."
    if role == "groups":
        return "Name the grouping columns of X in the constructor: groups='school'."
    return f"Give the name of a column of X: {role}='{'w' if role == 'sample_weight' else 'y'}'."


def _check_columns(X, y, groups, sample_weight):
    """Names of columns."""
    if _named(groups):
        raise TypeError(
            f"groups={groups!r}: labels are passed here, names are for the constructor.\n"
            f"Write MixedLinearRegressor(groups={groups!r})."
        )
    for role, name in (("y", y), ("sample_weight", sample_weight)):
        if not _named(name):
            continue
        if not _is_table(X):
            raise TypeError(
                f"{role}={name!r}: an array has no columns to name.\n{_advice(role, X)}"
            )
        if name not in X.columns:
            raise unknown_column(f"{role}=", name, list(X.columns))


def _example_of(X, *beside):
    """Rows of the same columns and types."""
    return _part(*(one if _named(one) else _example(one) for one in (X, *beside)))


def _example(X):
    if X is None or hasattr(X, "_meta_nonempty"):
        return X if X is None else X._meta_nonempty
    return np.ones((2, *X.shape[1:]), dtype=X.dtype)


def _collected(asked, X, answer):
    """Answers of all partitions as one collection."""
    if _is_table(X):
        from dask.dataframe import from_delayed

        meta = _shaped(_nothing(answer._replace(count=1)), X._meta, answer)
        divisions = X.divisions if X.known_divisions else None
        return from_delayed(asked, meta=meta, divisions=divisions, verify_meta=False)
    from dask import array

    width = () if answer.columns is None else (len(answer.columns),)
    pieces = zip(asked, X.chunks[0], strict=True)
    rows = [array.from_delayed(one, (n, *width), dtype=answer.dtype) for one, n in pieces]
    return array.concatenate(rows, axis=0, allow_unknown_chunksizes=True)
