"""Sphinx: Furo and MyST, every warning an error, nothing fetched from the network."""

from __future__ import annotations

from plivo_record_async import __version__

project = "plivo-record-async"
author = "The plivo-record-async authors"
copyright = "the plivo-record-async authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    # Names of others, whose documentation is not fetched.
    ("py:.*", r"(_?asyncio|anyio|builtins|collections|datetime|httpx|os|pathlib|types|typing)(\..*)?"),
    # Type variables, and types that stand in signatures but are nobody's business.
    (
        "py:class",
        (
            r"(.*\.)?(\w*T|\w*T_co|Answer|HandlerRun|Headers|Ledger|Missing|Phase|PlivoClock|Request|Sending|Settings|Step|Value"
            r"|_RecordingError)"
        ),
    ),
    # Docstrings name their neighbours in backticks; those that are in the reference become links.
    ("py:obj", ".*"),
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
