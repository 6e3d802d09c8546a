"""Estimators that learn rows in parts, and are fitted when somebody asks for the fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import NotFittedError

from .._engines import Engine
from .._fit.model import FittedModel
from .._fit.stream import Part, Stream
from .._reader import Spec

#: what a fit finds
FOUND = (
    "coef_",
    "coef_names_",
    "intercept_",
    "covariances_",
    "scale_",
    "loglik_",
    "solver_",
    "converged_",
    "n_iter_",
    "results_",
)


class Streamed(BaseEstimator):
    """An estimator with ``partial_fit``.

    Between the rows and the fit there are sums only.  What a fit finds is absent from the estimator
    until it is asked for: then the sums are fitted, once.
    """

    alpha: float
    verbose: int

    __metadata_request__partial_fit = {"groups": True}

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Add rows, of which sums are kept; the model is fitted when it is asked for.

        Cross-products of rows add, so that the fit is that of :meth:`fit` on all rows below each
        other, to rounding, in whatever parts and order they come.  ``coef_``, ``loglik_``,
        ``predict`` and whatever else needs estimates fits the sums once; warnings of the fit come
        then.  After ``fit`` rows are added to those of the fit.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            As for ``fit``; the columns of every part are those of the first.  A part may be of any
            length, without a row too.
        y : array-like of shape (n_rows,)
        groups : array-like, default=None
            Labels, where they are not columns of X.  New levels are welcome.
        sample_weight : array-like of shape (n_rows,), default=None
            Number of times each row counts.

        Returns
        -------
        MixedLinearRegressor
            The estimator itself.

        Raises
        ------
        ValueError
            For other columns than those of the first part, categories of a formula that it has not,
            and as ``fit``; the rows so far stay as they are.
        NotFittedError
            When estimates are asked for and there are fewer than two rows.

        Notes
        -----
        The first part says what a formula means: its categories, and the centres, scales and knots
        that its functions learn.  What needs rows again (residuals, robust covariances, averages
        over the rows, the bootstrap) says so.  A pickle keeps the sums and goes on where it was;
        with them go at most 4,096 rows, from which the units of the sums are chosen.

        References
        ----------
        Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance, The American
        Statistician 37.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> whole = MixedLinearRegressor(groups="group").fit(X, y)
        >>> parts = MixedLinearRegressor(groups="group")
        >>> for start in range(0, 1000, 250):
        ...     rows = slice(start, start + 250)
        ...     parts = parts.partial_fit(X[rows], y[rows])
        >>> round(parts.loglik_ - whole.loglik_, 8) == 0
        True
        """
        part = Part.of(X, y, groups, sample_weight)
        stream = self._stream_so_far()
        if part is not None:
            self._take(self._with_part(stream, part))
        return self

    def _with_part(self, stream: Stream | None, part: Part) -> Stream:
        if stream is None:
            return Stream.of(Spec.of(self), float(self.alpha), part)
        return stream.with_rows(part)

    def _fit_parts(self, engine: Engine, X: Any, y: Any, groups: Any, sample_weight: Any) -> Self:
        """Fit rows that an engine sums; what goes wrong leaves the estimator as it was."""
        spec, lines = Spec.of(self), bool(self.verbose)
        stream = engine.stream(spec, float(self.alpha), X, y, groups, sample_weight, lines=lines)
        if stream is None or stream.n_rows < 2:
            raise too_few(X, 0 if stream is None else stream.n_rows)
        if isinstance(y, str):
            stream = replace(stream, response=y)
        stream = stream.summed()
        self._store_fit(replace(stream))  # a copy, whose sorted sums go with it
        vars(self)["_stream"] = stream
        results = vars(self)["results_"]
        rows = engine.rows(results.fitted.reader, stream.n_rows, X, y, sample_weight)
        results.fitted = results.fitted.with_rows(rows)
        return self

    def _stream_so_far(self) -> Stream | None:
        """The rows so far: of earlier parts, or of a fit that keeps its rows."""
        known = vars(self)
        if "_stream" in known or "results_" not in known:
            return known.get("_stream")
        model = known["results_"].fitted
        rows = model.training
        found = self._with_part(None, Part(rows.given, rows.y, rows.weights, None))
        return replace(found, response=model.names.response)

    def _take(self, stream: Stream) -> None:
        """Rows instead of what was known before them."""
        known = vars(self)
        for name in (*FOUND, "_with_further", "feature_names_in_"):
            known.pop(name, None)
        known.update(_stream=stream, **stream.first.features.attributes)

    @property
    def _awaits_fit(self) -> bool:
        """Whether there are sums that nobody has fitted."""
        return "_stream" in vars(self) and "results_" not in vars(self)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Attributes of a fit, which is made for the first of them."""
            if name in FOUND and self._awaits_fit:
                self._fit_stream(self._stream)
            return object.__getattribute__(self, name)

    def __dir__(self) -> list[str]:
        """Names; looking at them must not fit anything."""
        if not self._awaits_fit:
            return list(super().__dir__())
        of_class = type(self)
        names = object.__dir__(self)
        return [name for name in names if not isinstance(getattr(of_class, name, None), property)]

    def _fit_stream(self, stream: Stream) -> None:
        """Fit the sums."""
        if stream.n_rows < 2:
            raise NotFittedError(
                f"This {type(self).__name__} has seen {stream.n_rows} row, and a fit needs two.\n"
                "Add rows by partial_fit."
            )
        vars(self)["_stream"] = stream = stream.summed()
        self._store_fit(replace(stream))  # a copy, whose sorted sums go with it

    def _store_fit(self, stream: Stream) -> None:
        raise NotImplementedError


def too_few(X: Any, n_rows: int) -> ValueError:
    """The error for rows in parts that are not enough."""
    return ValueError(
        f"{type(X).__name__}: {n_rows} rows that count, and a fit needs two.\n"
        "Look at the parts of X."
    )


def streamed_model(fit: Any, stream: Stream) -> FittedModel:
    """A fitted model without rows."""
    model = FittedModel(fit, stream.reader, stream.names(), None, is_of_sums=True)
    vars(model)["fingerprint"] = (stream.n_rows,)
    return model
