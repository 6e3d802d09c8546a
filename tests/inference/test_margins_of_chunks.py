"""Averages over rows that are read again: those of the same rows in memory."""

import numpy as np
import pytest

from skmixed import MixedLinearRegressor, chunks
from skmixed.inference import average_effects, average_predictions, marginal_means
from tests.estimators.test_partial_fit import cuts, response, table

FORMULA = "x0 * arm + x1 + I(x1 ** 2) + few + (1 + x0 | g)"


@pytest.fixture(scope="module")
def fits():
    rows = table().assign(y=response(table()))
    rng = np.random.default_rng(8)
    rows["arm"] = np.array(["a", "b", "c"])[rng.choice(3, len(rows), p=[0.6, 0.3, 0.1])]
    rows["few"] = rng.integers(1, 4, len(rows))
    rows["w"] = rng.integers(0, 3, len(rows))
    rows = rows.sort_values("x1", ignore_index=True)
    X = [name for name in rows if name not in ("y", "w")]
    parts = [rows[part] for part in cuts(len(rows), 7)]
    model = MixedLinearRegressor(formula=FORMULA)
    whole = MixedLinearRegressor(formula=FORMULA).fit(rows[X], rows["y"], sample_weight=rows["w"])
    return model.fit(chunks(parts, X), "y", sample_weight="w"), whole


def same(ours, theirs, tol=1e-9):
    assert list(ours.columns) == list(theirs.columns)
    for name in theirs:
        if theirs[name].dtype.kind == "f":
            scale = np.max(np.abs(theirs[name]))
            np.testing.assert_allclose(
                ours[name], theirs[name], rtol=tol, atol=tol * scale, err_msg=name
            )
        else:
            assert ours[name].tolist() == theirs[name].tolist()
    np.testing.assert_allclose(ours.cov_params(), theirs.cov_params(), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"at": {"x0": [-1, 1]}, "by": ["arm", "few"]},
        {"by": "g", "kind": "conditional"},
        {"df": "satterthwaite", "by": "arm"},
    ],
    ids=str,
)
def test_average_predictions(fits, options):
    ours, theirs = (average_predictions(model, **options) for model in fits)
    same(ours, theirs)


@pytest.mark.smoke
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"variables": {"x1": [0, 1]}, "by": "arm"},
        pytest.param({"at": {"arm": ["c", "a"]}}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_average_effects(fits, options):
    ours, theirs = (average_effects(model, **options) for model in fits)
    same(ours, theirs, 1e-7)  # derivatives are differences


@pytest.mark.parametrize(
    ("specs", "options"),
    [
        ("arm", {}),
        ("arm", {"weights": "proportional"}),
        (["few", "arm"], {"weights": "cells"}),
        ("arm", {"slopes": "x0"}),
        ([], {"weights": "outer", "by": "arm", "df": "kenward-roger"}),
        ("g", {"kind": "conditional"}),
    ],
    ids=str,
)
def test_marginal_means(fits, specs, options):
    ours, theirs = (marginal_means(model, specs, **options) for model in fits)
    same(ours, theirs, 1e-7 if "slopes" in options else 1e-8)


def test_numbers_have_no_levels(fits):
    for model in fits:
        with pytest.raises(ValueError, match="is a number with"):
            marginal_means(model, "x1")
    with pytest.raises(ValueError, match="of chunks these are columns"):
        average_predictions(fits[0], sample_weight=np.ones(1500))
    with pytest.raises(ValueError, match="at and by both name"):
        average_predictions(fits[0], at={"arm": "a"}, by="arm")
