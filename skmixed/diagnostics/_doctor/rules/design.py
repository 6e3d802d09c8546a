"""Columns of X: their scales, and what nearly depends on what."""

from __future__ import annotations

import numpy as np

from ..columns import Block
from ..examination import Examination
from ..signs import NOTE, Sign, Signs, place

MOST_DECADES = 4.0
HIGH_INFLATION = 10.0  # of a variance, per coefficient of a block
SHARE = 0.5  # of an inflation that may be lost where a column leaves a dependent set
EXACT = 1e10
PRODUCT = ":"


def scales(exam: Examination) -> Signs:
    """Standard deviations that differ by powers of ten."""
    columns = [c for c in exam.columns if np.std(c.values) > 0 and not c.is_category]
    if len(columns) < 2:
        return
    decades = np.log10([np.std(c.values) for c in columns])
    if np.ptp(decades) <= MOST_DECADES:
        return
    odd = [columns[k].name for k in _at_the_end(decades)]
    yield Sign(
        place(*odd),
        f"Standard deviations of the columns run from {10 ** decades.min():.2g} to "
        f"{10 ** decades.max():.2g}.",
        NOTE,
    )


def _at_the_end(decades):
    """Those at the end of the range that is farther from the middle."""
    middle = np.median(decades)
    is_high = decades.max() - middle >= middle - decades.min()
    away = decades if is_high else -decades
    return np.flatnonzero(away > away.max() - 1.0)


def collinearity(exam: Examination) -> Signs:
    """Sets of columns that nearly depend on each other; categories count as one."""
    yield from _aliased(exam)
    blocks = [block for block in exam.blocks if _is_judged(exam, block)]
    while len(blocks) > 1:
        inflation = _inflations(blocks)
        worst = int(np.argmax(inflation))
        if inflation[worst] < HIGH_INFLATION:
            return
        members = [blocks[k] for k in _members(blocks, worst, inflation[worst])]
        yield Sign(
            place(*(block.name for block in members)),
            f"Variance inflation factor of {blocks[worst].name}: {inflation[worst]:.3g}; "
            f"condition number of the set: {_condition(members):.3g}.",
        )
        blocks = [block for block in blocks if block not in members]


def _is_judged(exam, block):
    """Whether all of a block is in the model, and is no product, which depends on its parts."""
    own = exam.model.coefficient_names
    return PRODUCT not in block.name and all(c.name in own for c in block.columns)


def _aliased(exam):
    """Columns that depend on others exactly, and were dropped."""
    found = exam.model.dependencies
    for j in range(0 if found is None else len(found.dropped)):
        names = [exam.model.names.fixed[k] for k in found.takes_part(j)]
        yield Sign(
            place(*(name for name in names if name != "Intercept")),
            f"{exam.model.names.fixed[found.dropped[j]]} is a combination of the others and was "
            "dropped.",
        )


def _correlations(blocks):
    matrix = np.column_stack([b.matrix for b in blocks])
    return np.corrcoef(matrix, rowvar=False).reshape(matrix.shape[1], -1)


def _inflations(blocks: list[Block]) -> np.ndarray:
    """Generalised variance inflation of every block, per coefficient (Fox and Monette 1992)."""
    R = _correlations(blocks)
    ends = np.cumsum([len(b.columns) for b in blocks])
    whole = np.linalg.slogdet(R)[1]
    out = []
    for end, block in zip(ends, blocks, strict=True):
        own = np.zeros(len(R), dtype=bool)
        own[end - len(block.columns) : end] = True
        parts = [np.linalg.slogdet(R[np.ix_(w, w)])[1] for w in (own, ~own)]
        out.append(min((sum(parts) - whole) / len(block.columns), np.log(EXACT)))
    return np.exp(out)


def _members(blocks, worst, inflation):
    """The block and those without which it would depend on the others much less."""
    members = list(range(len(blocks)))
    for k in list(members):
        rest = [m for m in members if m != k]
        if k == worst or len(rest) < 2:
            continue
        if _inflations([blocks[m] for m in rest])[rest.index(worst)] > SHARE * inflation:
            members = rest
    return members


def _condition(blocks):
    values = np.linalg.eigvalsh(_correlations(blocks))
    return np.sqrt(values[-1] / max(values[0], np.finfo(float).eps))
