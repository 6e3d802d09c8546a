"""Connected components of the level graph, and the parts in which they are eliminated.

A part is a union of components that are nested in the same way: with thousands of small components
a part each would cost more than it saves, and those that leave no dense block need one part in all.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ..layout import MAX_DENSE, make_layout
from ..operators import is_dense_product

COLUMNS_PER_PART = 128  # of the dense block, to which small components are collected
COLUMNS_ALONE = 24  # from which one is not, where its first stage is multiplied as a dense matrix
OVERHEAD = 200.0**3  # of a part, in units of the flops of its dense block
WORTH = 0.5  # share of the flops of one dense block from which several are not worth it


def components_apart(cross, layout):
    """Part of every level, per factor, where eliminating parts one by one pays; else None.

    ``layout`` is that of all levels together.
    """
    if layout.dense_order <= COLUMNS_PER_PART:
        return None
    component, n_components = _components(cross)
    if n_components <= 1:
        return None
    part, orders = _collected(cross, component, n_components)
    is_needed = layout.dense_order > MAX_DENSE
    if not is_needed and np.sum(orders**3 + OVERHEAD) > WORTH * float(layout.dense_order) ** 3:
        return None
    return [part[own] for own in component]


def _components(cross):
    """Component of every level, per factor.  A row has a level of every factor, so the pairs with
    the first one connect all there is to connect.
    """
    levels = cross.levels
    starts = np.cumsum([0, *levels])
    pairs = [cross.pairs[0, g] for g in range(1, len(levels))]
    rows = np.concatenate([pair.rows for pair in pairs])
    cols = np.concatenate([starts[g] + pair.cols for g, pair in enumerate(pairs, start=1)])
    ones = np.ones(len(rows), dtype=np.int8)
    graph = sparse.coo_matrix((ones, (rows, cols)), shape=(starts[-1], starts[-1]))
    n_components, found = connected_components(graph, directed=False)
    return _whole(np.split(found, starts[1:-1]), n_components)


def _whole(component, n_components):
    """The same with levels that have no rows among those of some component."""
    levels = np.array([np.bincount(own, minlength=n_components) for own in component])
    has_rows = np.all(levels > 0, axis=0)
    label = np.where(has_rows, np.cumsum(has_rows) - 1, 0)
    return [label[own] for own in component], int(np.sum(has_rows))


def _collected(cross, component, n_components):
    """Part of every component, and the order of every part's dense block."""
    levels = np.array([np.bincount(own, minlength=n_components) for own in component])
    nested = _nested(cross, component, levels)
    largest = np.argmax(levels * np.array(cross.sizes)[:, None], axis=0)
    kinds = np.unique(np.vstack([*nested.values(), largest]), axis=1, return_inverse=True)[1]
    part = np.empty(n_components, dtype=np.int64)
    orders = []
    for kind in range(kinds.max() + 1):
        own = np.flatnonzero(kinds.ravel() == kind)
        layout = _layout(cross.sizes, levels[:, own], nested, own[0])
        columns = sum(cross.sizes[f] * levels[f, own] for f in layout.dense) + np.zeros(len(own))
        is_dense = is_dense_product(_products(cross, component, layout)[own], columns)
        bins = _bins(columns, is_dense & (columns >= COLUMNS_ALONE))
        part[own] = len(orders) + bins
        orders.extend(np.bincount(bins, columns))
    return part, np.array(orders)


def _layout(sizes, levels, nested, one):
    """The order for some components, all nested as the component ``one``."""
    factors = range(len(sizes))
    table = [[f == g or bool(nested[f, g][one]) for g in factors] for f in factors]
    return make_layout(sizes, levels.sum(axis=1), table)


def _products(cross, component, layout):
    """Products that eliminating its first stage takes in every component."""
    f = layout.stages[0]
    counts = np.zeros(cross.levels[f])
    for g in layout.after(f):
        pair = cross.pairs[min(f, g), max(f, g)]
        own = pair.rows if f < g else pair.cols
        counts += cross.sizes[g] * np.bincount(own, minlength=len(counts))
    return np.bincount(component[f], counts**2 / 2)


def _nested(cross, component, levels):
    """(f, g) -> whether f is nested in g in every component: as many pairs as levels."""
    found = {}
    for f, g in combinations(range(len(levels)), 2):
        own = component[f][cross.pairs[f, g].rows]
        pairs = np.bincount(own, minlength=levels.shape[1])
        found[f, g] = pairs == levels[f]
        found[g, f] = pairs == levels[g]
    return found


def _bins(columns, is_alone):
    """Which components go together: as many small ones as fill a part, others alone."""
    order = np.argsort(columns, kind="stable")
    before = np.cumsum(columns[order]) - columns[order]
    keys = np.empty(len(columns))
    keys[order] = before // COLUMNS_PER_PART
    is_alone = is_alone | (columns >= COLUMNS_PER_PART)
    keys[is_alone] = -1.0 - np.arange(np.sum(is_alone))
    return np.unique(keys, return_inverse=True)[1]
