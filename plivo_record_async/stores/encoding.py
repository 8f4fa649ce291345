"""How followed recordings and orphans are written down, for stores that keep text.

JSON, by one cattrs converter; times are microseconds since 1970. What a newer version of this package wrote and this
one does not know is refused, not dropped: writing the record back would lose it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from cattrs import Converter
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import CallbackEvent
from plivo_record_async.protocol.recording.record import Step
from plivo_record_async.stores.interface import FollowedRecording, Orphan

__all__ = ["T", "decode", "encode", "micros"]

T = TypeVar("T", FollowedRecording, Orphan)
"""What is written down."""


def _is_raw(cls: Any) -> bool:
    return bool(cls == Mapping[str, Any])


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def micros(time: datetime) -> int:
    """Microseconds since 1970, exactly."""
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _moment(microseconds: int, _: object = None) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _is_history(cls: Any) -> bool:
    return bool(cls == tuple[Step, ...])


def _lines(steps: tuple[Step, ...]) -> list[tuple[str, str, int, str]]:
    """A history is written again with each change of its record, so its lines are short: the values alone."""
    return [(step.kind, step.state, micros(step.at), step.evidence) for step in steps]


def _steps(lines: list[Any], _: object) -> tuple[Step, ...]:
    return tuple([Step(kind=kind, state=state, at=_moment(at), evidence=words) for kind, state, at, words in lines])


def _make_converter() -> Converter:
    converter = make_converter(forbid_extra_keys=True, omit_if_default=True, detailed_validation=False)
    # ``raw`` came out of a form or out of JSON, so it goes into JSON as it is.
    converter.register_unstructure_hook_func(_is_raw, dict)
    converter.register_structure_hook_func(_is_raw, lambda raw, _: dict(raw))
    converter.register_unstructure_hook(datetime, micros)
    converter.register_structure_hook(datetime, _moment)
    converter.register_unstructure_hook_func(_is_history, _lines)
    converter.register_structure_hook_func(_is_history, _steps)
    configure_tagged_union(CallbackEvent, converter, tag_name="event")  # with the hooks that are there by now
    return converter


_converter = _make_converter()
# `json.dumps` would make an encoder for each value; the converter's output holds no circles.
_to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encode(value: FollowedRecording | Orphan) -> str:
    """The value as JSON, in ASCII only, so that any text in it can be stored."""
    return _to_json(_converter.unstructure(value))


def decode(text: str, cls: type[T]) -> T:
    """The value that was encoded.

    Raises:
        StoreError: The text was damaged, or written by a newer version of this package.
    """
    try:
        data: Any = json.loads(text)
        return _converter.structure(data, cls)
    except Exception as error:  # a damaged text can make the converter raise anything
        raise StoreError(
            f"what the store holds is no {cls.__name__} that this version of the package can read ({error}): it was "
            f"damaged, or written by a newer version. It was left as it is: {text[:200]!r}"
        ) from error
