"""The site: ``nox -s docs`` builds it, with every warning an error."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
# the chapters run in processes of their own: the same package, and pictures of a size that prints
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
os.environ["MATPLOTLIBRC"] = str(HERE / "_site" / "matplotlibrc")
os.environ.pop("MPLBACKEND", None)
for library in ("OPENBLAS", "MKL", "OMP"):  # as many pages as processors run at a time
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import skmixed  # noqa: E402
from skmixed._about.documented import DOCUMENTATION  # noqa: E402

project = "scikit-mixed"
author = "The scikit-mixed developers"
project_copyright = author
version = release = skmixed.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "_site.chapters",
    "_site.reference",
]
exclude_patterns = [
    "_build",
    "_site",
    "**/*.ipynb",
    "**/*.py",
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
]
default_role = "code"
smartquotes = False  # links to parameters look for their text

# Chapters
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
nb_render_markdown_format = "myst"

# Reference
#: what other packages document: a build without a network has no inventory of theirs
nitpick_ignore_regex = [("py:.*", r"(numpy|pandas|scipy|sklearn|statsmodels|matplotlib)\..*")]
autodoc_typehints = "none"
autodoc_member_order = "alphabetical"
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# Gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",
    "within_subsection_order": "_site.gallery.Order",
    "image_srcset": ["2x"],
    "download_all_examples": False,
    "capture_repr": ("_repr_html_",),
    "parallel": True,
    "show_memory": False,
    "show_signature": False,
    "plot_gallery": "True",  # -D plot_gallery=0 for a quick build
}

# Appearance
html_theme = "pydata_sphinx_theme"
html_title = "scikit-mixed"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_baseurl = DOCUMENTATION
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "back_to_top_button": True,
}
html_sidebars = {"index": [], "start": []}
