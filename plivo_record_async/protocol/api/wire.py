"""The one cattrs converter: Plivo's spelling on one side, our values on the other.

Every value structured here carries the whole message in ``raw``, so nothing that Plivo says is lost: neither a field
that is not known here, nor one that cannot be read and is None because it may be.
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
)

__all__ = ["PLIVO_BEGAN", "is_object", "structure", "text_or_none", "unstructure", "whole_or_none"]

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

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

PLIVO_BEGAN: Final = datetime(2011, 1, 1, tzinfo=UTC)
"""Nothing was recorded before."""

_LARGEST: Final = 2**53
"""Up to here a float holds every whole number, and every store an integer."""

_UNREADABLE: Final = (ArithmeticError, TypeError, ValueError)


def _text(value: object, _type: Any) -> str:
    """Read an id or words; a number in their place is spelled out."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError(f"expected a text, not {reprlib.repr(value)}")
    text = str(value)
    text.encode()  # half a character, which JSON's escapes can spell, is a ValueError: no store can keep it
    return text


def _number(value: Any) -> float:
    """Read a number: ``590``, ``"590"`` or ``"345100.00000"``. A negative one, such as -1, stands for "not known"."""
    if isinstance(value, bool):
        raise TypeError(f"expected a number, not {value}")
    number = float(value)
    if not math.isfinite(number) or not 0 <= number <= _LARGEST:
        raise ValueError(f"expected a number from 0 to {_LARGEST}, not {reprlib.repr(value)}")
    return number


def _whole(value: Any, _type: Any) -> int:
    return round(_number(value))


def _moment(value: Any, _type: Any) -> datetime:
    """Read milliseconds since 1970, or ``2014-08-05 16:15:15.852059+05:30``; without an offset it is UTC."""
    try:
        time = _EPOCH + timedelta(milliseconds=_number(value))
    except ValueError:
        time = datetime.fromisoformat(value)
    time = time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    if time < PLIVO_BEGAN:  # 0, or seconds instead of milliseconds
        raise ValueError(f"expected a time since {PLIVO_BEGAN}, not {reprlib.repr(value)}")
    return time


def _members(value: Any, _type: Any) -> tuple[Mapping[str, Any], ...]:
    match value:
        case [*members]:
            return tuple(filter(is_object, members))
        case _:
            return ()


def _if_readable(read: Callable[[Any, Any], T]) -> Callable[[Any, Any], T | None]:
    """Make None of what cannot be read, so that it costs nothing but itself."""

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
                del known[name]  # so that it is named as what is missing
        return fields({**known, "raw": data}, cls)

    return structure


@cache
def _converter() -> Converter:
    """Made at its first use: cattrs compiles a function for each class, which would make the import slower."""
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _text)
    hooks: dict[Any, Callable[[Any, Any], Any]] = {
        str | None: _if_readable(_text),
        int | None: _if_readable(_whole),
        datetime | None: _if_readable(_moment),
        tuple[Mapping[str, Any], ...]: _members,
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
    """Whether a part of an answer is a JSON object."""
    return isinstance(value, dict)


def text_or_none(value: object) -> str | None:
    """Return an id or words as text, or None if there are none or they cannot be read."""
    return _if_readable(_text)(value, str) or None


def whole_or_none(value: object) -> int | None:
    """Return a whole number that is not negative, or None if there is none or it cannot be read."""
    return _if_readable(_whole)(value, int)


def structure(data: Mapping[str, Any], cls: type[T]) -> T:
    """Make a ``cls`` of an answer's JSON object.

    Raises:
        ValueError: A field that a ``cls`` must have is missing or cannot be read.
    """
    try:
        return _converter().structure(data, cls)
    except KeyError as error:
        raise ValueError(f"it has no usable {error}") from error


def unstructure(request: StartRequest | StopRequest) -> dict[str, str]:
    """The parameters to send: what was given, in Plivo's spelling; the name travels in the path."""
    parameters: dict[str, str] = _converter().unstructure(request)
    return parameters
