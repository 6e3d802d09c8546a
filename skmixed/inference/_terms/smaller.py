"""A model without some of its fixed effects, fitted again by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._algebra.machine import blas_threads
from ..._fit.glmm import fit_glmm
from ..._fit.linear import fit_linear
from ..._fit.model import FittedModel, names_of
from ..._fit.training import RowsOfFit
from ..._reader import Door, Reader
from ..._sums.design import Design, RowDesign
from ..._sums.tally import Tally, Wanted


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
    search = {"tol": tol, "max_iter": max_iter}
    if model.fit.family.has_residual:
        rows = replace(model.known_rows, reader=reader)
        fit = fit_linear(_design(rows), reml=False, **search)
    else:
        rows = replace(model.training, reader=reader)
        options = {"n_fixed": reader.n_fixed, "fit_intercept": reader.intercept}
        design = RowDesign.of(rows.source(), reader.terms, **options)
        fit = fit_glmm(design, model.fit.family, n_quadrature=model.fit.points, **search)
    names = names_of(reader, model.names.sizes, model.names.response, model.names.event)
    found = replace(model, fit=fit, reader=reader, names=names, rows=rows)
    if "fingerprint" in vars(model):
        vars(found)["fingerprint"] = model.fingerprint
    return found


def _design(rows: RowsOfFit) -> Design:
    """The sums of all parts."""
    tally = None
    with blas_threads():
        for part in rows.parts():
            reader, source = part.reader, part.source()
            wanted = Wanted(reader.terms, reader.n_fixed, reader.intercept)
            tally = Tally.of(source, wanted) if tally is None else tally.add(source)
    return Design.of_tally(tally)


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
