"""The only cattrs converter. It converts Plivo's JSON to the values of the package, and requests to parameters.

Every value with an attribute ``raw`` contains the whole JSON object there. So no field is lost, even if it is unknown,
or if it cannot be read and its attribute is None.
"""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, Final, TypeGuard, TypeVar

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
    Transcription,
    TranscriptionRequested,
)

__all__ = ["EARLIEST_TIME", "integer_or_none", "is_object", "structure", "text_or_none", "unstructure"]

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
    Transcription: {"duration_ms": "recording_duration_ms"},
    TranscriptionRequested: {},
    Conference: {"run_time_s": "conference_run_time", "member_count": "conference_member_count"},
}
"""For each class, the attributes whose names differ from Plivo's: https://plivo.com/docs/voice/api/recordings.md"""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

EARLIEST_TIME: Final = datetime(2011, 1, 1, tzinfo=UTC)
"""No recording is older than this, because Plivo was founded in 2011."""

_LARGEST: Final = 2**53
"""The largest integer that is read. A float can represent every integer up to it."""

_UNREADABLE: Final = (ArithmeticError, TypeError, ValueError)


def _read_text(value: object, _type: Any) -> str:
    """Read an ID or another string. A number becomes its digits."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError(f"expected a string, not {reprlib.repr(value)}")
    text = str(value)
    text.encode()  # raises ValueError for a lone surrogate, which JSON can escape, but no store can keep
    return text


def _read_number(value: Any, _type: Any = float) -> float:
    """Read a number: ``590``, ``"590"`` or ``"345100.00000"``. Plivo uses -1 for an unknown number."""
    if isinstance(value, bool):
        raise TypeError(f"expected a number, not {value}")
    number = float(value)
    if not math.isfinite(number) or not 0 <= number <= _LARGEST:
        raise ValueError(f"expected a number from 0 to {_LARGEST}, not {reprlib.repr(value)}")
    return number


def _read_integer(value: Any, _type: Any) -> int:
    return round(_read_number(value))


def _read_time(value: Any, _type: Any) -> datetime:
    """Read milliseconds since 1970, or a time such as ``2014-08-05 16:15:15.852059+05:30``. UTC is the default."""
    try:
        time = _EPOCH + timedelta(milliseconds=_read_number(value))
    except ValueError:
        time = datetime.fromisoformat(value)
    time = time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    if time < EARLIEST_TIME:  # for example 0, or seconds instead of milliseconds
        raise ValueError(f"expected a time since {EARLIEST_TIME}, not {reprlib.repr(value)}")
    return time


def _read_members(value: Any, _type: Any) -> tuple[Mapping[str, Any], ...]:
    match value:
        case [*members]:
            return tuple(filter(is_object, members))
        case _:
            return ()


def _if_readable(read: Callable[[Any, Any], T]) -> Callable[[Any, Any], T | None]:
    """Return a function that returns None for a value that cannot be read, so that the other fields can be read."""

    def read_or_none(value: Any, type_: Any) -> T | None:
        try:
            return read(value, type_)
        except _UNREADABLE:
            return None

    return read_or_none


def _structurer(cls: type[Any], converter: Converter) -> Callable[[Mapping[str, Any], Any], Any]:
    renamed: Any = {ours: override(rename=plivos) for ours, plivos in _SPELLING[cls].items()}
    fields = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=False, **renamed)
    required = {field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING}

    def structure(data: Mapping[str, Any], _type: Any) -> Any:
        known = {name: value for name, value in data.items() if value is not None and value != ""}
        for name in required & known.keys():
            if text_or_none(known[name]) is None:
                del known[name]  # so that the error names this field
        return fields({**known, "raw": data}, cls)

    return structure


@cache
def _converter() -> Converter:
    """Create the converter at its first use, because cattrs compiles a function for each class, which takes time."""
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _read_text)
    hooks: dict[Any, Callable[[Any, Any], Any]] = {
        str | None: _if_readable(_read_text),
        int | None: _if_readable(_read_integer),
        float | None: _if_readable(_read_number),
        datetime | None: _if_readable(_read_time),
        tuple[Mapping[str, Any], ...]: _read_members,
        Mapping[str, Any]: lambda raw, _: dict(raw),
    }
    for kind, hook in hooks.items():
        converter.register_structure_hook_func(partial(operator.eq, kind), hook)
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


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a part of a response is a JSON object.

    Args:
        value: The part of the response.
    """
    return isinstance(value, dict)


def text_or_none(value: object) -> str | None:
    """Return a part of a response as text.

    Args:
        value: An ID or another string, or a number, which becomes its digits.

    Returns:
        The text, or None if it is empty or cannot be read.
    """
    return _if_readable(_read_text)(value, str) or None


def integer_or_none(value: object) -> int | None:
    """Return a part of a response as an integer.

    Args:
        value: A number, or its digits.

    Returns:
        The integer, or None if it is negative or cannot be read.
    """
    return _if_readable(_read_integer)(value, int)


def structure(data: Mapping[str, Any], cls: type[T]) -> T:
    """Return the value that a JSON object describes.

    Args:
        data: The JSON object.
        cls: The class of the value.

    Returns:
        An instance of the class. Its optional attributes are None if their fields are missing or cannot be read.

    Raises:
        ValueError: A field that the class requires is missing or cannot be read.
    """
    try:
        return _converter().structure(data, cls)
    except KeyError as error:
        raise ValueError(f"the response has no valid {error}") from error


def unstructure(request: StartRequest | StopRequest) -> dict[str, str]:
    """Return the parameters to send for a start or a stop.

    Args:
        request: The arguments of the start or the stop.

    Returns:
        The arguments that are not None, by Plivo's names. The name of the conference is not among them, because it is
        part of the path.
    """
    parameters: dict[str, str] = _converter().unstructure(request)
    return parameters
