"""A model without some of its fixed effects, fitted again by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._fit.glmm import fit_glmm
from ..._fit.linear import fit_linear
from ..._fit.model import FittedModel, name_everything
from ..._fit.training import source_of
from ..._reader import Door, Reader
from ..._sums.design import Design, RowDesign


@dataclass(frozen=True, eq=False)
class Reordered:
    """A door whose columns come in another order, those that are no fixed effects last.

    Attributes
    ----------
    door : of the whole model
    order : of the columns
    """

    door: Door
    order: np.ndarray

    def read(self, X: Any, groups: Any) -> Any:
        """Rows with their columns in that order."""
        rows = self.door.read(X, groups)
        return replace(rows, X=rows.X[:, self.order])

    def grouping(self, table: Any) -> set:
        """As in the whole model."""
        return self.door.grouping(table)

    @property
    def categorical(self) -> set:
        """As in the whole model."""
        return self.door.categorical

    def used(self, table: Any) -> Any:
        """As in the whole model."""
        return self.door.used(table)


def without(model: FittedModel, columns: np.ndarray, tol: float, max_iter: int) -> FittedModel:
    """The model without some of its fixed effects, by maximum likelihood.

    A column that has a random slope keeps it.
    """
    reader = _reader(model.reader, columns)
    training = replace(model.training, reader=reader)
    rows, codes = training.read()
    source = source_of(training, rows, codes)
    options = {"n_fixed": reader.n_fixed, "fit_intercept": reader.intercept}
    search = {"tol": tol, "max_iter": max_iter}
    if model.fit.family.has_residual:
        fit = fit_linear(Design.of(source, reader.terms, **options), reml=False, **search)
    else:
        design = RowDesign.of(source, reader.terms, **options)
        fit = fit_glmm(design, model.fit.family, n_quadrature=model.fit.points, **search)
    names = name_everything(training, codes, model.names.response, model.names.event)
    return replace(model, fit=fit, reader=reader, names=names, rows=training)


def _reader(reader: Reader, columns: np.ndarray) -> Reader:
    """The reader of the model without some fixed effects; the intercept stays."""
    layout = reader.layout
    dropped = set((columns - int(reader.intercept)).tolist())
    fixed = [k for k in range(layout.n_fixed) if k not in dropped]
    order = [*fixed, *(k for k in range(len(layout.names)) if k not in fixed)]
    places = {k: place for place, k in enumerate(order)}
    terms = tuple(
        replace(term, columns=tuple(places[k] for k in term.columns)) for term in reader.terms
    )
    names = tuple(layout.names[k] for k in order)
    return replace(
        reader,
        door=Reordered(reader.door, np.array(order, dtype=int)),
        layout=layout._replace(names=names, n_fixed=len(fixed)),
        terms=terms,
    )
