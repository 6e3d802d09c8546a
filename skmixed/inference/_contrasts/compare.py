"""Contrasts of the rows of a table, family by family."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .adjustments import Family
from .columns import Families
from .matrices import Contrasts, contrasts_of, level_names, protected

OF = "of"  # the column of contrasts that are compared with each other


class Asked(NamedTuple):
    """What is to be compared how.

    Attributes
    ----------
    method : a name, or numbers
    reference : the row that is subtracted
    interaction : whether contrasts of contrasts are wanted
    sign : between two names
    """

    method: Any
    reference: Any
    interaction: bool
    sign: str


class Comparison(NamedTuple):
    """Contrasts of all families.

    Attributes
    ----------
    which : what each is of
    matrix : (contrasts, rows)
    parts : contrasts of each family
    """

    which: pd.DataFrame
    matrix: np.ndarray
    parts: list[Contrasts]

    def families(self, determined: np.ndarray) -> Families:
        """Places of the contrasts of every family, and how many the data determine."""
        found = []
        start = 0
        for part in self.parts:
            places = np.arange(start, start + len(part.names))
            own = self.matrix[places[determined[places]]]
            means = int(np.sum(np.any(own != 0, axis=0)))
            found.append((places, Family(len(own), means, part.is_pairwise)))
            start += len(places)
        return found


def compare(
    which: pd.DataFrame, families: list[np.ndarray], by: Sequence[Hashable], asked: Asked
) -> Comparison:
    """Contrasts of rows, which ``which`` tells apart, within the combinations of ``by``."""
    parts, named, matrices = [], [], []
    for places in families:
        own = which.iloc[places].reset_index(drop=True)
        found = _interactions(own, by, asked) if asked.interaction else _simple(own, by, asked)
        C = np.zeros((len(found.names), len(which)))
        C[:, places] = found.matrix
        same = own.loc[[0] * len(C), list(by)].reset_index(drop=True)
        same = same.rename(columns={"contrast": OF})
        named.append(pd.concat([pd.DataFrame({"contrast": found.names}), same], axis=1))
        parts.append(found)
        matrices.append(C)
    return Comparison(pd.concat(named, ignore_index=True), np.vstack(matrices), parts)


def _simple(own, by, asked):
    """Contrasts of the rows of one family."""
    apart = _apart(own, by)
    shown = [name for name in apart if own[name].nunique(dropna=False) > 1] or apart
    columns = [level_names(name, own[name]) for name in shown]
    names = [protected(" ".join(row)) for row in zip(*columns, strict=True)]
    bare = [" ".join(map(str, row)) for row in own[shown].itertuples(index=False)]
    reference = asked.reference
    if str(reference) in bare:
        reference = names[bare.index(str(reference))]
    return contrasts_of(asked.method, names or [""], asked.sign, reference)


def _apart(own, by):
    """Columns that tell the rows of a family apart."""
    return [name for name in own if name not in by]


def _interactions(own, by, asked):
    """A contrast of each column that tells the rows apart, the first varying fastest, and their
    products.
    """
    apart = _apart(own, by)
    if len(apart) < 2 or not isinstance(asked.method, str):
        raise ValueError(
            "interaction=True: contrasts of contrasts need a named method and rows that two or "
            f"more columns tell apart, and here are {', '.join(map(str, apart)) or 'none'}.\n"
            "Name the factors together: marginal_means(est, ['a', 'b'])."
        )
    factors = [pd.factorize(own[name]) for name in apart]
    codes = [code for code, _ in factors]
    _check_complete(codes)
    each = [
        _of_levels(name, levels, asked) for name, (_, levels) in zip(apart, factors, strict=True)
    ]
    found = [_product(each, codes, chosen) for chosen in _combinations(each)]
    rows = np.array([row for _, row in found]).reshape(len(found), len(own))
    return Contrasts([name for name, _ in found], rows)


def _combinations(each):
    """Places of a contrast of each column, those of the first varying fastest."""
    places = [range(len(contrasts.names)) for contrasts in reversed(each)]
    return [chosen[::-1] for chosen in product(*places)]


def _product(each, codes, chosen):
    """The name and the row of the product of a contrast of each column."""
    parts = list(zip(each, codes, chosen, strict=True))
    name = " : ".join(f"({contrasts.names[k]})" for contrasts, _, k in parts)
    return name, np.prod([contrasts.matrix[k][code] for contrasts, code, k in parts], axis=0)


def _of_levels(name, levels, asked):
    names = [protected(text) for text in level_names(name, levels)]
    return contrasts_of(asked.method, names, asked.sign, None)


def _check_complete(codes):
    if len(set(zip(*codes, strict=True))) != np.prod([np.max(code) + 1 for code in codes]):
        raise ValueError(
            "interaction=True: not every combination of the levels has a row.\n"
            "Name contrasts of your own by a matrix."
        )
