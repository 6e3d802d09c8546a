"""Arguments of the wrong shape, type or range: the compiled functions raise, and never crash."""

import numpy as np
import pytest

from skmixed._algebra.kernels import CHOICE

pytestmark = pytest.mark.skipif(CHOICE.native is None, reason="no compiled kernels")

I, F, L = np.int32, np.float64, np.int64


def coupling(rng):
    """A small pattern and its dimensions."""
    q, levels, side = (int(k) for k in rng.integers(1, 5, 3))
    counts = rng.integers(0, side + 1, levels)
    columns = np.concatenate([np.sort(rng.permutation(side)[:k]) for k in counts]).astype(I)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(I)
    data = rng.normal(size=(q, len(columns)))
    pairs = int(np.sum(counts * (counts + 1) // 2))
    places = (rng.permutation(levels).astype(I), rng.integers(0, side**2, pairs))
    packed = np.zeros((q * (q + 1) // 2, levels))
    return (indptr, columns, data), places, packed, np.zeros((side, side))


def level_sums(rng):
    rows, width, levels = (int(k) for k in rng.integers(1, 9, 3))
    codes = rng.integers(0, levels, rows).astype(I)
    return codes, np.ones(rows), np.ones((rows, width)), np.zeros((levels, width))


def dense(rng):
    C, _, packed, S = coupling(rng)
    return *C, packed, S, int(rng.integers(-2, 4))


def placed(rng):
    C, places, packed, S = coupling(rng)
    return *C, packed, *places, S.ravel()


def spread_dense(rng):
    C, _, _, S = coupling(rng)
    return *C, S, np.zeros_like(C[2])


def spread_placed(rng):
    C, places, _, S = coupling(rng)
    return *C, *places, S.ravel(), np.zeros_like(C[2])


def gather_dense(rng):
    C, _, packed, S = coupling(rng)
    return *C, S, packed


def gather_placed(rng):
    C, places, packed, S = coupling(rng)
    return *C, *places, S.ravel(), packed


def meeting(rng):
    """Rows of crossed factors, their pairs, and the sizes of effects, blocks, pairs."""
    rows, factors, columns = (int(k) for k in rng.integers(0, [9, 4, 3]))
    q, m = rng.integers(1, 4, (2, factors)).astype(I)
    counts = rng.integers(1, 4, factors * (factors - 1) // 2).astype(I)
    codes, pairs = (
        np.array([rng.integers(0, k, rows) for k in each]).reshape(len(each), rows).astype(I)
        for each in (m, counts)
    )
    which = rng.integers(-1, columns, q.sum()).astype(I)
    sizes = [int(q @ m), int((q * (q + 1) // 2) @ m)]
    products = [q[f] * q[g] for f in range(factors) for g in range(f + 1, factors)]
    sizes.append(int(np.array(products, dtype=I) @ counts))
    return (q, m, which, codes, np.ones((columns, rows))), (pairs, counts), rows, sizes


def crossed_sweep(rng):
    described, _, rows, (effects, *_) = meeting(rng)
    ones = np.ones(rows)
    out = np.ones((4, rows))
    outcomes = (ones, np.ones(1 if rng.integers(2) else rows))
    return *described, ones, np.ones(effects), *outcomes, *out[1:], np.ones(effects)


def crossed_weigh(rng):
    described, met, rows, (_, blocks, pairs) = meeting(rng)
    return *described, *met, np.ones(rows), np.ones(blocks), np.ones(pairs)


def crossed_skewed(rng):
    described, met, rows, (effects, blocks, pairs) = meeting(rng)
    ones = np.ones((2, rows))
    out = (np.ones(rows), np.ones(effects))
    return *described, *met, *ones, np.ones(blocks), np.ones(pairs), *out


def crossed_spread(rng):
    described, _, rows, (effects, *_) = meeting(rng)
    return *described, np.ones(effects), np.ones(rows)


def crossed_gather(rng):
    described, _, rows, (effects, *_) = meeting(rng)
    return *described, np.ones(rows), np.ones(effects)


def crossed_with_fixed(rng):
    described, _, rows, (effects, *_) = meeting(rng)
    p = int(rng.integers(0, 4))
    return *described, np.ones(rows), np.ones((rows, p)), np.ones(effects * p), np.ones((p, p))


def chords(rng):
    described, _, rows, (effects, *_) = meeting(rng)
    while len(described[0]) == 0:
        described, _, rows, (effects, *_) = meeting(rng)
    sizes, levels = described[:2]
    q, m = int(sizes[0]), int(levels[0])
    widths = (sizes * levels)[1:]
    side = int(np.sum(widths))
    first = np.append(0, np.cumsum(widths) - widths)
    counts = rng.integers(0, side + 1, m)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(I)
    entries = rng.integers(0, max(side, 1), indptr[-1]).astype(I)
    packed = np.ones((2, q * (q + 1) // 2, m))
    roots = np.ones((3, int(sizes @ sizes)))
    rules = np.array([1e-9, 1e-18, 0.05, 1e-9, 1e-12, 5.0])
    ones = np.ones((5, rows))
    factorisation = (0, indptr, entries, np.ones((q, len(entries))), *packed, np.eye(side))
    last = (*np.ones((2, effects)), *ones[2:], np.zeros(2))
    return (
        *described,
        *ones[:2],
        np.ones(1),
        *factorisation,
        first.astype(I),
        *roots,
        rules,
        True,
        *last,
    )


def numbers(rng):
    return (np.ones(rows := int(rng.integers(0, 9))), np.zeros(rows))


def logit_rows(rng):
    return tuple(np.ones((5, int(rng.integers(0, 9)))))


def laplace_modes(rng):
    q, p, levels = (int(k) for k in rng.integers([1, 0, 1], [5, 5, 6]))
    n = int(rng.integers(0, 9))
    borders = np.sort(rng.integers(0, n + 1, levels - 1)).astype(I)
    indptr = np.concatenate([[0], borders, [n]]).astype(I)
    z = [rng.normal(size=n) if rng.integers(2) else np.zeros(0) for _ in range(4)]
    y, m = rng.integers(0, 2, n).astype(F), np.ones(n if rng.integers(2) else 1)
    rows = (rng.normal(size=(n, p)), *z, y, m, np.zeros(n), indptr)
    rules = np.array([1e-9, 1e-9, 1e-12, 200.0, 30.0])
    place = (np.ones(p), np.eye(q), np.eye(q), np.zeros((q, levels)))
    return *rows, *place, rules, np.zeros(4)


def laplace_sweep(rng):
    arguments = laplace_modes(rng)
    p, q, levels = len(arguments[9]), len(arguments[10]), arguments[12].shape[1]
    K = q * (q + 1) // 2
    out = (np.zeros(p), np.zeros((K + p, K + p)), np.zeros((K, K)), np.zeros((levels, q, K + p)))
    return *arguments, np.zeros((q, q)), *out


def minimize_one_factor(rng):
    q, p, m, count = (int(k) for k in rng.integers(1, 5, 4))
    k = q * (q + 1) // 2
    root = rng.normal(size=(q, 9, m))
    A = np.array([np.sum(root[r] * root[c], axis=0) for r in range(q) for c in range(r + 1)])
    X = rng.normal(size=(9, p + 1))
    return (
        A,
        np.ones(m) if rng.integers(2) else np.zeros(0),
        np.einsum("qnm,np->qpm", root, X[:, :-1]),
        np.repeat(np.einsum("qnm,n->qm", root, X[:, -1])[None], count, axis=0),
        np.repeat((10.0 * X.T @ X)[None], count, axis=0),
        np.ones((count, 2)),
        np.array([90.0, 90.0]),
        bool(rng.integers(2)),
        np.zeros((0, q, q)),
        np.array([1e-9, 20.0]),
        np.repeat(np.eye(q)[None], count, axis=0),
        np.zeros((count, p)),
        np.zeros((count, k)),
        np.zeros((count, k, k)),
        np.zeros((count, 6)),
    )


def square(rng):
    side = int(rng.integers(1, 9))
    return np.eye(side), np.zeros((side, side)), int(rng.integers(-2, 4))


def quadratic(rng):
    C, _, packed, S = coupling(rng)
    return *C, S, packed, int(rng.integers(-2, 4))


def products(rng):
    n, k, v, p, q, m = (int(i) for i in rng.integers(1, 6, 6))
    sources = rng.integers(-1, k, v + p).astype(I)
    recipe = (sources, np.zeros(v + p), np.ones(v + p), np.eye(p), np.zeros(p), 1.0)
    width, kept = v + p + 1, rng.integers(0, v + p + 1, int(rng.integers(1, 12))).astype(I)
    codes = tuple(rng.integers(0, m, n).astype(I) for _ in range(2))
    effects = tuple(rng.integers(0, v, q).astype(I) for _ in range(2))
    into = tuple(np.zeros((m, q, len(kept))) for _ in range(2))
    rest = (None, np.ones(n)) if rng.integers(2) else (np.ones(n), None)
    rows = (rng.normal(size=(n, k)), np.ones(n), *rest, codes)
    return *rows, *recipe, effects, kept, np.zeros((width, width)), into


def spread_products(rng):
    q, c, m, s = (int(i) for i in rng.integers(1, 6, 4))
    places = rng.integers(0, s, c).astype(I)
    return np.ones((m, q, s)), places, np.ones(c), np.zeros((q, c, m))


def follow(rng):
    n, m = (int(i) for i in rng.integers(1, 6, 2))
    return *(rng.integers(0, m, n).astype(I) for _ in range(2)), np.full(m, -1, dtype=I)


def labels(rng):
    values = rng.integers(3, 9, int(rng.integers(0, 9)))
    return values.astype(rng.choice([np.int8, np.int16, np.int32, np.int64]))


def mark_labels(rng):
    return labels(rng), 3, np.zeros(6, dtype=np.uint8)


def place_labels(rng):
    values = labels(rng)
    return values, 3, np.arange(6, dtype=I), np.zeros(len(values), dtype=I)


def quadrature_sweep(rng):
    q, nodes = (int(k) for k in rng.integers([1, 1], [4, 13]))
    while len((arguments := laplace_modes(rng))[10]) != q:
        pass
    *rows, c, _, _ = arguments
    out = (np.zeros(c.shape[1]), np.zeros(len(rows[0])), np.zeros((q, *c.shape)))
    return *rows, c, rng.normal(size=(nodes, q)), np.zeros(nodes), *out


def stage(rng):
    """C, a packed matrix, vectors of the levels and rows of later columns."""
    C, _, packed, S = coupling(rng)
    k = int(rng.integers(1, 9))
    return C, packed, np.ones((len(C[2]), k, packed.shape[1])), np.ones((len(S), k))


def reduce_stage(rng):
    C, M, U, later = stage(rng)
    return *C, M, U, later, np.zeros_like(U), np.zeros((U.shape[1], U.shape[1]))


def solve_stage(rng):
    C, M, U, known = stage(rng)
    return *C, M, M, U, known, np.zeros_like(U), np.zeros_like(U)


def multiply_stage(rng):
    C, A, H, rows = stage(rng)
    return *C, A, H, rows, rows.copy(), np.zeros_like(H)


def invert_levels(rng):
    q, m = (int(k) for k in rng.integers(1, 5, 2))
    A = np.ones((q * (q + 1) // 2, m))
    return A, np.eye(q), np.ones(m) if rng.integers(2) else np.zeros(0), np.zeros_like(A)


MAKERS = {
    "reduce_stage": reduce_stage,
    "solve_stage": solve_stage,
    "multiply_stage": multiply_stage,
    "invert_levels": invert_levels,
    "add_products": products,
    "spread_products": spread_products,
    "follow": follow,
    "mark_labels": mark_labels,
    "place_labels": place_labels,
    "factor_dense": square,
    "invert_dense": square,
    "quadratic_inverse": quadratic,
    "level_sums": level_sums,
    "minimize_one_factor": minimize_one_factor,
    "subtract_dense": dense,
    "subtract_placed": placed,
    "spread_dense": spread_dense,
    "spread_placed": spread_placed,
    "gather_dense": gather_dense,
    "gather_placed": gather_placed,
    "crossed_sweep": crossed_sweep,
    "crossed_weigh": crossed_weigh,
    "crossed_skewed": crossed_skewed,
    "crossed_spread": crossed_spread,
    "crossed_gather": crossed_gather,
    "crossed_with_fixed": crossed_with_fixed,
    "chords": chords,
    "exponentials": numbers,
    "logarithms": numbers,
    "logit_rows": logit_rows,
    "laplace_modes": laplace_modes,
    "laplace_sweep": laplace_sweep,
    "quadrature_sweep": quadrature_sweep,
}


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


#: what may be done to an argument; some of it leaves it right
DAMAGES = [
    lambda a, rng: a[:-1],
    lambda a, rng: np.concatenate([a, a]),
    lambda a, rng: a[..., None],
    lambda a, rng: a.ravel(),
    lambda a, rng: a.T,
    lambda a, rng: np.asfortranarray(a)[::-1],
    lambda a, rng: np.repeat(a, 2, axis=-1)[..., ::2],
    lambda a, rng: a.astype(rng.choice([np.float32, np.int64, np.int32, np.int8, bool, complex])),
    lambda a, rng: a.astype(a.dtype.newbyteorder()),
    lambda a, rng: a.astype(object),
    lambda a, rng: a.tolist(),
    lambda a, rng: None,
    lambda a, rng: "codes",
    lambda a, rng: a[:0],
    lambda a, rng: a * 0 + rng.choice([-1, 1, 2**31 - 1, -(2**31)]).astype(a.dtype),
    lambda a, rng: a * 0 + a.dtype.type(7),
    lambda a, rng: a[rng.permutation(len(a))] if len(a) else a,
    lambda a, rng: read_only(a),
    lambda a, rng: np.broadcast_to(a[:1], a.shape),
]


def damaged_one(argument, rng):
    """An array that is changed, or one of several."""
    if isinstance(argument, tuple):
        some = list(argument)
        some[0] = damaged_one(some[0], rng)
        return tuple(some[: rng.integers(1, 4)])
    if not isinstance(argument, np.ndarray):
        return argument
    return DAMAGES[rng.integers(len(DAMAGES))](argument, rng)


def damaged(arguments, rng):
    """The arguments, one or two of them changed, or another number of them."""
    arguments = list(arguments)
    for _ in range(rng.integers(1, 3)):
        k = rng.integers(len(arguments))
        arguments[k] = damaged_one(arguments[k], rng)
    if rng.integers(30) == 0:
        arguments.pop()
    return arguments


def calls(number, seed):
    """Call the functions with what is wrong, as often as that; return how often they refused."""
    rng = np.random.default_rng(seed)
    refused = 0
    for k in range(number):
        name, make = list(MAKERS.items())[k % len(MAKERS)]
        with np.errstate(all="ignore"):
            arguments = damaged(make(rng), rng)
        try:
            getattr(CHOICE.native, name)(*arguments)
        except (TypeError, ValueError):
            refused += 1
    return refused


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_right_is_taken(name):
    rng = np.random.default_rng(0)
    for _ in range(20):
        found = getattr(CHOICE.native, name)(*MAKERS[name](rng))
        assert isinstance(found, int | float | None)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_wrong_is_refused():
    assert calls(2000, seed=0) > 1000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_much_that_is_wrong_is_refused():
    assert calls(10_000, seed=1) > 5000


def test_the_message_says_what_is_wrong():
    codes, values, table, out = level_sums(np.random.default_rng(0))
    with pytest.raises(ValueError, match="codes are not levels of out"):
        CHOICE.native.level_sums(codes + I(9), values, table, out)
    with pytest.raises(ValueError, match="differ in length"):
        CHOICE.native.level_sums(codes, values[1:], table, out)
    with pytest.raises(ValueError, match="best"):
        CHOICE.native.use("fastest")
