"""How followed recordings and orphans are written down, for stores that keep text.

JSON, by one cattrs converter. What a newer version of this package wrote and this one does not know is refused,
not dropped: writing the record back would lose it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from cattrs import Converter
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from plivo_record_async.errors import StoreError
from plivo_record_async.interfaces import FollowedRecording, Orphan
from plivo_record_async.protocol.followed import Step
from plivo_record_async.protocol.models import CallbackEvent

__all__ = ["decode", "encode"]

T = TypeVar("T", FollowedRecording, Orphan)


def _is_raw(cls: Any) -> bool:
    return bool(cls == Mapping[str, Any])


@lru_cache(maxsize=1024)  # the times in a record are few, and each stands there more than once
def _iso(time: datetime) -> str:
    with suppress(OverflowError):  # at either end of the calendar
        time = time.astimezone(UTC)  # so equal times, which share a place in the cache, are one text
    return time.isoformat()


def _step(line: list[Any], _: type[Step]) -> Step:
    kind, state, at, evidence = line
    return Step(kind=kind, state=state, at=datetime.fromisoformat(at), evidence=evidence)


def _make_converter() -> Converter:
    converter = make_converter(forbid_extra_keys=True, omit_if_default=True, detailed_validation=False)
    configure_tagged_union(CallbackEvent, converter, tag_name="event")
    # ``raw`` came out of a form or out of JSON, so it goes into JSON as it is.
    converter.register_unstructure_hook_func(_is_raw, dict)
    converter.register_structure_hook_func(_is_raw, lambda raw, _: dict(raw))
    converter.register_unstructure_hook(datetime, _iso)
    # A history is written again with each change of its record, so its lines are short: the values alone.
    converter.register_unstructure_hook(Step, lambda step: (step.kind, step.state, _iso(step.at), step.evidence))
    converter.register_structure_hook(Step, _step)
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
