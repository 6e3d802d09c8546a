"""What the estimators share: scikit-learn's conventions, formulas, simulation, tables."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import make_constraint
from sklearn.utils.validation import check_is_fitted

from ._about.documented import Documented
from ._data.checks import check_parameters, warn
from ._engines import Answer, Drawing, by_part, engine_of
from ._fit.keyed import drawing
from ._fit.kinds import Kind
from ._fit.model import FittedModel
from ._fit.predictions import drawn_predictors
from ._formula.complete import rows_of
from ._formula.response import evaluate_response, response_column
from ._formula.split import sides
from ._parts.fixed_part import FixedPart
from ._parts.shown import ShowsVariances
from ._reader import given_terms
from ._report.problems import Problems
from .results import MixedResults

PREDICTION_METHODS = (
    "fit",
    "partial_fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
)


def _drawn_responses(model: Any, *, n_samples: int = 1, **options: Any) -> Answer:
    classes = getattr(model, "classes_", None)
    return Answer(range(n_samples), np.float64 if classes is None else classes.dtype)


@cache
def _constraints(kind: Any) -> list[tuple[str, list[Any]]]:
    """What the parameters of a class may be, where anybody looks at them."""
    stated = kind._parameter_constraints.items()
    looked_at = [(name, allowed) for name, allowed in stated if not isinstance(allowed, str)]
    return [(name, [make_constraint(c) for c in allowed]) for name, allowed in looked_at]


def _is_allowed(value: Any, allowed: list[Any]) -> bool:
    return any(constraint.is_satisfied_by(value) for constraint in allowed)


class MixedModel(Documented, FixedPart, ShowsVariances):
    """Base class of the estimators.

    A fitted one holds its :class:`~skmixed._fit.model.FittedModel` through ``results_`` and nothing
    else that it would need: its parameters are those of the next fit.
    """

    results_: MixedResults
    #: the class of ``results_``
    _results: ClassVar[type[MixedResults]]

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        *,
        missing: Literal["raise", "drop"] = "raise",
        sample_weight: ArrayLike | str | None = None,
        **params: Any,
    ) -> Self:
        """Fit the model of a two-sided formula.

        Parameters
        ----------
        formula : str
            ``"ln_wage ~ ttl_exp + C(race) + age + (1 | idcode)"``.  Unusual names go in backticks,
            ``offset(...)`` is a known part of the linear predictor, and ``cbind(successes,
            failures)`` are counts for the classifier.
        data : table, chunks(...) or table of Dask
            With the columns of the formula.  Where the rows are not in memory the response is one
            of these columns.
        missing : {"raise", "drop"}, default="raise"
            Rows without a value in a column that is used are an error, or are left out;
            ``results_.n_missing`` and the summary say how many.  Only of rows in memory.
        sample_weight : array-like of shape (n_rows,) or str, default=None
            Number of times each row counts, or the column of data that holds it.
        **params
            Parameters of the constructor.

        Returns
        -------
        MixedModel
            Fitted; ``predict`` takes tables with the columns of the right-hand side.

        Raises
        ------
        TypeError
            For arguments in the wrong order, and parameters that do not exist.
        ValueError
            For a formula without a response, and as ``fit``.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> formula = "y ~ x0 + x1 + (1 + x0 | group)"
        >>> model = MixedLinearRegressor.from_formula(formula, X.assign(y=y))
        >>> model.results_.params.index.to_list()
        ['Intercept', 'x0', 'x1']
        """
        if isinstance(data, str):
            raise TypeError(
                f"data={data!r:.60} is a text, not a table.\n"
                "The formula comes first: from_formula('y ~ x + (1 | group)', data)."
            )
        if "formula" not in cls._get_param_names():
            raise TypeError(
                f"{cls.__name__} has no formula: its fixed part is an estimator.\n"
                "Name the groups, and give the other columns to the estimator by a pipeline."
            )
        response, right = sides(formula)
        if not response:
            raise ValueError(f"formula={formula!r} has no response.\nWrite 'y ~ x + (1 | group)'.")
        check_parameters(cls.__name__, params, set(cls._get_param_names()) - {"formula"})
        model = cls(formula=right, **params)
        if engine_of(data) is not None:
            return model.fit(data, response_column(response, missing), sample_weight=sample_weight)
        rows = rows_of(formula, data, sample_weight, missing, [params.get("offset")])
        y = evaluate_response(response, rows.table)
        model.fit(rows.table, y, sample_weight=rows.weights)
        if rows.n_missing:
            model._store(replace(model._model, n_missing=rows.n_missing), iter(()))
        return model

    # Requested by default, so that routing needs no set_*_request calls.
    __metadata_request__fit = {"groups": True}
    __metadata_request__predict = {"groups": True}
    __metadata_request__score = {"groups": True}

    def get_metadata_routing(self) -> Any:
        """Requests of this estimator.

        ``groups=`` is not requested where columns of X are named instead.
        """
        routing = super().get_metadata_routing()
        if self._names_columns():
            for method in PREDICTION_METHODS:
                request = getattr(routing, method)
                if request.requests.get("groups") is True:
                    request.add_request(param="groups", alias=False)
        return routing

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.string = self._names_columns()
        return tags

    def _validate_params(self) -> None:
        """As scikit-learn does, whose words are made where something is wrong only."""
        kind: Any = type(self)
        constraints = _constraints(kind)
        if all(_is_allowed(getattr(self, name), allowed) for name, allowed in constraints):
            return
        super()._validate_params()

    def _names_columns(self) -> bool:
        """Whether the parameters name grouping columns of X."""
        if self.groups is not None or self.formula is not None:
            return True
        try:
            effects = given_terms(self.random_effects)
        except (TypeError, ValueError):  # reported by fit, not by repr or routing
            return False
        return any(isinstance(c, str) for e in effects or () for c in e.group_columns)

    def _store(self, model: FittedModel, problems: Problems) -> None:
        """Take the attributes of a fitted model, and say what is to be said about it."""
        for name in ("feature_names_in_", "_with_further"):
            self.__dict__.pop(name, None)
        self.__dict__.update(model.attributes())
        self.results_ = self._results(model)
        for message, category in problems:
            warn(message, category)

    @property
    def _found(self) -> MixedResults:
        """What the fit found, or an error that there was none."""
        if "results_" not in vars(self) and "_stream" not in vars(self):
            check_is_fitted(self, "results_")
        return self.results_

    def _to_send(self) -> Self:
        """The estimator with nothing but what its predictions need."""
        _ = self._found
        sent = copy(self)
        sent.__dict__.pop("_stream", None)
        return sent

    @property
    def _model(self) -> FittedModel:
        """What predicts: the fitted model, or what further rows have made of its effects."""
        found = self._found.fitted
        return vars(self).get("_with_further", found)

    @property
    def random_effects_(self) -> pd.DataFrame:
        """Conditional modes of the random effects as a table, made when it is asked for.

        ``factor, level, effect, estimate, std_error, ci_low, ci_high``: one row per level and
        effect, normal limits of 95 %.  Standard errors of a linear model include the uncertainty of
        all parameters (Kackar and Harville 1984); those of a classifier are given the estimates.
        After :meth:`update_groups` the effects know the further rows.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> list(model.random_effects_.columns[:4])
        ['factor', 'level', 'effect', 'estimate']
        """
        _ = self._found
        return self._results(self._model).effects_table()

    def update_groups(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn the effects of new or known levels from further rows, without a new fit.

        With the rows of the fit and all further ones below each other, the effects are

            b = argmax log p(y | X beta + Z b) - b'Sigma^-1 b / 2,

        beta and the covariances being those of the fit: what a fit of all rows with these held
        fixed would give.  For a linear model this is ``Sigma Z'V^-1 (y - X beta)``, from the sums
        of the levels that a fitted model keeps; for a classifier Newton steps over the rows.  In a
        pickled classifier, which has no rows, those of the fit count by the second-order expansion
        of their likelihood; it is kept if standard errors were asked for before, and new levels of
        a single factor do without.  Standard errors follow; those of beta and the covariances stay.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            As for ``fit``.
        y : array-like of shape (n_rows,) or (n_rows, 2)
            Responses, of the kind of the fit.
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        sample_weight : array-like of shape (n_rows,), default=None
            Number of times each row counts.

        Returns
        -------
        MixedModel
            The estimator itself: predictions and ``random_effects_`` know the rows, and rows of
            later calls add to them; parameters, ``loglik_`` and ``results_`` are those of the fit.

        Raises
        ------
        ValueError
            Without groups, for missing labels and labels of another kind, and as ``fit``.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> new = X["group"] >= 90
        >>> model = MixedLinearRegressor(groups="group").fit(X[~new], y[~new])
        >>> round(model.score(X[new], y[new]), 2)
        0.64
        >>> round(model.update_groups(X[new], y[new]).score(X[new], y[new]), 2)
        0.81
        """
        self._with_further = self._updated(X, y, groups, sample_weight)
        return self

    def _updated(self, X: Any, y: Any, groups: Any, sample_weight: Any) -> FittedModel:
        """The fitted model with further rows."""
        raise NotImplementedError

    @by_part(_drawn_responses, Drawing)
    def simulate(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = None,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        kind: Kind = "marginal",
    ) -> np.ndarray:
        """Draw responses from the fitted model.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            As for ``predict``.  Where Dask has it in partitions, a level has the same effects in
            all of them.
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        n_samples : int, default=1
            Number of responses for every row.
        random_state : int, RandomState or None, default=None
            Seed of the draws.
        kind : {"marginal", "conditional", "population"}, default="marginal"
            "marginal" draws new effects for every level, known or not, as a parametric bootstrap
            needs; "conditional" keeps the estimated effects of known levels and draws those of new
            ones; "population" leaves them at zero.

        Returns
        -------
        ndarray of shape (n_rows, n_samples)

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> model.simulate(X, n_samples=5, random_state=0).shape
        (1000, 5)
        """
        rng, draw = drawing(random_state)
        model = self._model
        eta = drawn_predictors(model, X, groups, n_samples, rng, kind, draw)
        return self._responses(model.fit.family.draw(rng, eta, model.fit.sigma2))

    def _responses(self, drawn: np.ndarray) -> np.ndarray:
        """Responses as the user has them."""
        return drawn

    def variance_components(
        self,
        level: float = 0.95,
        method: Literal["wald", "profile", "bootstrap"] = "wald",
        **options: Any,
    ) -> pd.DataFrame:
        """Variances and covariances as a table.

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence limits.
        method : {"wald", "profile", "bootstrap"}, default="wald"
            How the limits are found.
        **options
            As in :meth:`skmixed.results.MixedResults.variance_table`.

        Returns
        -------
        DataFrame
            ``factor, effect, effect2, estimate, sd_or_corr, std_error, ci_low, ci_high``; a
            residual comes last.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> model.variance_components()[["factor", "estimate"]].round(1)
             factor  estimate
        0     group       1.3
        1  Residual       1.3
        """
        return self._found.variance_table(method, level, **options)
