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
    ["_prediction", "_marginal", "_separation"],
    ["_contrasts", "_variances", "_dof", "_robust", "_robust_logistic", "_coefficients"],
    ["_boundary", "_coordinates", "_profile", "_bootstrap", "_describe"],
    ["_summary", "_diagnostics", "results"],
    ["_base", "linear", "logistic"],
    ["_comparison", "_margins", "inference"],
    ["datasets"],
    ["__init__"],
]
PLACES = {name: (rung, place) for rung, names in enumerate(LADDER) for place, name in enumerate(names)}


def imports(path):
    """Modules of the package that a source file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skmixed"):
            found.add(node.module.removeprefix("skmixed.") or "__init__")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda p: p.stem)
def test_imports_go_down(path):
    assert path.stem in PLACES, f"give {path.stem} its place in the ladder"
    upward = [name for name in imports(path) if PLACES[name] >= PLACES[path.stem]]
    assert not upward, f"{path.stem} imports {upward}, which stand above it or to its right"


def test_every_place_is_taken():
    assert set(PLACES) == {path.stem for path in PACKAGE.glob("*.py")}


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
        assert "_design" not in imports(PACKAGE / f"{name}.py")
