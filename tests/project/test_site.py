"""The site has a page for everything, without building it."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import skmixed
from skmixed._about.documented import DOCUMENTATION

DOCS = Path(__file__).parents[2] / "docs"
GENERATED = {"_build", "auto_examples", "reference"}


@pytest.fixture
def site(monkeypatch):
    """The modules beside the pages."""
    monkeypatch.syspath_prepend(DOCS)
    return lambda name: importlib.import_module(f"_site.{name}")


def markdown():
    """Pages that somebody wrote, by their names in trees."""
    paths = [path.relative_to(DOCS) for path in DOCS.rglob("*.md")]
    return {
        str(path.with_suffix("")): (DOCS / path).read_text()
        for path in paths
        if path.parts[0] not in GENERATED
    }


def planted(page, text):
    """The pages that the trees of a page name."""
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for tree in trees for line in tree.splitlines() if line and line[0] != ":"]
    names = [re.sub(r".*<(.*)>", r"\1", line) for line in lines]
    return {str(Path(page).parent / name) for name in names}


def test_every_public_name_is_in_the_reference(site):
    reference, names = site("reference"), site("names")
    text = (DOCS / "reference.md").read_text()
    assert reference.MARKER in text
    pages, listing = reference.pages(), reference.listing()
    for module in names.public_modules():
        for name in getattr(importlib.import_module(module), "__all__", ()):
            value = getattr(importlib.import_module(module), name)
            if inspect.isfunction(value) or inspect.isclass(value):
                (found,) = [page for page in pages if pages[page].startswith(f"{name}\n===")]
                assert f"/{found}.rst)" in listing and f"\n/{found}\n" in listing
                assert f"import {name}\n" in pages[found]


def test_members_of_a_class_are_on_its_page(site):
    page = site("reference").pages()["reference/skmixed.linear.MixedLinearRegressor"]
    assert ".. autoclass:: MixedLinearRegressor" in page
    assert {"fit", "predict", "from_formula", "summary"} <= set(
        re.findall(r"\w+", page.split(":members:")[1])
    )


def has_page(value):
    """Estimators and transformers: what scikit-learn shows as HTML."""
    return inspect.isclass(value) and issubclass(value, BaseEstimator)


def test_estimators_link_to_their_pages(site):
    pages = site("reference").pages()
    values = site("names").public_values().values()
    estimators = [value for value in values if has_page(value)]
    assert {skmixed.MixedLinearRegressor, skmixed.MixedLogisticClassifier} <= set(estimators)
    for estimator in estimators:
        link = estimator()._get_doc_link()
        page = link.removeprefix(DOCUMENTATION).removesuffix(".html")
        assert page in pages
        html = estimator()._repr_html_()
        assert f'href="{link}' in html


def test_links_to_files_beside_the_pages_become_links_to_pages(site):
    with_links = site("chapters").with_links
    text = (
        "[a](../SECURITY.md#saved-models) [b](../examples/plot_x.py) [c](maths.md) [d](../LICENSE)"
    )
    assert with_links(text, DOCS / "user_guide.md", DOCS.parent) == (
        "[a](about/security.md#saved-models) [b](auto_examples/plot_x.rst) [c](maths.md) [d](../LICENSE)"
    )
    nested = with_links("[a](../../benchmarks/README.md)", DOCS / "x" / "y.md", DOCS.parent)
    assert nested == "[a](../about/benchmarks.md)"


def test_blocks_of_python_are_run(site):
    chapters = site("chapters")
    text = "# T\n\n```python\n1\n```\n\n```r\n2\n```\n"
    assert chapters.is_chapter(text)
    assert "```{code-cell} python\n1\n```\n\n```r\n2" in chapters.as_notebook(text)
    assert not chapters.is_chapter("```r\n1\n```\n")


def test_every_page_is_in_a_tree():
    """A chapter has a line in docs/chapters.md, a page about another program in docs/coming_from/index.md."""
    pages = markdown()
    trees = set().union(*(planted(page, text) for page, text in pages.items()))
    assert not set(pages) - trees - {"index"}
    assert not {name for name in trees - set(pages) if name.split("/")[0] not in GENERATED}
