"""The one cattrs converter: Plivo's spelling on one side, our values on the other.

Unknown fields are kept: every value structured here carries the whole message in ``raw``.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar, cast

from cattrs import Converter
from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
)

__all__ = ["json_object", "structure", "unstructure"]

T = TypeVar("T")


_SPELLING: dict[type[Any], dict[str, str]] = {
    RecordingStarted: {},
    RecordingStopped: {},
    PendingResponse: {},
    Recording: {
        "duration_ms": "recording_duration_ms",
        "started_at": "recording_start_ms",
        "ended_at": "recording_end_ms",
        "added_at": "add_time",
    },
    Conference: {"run_time_s": "conference_run_time", "member_count": "conference_member_count"},
}
"""Where Plivo spells an attribute of ours differently: https://plivo.com/docs/voice/api/recordings.md"""

_NOT_KNOWN = (None, "", -1, "-1")
"""What Plivo writes where there is nothing to tell (yet)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _text(value: object, _type: Any) -> str:
    """Ids and words are text; a number in their place is spelled out, anything else makes no sense."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"expected a text, not {reprlib.repr(value)}")


def _whole(value: Any, _type: Any) -> int:
    """Numbers come as ``590``, ``"590"`` or ``"345100.00000"``."""
    return round(float(value))


def _moment(value: Any, _type: Any) -> datetime:
    """Times come as milliseconds since 1970 or as ``2014-08-05 16:15:15.852059+05:30``; without offset it is UTC."""
    try:
        return _EPOCH + timedelta(milliseconds=float(value))
    except ValueError:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=time.tzinfo or UTC)


def _structurer(cls: type[Any], converter: Converter) -> Callable[[Mapping[str, Any], Any], Any]:
    renamed: Any = {ours: override(rename=plivos) for ours, plivos in _SPELLING[cls].items()}
    fields = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=False, **renamed)

    def structure(data: Mapping[str, Any], _type: Any) -> Any:
        known = {name: value for name, value in data.items() if value not in _NOT_KNOWN}
        return fields({**known, "raw": data}, cls)

    return structure


@cache
def _converter() -> Converter:
    """Made at its first use: cattrs compiles a function for each class, which would make the import slower."""
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _whole)
    converter.register_structure_hook(datetime, _moment)
    for cls in _SPELLING:
        converter.register_structure_hook(cls, _structurer(cls, converter))
    for request in (StartRequest, StopRequest):
        converter.register_unstructure_hook(
            request,
            make_dict_unstructure_fn(
                request, converter, _cattrs_omit_if_default=True, conference_name=override(omit=True)
            ),
        )
    return converter


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises:
        ValueError: It is empty, not JSON, or not an object; the message says which and shows the beginning.
    """
    shown = body[:200].decode(errors="replace")
    if not body.strip():
        raise ValueError("its body is empty")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its body is not JSON: {shown!r}") from error
    if not isinstance(data, dict):
        raise ValueError(f"its body is not a JSON object: {shown!r}")  # noqa: TRY004 - it is Plivo's value, not the caller's
    return cast("dict[str, Any]", data)


def structure(data: Mapping[str, Any], cls: type[T]) -> T:
    """Make a ``cls`` of an answer's JSON object.

    Raises:
        ValueError: A field is missing or not what it should be.
    """
    try:
        return _converter().structure(data, cls)
    except (ArithmeticError, AttributeError, LookupError, TypeError, BaseValidationError) as error:
        raise ValueError(f"it has no usable {error}") from error


def unstructure(request: StartRequest | StopRequest) -> dict[str, str]:
    """The parameters to send: what was given, in Plivo's spelling; the name travels in the path."""
    parameters: dict[str, str] = _converter().unstructure(request)
    return parameters
