"""Tables of estimates that can be compared with each other."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from html import escape
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..._data.checks import check_choice, check_level, nearest
from ..._report.tables import MOST_ROWS, WholeTable
from .adjustments import ADJUSTMENTS, in_words
from .columns import tested_columns
from .compare import Asked, compare
from .formats import formatters
from .letters import letters_of
from .quantities import Quantities

Adjust = Literal["none", "holm", "bonferroni", "tukey", "sidak", "fdr"]
Method = Literal["pairwise", "reference", "polynomial", "consecutive"]


class Content(NamedTuple):
    """What a table is of.

    Attributes
    ----------
    which : what every row is about
    quantities : the estimates
    by : columns of ``which`` whose combinations are compared within
    level : of the limits
    notes : printed below
    """

    which: pd.DataFrame
    quantities: Quantities
    by: tuple[Hashable, ...]
    level: float
    notes: tuple[str, ...]

    def families(self, by: Sequence[Hashable]) -> list[np.ndarray]:
        """Places of the rows of every family."""
        if not by:
            return [np.arange(len(self.which))]
        grouped = self.which.groupby(list(by), sort=False, dropna=False, observed=True)
        return [np.flatnonzero(grouped.ngroup() == k) for k in range(grouped.ngroups)]


class Margins(WholeTable):
    """A table of averages or means that knows their covariance matrix, and compares them.

    Made by :func:`marginal_means`, :func:`average_predictions` and :func:`average_effects`, which
    say what its columns are: ``estimate, std_error, ci_low, ci_high`` and what each row is about.
    Its own :meth:`pairs` and :meth:`contrasts` are such tables again.  Slices, copies and pickles
    of it are plain tables, which compare nothing.

    Parameters
    ----------
    data, index, columns, dtype, copy
        As of a DataFrame.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import average_effects
    >>> X, y = make_mixed_regression(random_state=0)
    >>> average_effects(MixedLinearRegressor(groups="group").fit(X, y))["term"].to_list()
    ['x0', 'x1']
    """

    _metadata = ["_covariance"]
    _content: Content | None = None
    _covariance: np.ndarray

    def __repr__(self):
        shown = self.to_string(max_rows=MOST_ROWS, line_width=None, formatters=self._formatters)
        return "\n".join([shown, *self._notes])

    def _repr_html_(self):
        table = pd.DataFrame(self)
        shown = table.to_html(max_rows=MOST_ROWS, notebook=True, formatters=self._formatters)
        return shown + "".join(f"<p>{escape(note)}</p>" for note in self._notes)

    @property
    def _formatters(self):
        return formatters(self) if self._content is not None else None

    @property
    def _notes(self):
        return () if self._content is None else self._content.notes

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the estimates, row by row of the table.

        ``L @ table.estimate`` has covariance ``L @ table.cov_params() @ L.T``.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import average_predictions
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> average_predictions(model, at={"x0": [0, 1]}).cov_params().shape
        (2, 2)
        """
        return pd.DataFrame(self._covariance, self.index, self.index)

    def to_frame(self) -> pd.DataFrame:
        """The same as a plain DataFrame.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import average_predictions
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> list(average_predictions(model).to_frame())
        ['estimate', 'std_error', 'ci_low', 'ci_high']
        """
        return pd.DataFrame(self)

    def pairs(
        self,
        *,
        by: Hashable | list | None = None,
        adjust: Adjust = "none",
        level: float | None = None,
        odds_ratios: bool = False,
    ) -> Margins:
        """All differences of two rows: ``contrasts("pairwise")``.

        Parameters
        ----------
        by, adjust, level, odds_ratios
            As in :meth:`contrasts`.

        Returns
        -------
        Margins
            As :meth:`contrasts` gives it.

        Raises
        ------
        ValueError
            As :meth:`contrasts`.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import marginal_means
        >>> X, y = make_mixed_regression(random_state=0)
        >>> data = X.assign(y=y, arm=["abc"[k % 3] for k in range(len(X))])
        >>> model = MixedLinearRegressor.from_formula("y ~ arm + x1 + (1 | group)", data)
        >>> marginal_means(model, "arm").pairs(adjust="tukey")["contrast"].to_list()
        ['a - b', 'a - c', 'b - c']
        """
        return self.contrasts(by=by, adjust=adjust, level=level, odds_ratios=odds_ratios)

    def contrasts(
        self,
        method: Method | ArrayLike | dict = "pairwise",
        *,
        by: Hashable | list | None = None,
        adjust: Adjust = "none",
        level: float | None = None,
        reference: Any = None,
        interaction: bool = False,
        odds_ratios: bool = False,
    ) -> Margins:
        """Linear combinations of the rows, with tests and limits.

        Parameters
        ----------
        method : str, matrix, DataFrame or dict, default="pairwise"
            "pairwise": every row less every later one; "reference": all others less one;
            "consecutive": every row less the one before; "polynomial": linear, quadratic, ...
            trends over equally spaced levels (orthogonal polynomials in whole numbers); or numbers,
            one for every row of a family: (contrasts, rows), with names as the index of a DataFrame
            or the keys of a dict.
        by : column or list of columns, default=None
            Rows are compared within the combinations of these columns, each a family of its own.
            None: the ``by`` of :func:`marginal_means`, the term of :func:`average_effects`.
        adjust : {"none", "holm", "bonferroni", "tukey", "sidak", "fdr"}, default="none"
            Correction of p-values and limits for the number of contrasts in a family.  "tukey" is
            for pairs; "holm" comes with Bonferroni's limits, "fdr" (Benjamini and Hochberg) with
            limits that are not corrected.
        level : float, default=None
            Of the limits.  None: that of this table.
        reference : level, default=None
            For ``method="reference"``: the row that is subtracted, as contrasts name it.  None: the
            first.
        interaction : bool, default=False
            Contrasts of contrasts: ``method`` for each of the columns that tell the rows of a
            family apart, and their products.  With pairs of two factors, differences of
            differences.
        odds_ratios : bool, default=False
            Of probabilities and log-odds: ratios of odds, with tests on their logarithms.

        Returns
        -------
        Margins
            ``contrast``, the columns of ``by`` (of contrasts of contrasts, those that are compared
            are ``of``), ``estimate, std_error, df, t, p_value, ci_low, ci_high``; with infinite
            ``df`` column t is z.  What the data do not determine is NaN, and a column ``note`` says
            why.

        Raises
        ------
        ValueError
            For unknown methods and columns, matrices of another shape, Tukey's method for what are
            no pairs, and tables that were copied or pickled.

        Notes
        -----
        Probabilities are subtracted as they are shown; the delta method gives the errors.  A family
        of Tukey's method has as many means as take part in a contrast that the data determine.

        References
        ----------
        Tukey (1949), Comparing individual means in the analysis of variance, Biometrics 5.  Holm
        (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of
        Statistics 6.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import marginal_means
        >>> X, y = make_mixed_regression(random_state=0)
        >>> data = X.assign(y=y, arm=["abc"[k % 3] for k in range(len(X))])
        >>> model = MixedLinearRegressor.from_formula("y ~ arm + x1 + (1 | group)", data)
        >>> means = marginal_means(model, "arm")
        >>> means.contrasts({"a against the others": [1, -0.5, -0.5]})["contrast"].to_list()
        ['a against the others']
        >>> means.contrasts("reference", reference="b")["contrast"].to_list()
        ['a - b', 'c - b']
        """
        check_choice("adjust", adjust, ADJUSTMENTS)
        content = self._compared()
        by = _columns(content, by)
        asked = Asked(method, reference, interaction, "/" if odds_ratios else "-")
        found = compare(content.which, content.families(by), by, asked)
        q = content.quantities
        values = q.log_ratios(found.matrix) if odds_ratios else q.contrasts(found.matrix)
        families = found.families(values.determined)
        notes = (*content.notes, in_words(adjust, families))
        level = content.level if level is None else check_level(level)
        made = Content(found.which, values, tuple(found.which)[1:], level, notes)
        return table_of(made, tested_columns(values, level, adjust, families))

    def letters(
        self,
        *,
        by: Hashable | list | None = None,
        adjust: Adjust = "tukey",
        alpha: float = 0.05,
    ) -> pd.DataFrame:
        """Compact letter display: rows that share a letter do not differ significantly.

        Parameters
        ----------
        by, adjust
            As in :meth:`contrasts`.
        alpha : float, default=0.05
            Two rows differ where their corrected p-value is at most this.

        Returns
        -------
        DataFrame
            The columns that say what each row is about, ``estimate, std_error, ci_low, ci_high``
            and ``letters``, in the order of this table.  Within a family the letters begin with the
            least estimate.  What is not estimable has none, and what has no standard error.

        Raises
        ------
        ValueError
            As :meth:`contrasts`.

        Notes
        -----
        No difference that is significant is no equality: a letter that two means share says that
        the data do not tell them apart.

        References
        ----------
        Piepho (2004), An algorithm for a letter-based representation of all-pairwise comparisons,
        Journal of Computational and Graphical Statistics 13.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import marginal_means
        >>> X, y = make_mixed_regression(random_state=0)
        >>> arm = [k % 3 for k in range(len(X))]
        >>> data = X.assign(y=y + 5.0 * (np.array(arm) == 2), arm=["abc"[k] for k in arm])
        >>> model = MixedLinearRegressor.from_formula("y ~ arm + x1 + (1 | group)", data)
        >>> marginal_means(model, "arm").letters()[["arm", "letters"]].values.tolist()
        [['a', 'a'], ['b', 'a'], ['c', 'b']]
        """
        content = self._compared()
        check_level(1.0 - alpha)
        by = _columns(content, by)
        p = self.pairs(by=list(by), adjust=adjust)["p_value"].to_numpy()
        known = self["estimate"].where(self["std_error"].notna()).to_numpy()
        told = letters_of(known, content.families(by), p <= alpha)
        columns = ["estimate", "std_error", "ci_low", "ci_high"]
        return WholeTable(pd.concat([content.which, self[columns]], axis=1).assign(letters=told))

    def _compared(self):
        if self._content is None:
            raise ValueError(
                "a table that was copied or loaded knows no covariances to compare its rows by.\n"
                "Make it again from the fitted model."
            )
        return self._content


def table_of(content: Content, columns: dict) -> Margins:
    """What every row is about, and its figures."""
    notes = content.quantities.notes()
    if any(notes):
        columns = columns | {"note": notes}
    out = Margins(pd.concat([content.which, pd.DataFrame(columns)], axis=1))
    out._covariance = content.quantities.covariance()
    out._content = content
    return out


def _columns(content, by):
    """Columns to compare within."""
    if by is None:
        return content.by
    wanted = list(by) if isinstance(by, list | tuple) else [by]
    known = list(content.which)
    for name in wanted:
        if name not in known:
            meant = nearest(str(name), map(str, known))
            advice = (
                f"Did you mean {meant!r}?" if meant else f"They are {', '.join(map(str, known))}."
            )
            raise ValueError(f"by: no column {name!r} says what the rows are about.\n{advice}")
    return tuple(wanted)
