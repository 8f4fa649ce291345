"""Every exception that an HTTP library or the standard library may raise while a request is sent."""

from __future__ import annotations

import inspect
import ssl
from types import ModuleType

import httpcore
import httpx

__all__ = ["LIBRARY_FAILURES", "OTHER_FAILURES", "instance"]


def _classes(library: ModuleType) -> list[type[Exception]]:
    """Return every exception that a library exports, so that a new one cannot be forgotten."""
    return [cls for _, cls in inspect.getmembers(library, inspect.isclass) if issubclass(cls, Exception)]


def _instance(cls: type[Exception]) -> Exception:
    if cls is httpx.HTTPStatusError:
        request = httpx.Request("POST", "http://h")
        return httpx.HTTPStatusError("boom", request=request, response=httpx.Response(500, request=request))
    try:
        return cls("boom")
    except TypeError:
        return cls()


OTHER_FAILURES: list[type[Exception]] = [
    OSError,
    ConnectionResetError,
    BrokenPipeError,
    TimeoutError,
    ssl.SSLError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    ExceptionGroup,
]
LIBRARY_FAILURES: list[type[Exception]] = [*_classes(httpx), *_classes(httpcore)]


def instance(cls: type[Exception]) -> Exception:
    """Return an exception of a class, whatever arguments it takes."""
    return ExceptionGroup("boom", [OSError("boom")]) if cls is ExceptionGroup else _instance(cls)
