"""The files of the console and the headers with which they are served.

The page must not execute or load anything that is not in this folder. Everything that it shows comes from requests of
other programs, so its content security policy permits no inline script or style and no text that is read as HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import attrs

__all__ = ["ConsoleFile", "read_console"]

_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

# https://www.w3.org/TR/CSP3/ , https://www.w3.org/TR/trusted-types/
_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@attrs.frozen(kw_only=True)
class ConsoleFile:
    """A file of the console.

    Attributes:
        content: The bytes of the file.
        headers: The headers of the response, without its length.
    """

    content: bytes
    headers: Mapping[str, str]


def read_console() -> Mapping[tuple[str, ...], ConsoleFile]:
    """Read the files of the console.

    Returns:
        Each file by the segments of its path: the page by ``("",)``, and the other files by ``("console", name)``.
    """
    served: dict[tuple[str, ...], ConsoleFile] = {}
    for folder in ("page", "scripts"):
        for file in (files("plivo_record_async.emulator.console") / folder).iterdir():
            media_type = _MEDIA_TYPES[file.name.rpartition(".")[2]]
            path = ("",) if file.name == "index.html" else ("console", file.name)
            served[path] = ConsoleFile(content=file.read_bytes(), headers={**_HEADERS, "Content-Type": media_type})
    return served
