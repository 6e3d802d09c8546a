"""Classifiers of rows that are read in parts."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import clone

from .._data.response import response_name
from .._engines import Engine
from .._fit.glmm import GlmmFit
from .._fit.model import FittedModel
from .._fit.separation import infinite_in_store
from .._reader import Reader, Spec
from .._report.crowding import refuse_boundless
from .._report.problems import generalised_problems
from .streamed import too_few
from .watched import Reporter, Watched


class FitsChunks(Watched):
    """A classifier whose rows may be elsewhere."""

    alpha: float
    class_weight: Any
    verbose: int

    def _fit_parts(self, engine: Engine, X: Any, y: Any, groups: Any, sample_weight: Any) -> Self:
        """Fit rows that an engine holds; what goes wrong leaves the estimator as it was."""
        new = clone(self)
        asked = Spec.of(self), float(self.alpha), self.class_weight
        rest = X, y, groups, sample_weight, new._check_part
        with engine.placed(*asked, *rest, lines=bool(self.verbose)) as rows:
            if rows is None or rows.n_rows < 2:
                raise too_few(X, 0 if rows is None else rows.n_rows)
            refuse_boundless(rows.reader, rows.counts)
            with self._watching(None, None) as report:
                fit = self._fit_rows(rows.reader, rows.design, report)
            infinite = infinite_in_store(fit, rows.sizes, rows.events)
            fit = (fit.unbounded() if any(infinite) else fit).completed()
        model = _model_of(fit, rows, y)
        again = engine.rows(rows.reader, rows.n_rows, X, y, sample_weight)
        if again is not None:
            model = model.with_rows(again.of_outcomes(rows.classes, rows.factors))
        self._store(model, generalised_problems(model, infinite))
        return self

    def _check_part(self, reader: Reader, rows: Any) -> None:
        """Refuse what no part may have."""
        raise NotImplementedError

    def _fit_rows(self, reader: Reader, design: Any, report: Reporter | None) -> GlmmFit:
        raise NotImplementedError


def _model_of(fit, rows, y):
    """The fitted model; ``y`` is the response, or the name of its column."""
    names = rows.names(y if isinstance(y, str) else response_name(y))
    known = {"class_factors": rows.factors, "is_of_sums": True}
    model = FittedModel(fit, rows.reader, names, None, rows.classes, **known)
    vars(model)["fingerprint"] = (rows.n_rows,)
    return model
