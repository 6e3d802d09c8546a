"""What statsmodels' own tools ask of results: ``summary_col``, ``summary2`` and the like."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from .._fit.kinds import Kind
from .._fit.model import FittedModel
from .._fit.parts import by_row
from .estimates import Estimates
from .report import Heading, criteria

__all__ = ["ToolResults"]


class NamedModel:
    """What statsmodels calls the model of results: its names, and its rows while they are kept.

    Attributes
    ----------
    endog_names, exog_names : name of the response, and those of the coefficients
    data : the same as ``ynames``, ``xnames`` and ``param_names``
    """

    def __init__(self, fitted: FittedModel) -> None:
        self._fitted = fitted
        self.endog_names = fitted.names.response
        self.exog_names = list(fitted.coefficient_names)
        self.data = SimpleNamespace(
            ynames=self.endog_names, xnames=self.exog_names, param_names=self.exog_names
        )

    @property
    def endog(self) -> np.ndarray:
        """The response."""
        return by_row(self._fitted, attrgetter("y"))

    @property
    def exog(self) -> np.ndarray:
        """What the coefficients multiply."""
        reader = self._fitted.reader
        parts = [part.read()[0].X[:, : reader.n_fixed] for part in self._fitted.parts()]
        X = np.concatenate(parts)
        columns = np.column_stack([np.ones((len(X), int(reader.intercept))), X])
        return columns[:, self._fitted.fit.units.independent]


class ToolResults(Estimates):
    """Attributes and methods that are there for tools that expect statsmodels' results."""

    #: whether tests are t rather than z
    use_t: ClassVar[bool] = False
    #: what a summary is called
    _heading: ClassVar[Callable[..., Heading]]
    #: predictions with their errors
    _predicted: ClassVar[Callable[..., Any]]

    @property
    def model(self) -> Any:
        """Names and rows as tools look for them: ``endog_names``, ``exog_names``, ``endog``,
        ``exog``; its class is called as the estimator's.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.model.exog_names
        ['Intercept', 'x0', 'x1']
        """
        named = type(self.fitted.reader.owner, (NamedModel,), {"__module__": __name__})
        return named(self.fitted)

    @property
    def k_constant(self) -> int:
        """One with an intercept, else zero.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.k_constant
        1
        """
        return int(self.fitted.names.intercept)

    @property
    def df_model(self) -> int:
        """Number of coefficients besides the intercept.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.df_model
        2
        """
        return self._fit.rank - self.k_constant

    @property
    def default_model_infos(self) -> dict[str, Callable[[Any], str]]:
        """Rows that ``summary_col`` prints below the coefficients: standard deviations of the
        random effects, numbers of groups and observations, log-likelihood.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> list(results.default_model_infos)[:3]
        ['SD (Intercept | group)', 'SD (Residual)', 'Groups (group)']
        """
        lines = {name: f"{value:.4f}" for name, value in _deviations(self)}
        sizes = zip(self.fitted.names.factors, self.fitted.names.sizes, strict=True)
        lines |= {f"Groups ({factor})": f"{len(levels)}" for factor, levels in sizes}
        lines |= {"Observations": f"{self.nobs:g}", "Log-likelihood": f"{self.llf:.3f}"}
        return {name: _printing(line) for name, line in lines.items()}

    def summary2(
        self,
        yname: str | None = None,
        xname: list[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
        float_format: str = "%.4f",
    ) -> Any:
        """Printed tables in the arrangement of statsmodels' ``summary2``.

        Parameters
        ----------
        yname : str, default=None
            Name of the response.
        xname : list of str, default=None
            Names of the coefficients.
        title : str, default=None
            Of the whole.
        alpha : float, default=0.05
            One less the level of the confidence limits.
        float_format : str, default="%.4f"
            Of the numbers.

        Returns
        -------
        statsmodels.iolib.summary2.Summary

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.summary2().tables[1].index.to_list()
        ['Intercept', 'x0', 'x1']
        """
        from statsmodels.iolib.summary2 import Summary, summary_params

        heading = self._heading(self.fitted)
        out = Summary()
        out.add_title(heading.title if title is None else title)
        out.add_dict(_header(self, heading, yname), float_format=float_format)
        table = summary_params(self, xname=xname, alpha=alpha, use_t=False)
        out.add_df(table, float_format=float_format)
        out.add_df(_variances(self, 1.0 - alpha), float_format=float_format)
        return out

    def remove_data(self) -> None:
        """Forget the rows of the fit, as a pickled model does.

        The estimator of these results forgets them too; what needs them says so.

        Returns
        -------
        None

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.remove_data()
        >>> results.params.round(2).to_dict()
        {'Intercept': 0.03, 'x0': 1.1, 'x1': 2.0}
        """
        self.fitted = self.fitted.without_rows()

    def get_prediction(
        self, X: Any = None, *, groups: Any = None, kind: Kind = "conditional"
    ) -> Any:
        """Predicted means with their errors and limits.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns), default=None
            As for the estimator's ``predict``; None: the rows of the fit, in memory.
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            As for the estimator's ``predict``.

        Returns
        -------
        Prediction
            ``predicted_mean``, ``se_mean``, ``conf_int(obs=False, alpha=0.05)``, and
            ``summary_frame(alpha=0.05)`` with the columns ``mean, mean_se, mean_ci_lower,
            mean_ci_upper`` and, for a regression, ``obs_ci_lower, obs_ci_upper``.  Limits of a
            regression are those of ``predict_interval``, those of probabilities are symmetric for
            their log-odds.

        Raises
        ------
        ValueError
            Without X where the rows are in chunks.
        AttributeError
            Without X where the rows are not kept.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.get_prediction(X.head(1)).summary_frame().round(1).iloc[0].to_dict()["mean"]
        4.3
        """
        if X is None:
            if self.fitted.rows is not None and not self.fitted.has_rows_in_memory:
                raise ValueError(
                    "X: errors of all rows of chunks would fill memory.\n"
                    "Pass some rows: get_prediction(X), or ask chunk by chunk."
                )
            X, groups = self.fitted.training.given[:2]
        return self._predicted(self.fitted, X, groups, kind)


def _printing(line: str) -> Callable[[Any], str]:
    return lambda _: line


def _deviations(results: Any) -> list[tuple[str, float]]:
    """Standard deviations of the effects, and of the residuals, with their names."""
    names = results.fitted.names
    found = []
    for term, covariance in zip(names.terms, results.fitted.fit.covariances, strict=True):
        for effect, variance in zip(term.effects, np.diag(covariance), strict=True):
            found.append(
                (f"SD ({effect} | {names.factors[term.factor]})", float(np.sqrt(variance)))
            )
    if results.fitted.fit.family.has_residual:
        found.append(("SD (Residual)", float(np.sqrt(results.scale))))
    return found


def _header(results: Any, heading: Heading, yname: str | None) -> dict[str, Any]:
    sizes = zip(results.fitted.names.factors, results.fitted.names.sizes, strict=True)
    return {
        "Model:": results.fitted.reader.owner,
        "Dependent Variable:": yname or results.fitted.names.response,
        "No. Observations:": f"{results.nobs:g}",
        **{f"Groups ({factor}):": f"{len(levels)}" for factor, levels in sizes},
        "Df Model:": f"{results.df_model}",
        "Df Residuals:": f"{results.df_resid:g}",
        **_criteria(results, heading),
        "Converged:": "Yes" if results.converged else "No",
        **dict(heading.details),
    }


def _criteria(results: Any, heading: Heading) -> dict[str, Any]:
    if results.fitted.fit.solver == "iterative":
        return dict(criteria(results, heading, ".4f"))
    return {heading.likelihood: results.llf, "AIC:": results.aic, "BIC:": results.bic}


def _variances(results: Any, level: float) -> Any:
    """Variances and covariances as rows of a table."""
    table = results.variance_table(level=level)
    names = zip(table["factor"], table["effect"], table["effect2"], strict=True)
    columns = ["estimate", "std_error", "ci_low", "ci_high"]
    half = (1.0 - level) / 2.0
    titles = ["Variance", "Std.Err.", f"[{half:.4g}", f"{1.0 - half:.4g}]"]
    return table[columns].set_axis(titles, axis=1).set_axis([_entry(*n) for n in names])


def _entry(factor: str, effect: str, effect2: str) -> str:
    if effect == effect2:
        return f"{factor} {effect}".strip()
    return f"{factor} {effect} x {effect2}"
