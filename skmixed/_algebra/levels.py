"""Hot loops over levels and rows: packed arrays in, packed arrays out.

They are chunked so that temporaries stay in cache, and know nothing of models.  Matrices of the
levels that are not symmetric are arrays (q, q, m), lower factors are packed as symmetric matrices.
"""

from __future__ import annotations

import numpy as np

from .kernels import CHOICE, MOST_EFFECTS, compiled
from .kernels import level_sums as level_sums
from .packed import lower_triangle, packed_index, packed_order, triangle_entries, unpack

LEVELS_PER_CHUNK = 16384
WIDE = 12  # effects per level from which one matrix per level is faster than one loop per entry
ENTRIES_PER_CHUNK = 1 << 18  # of such matrices


def _chunks(length, size=LEVELS_PER_CHUNK):
    return [slice(lo, min(lo + size, length)) for lo in range(0, length, size)]


def _cholesky(H, q):
    """The lower factor, with the inverse of its diagonal, and the determinant of H."""
    L = [[None] * q for _ in range(q)]
    determinant = 1.0
    for c in range(q):
        pivot = H[c][c]
        for k in range(c):
            pivot = pivot - L[c][k] * L[c][k]
        determinant = determinant * pivot
        L[c][c] = 1.0 / np.sqrt(pivot)
        for r in range(c + 1, q):
            value = H[r][c]
            for k in range(c):
                value = value - L[r][k] * L[c][k]
            L[r][c] = value * L[c][c]
    return L, determinant


def _sum_products(left, right):
    """Sum of products, skipping scalars that are exactly zero (a diagonal root has many)."""
    total = None
    for a, b in zip(left, right, strict=True):
        if np.ndim(b) == 0 and b == 0.0:
            continue
        total = a * b if total is None else total + a * b
    return 0.0 if total is None else total


def invert_levels(A, root, counts=None):
    """``M = R (R'AR + I)^-1 R'`` of every level, and the sum of the log-determinants of
    ``R'AR + I``.

    ``A`` is packed (K, m), ``root`` any q x q root of T, singular ones included: the matrix
    inverted has eigenvalues of at least one.  ``counts`` says how many levels each one stands for.
    """
    q = len(root)
    if q >= WIDE:
        return _invert_wide(A, root, counts)
    M = np.empty_like(A)
    log_determinant = 0.0
    for chunk in _chunks(A.shape[1]):
        a = A[:, chunk]
        inverse_root, determinant = _half_inverse(_scaled(a, root, q), root, q)
        logarithms = np.log(np.broadcast_to(determinant, a[0].shape))
        log_determinant += np.sum(logarithms) if counts is None else counts[chunk] @ logarithms
        for k, (r, c) in enumerate(triangle_entries(q)):
            M[k, chunk] = sum(inverse_root[i][r] * inverse_root[i][c] for i in range(q))
    return M, log_determinant


def invert_only_levels(A, root, counts=None):
    """The same for a factor that is the only one, where loops may be compiled."""
    is_small = len(root) <= MOST_EFFECTS and CHOICE.native is not None
    return (compiled.invert_levels if is_small else invert_levels)(A, root, counts)


def _wide_chunks(levels, q):
    return _chunks(levels, max(1, ENTRIES_PER_CHUNK // q**2))


def _matrices(packed, q):
    """One symmetric matrix per level, (m, q, q)."""
    return packed[packed_index(q)].transpose(2, 0, 1)


def _packed(matrices):
    rows, cols = lower_triangle(matrices.shape[1])
    return matrices[:, rows, cols].T


def _invert_wide(A, root, counts):
    """As :func:`invert_levels`, matrix by matrix."""
    q = len(root)
    M = np.empty_like(A)
    log_determinant = 0.0
    for chunk in _wide_chunks(A.shape[1], q):
        factor = np.linalg.cholesky(root.T @ _matrices(A[:, chunk], q) @ root + np.eye(q))
        half = np.linalg.solve(factor, np.broadcast_to(root.T, factor.shape))
        logarithms = 2.0 * np.log(np.einsum("mii->mi", factor)).sum(axis=1)
        log_determinant += np.sum(logarithms) if counts is None else counts[chunk] @ logarithms
        M[:, chunk] = _packed(half.transpose(0, 2, 1) @ half)
    return M, log_determinant


def _scaled(A, root, q):
    """The lower triangle of ``R'AR + I``."""
    a = unpack(A, q)
    W = [[_sum_products(a[r], root[:, c]) for r in range(q)] for c in range(q)]
    return [[_sum_products(W[c], root[:, r]) + (r == c) for c in range(r + 1)] for r in range(q)]


def _half_inverse(H, root, q):
    """Rows of ``V = L^-1 R'`` with ``H = LL'``, so that ``R H^-1 R' = V'V``."""
    L, determinant = _cholesky(H, q)
    V = []
    for r in range(q):
        above = [sum(L[r][k] * V[k][c] for k in range(r)) for c in range(q)]
        V.append([(root[c, r] - above[c]) * L[r][r] for c in range(q)])
    return V, determinant


def inverse_factors(A, root):
    """``C^-1`` of every level with ``R'AR + I = CC'``, packed, and its log-determinants."""
    q = len(root)
    W = multiply_levels(A, np.repeat(root[:, :, None], A.shape[1], axis=2))
    H = np.einsum("kr,kcm->rcm", root, W) + np.eye(q)[:, :, None]
    C, determinant = _cholesky(H, q)
    inverse = [[None] * q for _ in range(q)]
    for c in range(q):
        for r in range(c, q):
            below = sum(C[r][k] * inverse[k][c] for k in range(c, r))
            inverse[r][c] = C[r][r] if r == c else -below * C[r][r]
    return np.array([inverse[r][c] for r, c in triangle_entries(q)]), np.log(determinant)


def solve_lower_transposed(half, z):
    """``C'^-1 z_k`` for vectors z (k, q), the same in all levels, from C^-1: (q, k, m)."""
    q = z.shape[1]
    C = unpack(half, q)
    return np.array(
        [sum(np.multiply.outer(z[:, r], C[r][c]) for r in range(c, q)) for c in range(q)]
    )


def solve_factored(half, U):
    """``(CC')^-1 U`` of every level from C^-1, for vectors (q, m)."""
    q = len(U)
    C = unpack(half, q)
    y = [sum(C[r][c] * U[c] for c in range(r + 1)) for r in range(q)]
    return np.array([sum(C[r][c] * y[r] for r in range(c, q)) for c in range(q)])


def lower_product(half, U):
    """``C^-1 U`` of every level, for vectors (q, ..., m)."""
    q = len(U)
    C = unpack(half, q)
    return np.array([sum(C[r][c] * U[c] for c in range(r + 1)) for r in range(q)])


def upper_congruence(half, Q):
    """Packed ``C'^-1 Q C^-1`` of every level from C^-1, Q packed symmetric."""
    q = packed_order(len(half))
    C = unpack(half, q)
    upper = [[C[c][r] if c >= r else 0.0 for c in range(q)] for r in range(q)]
    return congruence(upper, Q)


def multiply_levels(S, U):
    """``S U`` level by level: ``S`` packed symmetric (K, m), ``U`` (q, columns, m)."""
    q = len(U)
    out = np.empty_like(U)
    for chunk in _chunks(U.shape[2]):
        s = unpack(S[:, chunk], q)
        for r in range(q):
            out[r, :, chunk] = _sum_products([U[c, :, chunk] for c in range(q)], s[r])
    return out


def inner_products(U, V):
    """``sum_l U_l' V_l`` over levels, for arrays (q, columns, m)."""
    return sum(u @ v.T for u, v in zip(U, V, strict=True))


def congruence(K, Q):
    """Packed ``K Q K'`` of every level, ``K[r][c]`` being entries over the levels and Q packed.

    Q may have more axes before that of the levels.
    """
    q = len(K)
    Qs = unpack(Q, q)
    KQ = [[sum(K[r][k] * Qs[k][c] for k in range(q)) for c in range(q)] for r in range(q)]
    return np.array([sum(KQ[r][k] * K[c][k] for k in range(q)) for r, c in triangle_entries(q)])


def symmetric_congruence(M, Q):
    """Packed ``M Q M`` of every level for packed symmetric M and Q."""
    return congruence(unpack(M, packed_order(len(M))), Q)


def complement(A, M):
    """``K = I - A M`` of every level, packed symmetric A and M, as nested entries."""
    q = packed_order(len(A))
    a = unpack(A, q)
    m = unpack(M, q)
    return [
        [(r == c) - sum(a[r][k] * m[k][c] for k in range(q)) for c in range(q)] for r in range(q)
    ]


def marginal_precision(A, M, Q=None):
    """Packed ``N = Z'V^-1 Z`` of every level: ``K A - K Q K'`` with ``K = I - A M``.

    No ``Q`` where nothing follows.
    """
    q = packed_order(len(A))
    if q >= WIDE:
        return _marginal_wide(A, M, Q)
    out = np.empty_like(A)
    for chunk in _chunks(A.shape[1]):
        a = unpack(A[:, chunk], q)
        K = complement(A[:, chunk], M[:, chunk])
        for k, (r, c) in enumerate(triangle_entries(q)):
            out[k, chunk] = sum(K[r][i] * a[i][c] for i in range(q))
        if Q is not None:
            out[:, chunk] -= congruence(K, Q[:, chunk])
    return out


def _marginal_wide(A, M, Q):
    """As :func:`marginal_precision`, matrix by matrix."""
    q = packed_order(len(A))
    out = np.empty_like(A)
    for chunk in _wide_chunks(A.shape[1], q):
        a = _matrices(A[:, chunk], q)
        K = np.eye(q) - a @ _matrices(M[:, chunk], q)
        found = K @ a
        if Q is not None:
            found -= K @ _matrices(Q[:, chunk], q) @ K.transpose(0, 2, 1)
        out[:, chunk] = _packed(found)
    return out


def posterior_covariance(M, Q):
    """Packed ``M + M Q M``: the covariance of a level when other factors are uncertain too."""
    return M + symmetric_congruence(M, Q)


def packed_outer(Y):
    """Packed ``sum_p Y[:, p] Y[:, p]'`` of every level for ``Y`` (q, columns, m)."""
    return np.array([np.einsum("pm,pm->m", Y[r], Y[c]) for r, c in triangle_entries(len(Y))])
