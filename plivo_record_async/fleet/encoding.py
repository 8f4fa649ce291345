"""What a fleet keeps in its database, as JSON: the items of a batch, and their outcomes.

Nothing is pickled, so workers with different versions of this package can share a database.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Final, Literal

import attrs
from cattrs.preconf.json import make_converter

from plivo_record_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ClosedError,
    ConfigurationError,
    MethodNotAllowedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlivoRecordError,
    RateLimitError,
    RecordingFailedError,
    ServerError,
    StoreError,
    UnexpectedResponseError,
)
from plivo_record_async.protocol.models import Failed, Outcome, RecordingStatus, StartRequest, Succeeded

__all__ = ["Kind", "decode_item", "decode_outcome", "digest_of", "encode_item", "failure", "success"]

Kind = Literal["started", "failed", "unknown"]
"""How an outcome is counted. It is the first element of its JSON."""

_UNKNOWN: Final = (OutcomeUnknownError, UnexpectedResponseError)

_WITH_ATTRIBUTES: Final[dict[str, type[PlivoRecordError]]] = {
    cls.__name__: cls
    for cls in (
        *(NotSentError, OutcomeUnknownError, UnexpectedResponseError, ApiError, AuthenticationError, BadRequestError),
        *(MethodNotAllowedError, NotFoundError, PermissionDeniedError, RateLimitError, ServerError),
    )
}
_WITH_TEXT: Final[dict[str, type[PlivoRecordError]]] = {
    cls.__name__: cls for cls in (ClosedError, ConfigurationError, PlivoRecordError, StoreError)
}

_converter = make_converter(omit_if_default=True)


def encode_item(item: str | StartRequest, *, transcribe: bool) -> list[Any]:
    """Return an item of a batch as JSON.

    Args:
        item: The name of a conference, or a request.
        transcribe: Whether to request a transcript.
    """
    return [item if isinstance(item, str) else _converter.unstructure(item), transcribe]


def decode_item(stored: Any) -> tuple[str | StartRequest, bool]:
    """Return what `encode_item` wrote: the item, and whether to request a transcript.

    Args:
        stored: The JSON.
    """
    item, transcribe = stored
    return item if isinstance(item, str) else _converter.structure(item, StartRequest), transcribe


def digest_of(request: StartRequest, *, transcribe: bool, occurrence: int) -> str:
    """Return a text that identifies an item in its batch. Items with the same content have the same text.

    Args:
        request: The request of the item.
        transcribe: Whether a transcript is requested.
        occurrence: How many items with the same content came before it.
    """
    content = json.dumps([_converter.unstructure(request), transcribe, occurrence], sort_keys=True)
    return sha256(content.encode()).hexdigest()[:32]


def success(start_id: str) -> list[Any]:
    """Return the outcome of a start that was accepted, as JSON.

    Args:
        start_id: The tracker's ID of the start.
    """
    return ["started", start_id]


def failure(error: Exception) -> list[Any]:
    """Return the outcome of a start that was not accepted, as JSON.

    Args:
        error: The error of the start.
    """
    kind: Kind = "unknown" if isinstance(error, _UNKNOWN) else "failed"
    name = type(error).__name__
    if name in _WITH_ATTRIBUTES:
        return [kind, name, _converter.unstructure(error)]
    if isinstance(error, RecordingFailedError):
        status = attrs.evolve(error.recording, history=())
        return [kind, name, {"message": str(error), "recording": _converter.unstructure(status)}]
    return [kind, name, str(error)]


def decode_outcome(item: str | StartRequest, stored: Any) -> Outcome[str | StartRequest, str]:
    """Return the outcome that `success` or `failure` wrote.

    Args:
        item: The item.
        stored: The JSON. If it is no outcome, somebody ended the item with another program.
    """
    match stored:
        case ["started", str(start_id)]:
            return Succeeded(item, start_id)
        case [_, str(name), data]:
            return Failed(item, _decode_error(name, data))
        case _:
            reason = f"another program ended this item in the fleet's database, with {stored!r}"
            return Failed(item, PlivoRecordError(reason))


def _decode_error(name: str, data: Any) -> PlivoRecordError:
    if name in _WITH_ATTRIBUTES:
        return _converter.structure(data, _WITH_ATTRIBUTES[name])
    if name == RecordingFailedError.__name__:
        return RecordingFailedError(data["message"], recording=_converter.structure(data["recording"], RecordingStatus))
    if name in _WITH_TEXT:
        return _WITH_TEXT[name](data)
    return PlivoRecordError(f"{name}: {data}")
