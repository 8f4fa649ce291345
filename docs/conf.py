"""Build the documentation with Sphinx, Furo and MyST. Warnings are errors; nothing is fetched from the network."""

from __future__ import annotations

import sys
from pathlib import Path

from plivo_record_async import __version__

sys.path.append(str(Path(__file__).parent / "_ext"))

project = "plivo-record-async"
author = "The plivo-record-async authors"
copyright = "the plivo-record-async authors"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "lifecycle",
    "signatures",
    "tables",
]
exclude_patterns = ["_build"]
default_role = "py:obj"

# Every reference must have a target, also those in single backticks in docstrings. Excluded are only:
nitpicky = True
nitpick_ignore_regex = [
    # names of other projects, because their documentation is not fetched,
    (
        "py:.*",
        r"(_?asyncio|anyio|_?pytest|builtins|collections|contextlib|datetime|httpx2?|os|pathlib|types|typing)(\..*)?",
    ),
    # type variables in signatures,
    ("py:(class|obj)", r"plivo_record_async\.[\w.]*T(_co)?"),
    # and private classes in signatures.
    (
        "py:class",
        r"plivo_record_async\.(protocol\.(api|clocks|recording)|settings|tracking|transport\.quota)\.[\w.]+",
    ),
    ("py:class", r"plivo_record_async\.errors\.recordings\._RecordingError"),
]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
autodoc_type_aliases = {
    name: f"plivo_record_async.{name}"
    for name in ("CallbackEvent", "FileFormat", "HttpMethod", "RecordingState")
}
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False

html_theme = "furo"
html_title = f"plivo-record-async {release}"
pygments_dark_style = "github-dark"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_domain_indices = False
html_show_sourcelink = False
html_copy_source = False
copybutton_exclude = ".linenos, .gp, .go"
