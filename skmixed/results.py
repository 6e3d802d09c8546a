"""What a fit has to say: statsmodels' names over the fitted model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from ._fit.predictions import predicted_events, predicted_means
from ._fit.updates.attached import attach_glmm, attach_linear
from ._model.families import Family
from ._report.summary import exponentiated, print_report
from ._report.tables import WholeTable
from ._results.coefficients import CoefficientTests, Covariance, Degrees
from ._results.effects import RandomEffectsResults
from ._results.prediction import predict_events, predict_means
from ._results.report import as_ratios, generalised_heading, linear_heading, make_report
from ._results.rows import RowResults
from ._results.tools import ToolResults
from .inference._coefficients.rules import generalised_coefficients, linear_coefficients
from .inference._influence.residuals import residuals_of

__all__ = ["LogisticResults", "MixedResults"]


class MixedResults(CoefficientTests, RandomEffectsResults, RowResults, ToolResults):
    """Estimates, standard errors and tests of a fitted mixed model, under statsmodels' names.

    Made by ``fit`` and found at ``est.results_``.  ``params`` and what goes with it are the fixed
    effects only; columns that were dropped because they depend on others do not appear.

    Parameters
    ----------
    fitted : FittedModel
        What estimator and results share; kept as the attribute of this name.

    Attributes
    ----------
    llf, aic, bic : float
        (Restricted) log-likelihood with all constants, and the criteria from it; BIC counts
        observations.
    nobs : float
        Number of observations: the sum of the weights.
    scale : float
        Residual variance.
    reml : bool
        Whether the likelihood is restricted.
    converged : bool
        Whether the search ended at an optimum.
    use_t : bool
        False: tests are normal ones unless another rule is asked for.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> X, y = make_mixed_regression(random_state=0)
    >>> MixedLinearRegressor(groups="group").fit(X, y).results_.params.round(2).to_dict()
    {'Intercept': 0.03, 'x0': 1.1, 'x1': 2.0}
    """

    _read_coefficients = staticmethod(linear_coefficients)
    _predictions = staticmethod(predicted_means)
    _predicted = staticmethod(predict_means)
    _heading = staticmethod(linear_heading)
    _attached = staticmethod(attach_linear)

    def summary(
        self,
        level: float = 0.95,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """Printed tables in Stata's arrangement, as a statsmodels Summary (text, HTML, LaTeX).

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence limits.
        df, cov, clusters
            How the fixed effects are tested, as in :meth:`coef_table`; the summary says which.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            Prints itself as text, HTML and LaTeX.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> summary = MixedLinearRegressor(groups="group").fit(X, y).results_.summary()
        >>> print(str(summary).splitlines()[0].strip())
        Mixed-effects REML regression
        """
        found = self._coefficients(df, cov, clusters)
        return print_report(make_report(self, level, linear_heading(self.fitted), found))


class LogisticResults(MixedResults):
    """Estimates, standard errors and tests of a mixed logistic regression, under statsmodels'
    names.

    As :class:`MixedResults`; coefficients are changes of the log-odds of ``event``, the second
    class; ``scale`` is one, there is no residual variance, ``fittedvalues`` are probabilities and
    ``resid`` is zero or one less them.

    Parameters
    ----------
    fitted : FittedModel
        What estimator and results share.

    Examples
    --------
    >>> from skmixed import MixedLogisticClassifier
    >>> from skmixed.datasets import make_mixed_classification
    >>> X, y = make_mixed_classification(random_state=0)
    >>> MixedLogisticClassifier(groups="group").fit(X, y).results_.event
    '1'
    """

    _read_coefficients = staticmethod(generalised_coefficients)
    _predictions = staticmethod(predicted_events)
    _predicted = staticmethod(predict_events)
    _heading = staticmethod(generalised_heading)
    _attached = staticmethod(attach_glmm)

    @property
    def event(self) -> str:
        """The class whose log-odds are modelled.

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> results = MixedLogisticClassifier(groups="group").fit(X, y).results_
        >>> results.event
        '1'
        """
        return self.fitted.names.event

    @property
    def resid_deviance(self) -> pd.Series | np.ndarray:
        """Signed roots of the deviances of the rows: :func:`skmixed.inference.residuals`.

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> results = MixedLogisticClassifier(groups="group").fit(X, y).results_
        >>> results.resid_deviance.head(2).round(2).to_list()
        [-1.9, 0.16]
        """
        return self._by_row(residuals_of(self.fitted, "deviance"))

    @property
    def resid_working(self) -> pd.Series | np.ndarray:
        """``(y - p) / (p (1 - p))``.

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> results = MixedLogisticClassifier(groups="group").fit(X, y).results_
        >>> results.resid_working.head(2).round(2).to_list()
        [-6.03, 1.01]
        """
        return self._by_row(residuals_of(self.fitted, "working"))

    def odds_ratios(
        self,
        level: float = 0.95,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> pd.DataFrame:
        """``exp(params)`` with standard errors by the delta method and the exponentials of the
        confidence limits.

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence limits.
        df, cov, clusters
            As in :meth:`coef_table`.

        Returns
        -------
        DataFrame
            ``odds_ratio, std_err, z, p_value, ci_low, ci_high`` by coefficient, ``df, t`` in the
            place of z unless ``df="normal"``; z, t and p are those of ``params``.  The row of the
            intercept holds the odds where all columns and random effects are zero.

        Raises
        ------
        ValueError
            For a model whose exponentials nobody asks for, and as :meth:`coef_table`.

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> results = MixedLogisticClassifier(groups="group").fit(X, y).results_
        >>> results.odds_ratios()["odds_ratio"].round(1).to_dict()
        {'Intercept': 1.1, 'x0': 2.5, 'x1': 6.6}
        """
        name = self._exponentiated_name().replace(" ", "_")
        table = exponentiated(self.coef_table(df, cov, clusters, level))
        table = table.rename(columns={"coef": name})
        if df == "normal":
            table = table.drop(columns="df").rename(columns={"t": "z"})
        return WholeTable(table)

    def _exponentiated_name(self) -> str:
        family = cast(Family, self.fitted.fit.family)
        if family.exponentiated_name is None:
            raise ValueError(
                f"coefficients of a {family.word} model are no logarithms of ratios.\n"
                "Use coef_table, or summary() without odds_ratios."
            )
        return family.exponentiated_name

    def summary(
        self,
        level: float = 0.95,
        odds_ratios: bool = False,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """Printed tables in Stata's arrangement, as a statsmodels Summary (text, HTML, LaTeX).

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence limits.
        odds_ratios : bool, default=False
            Print ``exp(coef)`` with standard errors by the delta method and the exponentials of the
            limits.
        df, cov, clusters
            How the fixed effects are tested, as in :meth:`coef_table`; the summary says which.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            Prints itself as text, HTML and LaTeX.

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> summary = MixedLogisticClassifier(groups="group").fit(X, y).results_.summary()
        >>> print(str(summary).splitlines()[0].strip())
        Mixed-effects logistic regression
        """
        found = self._coefficients(df, cov, clusters)
        report = make_report(self, level, generalised_heading(self.fitted), found)
        if odds_ratios:
            report = replace(report, **as_ratios(report, self._exponentiated_name()))
        return print_report(report)
