"""Several models side by side, as a table of a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..._data.checks import check_choice, check_level, nearest
from .._arguments import fitted_model
from .columns import FIGURES, ModelColumn, column_of
from .grid import FORMATS, Grid, Part

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
ERRORS = {
    "std_error": "Standard errors in parentheses.",
    "limits": "{level:g} % limits in brackets.",
    "p_value": "p-values in parentheses.",
}
LARGE = 1e6


class ModelReport:
    """Models side by side; made by :func:`report`.

    It prints itself as text, and as a table in notebooks.

    Parameters
    ----------
    names : list of str
        Of the models.
    columns : list
        What each of them says.
    grid : Grid
        The same in words.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import report
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> type(report([model])).__name__
    'ModelReport'
    """

    def __init__(self, names: Sequence[str], columns: Sequence[ModelColumn], grid: Grid):
        self.names = list(names)
        self._columns = list(columns)
        self._grid = grid

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_text(self) -> str:
        """Text of one width.

        Returns
        -------
        str

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import report
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> print(report({"a": model}).to_text().splitlines()[4])
        Intercept               0.033 (0.118)
        """
        return FORMATS["text"](self._grid)

    def to_markdown(self) -> str:
        """A table in GitHub's Markdown.

        Returns
        -------
        str

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import report
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> print(report({"a": model}).to_markdown().splitlines()[3])
        | Intercept | 0.033 (0.118) |
        """
        return FORMATS["markdown"](self._grid)

    def to_html(self) -> str:
        """A table in HTML, which word processors take too.

        Returns
        -------
        str

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import report
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> report([model]).to_html()[:7]
        '<table>'
        """
        return FORMATS["html"](self._grid)

    def to_latex(self) -> str:
        """A tabular of LaTeX that needs no package.

        Returns
        -------
        str

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import report
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> print(report([model]).to_latex().splitlines()[0])
        \\begin{tabular}{lr}
        """
        return FORMATS["latex"](self._grid)

    def to_frame(self) -> pd.DataFrame:
        """The figures themselves.

        Returns
        -------
        DataFrame
            Rows are pairs of a part ("fixed effects", "variance components", "fit") and a name,
            columns pairs of a model and ``estimate, std_error, ci_low, ci_high, p_value``; NaN
            where a model has no such row or figure.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import report
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> table = report({"a": model}).to_frame()
        >>> float(table.loc[("fit", "Observations"), ("a", "estimate")])
        1000.0
        """
        parts = [_frame(column) for column in self._columns]
        names = [
            _names(column.coefficients.index for column in self._columns),
            _names(column.variances.index for column in self._columns),
            _fit_names(self._columns),
        ]
        rows = [(part, name) for part, own in zip(PARTS, names, strict=True) for name in own]
        index = pd.MultiIndex.from_tuples(rows)
        return pd.concat([part.reindex(index) for part in parts], axis=1, keys=self.names)

    def save(self, path: str | Path) -> None:
        """Write the table to a file in the format of its name: .txt, .md, .html or .tex.

        Parameters
        ----------
        path : str or Path
            Of the file.

        Returns
        -------
        None

        Raises
        ------
        ValueError
            For other endings.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import report
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report([model]).save(pathlib.Path(folder, "table.md"))
        """
        path = Path(path)
        if path.suffix not in ENDINGS:
            raise ValueError(
                f"path={str(path)!r} ends in {path.suffix!r}.\nUse one of {', '.join(ENDINGS)}."
            )
        path.write_text(FORMATS[ENDINGS[path.suffix]](self._grid) + "\n", encoding="utf-8")


ENDINGS = {".txt": "text", ".md": "markdown", ".html": "html", ".tex": "latex"}
PARTS = ("fixed effects", "variance components", "fit")


def report(
    models: Sequence[Any] | Mapping[str, Any],
    names: Sequence[str] | None = None,
    *,
    errors: Literal["std_error", "limits", "p_value"] = "std_error",
    level: float = 0.95,
    df: Literal["normal", "residual", "satterthwaite", "kenward-roger"] = "normal",
    cov: Literal["model", "CR0", "CR1", "CR2", "CR3"] = "model",
    clusters: Any = None,
    exponentiate: bool = False,
    digits: int = 3,
    stars: bool = False,
    labels: Mapping[str, str] | None = None,
) -> ModelReport:
    """Models side by side: coefficients, variance components, and how well they fit.

    Parameters
    ----------
    models : list of fitted estimators, or dict of them by name
        Of any kind, and of any rows.
    names : list of str, default=None
        Names of the models of a list; "(1)", "(2)", ... if not given.
    errors : {"std_error", "limits", "p_value"}, default="std_error"
        What stands beside every coefficient.
    level : float, default=0.95
        Of the confidence limits.
    df, cov, clusters
        How the coefficients are tested, as in ``results_.coef_table``; for a classifier
        Satterthwaite's and Kenward and Roger's degrees of freedom are not there.
    exponentiate : bool, default=False
        Whether a classifier's coefficients are printed as odds ratios.
    digits : int, default=3
        Decimals.
    stars : bool, default=False
        Whether p-values below 0.05, 0.01 and 0.001 are marked.
    labels : dict, default=None
        Other names for coefficients, by their names.

    Returns
    -------
    ModelReport
        Prints itself; ``to_frame()``, ``to_text()``, ``to_markdown()``, ``to_html()``,
        ``to_latex()`` and ``save(path)``.  Variance components are variances and covariances; ICC
        by :func:`icc`, R squared by :func:`r_squared`.

    Raises
    ------
    ValueError
        For names that do not fit, labels of coefficients that no model has, no models, and as
        ``results_.coef_table``.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import report
    >>> X, y = make_mixed_regression(n_groups=40, random_state=0)
    >>> small = MixedLinearRegressor(groups="group").fit(X[["group", "x0"]], y)
    >>> large = MixedLinearRegressor(groups="group").fit(X, y)
    >>> print(report({"one": small, "both": large}))
    ====================================================
                                      one           both
    ----------------------------------------------------
    Fixed effects
    Intercept               0.035 (0.191)  0.154 (0.166)
    x0                      1.018 (0.123)  1.049 (0.062)
    x1                                     2.025 (0.061)
    ----------------------------------------------------
    Variance components
    Var(Intercept | group)          0.903          0.963
    Var(Residual)                   5.585          1.373
    ----------------------------------------------------
    Fit
    ICC (group)                     0.139          0.412
    R² marginal                     0.135          0.691
    R² conditional                  0.256          0.818
    Observations                      400            400
    Groups (group)                     40             40
    Log-likelihood (REML)         -931.75        -675.77
    AIC                           1871.51        1361.53
    ====================================================
    Standard errors in parentheses.
    AIC and log-likelihoods by REML are not comparable between different fixed effects.
    """
    check_choice("errors", errors, ERRORS)
    check_level(level)
    named = _named(models, names)
    rule = (df, cov, clusters)
    columns = [
        column_of(est, fitted_model(est, "models"), level, rule, as_ratios=exponentiate)
        for est in named.values()
    ]
    cell = _Cells(errors, digits, stars)
    shown = {} if labels is None else labels
    _check_labels(shown, _names(c.coefficients.index for c in columns))
    parts = [
        _part("Fixed effects", [c.coefficients for c in columns], cell.coefficient, shown),
        _part("Variance components", [c.variances for c in columns], cell.estimate, {}),
        Part("Fit", _measure_rows(columns)),
    ]
    notes = _notes(list(named.values()), columns, errors, level, stars=stars, ratios=exponentiate)
    grid = Grid(["", *named], [part for part in parts if part.rows], notes)
    return ModelReport(list(named), columns, grid)


def _named(models, names):
    """Models by name."""
    if isinstance(models, Mapping):
        names, models = list(models), list(models.values())
    elif hasattr(models, "results_"):
        models = [models]
    names = [f"({k + 1})" for k in range(len(models))] if names is None else list(names)
    if not models or len(names) != len(models) or len(set(names)) != len(names):
        raise ValueError(
            f"names: {len(set(names))} names for {len(models)} models.\n"
            "Pass at least one model, and a name of its own for each."
        )
    return dict(zip(map(str, names), models, strict=True))


def _check_labels(labels, names):
    for name in labels:
        if name not in names:
            meant = nearest(str(name), names)
            advice = f"Did you mean {meant!r}?" if meant else f"They are {', '.join(names)}."
            raise ValueError(f"labels: no model has a coefficient {name!r}.\n{advice}")


class _Cells:
    """Figures in words."""

    def __init__(self, errors, digits, stars):
        self.errors = errors
        self.digits = digits
        self.stars = stars

    def coefficient(self, row: pd.Series) -> str:
        """An estimate with its error."""
        mark = ""
        if self.stars:
            mark = next((mark for bound, mark in STARS if row["p_value"] < bound), "")
        return f"{self.number(row['estimate'])}{mark} {self.beside(row)}"

    def beside(self, row):
        """What stands beside an estimate."""
        if self.errors == "limits":
            return f"[{self.number(row['ci_low'])}, {self.number(row['ci_high'])}]"
        if self.errors == "p_value" and row["p_value"] < 10.0**-self.digits:
            return f"(< {10.0**-self.digits:.{self.digits}f})"
        return f"({self.number(row[self.errors])})"

    def estimate(self, row: pd.Series) -> str:
        """An estimate alone."""
        return self.number(row["estimate"])

    def number(self, value):
        """With so many decimals, or digits where that would say nothing."""
        if np.isnan(value):
            return "."
        if value != 0 and not 10.0**-self.digits <= abs(value) < LARGE:
            return f"{value:.{self.digits}g}"
        return f"{value:.{self.digits}f}"


def _names(indices):
    """Names in the order in which they come; a residual variance comes after the others."""
    names = list(dict.fromkeys(name for index in indices for name in index))
    return sorted(names, key=lambda name: name == "Var(Residual)")


def _fit_names(columns):
    """Names of measures of the fit, those of a kind together."""
    kinds = ("ICC", "R²", "Observations", "Groups", "Log-likelihood", "AIC")
    names = _names(column.measures for column in columns)
    return sorted(
        names, key=lambda name: next(k for k, s in enumerate(kinds) if name.startswith(s))
    )


def _part(title, tables, cell, labels):
    """Rows of some tables by name."""
    names = _names(table.index for table in tables)
    rows = [
        [
            labels.get(name, name),
            *(cell(table.loc[name]) if name in table.index else "" for table in tables),
        ]
        for name in names
    ]
    return Part(title, rows)


def _measure_rows(columns):
    names = _fit_names(columns)
    return [[name, *(_measured(column.measures.get(name)) for column in columns)] for name in names]


def _measured(measure):
    return "" if measure is None else f"{measure.value:.{measure.decimals}f}"


def _notes(models, columns, errors, level, *, stars, ratios):
    notes = [ERRORS[errors].format(level=100.0 * level)]
    notes += dict.fromkeys(column.method for column in columns if column.method)
    if ratios:
        notes.append("Coefficients of classifiers are odds ratios.")
    if stars:
        notes.append("* p < 0.05, ** p < 0.01, *** p < 0.001.")
    fitted = [fitted_model(est) for est in models]
    restricted = {tuple(m.coefficient_names) for m in fitted if m.fit.criterion.reml}
    if len(restricted) > 1:
        notes.append(
            "AIC and log-likelihoods by REML are not comparable between different fixed effects."
        )
    return notes


def _frame(column):
    """All figures of a model."""
    measures = pd.DataFrame(
        {"estimate": {name: measure.value for name, measure in column.measures.items()}}
    ).reindex(columns=FIGURES)
    tables = [column.coefficients, column.variances, measures]
    return pd.concat(dict(zip(PARTS, tables, strict=True)))
