"""Imports go down only: the ladder of the package, drawn from its source."""

import ast
from pathlib import Path

import pytest

import skmixed

PACKAGE = Path(skmixed.__file__).parent

#: a module may import from lower rungs, and from those to its left on its own
LADDER = [
    ["exceptions", "_kernels", "terms", "_tables", "formula"],
    ["_covariance", "_crossprod", "_optimize", "_cholesky", "_families"],
    ["_rows", "_design"],
    ["_lmm", "_start", "_search", "_fitted", "_fit"],
    ["_glmm", "_quadrature", "_pql", "_fit_logistic"],
    ["_marginal", "_prediction", "_separation"],
    ["_arguments", "_contrasts", "_variances", "_dof", "_robust", "_robust_logistic", "_coefficients"],
    ["_projections", "_cones", "_information", "_likelihood_ratio", "_exact", "_boundary"],
    ["_pairs", "_nesting", "_comparison", "_hausman"],
    ["_objectives", "_coordinates", "_spaces", "_paths", "_limits", "_profilers", "_profile"],
    ["_resampling", "_statistics", "_bootstrap"],
    ["_shares", "_conditional_aic", "_slopes", "_margins", "inference"],
    ["_printed", "_summary", "_diagnostics", "results"],
    ["_base", "linear", "logistic"],
    ["datasets"],
    ["skmixed"],
]
PLACES = {name: (rung, place) for rung, names in enumerate(LADDER) for place, name in enumerate(names)}
MODULES = {path.parent.name if path.stem == "__init__" else path.stem: path for path in PACKAGE.rglob("*.py")}


def imports(path):
    """Modules of the package that a source file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("skmixed")):
            names = [alias.name for alias in node.names]
            found |= {node.module.rpartition(".")[2]} if node.module else set(names)
    return found


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_go_down(name):
    assert name in PLACES, f"give {name} its place in the ladder"
    upward = [other for other in imports(MODULES[name]) if PLACES[other] >= PLACES[name]]
    assert not upward, f"{name} imports {upward}, which stand above it or to its right"


def test_every_place_is_taken():
    assert set(PLACES) == set(MODULES)


def test_rows_stay_below():
    """Objectives never see X: they work with sums, and with one number per row."""
    numbers = (
        "_lmm",
        "_start",
        "_search",
        "_glmm",
        "_quadrature",
        "_cholesky",
        "_crossprod",
        "_covariance",
        "_optimize",
    )
    for name in numbers:
        assert "_design" not in imports(MODULES[name])
