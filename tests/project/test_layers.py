"""The house drawn from its source: imports go down only, and rooms keep their private things to themselves."""

import ast
from pathlib import Path

import pytest

import skmixed

PACKAGE = Path(skmixed.__file__).parent

#: rooms, lowest first: a room may import from those on lower rungs, and from those to its left on its own
LADDER = [
    [
        "exceptions",
        "_algebra",
        "_data",
        "_about",
        "terms",
        "_formula",
    ],
    ["streams", "formula", "_model"],
    ["_sums", "_search", "_report"],
    ["_store", "_reader", "_likelihood"],
    ["_fit", "_engines"],
    ["inference"],
    ["_results", "results"],
    ["_parts", "_estimator"],
    ["_regression", "_classification"],
    ["linear", "logistic"],
    ["meta"],
    ["diagnostics", "statsmodels"],
    ["datasets", "persistence"],
    ["displays"],
    ["preprocessing", "model_selection", "metrics"],
]
PLACES = {
    room: (rung, place) for rung, rooms in enumerate(LADDER) for place, room in enumerate(rooms)
}

MODULES = {
    path.relative_to(PACKAGE).with_suffix("").parts: path
    for path in PACKAGE.rglob("*.py")
    if path != PACKAGE / "__init__.py"
}


def name_of(parts):
    """``("_sums", "frame")`` is ``_sums.frame``; the front of a package has the package's name."""
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(parts):
    """Modules of the package that a module imports, as tuples of names."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[parts].read_text())):
        if isinstance(node, ast.ImportFrom) and (
            node.level or (node.module or "").split(".")[0] == "skmixed"
        ):
            base = parts[: len(parts) - node.level] if node.level else ()
            module = tuple(
                (node.module or "")
                .removeprefix("skmixed" if not node.level else "")
                .strip(".")
                .split(".")
            )
            module = (*base, *(part for part in module if part))
            found |= {
                (*module, alias.name) if (*module, alias.name) in MODULES else module
                for alias in node.names
            }
    return {module for module in found if module}


@pytest.mark.parametrize("parts", sorted(MODULES), ids=name_of)
def test_rooms_import_from_lower_rooms(parts):
    room = parts[0]
    assert room in PLACES, f"give {room} its place in the ladder"
    upward = [
        name_of(other)
        for other in imports(parts)
        if other[0] != room and PLACES[other[0]] >= PLACES[room]
    ]
    assert not upward, f"{name_of(parts)} imports {upward}, which stand above it or to its right"


def test_every_place_is_taken():
    assert set(PLACES) == {parts[0] for parts in MODULES}


def circle(edges):
    """Modules that import each other in a circle, if there is one."""
    open_, seen = [], set()

    def visit(module):
        if module in open_:
            return [*open_[open_.index(module) :], module]
        if module in seen:
            return None
        seen.add(module)
        open_.append(module)
        found = next(filter(None, map(visit, sorted(edges.get(module, ())))), None)
        open_.pop()
        return found

    return next(filter(None, map(visit, sorted(edges))), None)


def test_no_module_imports_itself_by_way_of_others():
    assert circle({parts: imports(parts) for parts in MODULES}) is None


def test_a_circle_would_be_found():
    assert circle({("a",): {("b",)}, ("b",): {("c",)}, ("c",): {("b",)}}) == [
        ("b",),
        ("c",),
        ("b",),
    ]


@pytest.mark.parametrize("room", ["_algebra", "_search", "_likelihood"])
def test_objectives_never_see_a_table(room):
    """They work with sums, and with one number per row."""
    seen = {other for parts in MODULES if parts[0] == room for other in imports(parts)}
    assert not {
        other
        for other in seen
        if other[0] in ("_data", "_reader", "formula") or other[-1] == "frame"
    }
