"""The sentences of a model, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from textwrap import fill
from typing import Any

from ..._data.checks import check_level
from ...inference._arguments import fitted_model
from .groups import cautions, new_groups, slopes
from .sharing import between, explained, rows, sizes
from .strongest import strongest
from .subject import Subject

WIDTH = 88

#: paragraphs and what they are made of, in their order
PARTS: dict[str, tuple[Callable[[Subject], Iterable[str]], ...]] = {
    "rows": (rows,),
    "variation": (explained, between, sizes),
    "effects": (strongest,),
    "slopes": (slopes,),
    "new_groups": (new_groups,),
    "cautions": (cautions,),
}


@dataclass(frozen=True)
class Explanation:
    """A model in plain words; prints as text, and as HTML in notebooks.

    Parameters
    ----------
    parts : dict
        Sentences by what they are about: ``rows, variation, effects, slopes, new_groups,
        cautions``; a part that the model has nothing to say of is empty.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.diagnostics import explain
    >>> X, y = make_mixed_regression(random_state=0)
    >>> explanation = explain(MixedLinearRegressor(groups="group").fit(X, y))
    >>> explanation.parts["rows"]
    ('The model describes y in 1,000 rows, which belong to 100 groups of group (10 rows in each).',)
    """

    parts: dict[str, tuple[str, ...]]

    @property
    def paragraphs(self) -> list[str]:
        """One text per part that has something to say."""
        return ["  ".join(sentences) for sentences in self.parts.values() if sentences]

    def __str__(self) -> str:
        return "\n\n".join(map(_wrapped, self.paragraphs))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(text)}</p>" for text in self.paragraphs)


def _wrapped(text):
    """Lines, none of which begins with a percent sign."""
    return fill(text.replace(" %", "\xa0%"), WIDTH).replace("\xa0", " ")


def explain(est: Any, *, level: float = 0.95) -> Explanation:
    """A fitted model in plain words.

    What was looked at, how the variation is shared out between the columns, the groups and single
    rows, what the strongest effects mean in the units of the response (odds and probabilities for a
    classifier), how slopes differ between groups, what a new group may expect, and what calls for
    caution.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted, with the rows of the fit.
    level : float, default=0.95
        Of all intervals.

    Returns
    -------
    Explanation
        Prints as paragraphs.

    Raises
    ------
    ValueError
        For a level that is not between 0 and 1, and a copied or pickled model, whose rows are not
        kept.

    See Also
    --------
    skmixed.inference.slope_distribution : How slopes are distributed, as a table.
    skmixed.inference.average_effects : Effects as a table.

    Notes
    -----
    A column is told by one unit where its standard deviation is 0.5 to 20, by one standard
    deviation elsewhere; categories are told against the first one.  Effects are averaged over the
    rows, as by ``average_effects(est, kind="population")``, those of a classifier on the scale of
    the log-odds; probabilities are those of ``average_predictions``.  Shares of variation are those
    of ``r_squared`` and of the variances ``icc`` is made of; limits for a new group are those of
    ``predict_interval(target="mean")`` at the means of the columns and their most frequent
    categories.

    It takes seconds at most: of more than 20,000 rows so many, evenly spread, are averaged over,
    and models whose second derivatives are slow (crossed factors with more than 1,500 effects in
    the smaller one) are told without limits of the variances.  The rows of a model of chunks are
    read again, at most 100,000 of them, evenly spread.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.diagnostics import explain
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> print(str(explain(model)).splitlines()[0])
    The model describes y in 1,000 rows, which belong to 100 groups of group (10 rows in
    """
    subject = Subject(est, fitted_model(est), check_level(level))
    _ = subject.sample  # an error where the rows are gone, before anything else
    found = {
        part: tuple(sentence for tell in made_of for sentence in tell(subject))
        for part, made_of in PARTS.items()
    }
    return Explanation(found)
