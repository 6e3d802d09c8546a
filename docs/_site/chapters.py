"""Chapters are plain Markdown, readable anywhere; the site runs their code and mends their links.

A page with blocks of Python becomes a notebook of MyST: every block is run, in order, and what it
prints and draws is shown below it.  Links to files beside ``docs`` become links to their pages.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

NOTEBOOK = """---
file_format: mystnb
kernelspec:
  name: python3
---
"""

#: files that have a page: where they are, from the folder above ``docs``, and the page
PAGES = {
    "README.md": "index.md",
    "SECURITY.md": "about/security.md",
    "CHANGELOG.md": "about/changelog.md",
    "CONTRIBUTING.md": "about/contributing.md",
    "benchmarks/README.md": "about/benchmarks.md",
}


def is_chapter(text: str) -> bool:
    """Whether there is code to run."""
    return re.search(r"^```python$", text, flags=re.MULTILINE) is not None


def as_notebook(text: str) -> str:
    """The blocks of Python as cells."""
    return NOTEBOOK + re.sub(r"^```python$", "```{code-cell} python", text, flags=re.MULTILINE)


def with_links(text: str, page: Path, top: Path) -> str:
    """Links to files outside ``docs`` as links to the pages they have."""

    def mended(found: re.Match[str]) -> str:
        target = (page.parent / found["path"]).resolve()
        name = page_of(os.path.relpath(target, top))
        if name is None:
            return found[0]
        return f"]({os.path.relpath(top / 'docs' / name, page.parent)}{found['anchor']})"

    return re.sub(r"\]\((?P<path>\.\./[^)#\s]+)(?P<anchor>[^)]*)\)", mended, text)


def page_of(file: str) -> str | None:
    """The page of a file beside ``docs``, where it has one."""
    example = re.fullmatch(r"examples/(plot_\w+)\.py", file)
    return f"auto_examples/{example[1]}.rst" if example else PAGES.get(file)


def read_chapter(app: Sphinx, name: str, source: list[str]) -> None:
    """Change a page of Markdown before it is parsed."""
    path = Path(app.env.doc2path(name))
    if path.suffix != ".md":
        return
    text = with_links(source[0], path, Path(app.srcdir).parent)
    source[0] = as_notebook(text) if is_chapter(text) else text


def look_for_addresses(_app: Sphinx, doctree: nodes.document, _name: str) -> None:
    """Warn of ``<... object at 0x...>``: what a block shows should say something."""
    from docutils.nodes import literal_block
    from sphinx.util import logging

    for block in doctree.findall(literal_block):
        found = re.search(r"<[^<>]* at 0x[0-9a-f]+>", block.astext())
        if found:
            said = "%s is shown: end a picture with plt.show()"
            logging.getLogger(__name__).warning(said, found[0], location=block)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", read_chapter)
    app.connect("doctree-resolved", look_for_addresses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
