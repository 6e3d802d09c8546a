"""The data of a model under statsmodels' names."""

from __future__ import annotations

from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from ._fitting import Assembled
from ._inputs.arrays import Inputs
from ._inputs.components import Component
from ._inputs.groups import Groups
from ._inputs.labels import Labels
from ._params import VCSpec


class Matrices:
    """Matrices, groups and names."""

    def _take(self, inputs: Inputs, use_sqrt: bool) -> None:
        """Everything that statsmodels' model has as an attribute."""
        self.endog, self.exog = inputs.endog, inputs.exog.values
        self.exog_re = inputs.exog_re.values if inputs.exog_re.names else None
        self.endog_names, self.exog_names = inputs.endog_name, inputs.exog.names
        self.formula = inputs.formula
        self.use_sqrt = use_sqrt
        self.reml = True
        self.fe_pen = self.cov_pen = self.re_pen = None
        self._size(inputs)
        self.data = _names(inputs)
        self._design = inputs.design
        self._whole: dict[bool, Assembled] = {}

    def _size(self, inputs: Inputs) -> None:
        """Groups, components and numbers of everything."""
        self.grouping: Groups = inputs.groups
        self.group_name = inputs.group_name
        self.group_labels = inputs.groups.labels
        self.components: list[Component] = inputs.components
        self.labels = Labels(inputs.index)
        self.nobs = self.n_totobs = len(inputs.endog)
        self.n_groups = len(self.group_labels)
        self.k_fe, self.k_re = len(inputs.exog.names), len(inputs.exog_re.names)
        self.k_re2, self.k_vc = self.k_re * (self.k_re + 1) // 2, len(inputs.components)
        self.k_params = self.k_fe + self.k_re2
        self.k_constant = int(np.any(np.ptp(self.exog, axis=0) == 0)) if self.k_fe else 0

    def __getstate__(self) -> dict[str, Any]:
        """Formulas that patsy has read cannot be pickled."""
        data = SimpleNamespace(**{**vars(self.data), "model_spec": None, "design_info": None})
        return vars(self) | {"_design": None, "data": data}

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """``k_fe, k_re, k_re2, k_vc``.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> sm.MixedLM(y, X[["x0", "x1"]], X["group"]).sizes
        (2, 1, 1, 0)
        """
        return self.k_fe, self.k_re, self.k_re2, self.k_vc

    @property
    def group_sizes(self) -> np.ndarray:
        """Numbers of rows of the groups.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> int(sm.MixedLM(y, X[["x0", "x1"]], X["group"]).group_sizes[0])
        10
        """
        return self.grouping.sizes

    @cached_property
    def row_indices(self) -> dict[Any, list[int]]:
        """Positions of the rows by group.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> len(sm.MixedLM(y, X[["x0", "x1"]], X["group"]).row_indices[0])
        10
        """
        pairs = zip(self.group_labels, self.grouping.rows, strict=True)
        return {label: rows.tolist() for label, rows in pairs}

    @cached_property
    def exog_vc(self) -> VCSpec:
        """The variance components with their matrices.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> data = X.assign(y=y)
        >>> vc = {"slope": "0 + x0"}
        >>> sm.mixedlm("y ~ x0", data, groups="group", vc_formula=vc).exog_vc.mats[0][0].shape
        (10, 1)
        """
        rows = list(enumerate(self.grouping.rows))
        return VCSpec(
            [c.name for c in self.components],
            [[c.names(g) for g, _ in rows] for c in self.components],
            [[c.matrix(g, own) for g, own in rows] for c in self.components],
        )

    def group_list(self, array: np.ndarray | None) -> list[np.ndarray] | None:
        """Rows of an array, group by group.

        Parameters
        ----------
        array : ndarray of shape (n_rows, ...) or None
            One row for each of the data.

        Returns
        -------
        list of ndarray
            None for None.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.MixedLM(y, X[["x0", "x1"]], X["group"])
        >>> len(model.group_list(model.endog))
        100
        """
        return self.grouping.split(array)

    def predict(self, params: Any, exog: Any = None) -> np.ndarray:
        """Means by given fixed effects.

        Parameters
        ----------
        params : MixedLMParams or array-like of shape (k,)
            Begins with the fixed effects.
        exog : array-like of shape (n_rows, k_fe), default=None
            Their columns; None: those of the fit.

        Returns
        -------
        ndarray of shape (n_rows,)

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.MixedLM(y, X[["x0", "x1"]], X["group"])
        >>> model.predict([1.0, 2.0], [[1.0, 1.0]])
        array([3.])
        """
        fixed = params.fe_params if hasattr(params, "fe_params") else params
        columns = self.exog if exog is None else np.asarray(exog)
        return columns @ np.asarray(fixed)[: self.k_fe]

    def fixed_columns(self, exog: Any = None, transform: bool = True) -> np.ndarray:
        """What the fixed effects multiply in new rows.

        Parameters
        ----------
        exog : table or array, default=None
            With the variables of the formula, or these columns; None: the rows of the fit.
        transform : bool, default=True
            Whether the formula is evaluated.

        Returns
        -------
        ndarray of shape (n_rows, k_fe)

        Raises
        ------
        ValueError
            After pickling, for what a formula has to be evaluated on.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0", X.assign(y=y), groups="group")
        >>> model.fixed_columns({"x0": [2.0]})
        array([[1., 2.]])
        """
        if exog is None:
            return self.exog
        if not (transform and self.formula is not None and not isinstance(exog, np.ndarray | list)):
            found = np.asarray(exog, dtype=float)
            return found[:, None] if found.ndim == 1 and self.k_fe == 1 else np.atleast_2d(found)
        if self._design is None:
            raise ValueError(
                "the formula is not kept in a pickled model.\n"
                "Pass the columns of the fixed effects as an array."
            )
        from patsy import NAAction, dmatrix

        action = NAAction(NA_types=[])
        table = exog.to_frame().T.infer_objects() if isinstance(exog, pd.Series) else exog
        return np.asarray(dmatrix(self._design, table, NA_action=action))

    def remove_data(self) -> None:
        """Forget the rows.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0", X.assign(y=y), groups="group")
        >>> model.remove_data()
        >>> model.exog is None
        True
        """
        self._whole = {}
        self.endog = self.exog = self.exog_re = None  # type: ignore[assignment]


def _names(inputs: Inputs) -> SimpleNamespace:
    """All names, as statsmodels has them in ``model.data``."""
    effects = list(inputs.exog_re.names)
    full = inputs.full_names or [
        f"{effects[r]} Var" if r == c else f"{effects[c]} x {effects[r]} Cov"
        for r in range(len(effects))
        for c in range(r + 1)
    ]
    components = [component.name for component in inputs.components]
    return SimpleNamespace(
        ynames=inputs.endog_name,
        xnames=list(inputs.exog.names),
        param_names=[*inputs.exog.names, *full, *(f"{name} Var" for name in components)],
        exog_re_names=effects,
        exog_re_names_full=full,
        vcomp_names=components,
        model_spec=inputs.design,
        design_info=inputs.design,
        row_labels=inputs.index,
    )
