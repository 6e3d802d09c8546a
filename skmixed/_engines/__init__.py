"""Engines: who sums rows that are no table in memory, and asks them for predictions.

An engine is a module of this folder; nobody imports it by name, and without its file everything
else is as it was.  It answers

    takes(X)                                    whether X is for it
    stream(spec, alpha, X, y, groups, weights)  the sums of all rows; None where no row counts;
                                                with lines=True it says how far it is
    rows(reader, n_rows, X, y, weights)         the rows to be read again; None where they cannot be
    placed(...)                                 all rows where a classifier asks them in rounds
    applied(ask, X, groups, answer)             what ``ask`` says of the rows, part by part
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple, Protocol, Self, cast

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from .._fit.keyed import PartOfDraws
from .._fit.parts import RowParts
from .._fit.spilling import Check, Spilled
from .._fit.stream import Stream
from .._reader import Reader, Spec


class Answer(NamedTuple):
    """What a method returns for rows.

    Attributes
    ----------
    columns : names of the columns of the values; None for one value per row
    dtype : of the values
    count : number of such answers, a tuple where there are several
    """

    columns: Sequence[Any] | None = None
    dtype: Any = np.float64
    count: int = 1


@dataclass(frozen=True, eq=False)
class Asking:
    """A method of an estimator with its options, to be asked of every part."""

    method: str
    estimator: Any
    options: dict[str, Any]

    @classmethod
    def of(cls, method: str, estimator: Any, options: dict[str, Any]) -> Self:
        """As it is called."""
        return cls(method, estimator, options)

    def __call__(self, X: Any, groups: Any, number: int) -> Any:
        """What it says of the rows of a part."""
        return getattr(self.estimator, self.method)(X, groups=groups, **self.options)


@dataclass(frozen=True, eq=False)
class Drawing(Asking):
    """Draws of responses: a level has the same effects in every part."""

    seed: int = 0

    def __call__(self, X: Any, groups: Any, number: int) -> Any:
        """What is drawn for the rows of a part."""
        options = self.options | {"random_state": PartOfDraws(self.seed, number)}
        return getattr(self.estimator, self.method)(X, groups=groups, **options)

    @classmethod
    def of(cls, method: str, estimator: Any, options: dict[str, Any]) -> Self:
        """With a seed for all parts."""
        rng = check_random_state(options.get("random_state"))
        return cls(method, estimator, options, int(rng.randint(np.iinfo(np.int32).max)))


class Engine(Protocol):
    """A module of this folder."""

    def takes(self, X: Any) -> bool:
        """Whether X is for it."""

    def stream(
        self,
        spec: Spec,
        alpha: float,
        X: Any,
        y: Any,
        groups: Any,
        sample_weight: Any,
        *,
        lines: bool,
    ) -> Stream | None:
        """The sums of all rows, or None where no row counts."""

    def rows(
        self, reader: Reader, n_rows: int, X: Any, y: Any, sample_weight: Any
    ) -> RowParts | None:
        """The rows of a fit, to be read again."""

    def placed(
        self,
        spec: Spec,
        alpha: float,
        class_weight: Any,
        X: Any,
        y: Any,
        groups: Any,
        sample_weight: Any,
        check: Check,
        *,
        lines: bool,
    ) -> AbstractContextManager[Spilled | None]:
        """All rows where rounds reach them, or None where no row counts."""

    def applied(self, ask: Callable, X: Any, groups: Any, answer: Answer) -> Any:
        """What ``ask(rows, groups, number)`` says of every part."""


def engine_of(X: Any) -> Engine | None:
    """The engine that takes X; None for tables and arrays."""
    if isinstance(X, np.ndarray | pd.DataFrame | list):
        return None
    return next((engine for engine in _engines() if engine.takes(X)), None)


@cache
def _engines() -> list[Engine]:
    names = sorted(found.name for found in iter_modules(__path__))
    return [cast(Engine, import_module(f"{__name__}.{name}")) for name in names]


def by_part(
    answer: Callable[..., Answer], asking: type[Asking] = Asking
) -> Callable[[Callable], Callable]:
    """A method of rows that answers part by part where an engine takes X.

    ``answer`` says what the method returns, given the estimator and the method's options;
    ``asking`` how a part is asked.
    """

    def decorate(method: Callable) -> Callable:
        @wraps(method)
        def asked(self: Any, X: Any, **options: Any) -> Any:
            engine = engine_of(X)
            if engine is None:
                return method(self, X, **options)
            groups = options.pop("groups", None)
            ask = asking.of(method.__name__, self._to_send(), options)
            return engine.applied(ask, X, groups, answer(self, **options))

        return asked

    return decorate
