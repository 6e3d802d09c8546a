"""Every public name has a complete docstring: ``python docs/validate.py``.

numpydoc says what is missing; what it is not asked for is listed below.  The links of the Markdown
files, the modules they name, and the rooms of the map in ``CONTRIBUTING.md`` are looked up as well.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from functools import cached_property
from pathlib import Path
from typing import Any

from _site.names import public_objects
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import validate

import skmixed

TOP = Path(__file__).parents[1]
PACKAGE = Path(skmixed.__file__).parent

#: what numpydoc is not asked for, and why
NOT_ASKED = {
    # layout: text begins on the first line, ends before the quotes, and formulas have space
    *("GL01", "GL02", "GL03"),
    # summaries: some need two lines, and some say what comes back ("Rows of ...")
    *("SS05", "SS06"),
    # an extended summary and See Also: where there is something to say
    *("ES01", "SA01"),
    # types: parameters that are "as in" another method are described together
    "PR04",
    # descriptions: not where the name and the type, or the shape, say it; they may begin with a
    # name or a value in quotes, and end with a formula
    *("PR07", "PR08", "PR09", "RT02", "RT03", "RT04", "RT05"),
}


def problems(name: str, value: Any) -> list[str]:
    """What the docstring of a public object lacks."""
    doc = get_doc_object(value, config={"show_class_members": False})
    if not doc["Summary"]:
        return [f"{name}: no docstring"]
    errors = validate(doc)["errors"]
    unasked = NOT_ASKED | excused(value, doc)
    found = [f"{code} {message}" for code, message in errors if code not in unasked]
    return [f"{name}: {line}" for line in found + undocumented_errors(value, doc)]


def excused(value: Any, doc: Any) -> set[str]:
    """What numpydoc asks of everything, and some things need not have."""
    if isinstance(value, property | cached_property):
        return {"EX01"}
    if inspect.isclass(value) and issubclass(value, Exception):
        return {"EX01", "PR01"}
    if inspect.isclass(value) and doc["Attributes"] and not doc["Parameters"]:
        return {"EX01", "PR01"}  # functions return it: what it holds is told, not how it is made
    return set()


def undocumented_errors(value: Any, doc: Any) -> list[str]:
    """Errors that the body of a function raises and its docstring does not name."""
    function = value.fget if isinstance(value, property) else getattr(value, "func", value)
    if not inspect.isfunction(function):
        return []
    told = " ".join(parameter.type for parameter in doc["Raises"])
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id.endswith("Error")
    }
    return [f"RS01 {error} is not among Raises" for error in sorted(raised) if error not in told]


def broken_links() -> list[str]:
    """Links of the Markdown files to files that are not there."""
    pages = [*TOP.glob("*.md"), *TOP.glob("*/*.md"), *TOP.glob("docs/[!_]*/*.md")]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        if "://" not in target
    ]
    return [
        f"{page.relative_to(TOP)}: no {target}"
        for page, target in links
        if not (page.parent / target).exists()
    ]


def lost_modules() -> list[str]:
    """Modules that the pages speak of as ``_room/module.py`` and that are not there."""
    pages = [TOP / "CONTRIBUTING.md", TOP / "docs" / "maths.md"]
    named = [
        (page, name) for page in pages for name in re.findall(r"`([\w/]+\.py)`", page.read_text())
    ]
    return [
        f"{page.relative_to(TOP)}: no {name}"
        for page, name in named
        if not (PACKAGE / name).exists() and not (TOP / name).exists()
    ]


def missing_rooms() -> list[str]:
    """Rooms that the map of ``CONTRIBUTING.md`` lacks, and those it has too many."""
    text = (TOP / "CONTRIBUTING.md").read_text()
    drawn = set(re.findall(r"^\| `([\w/]+(?:/|\.py))` \|", text, flags=re.MULTILINE))
    inside = {f"inference/{room}" for room in rooms(PACKAGE / "inference") if room.endswith("/")}
    there = rooms(PACKAGE) | inside
    lost = [f"CONTRIBUTING.md: {room} is not on the map" for room in sorted(there - drawn)]
    return lost + [f"CONTRIBUTING.md: there is no {room}" for room in sorted(drawn - there)]


def rooms(folder: Path) -> set[str]:
    """Modules and packages of a folder, as the map writes them."""
    modules = {path.name for path in folder.glob("*.py") if path.name != "__init__.py"}
    return modules | {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}


def main() -> int:
    """Print what is missing."""
    objects = public_objects()
    found = [line for name, value in sorted(objects.items()) for line in problems(name, value)]
    found += broken_links() + lost_modules() + missing_rooms()
    print(*found, f"{len(objects)} public names, {len(found)} things missing", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
