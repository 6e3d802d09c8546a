"""What the estimators share: reading X, y and groups, building the design, and the linear
predictor.
"""

from __future__ import annotations

import warnings
from copy import copy
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.linalg import block_diag
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ._data import tables
from ._data.factors import Factor
from ._data.rows import Rows
from ._fit.kinds import KINDS, Kind, unknown_kind
from ._fit.predictor import LinearPredictor
from ._model.structures import STRUCTURES
from ._model.terms import Term
from ._report.names import Names
from .exceptions import GroupsWarning
from .formula import FittedFormula, evaluate_response, split_formula
from .terms import RandomEffect, parse_terms

PREDICTION_METHODS = (
    "fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
)


class _RandomEffectsAccess:
    """``est.random_effects`` is a constructor parameter and a method that gives the table of
    effects.

    scikit-learn reads and writes parameters by name; attribute access finds the method.
    """

    def __get__(self, estimator, owner):
        return owner._random_effects_table if estimator is None else estimator._random_effects_table

    def __set__(self, estimator, value):
        vars(estimator)["random_effects"] = value


class MixedModel(BaseEstimator):
    """Base class: groups in both styles, terms, factors."""

    random_effects = _RandomEffectsAccess()

    def get_params(self, deep=True):
        """Parameters of this estimator, as scikit-learn defines them."""
        return super().get_params(deep) | {"random_effects": vars(self)["random_effects"]}

    @classmethod
    def from_formula(
        cls, formula: str, data: Any, *, sample_weight: ArrayLike | None = None, **params
    ) -> Self:
        """Fit the model of a two-sided formula.

        Parameters
        ----------
        formula : str
            ``"ln_wage ~ ttl_exp + C(race) + age + (1 | idcode)"``.
        data : table
        sample_weight : array-like of shape (n_rows,), default=None
        **params
            Parameters of the constructor.

        Returns
        -------
        MixedModel
            Fitted; ``predict`` takes tables with the columns of the right-hand side.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor.from_formula("y ~ x0 + x1 + (1 + x0 | group)", X.assign(y=y))
        >>> model.results_.params.index.to_list()
        ['Intercept', 'x0', 'x1']
        """
        response, *_ = split_formula(formula)
        if not response:
            raise ValueError(f"formula={formula!r} has no response.\nWrite 'y ~ x + (1 | group)'.")
        model = cls(formula=formula.rpartition("~")[2].strip(), **params)
        return model.fit(data, evaluate_response(response, data), sample_weight=sample_weight)

    # Requested by default, so that routing needs no set_*_request calls.
    __metadata_request__fit = {"groups": True}
    __metadata_request__predict = {"groups": True}
    __metadata_request__score = {"groups": True}

    def get_metadata_routing(self):
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.string = self._names_columns()
        return tags

    def _names_columns(self):
        if self.groups is not None or self.formula is not None:
            return True
        try:
            effects = self._terms_given()
        except (TypeError, ValueError):  # reported by fit, not by repr or routing
            return False
        return any(isinstance(c, str) for e in effects or () for c in e.group_columns)

    def _terms_given(self):
        """The terms as values; None where none are given."""
        given = vars(self)["random_effects"]
        if given is None:
            return None
        if isinstance(given, str):
            return parse_terms(given)
        given = [given] if isinstance(given, RandomEffect) else given
        if not isinstance(given, list | tuple) or not all(
            isinstance(e, RandomEffect) for e in given
        ):
            raise TypeError(
                f"random_effects={given!r}: expected a string of terms or a list of RandomEffect.\n"
                'Write "(1 + age | id)" or [RandomEffect("id", ("age",))].'
            )
        return given

    def _group_columns(self):
        """Grouping columns that the constructor names, in order of appearance."""
        named = (
            [self.groups] if isinstance(self.groups, str | Integral) else list(self.groups or ())
        )
        for effect in self._terms_given() or ():
            named += effect.group_columns
        return list(dict.fromkeys(named))

    def _slope_columns(self):
        return list(dict.fromkeys(c for e in self._terms_given() or () for c in e.columns))

    def _read_training(self, X, y, groups, sample_weight):
        """Rows, response and weights of a fit, without the rows of weight zero."""
        self._argument_style = groups is not None
        rows = self._read(X, groups, reset=True)
        target = self._read_target(y, rows)
        weights, keep = self._read_weights(sample_weight, rows)
        target = self._response(target[keep])
        self._intercept = self.fit_intercept and rows.intercept
        if not rows.labels:
            self._warn_without_groups()
        self._column_names = list(rows.names)
        return (
            (rows, target, weights)
            if isinstance(keep, slice)
            else (rows.take(keep), target, weights)
        )

    def _read(self, X, groups, *, reset):
        """Validate X and groups; returns :class:`Rows`."""
        if reset:
            self._names = tables.column_names(X)
            self._fixed_names = None
            self._is_slope_of_groups = False
        if self.formula is not None:
            return self._read_formula(X, groups, reset)
        wanted = self._group_columns()
        if groups is not None:
            self._refuse_both(X, wanted)
            return self._read_argument(X, groups, wanted, reset)
        if not wanted or (not reset and self._argument_style):
            return self._read_plain(X, reset)
        return self._read_columns(X, wanted, reset)

    def _refuse_both(self, X, wanted):
        names = tables.column_names(X) or []
        if self.groups is not None:
            raise self._both("groups")
        if any(isinstance(w, str) and w in names for w in wanted):
            raise self._both("random_effects")

    def _both(self, name):
        source = f"{type(self).__name__}({name}={vars(self)[name]!r})"
        return ValueError(
            f"groups= was passed, but {source} takes the grouping factors from columns of X.\n"
            "Give one of the two, not both (a splitter's groups: set_fit_request(groups=False))."
        )

    def _refuse_formula_and_more(self):
        if self.groups is not None or vars(self)["random_effects"] is not None:
            raise ValueError(
                f"formula={self.formula!r} describes the whole model.\nLeave groups and random_effects at None."
            )
        if not self.fit_intercept:
            raise ValueError(
                f"formula={self.formula!r} decides about the intercept.\n"
                "Write '0 + ...' instead of fit_intercept=False."
            )

    def _read_formula(self, X, groups, reset):
        """The whole model from a formula over the columns of X."""
        if groups is not None:
            raise self._both("formula")
        self._refuse_formula_and_more()
        if reset:
            self._formula, table, found = FittedFormula.fit(self.formula, X)
        else:
            table = self._formula.select(X)
        if list(table.columns) == self._formula.columns:
            validate_data(self, table, skip_check_array=True, reset=reset)
        if not reset:
            found = self._formula.evaluate(table)
        for name, values in found.labels.items():
            _check_labels(name, values)
        return Rows(
            found.matrix,
            found.names,
            found.n_fixed,
            found.labels,
            effects=found.effects,
            intercept=found.intercept,
        )

    def _read_plain(self, X, reset):
        """X without grouping columns."""
        matrix = self._numeric(X, reset)
        return self._rows(matrix, tables.column_names(X), {})

    def _numeric(self, X, reset):
        if tables.column_names(X) is None:
            return validate_data(self, X, reset=reset, dtype=np.float64)
        validate_data(self, X, skip_check_array=True, reset=reset)
        return tables.numeric_matrix(X)

    def _rows(self, matrix, names, labels):
        names = (
            [str(n) for n in names]
            if names is not None
            else [f"x{j}" for j in range(matrix.shape[1])]
        )
        return Rows(matrix, names, matrix.shape[1], labels)

    def _read_argument(self, X, groups, wanted, reset):
        """Groups from the keyword: one column, or a column per factor."""
        if isinstance(groups, dict):
            raise TypeError(
                "groups: a dict is not sliced by cross-validation.\nPass a DataFrame with one column per factor."
            )
        rows = self._read_plain(X, reset)
        given = _group_table(groups)
        labels = _wanted_groups(given, wanted) if reset else self._same_groups(given)
        for name, values in labels.items():
            check_consistent_length(rows.X, values)
            _check_labels(name, values)
        rows.labels = labels
        return rows

    def _same_groups(self, given):
        """The factors of the fit: by name where the names agree, else by position."""
        keys = list(dict.fromkeys(c for group in self._factor_columns for c in group))
        if keys and all(key in given for key in keys):
            return {key: given[key] for key in keys}
        if not keys:
            raise ValueError(
                "groups was passed, but the model was fitted without groups.\nLeave groups out."
            )
        if len(given) != len(keys):
            raise ValueError(
                f"groups has {len(given)} factor(s), the model was fitted with {len(keys)}.\n"
                "Pass the same columns as at fit."
            )
        return dict(zip(keys, given.values(), strict=True))

    def _read_columns(self, X, wanted, reset):
        """Groups from columns of X, which leave the fixed effects."""
        names = tables.column_names(X)
        if names is None:
            return self._read_array_columns(X, wanted, reset)
        if not reset and names == self._fixed_names and not self._is_slope_of_groups:
            return self._rows(
                tables.numeric_matrix(X), names, {}
            )  # without groups: every level is new
        validate_data(self, X, skip_check_array=True, reset=reset)
        role = "groups" if self.groups is not None else "random_effects"
        keys = {w: _resolve(role, w, names) for w in wanted}
        slopes = {s: _resolve("random_effects", s, names) for s in self._slope_columns()}
        labels = {w: tables.column(X, name) for w, name in keys.items()}
        for w, values in labels.items():
            _check_labels(keys[w], values)
        rest = tables.without(X, set(keys.values()))
        fixed = tables.column_names(rest)
        n = len(next(iter(labels.values())))
        matrix = tables.numeric_matrix(rest) if fixed else np.empty((n, 0))
        extra = {slopes[s]: labels[w] for s in slopes for w in keys if keys[w] == slopes[s]}
        if reset:
            self._fixed_names = fixed
            self._is_slope_of_groups = bool(extra)
        return _with_slopes(self._rows(matrix, fixed, labels), extra)

    def _read_array_columns(self, X, wanted, reset):
        if any(isinstance(w, str) for w in wanted):
            raise ValueError(
                f"groups={wanted!r} names columns, but X came as {type(X).__name__} without column names.\n"
                "Ask earlier pipeline steps for tables, set_output(transform='pandas'), or give column positions."
            )
        X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite=False)
        positions = [_position("groups", w, X.shape[1]) for w in wanted]
        labels = {w: X[:, p] for w, p in zip(wanted, positions, strict=True)}
        for p, values in zip(positions, labels.values(), strict=True):
            _check_labels(f"x{p}", values)
        rest = [j for j in range(X.shape[1]) if j not in positions]
        matrix = check_array(
            X[:, rest], dtype=np.float64, ensure_min_features=0, estimator=self, input_name="X"
        )
        rows = Rows(matrix, [f"x{j}" for j in rest], len(rest), labels)
        slopes = [
            _position("random_effects", s, X.shape[1])
            for s in self._slope_columns()
            if not isinstance(s, str)
        ]
        return _with_slopes(rows, {f"x{p}": X[:, p] for p in slopes if p in positions})

    def _read_target(self, y, rows):
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.\n"
                "Pass the response as the second argument of fit."
            )
        y = column_or_1d(tables.without_nullable(y), warn=True)
        check_consistent_length(rows.X, y)
        if len(rows) < 2:
            raise ValueError(
                f"Found array with {len(rows)} sample(s) (n_samples = {len(rows)}) while a minimum of 2 is required."
            )
        return y

    def _read_weights(self, sample_weight, rows):
        """Positive weights of the rows that stay, None where all are one; and which rows stay."""
        if sample_weight is None:
            return None, slice(None)
        w = _check_sample_weight(sample_weight, rows.X, dtype=np.float64, ensure_non_negative=True)
        keep = w > 0
        if not keep.any():
            raise ValueError(
                "sample_weight is zero in every row.\nGive at least two rows a positive weight."
            )
        keep = slice(None) if keep.all() else keep
        w = w[keep]
        return (None if np.all(w == 1.0) else w), keep

    def _make_design(self, design, rows, target, weights, codes):
        """A design of the given class, linear or generalised linear, from the rows of the fit."""
        levels = [f.n_levels for f in self._factors]
        return design.from_rows(
            rows.X, target, weights, codes, levels, self._terms, self._intercept, rows.n_fixed
        )

    def _make_factors(self, rows):
        """Factors, their codes, and the terms that use them."""
        effects = rows.effects if rows.effects is not None else self._terms_given()
        if effects is None:
            effects = [RandomEffect(key) for key in rows.labels]
        groups = list(dict.fromkeys(e.group_columns for e in effects))
        names = {key: self._label(key) for key in rows.labels}
        built = [
            Factor.from_columns(":".join(names[c] for c in group), [rows.labels[c] for c in group])
            for group in groups
        ]
        _refuse_repeats(effects)
        self._factors = [factor for factor, _ in built]
        self._factor_columns = groups
        terms = [self._term(e, groups.index(e.group_columns), rows) for e in effects]
        return [codes for _, codes in built], terms

    def _label(self, key):
        if isinstance(key, str):
            return key
        return (
            f"groups{key}"
            if self._argument_style
            else self._column_label(key % self.n_features_in_)
        )

    def _column_label(self, position):
        """Name of a column of X, as the rows call it."""
        return str(self._names[position]) if self._names is not None else f"x{position}"

    def _term(self, effect, factor, rows):
        covariance = effect.covariance or self.covariance
        if covariance not in STRUCTURES:
            raise ValueError(
                f"covariance={covariance!r} is not a covariance structure.\n"
                f"Use one of {', '.join(map(repr, STRUCTURES))}."
            )
        columns = tuple(self._slope_position(c, rows) for c in effect.columns)
        return Term(factor, columns, effect.intercept, covariance)

    def _slope_position(self, column, rows):
        if isinstance(column, str):
            if column not in rows.names:
                raise tables.unknown_column("random_effects", column, rows.names)
            return rows.names.index(column)
        return rows.names.index(
            self._column_label(_position("random_effects", column, self.n_features_in_))
        )

    def _codes(self, rows):
        """Codes per factor of new rows, -1 for levels never seen."""
        n = len(rows)
        if not rows.labels:
            return [np.full(n, -1)] * len(self._factors)
        columns = [[rows.labels[c] for c in group] for group in self._factor_columns]
        codes = [f.codes(c) for f, c in zip(self._factors, columns, strict=True)]
        for factor, labels, code in zip(self._factors, columns, codes, strict=True):
            self._warn_if_other_kind(factor, labels, code)
        return codes

    def _warn_if_other_kind(self, factor, labels, code):
        if len(code) == 0 or np.any(code >= 0):
            return
        for levels, column in zip(factor.levels, labels, strict=True):
            seen = tables.kind_of(levels)
            given = tables.kind_of(column)
            if seen != given:
                warnings.warn(
                    f"{factor.name}: none of the levels is known; they were {seen} at fit and are {given} now.\n"
                    "Convert them to the type used at fit.",
                    GroupsWarning,
                    stacklevel=5,
                )

    def _read_for_prediction(self, X, groups, kind):
        """Rows and codes for prediction.

        Every level counts as new for kinds that ignore the groups.
        """
        check_is_fitted(self, "coef_")
        if kind not in KINDS:
            raise unknown_kind(kind)
        rows = self._read(X, groups, reset=False)
        if self._factors and not rows.labels and kind == "conditional":
            warnings.warn(
                f"This {type(self).__name__} was fitted with groups; without them every level counts as new.\n"
                "Pass groups=, or ask for kind='population'.",
                GroupsWarning,
                stacklevel=3,
            )
        codes = (
            self._codes(rows)
            if kind == "conditional"
            else [np.full(len(rows), -1)] * len(self._factors)
        )
        return rows, codes

    def _pool_columns(self, rows):
        """Columns of the fixed effects (n, p), and per factor those of its effects, in the frame's
        units.
        """
        design = self._fit.design
        pool = design.frame.pool(rows.X)
        return pool[:, design.frame.fixed[design.kept]], [
            pool[:, list(e)] for e in design.frame.effects
        ]

    def _store_common(self, fit):
        """Fitted attributes that every model has: numpy only."""
        coefficients = fit.coefficients
        self.intercept_ = float(coefficients[0]) if self._intercept else 0.0
        self.coef_ = coefficients[int(self._intercept) :]
        self.covariances_ = fit.covariances
        self.loglik_ = float(fit.loglik)
        self.converged_ = bool(fit.optimum.converged)
        self.n_iter_ = int(fit.optimum.n_evaluations)
        self._fit = fit
        self._predictor = LinearPredictor(self.coef_, self.intercept_, fit.effects, self._terms)

    def _with_fit(self, fit):
        """A shallow copy without results: they can hold it without a cycle of references."""
        alone = copy(self)
        vars(alone).pop("results_", None)
        alone._fit = fit
        return alone

    def _make_labels(self, rows, codes, weights, response):
        fixed = (["Intercept"] if self._intercept else []) + rows.names[: rows.n_fixed]
        sizes = [
            np.bincount(c, weights, f.n_levels) for c, f in zip(codes, self._factors, strict=True)
        ]
        names = [["Intercept" if s < 0 else rows.names[s] for s in t.sources] for t in self._terms]
        return Names(
            response=str(response) if response not in (None, "") else "y",
            fixed=tuple(fixed),
            intercept=self._intercept,
            factors=tuple(f.name for f in self._factors),
            levels=tuple(f.labels for f in self._factors),
            effects=tuple(self._effect_names(f) for f in range(len(self._factors))),
            sizes=tuple(sizes),
            terms=tuple(
                (t.factor, t.covariance, n) for t, n in zip(self._terms, names, strict=True)
            ),
        )

    def _warn_about(self, problems):
        """One warning for each pair (message, category)."""
        for message, category in problems:
            warnings.warn(message, category, stacklevel=4)

    def _reporter(self):
        if not self.verbose:
            return None
        return lambda value, decrease, radius: print(
            f"deviance {value:.8g}   predicted decrease {decrease:.3g}   radius {radius:.3g}"
        )

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
        groups : array-like, default=None
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
        kind : {"marginal", "conditional", "population"}, default="marginal"
            "marginal" draws new effects for every level, known or not, as a parametric bootstrap
            needs; "conditional" keeps the estimated effects of known levels and draws those of new
            ones; "population" leaves them at zero.

        Returns
        -------
        ndarray of shape (n_rows, n_samples)
        """
        rng = check_random_state(random_state)
        return self._drawn_responses(self._drawn_predictor(X, groups, n_samples, rng, kind), rng)

    def _drawn_predictor(self, X, groups, n_samples, rng, kind):
        """Linear predictors (rows, samples) with effects drawn from their distribution, as
        ``simulate`` explains.
        """
        if kind not in KINDS:
            raise unknown_kind(kind)
        rows, codes = self._read_for_prediction(
            X, groups, "population" if kind == "population" else "conditional"
        )
        codes = codes if kind == "conditional" else [np.full(len(rows), -1)] * len(codes)
        draws = np.repeat(self._predictor(rows, codes)[:, None], n_samples, axis=1)
        if kind != "population" and len(rows):
            for f, covariance in enumerate(self._factor_covariances):
                draws += self._new_effects(f, covariance, rows, codes[f], n_samples, rng)
        return draws

    @property
    def _factor_covariances(self):
        """Covariance matrix of all effects of every factor."""
        terms = list(zip(self._terms, self.covariances_, strict=True))
        return [
            block_diag(*(S for t, S in terms if t.factor == f)) for f in range(len(self._factors))
        ]

    def _new_effects(self, f, covariance, rows, codes, n_samples, rng):
        """``z'b`` with b drawn anew for every level whose effects are not held fixed."""
        labels = (
            [rows.labels[c] for c in self._factor_columns[f]]
            if rows.labels
            else [np.zeros(len(rows))]
        )
        level = Factor.from_columns("", labels)[1]
        b = rng.multivariate_normal(
            np.zeros(len(covariance)), covariance, size=(level.max() + 1, n_samples)
        )
        drawn = np.einsum("nq,nsq->ns", self._predictor.varying(rows, f), b[level])
        return np.where((codes >= 0)[:, None], 0.0, drawn)

    def variance_components(
        self, level: float = 0.95, method: str = "wald", **options
    ) -> pd.DataFrame:
        """Variances and covariances as a table.

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence limits.
        method : {"wald", "profile", "bootstrap"}, default="wald"
            How the limits are found, with its options, as in
            :meth:`skmixed.results.MixedResults.variance_table`.

        Returns
        -------
        DataFrame
            ``factor, effect, effect2, estimate, sd_or_corr, std_error, ci_low, ci_high``; a
            residual comes last.
        """
        check_is_fitted(self)
        return self.results_.variance_table(method, level, **options)

    def _random_effects_table(self) -> pd.DataFrame:
        """Conditional modes of the random effects as a table.

        Returns
        -------
        DataFrame
            ``factor, level, effect, estimate, std_error``, the standard error given the estimated
            parameters.
        """
        check_is_fitted(self)
        return self.results_.effects_table()

    def _effect_names(self, f):
        """Names of the effects of one factor, term after term."""
        names = self._column_names
        return [
            "Intercept" if s < 0 else names[s]
            for t in self._terms
            if t.factor == f
            for s in t.sources
        ]

    def _warn_without_groups(self):
        warnings.warn(
            f"{type(self).__name__} was fitted without groups: fixed effects only.\n"
            "Pass groups= to fit, or name the column in the constructor (in cross-validation without metadata routing, "
            "groups= goes to the splitter only).",
            GroupsWarning,
            stacklevel=5,
        )


def _refuse_repeats(effects):
    """An effect that two terms of one factor share has no variance of its own."""
    seen = set()
    for effect in effects:
        for name in (("Intercept",) if effect.intercept else ()) + effect.columns:
            if (effect.group_columns, name) in seen:
                raise ValueError(
                    f"random_effects: {name!r} of {':'.join(map(str, effect.group_columns))} appears twice.\n"
                    "Name every effect of a grouping factor in one term only."
                )
            seen.add((effect.group_columns, name))


def _with_slopes(rows, extra):
    """Append grouping columns that are slopes as well."""
    if extra:
        columns = [np.asarray(v, dtype=np.float64) for v in extra.values()]
        rows.X = np.column_stack([rows.X, *columns])
        rows.names = rows.names + [str(n) for n in extra]
    return rows


def _resolve(role, wanted, names):
    """The column name for a name or a position."""
    if isinstance(wanted, Integral):
        return names[_position(role, wanted, len(names))]
    if wanted not in names:
        raise tables.unknown_column(role, wanted, names)
    return wanted


def _position(role, wanted, width):
    if not -width <= wanted < width:
        raise ValueError(
            f"{role}={wanted!r}: X has only {width} features (n_features = {width}).\n"
            "Count columns from 0, or from -1 backwards."
        )
    return wanted % width


def _group_table(groups):
    """The columns of ``groups=`` by name.

    Those of an array are called groups, or groups0, groups1, ...
    """
    names = tables.column_names(groups)
    if names is not None:
        return {str(n): tables.column(groups, n) for n in names}
    values = tables.labels(groups)
    if values.ndim == 2:
        return {f"groups{j}": values[:, j] for j in range(values.shape[1])}
    if values.ndim != 1:
        raise ValueError(
            f"groups: expected one column, or one column per factor, got shape {values.shape}.\nPass 1-D labels."
        )
    name = getattr(groups, "name", None)
    return {name if isinstance(name, str) else "groups": values}


def _wanted_groups(given, wanted):
    """The columns the terms name, by name or position; a single column needs no name."""
    if not wanted or (len(wanted) == 1 and len(given) == 1):
        return dict(zip(wanted or given, given.values(), strict=True))
    names = list(given)
    found = {}
    for w in wanted:
        if isinstance(w, str) and w not in given:
            raise tables.unknown_column("random_effects: groups=", w, names)
        found[w] = given[w if isinstance(w, str) else names[_position("groups", w, len(names))]]
    return found


def _check_labels(name, values):
    missing = tables.is_missing(values)
    if np.any(missing):
        raise ValueError(
            f"groups: factor {name!r} contains NaN or inf in {int(np.sum(missing))} rows.\n"
            "Give these rows a level of their own, or drop them."
        )
