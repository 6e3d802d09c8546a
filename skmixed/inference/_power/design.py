"""Designs without data: columns, groups, effects and variances as they are planned."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._data.grouping import group_table
from ..._reader import Spec, open_door
from .._arguments import fitted_model
from .layouts import InTurn, Laid, Layout, Repeated, as_pandas
from .truths import Estimated, Stated


@dataclass(frozen=True, repr=False)
class StudyDesign:
    """A planned study: a model, its columns at any size, and what is assumed to be true.

    Made by :func:`design`.

    Attributes
    ----------
    est : estimator
        The model that is going to be fitted.
    layout : Layout
        What makes the rows of a study of any size.
    truth : Stated
        Effects and variances by name.
    classes : ndarray or None
        Labels of a classifier.
    """

    est: Any
    layout: Layout
    truth: Any
    classes: Any = None

    def __repr__(self):
        kind = type(self.est).__name__
        return f"StudyDesign of a {kind}: pass it to power() or simulate_design()."


def design(
    est: Any,
    columns: Any = None,
    *,
    groups: str | Mapping[str, Mapping[str, Any]],
    effects: Mapping[str, float],
    variances: Mapping[str, Any],
) -> StudyDesign:
    """A study that is planned: no data are needed for its power.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Not fitted: the model that is going to be fitted, with its formula, or its groups and
        random effects.
    columns : dict or table, default=None
        Columns of the rows by name.  A list is the values of the rows of every group in turn, such
        as occasions; a function ``f(rng, n)`` draws n values, once for a size of the design.  A
        table is the planned rows themselves, which come again for larger designs.
    groups : str or dict
        The grouping column; with columns of the groups ``{"school": {"treated": [0, 1]}}``, whose
        values the groups take in turn.  With a table: the column whose levels are counted.
    effects : dict
        Coefficients by name, as ``summary()`` calls them; those that are not named are zero.
    variances : dict
        By factor the variance of its effect, a dict of the variances of several effects, or their
        covariance matrix; ``"Residual"`` is that of a linear model.

    Returns
    -------
    StudyDesign
        For :func:`power` and :func:`simulate_design`, which say how many groups.

    Raises
    ------
    TypeError
        Where ``est`` is no mixed model, or ``groups`` neither a name nor a dict of one.
    ValueError
        For columns without values.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.inference import design, simulate_design
    >>> trial = design(
    ...     MixedLinearRegressor(formula="~ arm * week + (1 + week | patient)"),
    ...     columns={"week": [0, 1, 2, 4]},
    ...     groups={"patient": {"arm": [0, 1]}},
    ...     effects={"Intercept": 50, "week": -1, "arm:week": -0.8},
    ...     variances={"patient": {"Intercept": 25, "week": 1}, "Residual": 16},
    ... )
    >>> X, y = simulate_design(trial, n_groups=6, random_state=0)
    >>> X.shape, y.shape
    ((24, 3), (24,))
    """
    if not hasattr(type(est), "random_effects_"):
        raise TypeError(
            f"est: expected a mixed model, got {type(est).__name__}.\n"
            "Pass the model to be fitted, such as MixedLinearRegressor(groups='school')."
        )
    return StudyDesign(est, _layout(est, columns, groups), Stated(dict(effects), dict(variances)))


def _layout(est, columns, groups):
    named = groups if isinstance(groups, Mapping) else {groups: {}}
    if len(named) != 1 or not isinstance(next(iter(named)), Hashable):
        raise TypeError(
            f"groups={groups!r:.60} does not name one grouping column.\n"
            "Give its name, or a dict such as {'school': {'treated': [0, 1]}}; designs with more "
            "factors are planned in a table: columns=table, groups='school'."
        )
    ((group, of_groups),) = named.items()
    if columns is None or isinstance(columns, Mapping):
        rows = dict(columns or {})
        _check_values({**rows, **of_groups})
        return InTurn(rows, group, dict(of_groups))
    table = as_pandas(columns)
    if of_groups or group not in table:
        raise ValueError(
            f"groups={groups!r:.60}: with a table this is the name of one of its columns.\n"
            f"They are {', '.join(map(str, table.columns))}."
        )
    labels = open_door(Spec.of(est), table, None)[2].labels
    return Repeated.of(Laid(table), {**labels, group: table[group]}, (), group)


def _check_values(columns):
    for name, values in columns.items():
        if not callable(values) and (isinstance(values, str) or not np.size(values)):
            raise ValueError(
                f"columns[{name!r}]={values!r:.40}: no values.\n"
                "Give a list such as [0, 1], or a function of a generator and a number."
            )
        if np.ndim(values) == 0 and not callable(values):
            raise ValueError(
                f"columns[{name!r}]={values!r:.40} is a single value.\nGive a list such as [0, 1]."
            )


def planned(est: Any, group: Hashable | None = None) -> StudyDesign:
    """A design as it is, or that of a fitted model: its rows, and its estimates."""
    if isinstance(est, StudyDesign):
        return est
    model = fitted_model(est, "est_or_design")
    given = Laid(*model.training.given)
    if given.groups is None:
        table = as_pandas(given.X)
        factors = model.reader.groups
        labels = {name: table[name] for names in factors for name in names}
    else:
        labels = group_table(given.groups)
        factors = [(name,) for name in labels]
    layout = Repeated.of(given, labels, factors, group)
    return StudyDesign(est, layout, Estimated(model.fit), model.classes)
