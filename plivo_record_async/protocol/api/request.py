"""One request to the API, with the functions that read its response."""

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
    """One request to the API, with the functions that read its response.

    The ``repr`` shows neither the path nor the body, because they can contain callback URLs with their proofs.

    Attributes:
        operation: A short description of the request, for messages.
        name: The name of the client's method that makes such requests, for example ``start_recording``.
        route: The path with the names of its parameters instead of their values, for example
            ``/Conference/{conference_name}/``.
        method: The HTTP method.
        path: The path below ``/v1/Account/{auth_id}``, percent-encoded, with the query.
        body: The body, as JSON. If None, the request has no body.
        repeatable: Whether it is safe to send the request twice. For a start it is not, because Plivo would record and
            bill twice.
        warning: What a second execution would cause, and how to find out about the first, for messages. If None, the
            request is a start, or it is repeatable.
        missing: The kind of resource that does not exist if the response is a 404, for messages. If None, the request
            names no resource.
        conference_name: The name of the conference. If None, the request names no conference.
        start_id: The tracker's ID of the start. If None, the request was not made by a tracker.
        read: A function that returns the result of a successful response. It raises ``ValueError`` if the response
            cannot be read.
        read_already_executed: A function that returns the result of a 404 if an earlier attempt may have been executed,
            and the 404 shows that it was. It raises ``ValueError`` if the response cannot be read. If None, a 404 is
            always an error.
    """

    operation: str
    name: str
    route: str
    method: str
    path: str = attrs.field(repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)
    repeatable: bool = False
    warning: str | None = None
    missing: Missing | None = None
    conference_name: str | None = None
    start_id: str | None = None
    read: Callable[[Response], T]
    read_already_executed: Callable[[Response], T] | None = None
