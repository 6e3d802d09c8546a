"""What a fitted model says of partitions, not before somebody wants it."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from .. import Answer
from .partitions import blocks_of, is_table, only


def applied(ask: Callable, X: Any, groups: Any, answer: Answer) -> Any:
    """Answers as collections of Dask, cut as X is: of tables with their index."""
    import dask

    if is_table(X) and (known := getattr(ask.estimator, "feature_names_in_", None)) is not None:
        X = only(X, known)
    sent = dask.delayed(ask, traverse=False)
    blocks = [(rows, labels) for rows, _, labels, _ in blocks_of(X, groups=groups)]
    asked = [dask.delayed(_asked)(sent, answer, k, *block) for k, block in enumerate(blocks)]
    if answer.count == 1:
        return _collected(asked, X, answer)
    each = [[dask.delayed(itemgetter(k))(one) for one in asked] for k in range(answer.count)]
    return tuple(_collected(one, X, answer) for one in each)


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


def _collected(asked, X, answer):
    """Answers of all partitions as one collection."""
    if is_table(X):
        from dask.dataframe import from_delayed

        meta = _shaped(_nothing(answer._replace(count=1)), X._meta, answer)
        divisions = X.divisions if X.known_divisions else None
        return from_delayed(asked, meta=meta, divisions=divisions, verify_meta=False)
    from dask import array

    width = () if answer.columns is None else (len(answer.columns),)
    pieces = zip(asked, X.chunks[0], strict=True)
    rows = [array.from_delayed(one, (n, *width), dtype=answer.dtype) for one, n in pieces]
    return array.concatenate(rows, axis=0, allow_unknown_chunksizes=True)
