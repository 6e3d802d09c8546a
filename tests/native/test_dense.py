"""Cholesky factors by halves and quadratic forms by their inverses, against LAPACK and full matrices."""

import numpy as np
import pytest

from skmixed._algebra.kernels import CHOICE, compiled, reference
from skmixed._algebra.kernels.factors import LARGEST, Factor, HalvedFactor, factored
from skmixed._algebra.machine import using_threads
from tests.native.test_kernels import SEEDS, close

SIDES = (0, 1, 2, 17, 96, 97, 150, 331)
kinds = pytest.mark.parametrize("kind", [Factor, HalvedFactor])


def definite(rng, side, largest=3.0):
    """A positive definite matrix, whose upper triangle says nothing."""
    root = rng.normal(size=(side, side + 3)) * np.sqrt(largest)
    S = np.eye(side) + root @ root.T / (side + 3)
    lower = S.copy()
    lower[np.triu_indices(side, 1)] = np.nan
    return S, lower


@kinds
@pytest.mark.parametrize("side", SIDES)
def test_factors(side, kind):
    if kind is HalvedFactor and CHOICE.native is None:
        pytest.skip("no compiled kernels")
    rng = np.random.default_rng(side)
    S, lower = definite(rng, side)
    if not side:
        return
    factor = kind(lower)
    L = np.tril(factor.upper.T)
    rows = rng.normal(size=(side, 3))
    close(L, np.linalg.cholesky(S))
    close(factor.log_determinant, np.linalg.slogdet(S)[1])
    close(L @ factor.whiten(rows), rows, 10.0)
    close(L.T @ factor.unwhiten(rows), rows, 10.0)
    close(np.tril(factor.inverse), np.tril(np.linalg.inv(S)))
    close(np.tril(factor.inverse_root) @ L, np.eye(side))


@kinds
@pytest.mark.parametrize("side", [3, 200])
@pytest.mark.parametrize("wrong", [0, -1])
def test_indefinite_matrices_are_told(side, kind, wrong):
    if kind is HalvedFactor and CHOICE.native is None:
        pytest.skip("no compiled kernels")
    _, lower = definite(np.random.default_rng(0), side)
    lower[wrong, wrong] = -1.0
    with pytest.raises(np.linalg.LinAlgError, match="positive definiteness"):
        kind(lower)


def test_large_matrices_are_left_to_lapack():
    """Inverting a half loses what its condition takes."""
    assert type(factored(np.diag([1.0, 2.0 * LARGEST]))) is Factor
    assert type(factored(np.diag([1.0, np.nan]))) is Factor


def rows(rng, q, levels, side):
    """C with its pattern, as it is handed over and in full."""
    counts = rng.integers(0, side + 1, levels)
    columns = [np.sort(rng.choice(side, count, replace=False)) for count in counts]
    columns = np.concatenate([*columns, np.zeros(0)]).astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    data = rng.normal(size=(q, len(columns)))
    full = np.zeros((q, levels, side))
    full[:, np.repeat(np.arange(levels), counts), columns] = data
    return (indptr, columns, data), full


def case(seed):
    rng = np.random.default_rng(seed)
    q, levels, side = (int(k) for k in rng.integers(1, [5, 9, 60]))
    C, full = rows(rng, q, 1 if seed == 1 else levels, side)
    root = rng.normal(size=(side, side))
    root[np.triu_indices(side, 1)] = np.nan
    for array in (*C, root):
        array.flags.writeable = False
    half = full @ np.tril(root).T
    expected = np.einsum("rms,cms->rcm", half, half)[np.tril_indices(q)]
    return (*C, root), expected


@pytest.mark.parametrize("seed", SEEDS)
def test_quadratic_forms_of_numpy(seed):
    arguments, expected = case(seed)
    close(reference.quadratic(*arguments), expected, 100.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_quadratic_forms(seed, native):
    arguments, expected = case(seed)
    close(compiled.quadratic(*arguments), expected, 100.0)


def test_functions_with_other_arguments_are_refused():
    if CHOICE.native is None:
        pytest.skip("no compiled kernels")
    from scipy.linalg import cython_blas, cython_lapack

    products, factors = cython_blas.__pyx_capi__, cython_lapack.__pyx_capi__
    for wrong in ({**products, "dtrmm": products["dgemm"]}, {**products, "dtrmm": 3}):
        with pytest.raises(ValueError, match="use_blas"):
            CHOICE.native.use_blas(wrong, factors)
    with pytest.raises(KeyError):
        CHOICE.native.use_blas({}, factors)
    CHOICE.native.use_blas(products, factors)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(threads):
    """Large enough for parts: a factor, its inverse, quadratic forms and a Schur complement."""
    if CHOICE.native is None:
        pytest.skip("no compiled kernels")
    rng = np.random.default_rng(0)
    side, levels, count = 500, 2600, 20
    _, lower = definite(rng, side)
    columns = np.sort(rng.permuted(np.tile(np.arange(side), (levels, 1)), axis=1)[:, :count])
    indptr = np.arange(0, count * levels + 1, count, dtype=np.int32)
    C = indptr, columns.ravel().astype(np.int32), rng.normal(size=(1, count * levels))
    found = []
    for n_jobs in (1, threads):
        with using_threads(n_jobs):
            factor = HalvedFactor(lower.copy())
            changed = np.zeros((side, side))
            CHOICE.native.subtract_dense(*C, np.ones((1, levels)), changed, n_jobs)
            root = np.tril(factor.inverse_root)
            forms = compiled.quadratic(*C, root)
        found.append((root, forms, changed, factor.log_determinant))
    for one, several in zip(*found, strict=True):
        close(several, one, 10.0)
