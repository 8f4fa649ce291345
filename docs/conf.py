"""Sphinx: Furo and MyST, every warning an error, nothing fetched from the network."""

from __future__ import annotations

from plivo_record_async import __version__

project = "plivo-record-async"
author = "The plivo-record-async authors"
copyright = "the plivo-record-async authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "examples"]
default_role = "py:obj"
nitpicky = True
# Names of others, whose documentation is not fetched; type variables; a base class that is nobody's business.
nitpick_ignore_regex = [
    ("py:.*", r"(_?asyncio|builtins|collections|datetime|httpx|pathlib|types|typing|anyio)(\..*)?"),
    ("py:.*", r"(.*\.)?(StartT|StopT|RequestT_co|ResultT_co|T|_AboutRecordingError)"),
    ("py:.*", "Phase"),
]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False

html_theme = "furo"
html_title = f"plivo-record-async {release}"
copybutton_exclude = ".linenos, .gp, .go"
