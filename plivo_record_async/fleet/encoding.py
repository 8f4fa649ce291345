"""What a fleet keeps in its database, as JSON: the items of a batch, and their outcomes.

Nothing is pickled, so workers with different versions of this package can share a database.
"""

from __future__ import annotations

from typing import Any

import attrs
from cattrs.preconf.json import make_converter

from plivo_record_async import errors
from plivo_record_async.errors import OutcomeUnknownError, PlivoRecordError, UnexpectedResponseError
from plivo_record_async.protocol.models import Failed, Outcome, StartRequest, Succeeded

__all__ = ["decode_item", "decode_outcome", "encode_item", "failure", "success"]

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
    kind = "unknown" if isinstance(error, OutcomeUnknownError | UnexpectedResponseError) else "failed"
    content = _converter.unstructure(error) if attrs.has(type(error)) else str(error)
    return [kind, type(error).__name__, content]


def decode_outcome(item: str | StartRequest, stored: Any) -> Outcome[str | StartRequest, str]:
    """Return the outcome that `success` or `failure` wrote.

    Args:
        item: The item.
        stored: The JSON. If it is no outcome, another program ended the item.
    """
    match stored:
        case ["started", str(start_id)]:
            return Succeeded(item, start_id)
        case [_, str(name), dict()] if hasattr(errors, name):
            return Failed(item, _converter.structure(stored[2], getattr(errors, name)))
        case [_, "ConfigurationError" | "ClosedError" | "StoreError" as name, str(message)]:
            return Failed(item, getattr(errors, name)(message))
        case [_, str(name), message]:  # of another library, or of a newer version of this one
            return Failed(item, PlivoRecordError(f"{name}: {message}"))
        case _:
            reason = f"another program ended this item in the fleet's database, with {stored!r}"
            return Failed(item, PlivoRecordError(reason))
