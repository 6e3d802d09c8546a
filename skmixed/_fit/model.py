"""A fitted model: a fit with all that is needed to use it on rows and to print it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from .._model.predictor import LinearPredictor
from .._reader import Reader
from .._report.names import Names, TermNames
from .._sums.dependencies import Dependencies
from .._sums.design import Design
from .base import Fit, rows_missing
from .training import RowsOfFit, Training


@dataclass(frozen=True, eq=False)
class FittedModel:
    """What an estimator and its results share; nothing changes it.

    Copies of an estimator share it too; a pickled one leaves the training rows behind.

    Attributes
    ----------
    fit : the estimates
    reader : of new rows
    names : for printing
    rows : of the fit, in memory or where they are read again; None where they are not kept
    classes : labels of a classifier
    n_missing : number of rows that were left out because they lack values
    class_factors : what the observations of the classes were multiplied by; None for nothing
    is_of_sums : whether the rows came in parts, of which only sums were kept
    """

    fit: Fit
    reader: Reader
    names: Names
    rows: RowsOfFit | None = field(repr=False)
    classes: np.ndarray | None = None
    n_missing: int = 0
    class_factors: np.ndarray | None = None
    is_of_sums: bool = False

    def __getstate__(self):
        state = {name: vars(self)[name] for name in self.__dataclass_fields__}
        stripped = {"fit": self.fit.stripped(), "rows": None}
        return state | stripped | {"fingerprint": self.fingerprint}

    def __deepcopy__(self, memo):
        return self

    def with_rows(self, rows: RowsOfFit) -> Self:
        """The same model with its rows."""
        found = replace(self, rows=rows)
        vars(found)["fingerprint"] = self.fingerprint
        return found

    def without_rows(self) -> Self:
        """The same model without its rows: what a pickle holds."""
        found = object.__new__(type(self))
        vars(found).update(self.__getstate__())
        return found

    @property
    def training(self) -> Training:
        """The rows of the fit in memory, or an error that says that they are not there."""
        found = None if self.rows is None else self.rows.training
        if found is None:
            raise rows_missing(only_sums=self.is_of_sums, are_read_again=self.rows is not None)
        return found

    @property
    def has_rows_in_memory(self) -> bool:
        """Whether all rows of the fit are at hand."""
        return self.rows is not None and self.rows.is_in_memory

    def parts(self) -> Iterator[Training]:
        """The rows of the fit part by part, or an error that says that they are not kept."""
        return self.known_rows.parts()

    @property
    def n_rows(self) -> int:
        """Number of rows that count."""
        return self.known_rows.n_rows

    @property
    def index(self) -> pd.Index | None:
        """Labels of the rows; None where they have none."""
        return self.known_rows.index

    @property
    def known_rows(self) -> RowsOfFit:
        """The rows of the fit wherever they are, or an error that says that they are not kept."""
        if self.rows is None:
            raise rows_missing(only_sums=self.is_of_sums)
        return self.rows

    @property
    def has_estimator(self) -> bool:
        """Whether the fixed part is another estimator, whose parameters and errors nobody knows."""
        return getattr(self.reader.door, "part", None) is not None

    @cached_property
    def fingerprint(self) -> tuple:
        """What tells the rows and responses of one fit from those of another."""
        return self.training.fingerprint

    @cached_property
    def predictor(self) -> LinearPredictor:
        """The linear predictor of new rows."""
        return LinearPredictor(*self._fixed_part, self.fit.effects, self.reader.terms)

    @property
    def _fixed_part(self):
        """Coefficients of the columns, and the intercept."""
        coefficients = self.fit.coefficients
        k = int(self.reader.intercept)
        return coefficients[k:], float(coefficients[0]) if k else 0.0

    @cached_property
    def dependencies(self) -> Dependencies | None:
        """What holds among the fixed effects in all rows; None where nothing does."""
        found = self.fit.units.dependencies
        return found if len(found.dropped) else None

    @property
    def coefficient_names(self) -> list[str]:
        """Names of the fixed effects that were not dropped."""
        return [self.names.fixed[k] for k in self.fit.units.independent]

    @property
    def dropped(self) -> list[str]:
        """Names of those that depend on others."""
        kept = set(self.fit.units.independent.tolist())
        return [name for k, name in enumerate(self.names.fixed) if k not in kept]

    def attributes(self) -> dict[str, Any]:
        """Fitted attributes of the estimator."""
        fit = self.fit
        coefficients, intercept = self._fixed_part
        found = {
            "coef_": coefficients,
            "coef_names_": np.array(self.names.fixed[self.names.intercept :], dtype=object),
            "intercept_": intercept,
            "covariances_": fit.covariances,
            "loglik_": float(fit.loglik),
            "solver_": str(fit.solver),
            "converged_": bool(fit.optimum.converged),
            "n_iter_": int(fit.optimum.n_evaluations),
        }
        if fit.family.has_residual:
            found["scale_"] = float(fit.sigma2)
        else:
            found["n_quadrature_"] = int(fit.points)
        if self.classes is not None:
            found["classes_"] = self.classes
        return found | self.reader.features.attributes


def name_everything(
    training: Training,
    codes: list[np.ndarray],
    response: Any,
    event: str = "",
    design: Design | None = None,
) -> Names:
    """The names of a fit; ``codes`` are those of its rows, ``design`` its sums if there are any."""
    known = [None if design is None else design.observations(f) for f in range(len(codes))]
    parts = zip(codes, training.reader.factors, known, strict=True)
    sizes = tuple(_sizes(training.weights, *part) for part in parts)
    return names_of(training.reader, sizes, response, event)


def _sizes(weights, codes, factor, known):
    """Observations of every level, counted where they are not known."""
    if known is None:
        return np.bincount(codes, weights, factor.n_levels)
    return np.rint(known).astype(np.int64) if weights is None else known


def events_of(training: Training, codes: list[np.ndarray]) -> list[np.ndarray]:
    """The sum of the responses of every level, per factor."""
    y = training.y if training.weights is None else training.weights * training.y
    counted = zip(codes, training.reader.factors, strict=True)
    return [np.bincount(c, y, f.n_levels) for c, f in counted]


def names_of(reader: Reader, sizes: tuple, response: Any, event: str = "") -> Names:
    """The same from the observations of every level, per factor."""
    intercept = ("Intercept",) if reader.intercept else ()
    return Names(
        response=str(response) if response not in (None, "") else "y",
        event=event,
        fixed=(*intercept, *reader.names[: reader.n_fixed]),
        intercept=reader.intercept,
        factors=tuple(factor.name for factor in reader.factors),
        levels=tuple(factor.labels for factor in reader.factors),
        effects=tuple(reader.effect_names(f) for f in range(len(reader.factors))),
        sizes=sizes,
        terms=tuple(TermNames(t.factor, t.covariance, reader.term_names(t)) for t in reader.terms),
    )
