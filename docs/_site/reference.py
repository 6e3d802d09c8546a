"""The reference: a page for every public name, and their list where a page has the marker.

The pages are written before the build reads any, from the same names that ``validate.py`` checks.
``reference/skmixed.linear.MixedLinearRegressor.rst`` is called as the class is by its module: the
links in the estimators' HTML are made of the same two.
"""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .names import members, module_to_import, public_modules, public_values

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
TOP = DOCS.parent
FOLDER = "reference"
MARKER = "<!-- every public name -->"


def page_name(name: str) -> str:
    """``reference/skmixed.inference.icc``, of a public name by the lowest module that has it."""
    return f"{FOLDER}/{name}"


def pages() -> dict[str, str]:
    """The text of every page, by its name."""
    return {page_name(name): page(value) for name, value in public_values().items()}


def page(value: Any) -> str:
    """A title, how to import it, what its docstring says, and who uses it."""
    return "\n".join([*described(value), *used(value.__name__)])


def described(value: Any) -> list[str]:
    """The page without its end."""
    module, name = module_to_import(value), value.__name__
    head = [name, "=" * len(name), "", ".. code-block:: python", ""]
    head += [f"   from {module} import {name}", "", f".. currentmodule:: {module}", ""]
    if not inspect.isclass(value):
        return [*head, f".. autofunction:: {name}", ""]
    kind = "autoexception" if issubclass(value, Exception) else "autoclass"
    listed = sorted(member for member, _ in members(value))
    options = [f"   :members: {', '.join(listed)}"] if listed else []
    return [*head, f".. {kind}:: {name}", *options, ""]


def used(name: str) -> list[str]:
    """Links to the chapters and examples that import a name."""
    links = [f":doc:`{page}`" for page, code in writings().items() if imports(code, name)]
    return [".. rubric:: Used in", "", " · ".join(links), ""] if links else []


@cache
def writings() -> dict[str, str]:
    """The text of the chapters and examples, by the names of their pages."""
    chapters = {f"/{path.relative_to(DOCS).with_suffix('')}": path for path in chapter_files()}
    examples = {
        f"/auto_examples/{path.stem}": path for path in (TOP / "examples").glob("plot_*.py")
    }
    return {name: path.read_text() for name, path in sorted((chapters | examples).items())}


def chapter_files() -> list[Path]:
    """Pages of Markdown with code."""
    return [
        path
        for path in [*DOCS.glob("*.md"), *DOCS.glob("coming_from/*.md")]
        if path.stem != "index"
    ]


def imports(code: str, name: str) -> bool:
    """Whether a line imports a name from the library."""
    lines = re.findall(r"^from skmixed[\w.]* import (\([^)]*\)|.*)", code, flags=re.MULTILINE)
    return any(re.search(rf"\b{name}\b", line) for line in lines)


def listing() -> str:
    """Markdown with a list for every module: its names and the first sentence about each."""
    named = sorted(public_values().items(), key=by_module)
    modules = groupby(named, key=lambda pair: module_to_import(pair[1]))
    return "\n\n".join(section(module, dict(pairs)) for module, pairs in modules)


def by_module(pair: tuple[str, Any]) -> tuple[int, bool, str]:
    """Modules in the order of ``public_modules``, names by the alphabet, warnings last."""
    value = pair[1]
    is_warning = inspect.isclass(value) and issubclass(value, Exception)
    return public_modules().index(module_to_import(value)), is_warning, value.__name__


def section(module: str, values: dict[str, Any]) -> str:
    """The names of one module."""
    entries = [
        f"[`{value.__name__}`](/{page_name(name)}.rst)\n: {first_sentence(value.__doc__)}\n"
        for name, value in values.items()
    ]
    tree = ["```{toctree}", ":hidden:", f":caption: {module}", ""]
    tree += [f"/{page_name(name)}" for name in values] + ["```"]
    intro = first_sentence(importlib.import_module(module).__doc__)
    return "\n".join([f"## {module}", "", intro, "", *tree, "", *entries])


def first_sentence(doc: str | None) -> str:
    """Its first line or lines, in Markdown."""
    paragraph = inspect.cleandoc(doc or "").split("\n\n")[0]
    return " ".join(paragraph.split()).replace("``", "`")


def write_pages(app: Sphinx) -> None:
    """Write those that changed, and remove those of names that are gone."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(exist_ok=True)
    wanted = {Path(app.srcdir) / f"{name}.rst": text for name, text in pages().items()}
    for path in set(folder.glob("*.rst")) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def write_listing(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Put the list where the marker is."""
    if MARKER in source[0]:
        source[0] = source[0].replace(MARKER, listing())


def always_list(*_: object) -> list[str]:
    """The page with the list is read again by every build: names come and go elsewhere."""
    return [FOLDER]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", write_listing)
    app.connect("env-get-outdated", always_list)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
