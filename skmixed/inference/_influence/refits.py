"""The model of a fit, fitted again without some of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..._data.factors import encode
from ..._fit.base import Fit
from ..._fit.glmm import GlmmFit, fit_glmm
from ..._fit.linear import LinearFit, fit_linear
from ..._fit.model import FittedModel
from ..._fit.training import source_of
from ..._reader import Reader
from ..._sums.design import Design, RowDesign
from ..._sums.source import InMemory

TOLERANCE = 1e-9
MAX_ITER = 100


def refits(model: FittedModel, units: Sequence[np.ndarray]) -> Iterator[Fit]:
    """Fits without each of some sets of rows, given as positions."""
    source = source_of(model.training, *model.training.read())
    fitted = FITTERS[model.fit.family.has_residual]
    for unit in units:
        keep = np.ones(source.n_rows, dtype=bool)
        keep[unit] = False
        yield fitted(model.fit, _some(source, keep), model.reader)


def _some(source, keep):
    """Some of the rows; levels without any leave."""
    coded = [encode(code[keep]) for code in source.codes]
    return InMemory(
        X=source.X[keep],
        y=source.y[keep],
        weights=None if source.weights is None else source.weights[keep],
        codes=[codes for codes, _ in coded],
        n_levels=[len(levels) for _, levels in coded],
        offset=None if source.offset is None else source.offset[keep],
    )


def _options(fit):
    prior = fit.covariance_model.prior
    return {"tol": TOLERANCE, "max_iter": MAX_ITER, "covariance_prior": prior}


def _design_of(kind, fit, source, reader):
    return kind.of(
        source,
        reader.terms,
        n_fixed=reader.n_fixed,
        fit_intercept=reader.intercept,
        alpha=fit.design.frame.alpha,
    )


def _linear(fit: LinearFit, source: InMemory, reader: Reader) -> LinearFit:
    design = _design_of(Design, fit, source, reader)
    return fit_linear(design, reml=fit.reml, **_options(fit))


def _generalised(fit: GlmmFit, source: InMemory, reader: Reader) -> GlmmFit:
    design = _design_of(RowDesign, fit, source, reader)
    return fit_glmm(design, fit.family, n_quadrature=fit.points, **_options(fit))


#: by whether there is a residual variance
FITTERS: dict[bool, Callable] = {True: _linear, False: _generalised}


def displacement_of(fit: Fit, full: Fit) -> float:
    """Twice the fall of a log-likelihood at the parameters of another fit of the same terms.

    NaN where these have other coefficients.
    """
    if not np.array_equal(fit.units.independent, full.units.independent):
        return np.nan
    return DISPLACEMENTS[full.family.has_residual](fit, full)


def _covariances_in_frame(fit: Fit, full: Fit, unit: float) -> list[np.ndarray]:
    """Relative covariances of a fit, per factor in the frame of another."""
    inverses = [np.linalg.inv(R) for R in full.design.frame.bases]
    terms = zip(inverses, fit.covariances, strict=True)
    return full.covariance_model.assemble([R @ S @ R.T / unit for R, S in terms])


def _linear_displacement(fit: LinearFit, full: LinearFit) -> float:
    T = _covariances_in_frame(fit, full, fit.sigma2)
    known = full.objective.at_scale(fit.sigma2 / full.units.variance)
    return known(T).value - full.state.value


def _generalised_displacement(fit: GlmmFit, full: GlmmFit) -> float:
    own = full.units.independent
    shift = full.coefficients[own] - full.units.transform @ full.beta
    beta = np.linalg.solve(full.units.transform, fit.coefficients[own] - shift)
    state = full.state
    return state.at([*_covariances_in_frame(fit, full, 1.0), beta]).value - state.value


#: by whether there is a residual variance
DISPLACEMENTS: dict[bool, Callable] = {True: _linear_displacement, False: _generalised_displacement}
