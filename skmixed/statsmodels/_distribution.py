"""The distribution of the responses: its likelihood, and draws from it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..exceptions import SkmixedWarning
from ._drawn import Drawn
from ._fitting import Assembled, assemble
from ._free import blocks_of
from ._inputs.arrays import Matrix
from ._inputs.components import Part
from ._likelihood import loglike
from ._matrices import Matrices
from ._params import MixedLMParams


class Distribution(Matrices):
    """What a model says of its responses at any parameters."""

    def get_distribution(self, params: Any, scale: float, exog: Any = None) -> Drawn:
        """Responses of the model at given parameters, to draw from.

        Parameters
        ----------
        params : array-like
            As ``params`` of the results: variances in units of the residual variance.
        scale : float
            Residual variance.
        exog : array-like of shape (n_rows, k_fe), default=None
            Columns of the fixed effects; None: those of the fit.

        Returns
        -------
        Drawn
            ``rvs(n, rng)`` draws responses of all rows, n being ignored as in statsmodels.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0", X.assign(y=y), groups="group")
        >>> model.get_distribution([0.0, 1.0, 1.0], scale=2.0).rvs(1, rng=0).shape
        (1000,)
        """
        found = MixedLMParams.from_packed(params, self.k_fe, self.k_re, use_sqrt=False, has_fe=True)
        return Drawn(self, found, scale, self.exog if exog is None else np.asarray(exog))

    def loglike(self, params: Any, profile_fe: bool = True) -> float:
        """The log-likelihood at given parameters, with the residual variance profiled out.

        Restricted if the last fit was.

        Parameters
        ----------
        params : MixedLMParams or array-like
            Variances in units of the residual variance; a vector holds them packed, as
            ``use_sqrt`` says.
        profile_fe : bool, default=True
            Whether the fixed effects are the best ones rather than those of ``params``.

        Returns
        -------
        float

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group")
        >>> round(model.loglike(model.fit().params_object), 1)
        -1681.7
        """
        if not hasattr(params, "cov_re"):
            params = self._unpacked(params, not profile_fe)
        return loglike(self.unconstrained(self.reml), params, profile_fe=profile_fe)

    def score(self, params: Any, profile_fe: bool = True) -> np.ndarray:
        """First derivatives of :meth:`loglike`, by differences.

        Parameters
        ----------
        params : MixedLMParams or array-like
            As for :meth:`loglike`.
        profile_fe : bool, default=True
            As for :meth:`loglike`.

        Returns
        -------
        ndarray of shape (k,)
            In the packed parameters: roots of the variances if ``use_sqrt``; the fixed effects
            come first unless they are profiled out.

        Examples
        --------
        >>> import numpy as np
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group")
        >>> bool(np.abs(model.score(model.fit().params_object)[0]) < 1e-3)
        True
        """
        from statsmodels.tools.numdiff import approx_fprime

        def value(x: np.ndarray) -> float:
            return self.loglike(self._unpacked(x, not profile_fe), profile_fe=profile_fe)

        if hasattr(params, "get_packed"):
            params = params.get_packed(use_sqrt=self.use_sqrt, has_fe=not profile_fe)
        return np.atleast_1d(approx_fprime(np.asarray(params, float), value, centered=True))

    def hessian(self, params: Any) -> tuple[np.ndarray, bool]:
        """Second derivatives of the log-likelihood, by differences.

        Parameters
        ----------
        params : MixedLMParams or array-like
            With the fixed effects; a vector holds them packed, as ``use_sqrt`` says.

        Returns
        -------
        tuple of ndarray of shape (k, k) and bool
            In the fixed effects, the variances and covariances themselves, in units of the
            residual variance; and whether the covariance matrix of the random effects is singular.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group")
        >>> model.hessian(model.fit().params_object)[0].shape
        (4, 4)
        """
        from statsmodels.tools.numdiff import approx_hess

        def value(x: np.ndarray) -> float:
            found = MixedLMParams.from_packed(x, self.k_fe, self.k_re, use_sqrt=False, has_fe=True)
            return self.loglike(found, profile_fe=False)

        if not hasattr(params, "get_packed"):
            params = self._unpacked(params, has_fe=True)
        is_singular = np.linalg.matrix_rank(params.cov_re) < self.k_re or np.any(params.vcomp == 0)
        packed = params.get_packed(use_sqrt=False, has_fe=True)
        return approx_hess(packed, value), bool(is_singular)

    def _unpacked(self, params: Any, has_fe: bool) -> MixedLMParams:
        return MixedLMParams.from_packed(
            params, self.k_fe, self.k_re, use_sqrt=self.use_sqrt, has_fe=has_fe
        )

    def unconstrained(self, reml: bool) -> Assembled:
        """The fit with all covariances.

        Parameters
        ----------
        reml : bool
            Whether the likelihood is restricted.

        Returns
        -------
        Assembled

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group")
        >>> model.unconstrained(reml=True).fitted.fit.reml
        True
        """
        if reml not in self._whole:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SkmixedWarning)
                blocks = blocks_of(None, *(self.sizes[k] for k in (0, 1, 3)))
                self._whole[reml] = self._assembled(blocks, reml)
        return self._whole[reml]

    def _assembled(self, blocks: list[list[int]], reml: bool) -> Assembled:
        names = self.data.exog_re_names
        Z = self.exog_re
        parts = [
            Part(None, self.group_labels, Z[:, block], [names[k] for k in block], "unstructured")
            for block in blocks
            if Z is not None
        ]
        parts += [component.part(self.grouping) for component in self.components]
        return assemble(
            self.endog,
            Matrix(self.exog, self.exog_names),
            self.endog_names,
            self.grouping,
            self.group_name,
            parts,
            reml=reml,
        )
