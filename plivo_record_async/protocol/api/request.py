"""One request to the API, and how its response is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from plivo_record_async.errors import Missing
from plivo_record_async.protocol.api.response import Response

__all__ = ["Request"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Request(Generic[T]):
    """One request as it is sent, and how its response is read.

    Attributes:
        operation: What the request does, in words, for messages.
        method: The HTTP method.
        path: The path below ``/v1/Account/{auth_id}``, percent-encoded, with its query.
        body: The body, as JSON. If None, the request has no body.
        repeatable: Whether it is harmless to send the request twice. A start is not: Plivo would record and bill twice.
        missing: What does not exist if the response is a 404, for messages.
        start_id: The tracker's ID of the start, for errors. If None, no tracker made the request.
        read: Returns the result of a successful response; raises ``ValueError`` if the response cannot be read.
        read_gone: Returns the result of a 404 that follows an attempt which may have been executed, where that 404
            means "done"; raises ``ValueError`` if the response cannot be read. If None, such a 404 is an error.
    """

    operation: str
    method: str
    path: str
    body: bytes | None = None
    repeatable: bool = False
    missing: Missing | None = None
    start_id: str | None = None
    read: Callable[[Response], T]
    read_gone: Callable[[Response], T] | None = None
