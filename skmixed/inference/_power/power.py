"""How often an effect is found in designs of several sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from ..._data.checks import check_choice, check_level, check_n_samples, warn
from ...exceptions import ConvergenceWarning
from .._bootstrap.bootstrap import replicates
from .decisions import TAILS, decision
from .design import planned
from .result import PowerResult, rates
from .studies import Study, labelled, study
from .truths import changed

MOST = 2**31 - 1  # of a seed


def power(
    est_or_design: Any,
    effect: str | Mapping[str, float],
    *,
    n_groups: int | Sequence[int] | None = None,
    group_size: int | Sequence[int] | None = None,
    test: Any = None,
    alternative: Literal["two-sided", "greater", "less"] = "two-sided",
    alpha: float = 0.05,
    n_samples: int = 1000,
    group: Any = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    progress: bool = False,
) -> PowerResult:
    """Power by simulation: how often a test finds an effect in designs of several sizes.

    For each size a response is drawn ``n_samples`` times with new random effects and residuals or
    outcomes, the model is fitted, and the effect tested; power is the share of p-values below
    ``alpha``, its Monte-Carlo error ``sqrt(power (1 - power) / n_samples)``.

    Parameters
    ----------
    est_or_design : fitted estimator, or StudyDesign
        A pilot whose rows come again in larger designs and whose estimates are the truth, or what
        :func:`design` states without one.
    effect : str or dict
        What is tested: a coefficient or term by name, or a contrast such as ``"a - b"``.  A dict
        ``{"treated": 0.4}`` states the coefficients too, which a pilot should not: power at an
        estimate says no more than its p-value.
    n_groups, group_size : int or list of int, default=None
        Numbers of groups (of both arms together) and of rows of each; every pair is a design.
        None: as many as the pilot or the columns have.
    test : str or callable, default=None
        "satterthwaite", "kenward-roger", "residual" or "normal" degrees of freedom of the Wald
        test, or "likelihood-ratio" by maximum likelihood; None is the first for a linear model,
        "normal" for a classifier.  A function of a fitted estimator returns a p-value.
    alternative : {"two-sided", "greater", "less"}, default="two-sided"
        What is found.
    alpha : float, default=0.05
        Level of the test.
    n_samples : int, default=1000
        Responses per size.
    group : str, default=None
        The grouping column of a fitted model whose levels are counted; None is the outermost.  What
        is nested in it comes again with it, what is crossed with it stays.
    n_jobs : int, default=None
        Number of processes, as in scikit-learn; the samples do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed.  The samples of a size do not depend on the other sizes that are asked for.
    progress : bool, default=False
        Show the number of samples of each size on stderr, by tqdm where it is installed.

    Returns
    -------
    PowerResult
        Prints itself; ``to_frame()``, ``samples``, ``smallest()``.

    Raises
    ------
    TypeError
        For something that is neither a fitted model nor a design, and sizes that are no numbers.
    ValueError
        For unknown coefficients, tests and columns, and effects or variances that are missing.

    Warns
    -----
    ConvergenceWarning
        With the number of fits that failed, which count as not found, or did not converge.

    References
    ----------
    Green and MacLeod (2016), SIMR: an R package for power analysis of generalized linear mixed
    models by simulation, Methods in Ecology and Evolution 7.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.inference import design, power
    >>> trial = design(
    ...     MixedLinearRegressor(groups="school"),
    ...     groups={"school": {"treated": [0, 1]}},
    ...     effects={"treated": 0.4},
    ...     variances={"school": 0.05, "Residual": 0.95},
    ... )
    >>> found = power(
    ...     trial, "treated", n_groups=[10, 20, 40], group_size=20, n_samples=100, random_state=0
    ... )
    >>> found.to_frame()[["n_groups", "n_rows"]].to_numpy().tolist()
    [[10, 200], [20, 400], [40, 800]]
    """
    check_choice("alternative", alternative, TAILS)
    check_level(alpha)
    n_samples = check_n_samples(n_samples)
    plan = planned(est_or_design, group)
    sizes = list(product(_sizes("n_groups", n_groups, 2), _sizes("group_size", group_size, 1)))
    seed = _seed(random_state)
    options = {"n_jobs": n_jobs, "progress": progress}
    parts = []
    for n, m in sizes:
        rng = np.random.default_rng([seed, n or 0, m or 0])
        at_size = _with_effect(study(plan, n, m, rng), effect)
        source, statistic = decision(at_size, effect, test, alternative)
        words = f"power, {_in_words(at_size, n, m)}"
        start = int(rng.integers(MOST))
        found = replicates(source, statistic, n_samples, random_state=start, what=words, **options)
        parts.append(_samples(at_size, n, m, found))
    samples = pd.concat(parts, ignore_index=True)
    _warn_of_failures(samples)
    name = " and ".join(effect) if isinstance(effect, Mapping) else str(effect)
    return PowerResult(rates(samples, alpha), samples, name, alpha)


def simulate_design(
    est_or_design: Any,
    *,
    n_groups: int | None = None,
    group_size: int | None = None,
    n_samples: int | None = None,
    group: Any = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Any, Any]:
    """Rows and responses of a planned study.

    Parameters
    ----------
    est_or_design : fitted estimator, or StudyDesign
        As in :func:`power`.
    n_groups, group_size : int, default=None
        Size of the study.
    n_samples : int, default=None
        Number of responses for the rows; None is one.
    group : str, default=None
        The grouping column of a fitted model whose levels are counted.
    random_state : int, RandomState or None, default=None
        Seed of the draws.

    Returns
    -------
    X : table
        The columns of the study, its grouping columns among them.
    y : Series of shape (n_rows,), or ndarray of shape (n_rows, n_samples)
        Responses; labels of a classifier.

    Raises
    ------
    TypeError, ValueError
        As :func:`power`.

    Examples
    --------
    >>> from skmixed import MixedLogisticClassifier
    >>> from skmixed.inference import design, simulate_design
    >>> trial = design(
    ...     MixedLogisticClassifier(groups="clinic"),
    ...     columns={"treated": [0, 1]},
    ...     groups="clinic",
    ...     effects={"Intercept": -1, "treated": 0.7},
    ...     variances={"clinic": 0.5},
    ... )
    >>> X, y = simulate_design(trial, n_groups=20, group_size=10, random_state=0)
    >>> sorted(set(y))
    [0, 1]
    """
    plan = planned(est_or_design, group)
    (n,) = _sizes("n_groups", n_groups, 2, most=1)
    (m,) = _sizes("group_size", group_size, 1, most=1)
    count = 1 if n_samples is None else check_n_samples(n_samples)
    rng = np.random.default_rng([_seed(random_state), n or 0, m or 0])
    at_size = study(plan, n, m, rng)
    source = at_size.source()
    drawn = [labelled(at_size.model, source.draw(rng).y) for _ in range(count)]
    X = at_size.laid.X
    if at_size.laid.groups is not None:
        X = pd.concat([pd.DataFrame(X), pd.DataFrame(at_size.laid.groups)], axis=1)
    if n_samples is None:
        return X, pd.Series(drawn[0], index=getattr(X, "index", None), name="y")
    return X, np.column_stack(drawn)


def _with_effect(found: Study, effect: Any) -> Study:
    """With the coefficients that are stated beside their names."""
    if not isinstance(effect, Mapping):
        return found
    names = found.model.names.fixed
    beta = changed(found.truth.coefficients, names, effect)
    return Study(found.est, found.laid, found.truth._replace(coefficients=beta))


def _sizes(role, given, least, most=None):
    """Numbers that are whole and large enough; None stands for what there is."""
    listed = list(given) if isinstance(given, Sequence | np.ndarray | range) else [given]
    if not listed or (most is not None and len(listed) > most):
        raise ValueError(f"{role}={given!r:.60}: one number is wanted.\nGive one, such as 20.")
    return [None if size is None else _size(role, size, least) for size in listed]


def _size(role, size, least):
    if not isinstance(size, Integral) or size < least:
        raise ValueError(
            f"{role}={size!r} is not a whole number of at least {least}.\n"
            "Give a number or a list of them, such as [10, 20, 40]."
        )
    return int(size)


def _seed(random_state):
    return int(check_random_state(random_state).randint(0, MOST))


def _counts(found: Study, n: int | None, m: int | None) -> tuple[int, float, int]:
    """Groups, rows per group and rows of a study."""
    rows = len(found.laid.X)
    levels = max(1, n or min(len(labels) for labels in found.model.names.levels))
    return levels, (m or rows / levels), rows


def _in_words(found, n, m):
    levels, size, _ = _counts(found, n, m)
    return f"{levels} groups of {size:.4g}"


def _samples(found, n, m, drawn):
    """A row per sample."""
    levels, size, rows = _counts(found, n, m)
    values = drawn.values if drawn.values.shape[1] else np.full((len(drawn.failed), 2), np.nan)
    return pd.DataFrame(
        {
            "n_groups": levels,
            "group_size": size,
            "n_rows": rows,
            "estimate": values[:, 0],
            "p_value": values[:, 1],
            "converged": drawn.converged,
        }
    )


def _warn_of_failures(samples):
    failed = int(samples["p_value"].isna().sum())
    unconverged = int((~samples["converged"] & samples["p_value"].notna()).sum())
    if failed or unconverged:
        warn(
            f"power: of {len(samples)} fits {failed} gave no p-value and count as not found; "
            f"{unconverged} did not converge, or have no finite estimate, and are kept.\n"
            "Larger groups, or a simpler model, have fewer of them.",
            ConvergenceWarning,
        )
