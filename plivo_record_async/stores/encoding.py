"""The JSON of followed recordings and orphans, for stores that keep text.

A value is a JSON object with one name for each attribute that does not have its default value. A time is the number of
microseconds since 1970 (UTC). Every version of this package reads what earlier versions wrote, because a new attribute
has a default value. A text with an attribute that this version does not know raises an error, because the attribute
would be lost if the value were written again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, get_args

from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from plivo_record_async.errors import StoreError
from plivo_record_async.protocol.models import CallbackEvent, HistoryEntry
from plivo_record_async.stores.interface import FollowedRecording, Orphan

__all__ = ["StoredT", "decode", "encode", "to_microseconds"]

StoredT = TypeVar("StoredT", FollowedRecording, Orphan)
"""`FollowedRecording` or `Orphan`."""


def _is_raw(cls: Any) -> bool:
    return bool(cls == Mapping[str, Any])


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_microseconds(time: datetime) -> int:
    """Return the exact number of microseconds from 1970 (UTC) to a time.

    Args:
        time: The time (aware).
    """
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _from_microseconds(microseconds: int, _: object = None) -> datetime:
    return _EPOCH + timedelta(0, 0, microseconds)


_STORED_NAMES: Final[Mapping[str, str]] = {
    "start_response": "answer",
    "async_response": "response",
    "history": "steps",
}
"""The attributes of a record that are stored under another name, which older versions of this package read too."""

_RENAMED_KINDS: Final[Mapping[Any, Any]] = {
    "refused": "rejected",
    "unanswered": "outcome_unknown",
    "came_due": "due_time_reached",
}
"""The kinds of evidence that older versions of this package stored under another name."""


def _is_history(cls: Any) -> bool:
    return bool(cls == tuple[HistoryEntry, ...])


def _encode_history(history: tuple[HistoryEntry, ...]) -> list[tuple[str, str, int, str]]:
    """Leave out the names, because the whole history is written again with each change of its record."""
    return [(entry.kind, entry.state, to_microseconds(entry.at), entry.description) for entry in history]


def _current_kind(kind: Any) -> Any:
    return _RENAMED_KINDS.get(kind, kind)


def _decode_history(values: list[Any], _: object) -> tuple[HistoryEntry, ...]:
    return tuple(
        [
            HistoryEntry(
                kind=_current_kind(kind),
                state=state,
                at=_from_microseconds(at),
                description=description,
            )
            for kind, state, at, description in values
        ]
    )


def _is_optional(cls: Any) -> bool:
    return len(get_args(cls)) == 2 and type(None) in get_args(cls)  # noqa: PLR2004 - a type and None


def _make_optional_hook(cls: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    """Look up the hook of the type once. The hook of cattrs for ``X | None`` looks it up for each value."""
    [inner] = [each for each in get_args(cls) if each is not type(None)]
    structure = converter.get_structure_hook(inner)
    return lambda value, _: None if value is None else structure(value, inner)


def _make_converter() -> Converter:
    converter = make_converter(forbid_extra_keys=True, omit_if_default=True, detailed_validation=False)
    # ``raw`` was parsed from a form or from JSON, so it can be written as JSON without a conversion.
    converter.register_unstructure_hook_func(_is_raw, dict)
    converter.register_structure_hook_func(_is_raw, lambda raw, _: dict(raw))
    converter.register_unstructure_hook(datetime, to_microseconds)
    converter.register_structure_hook(datetime, _from_microseconds)
    converter.register_structure_hook_factory(_is_optional, _make_optional_hook)
    converter.register_unstructure_hook_func(_is_history, _encode_history)
    converter.register_structure_hook_func(_is_history, _decode_history)
    configure_tagged_union(CallbackEvent, converter, tag_name="event")  # must come after the hooks above
    names: dict[str, Any] = {attribute: override(rename=name) for attribute, name in _STORED_NAMES.items()}
    converter.register_unstructure_hook(
        FollowedRecording,
        make_dict_unstructure_fn(FollowedRecording, converter, _cattrs_omit_if_default=True, **names),
    )
    converter.register_structure_hook(FollowedRecording, make_dict_structure_fn(FollowedRecording, converter, **names))
    return converter


_converter = _make_converter()
# `json.dumps` would create an encoder for each value. The converter's output has no cycles to check for.
_to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encode(value: FollowedRecording | Orphan) -> str:
    """Return a record or an orphan as JSON.

    Args:
        value: The record or the orphan.

    Returns:
        A JSON object in ASCII. Characters outside ASCII, also lone surrogates, are escaped, so every database can store
        the text.
    """
    return _to_json(_converter.unstructure(value))


def decode(text: str, cls: type[StoredT]) -> StoredT:
    """Return the record or the orphan that `encode` converted to JSON, with this or an earlier version of the package.

    Args:
        text: The JSON.
        cls: The class of the value: ``FollowedRecording`` or ``Orphan``.

    Returns:
        A value that is equal to the original, with every ``raw`` in it.

    Raises:
        StoreError: The text is damaged, or a newer version of this package wrote it.
    """
    try:
        data: Any = json.loads(text)
        return _converter.structure(data, cls)
    except Exception as error:  # the converter can raise any exception for a damaged text
        raise StoreError(
            f"a stored {cls.__name__} cannot be read ({error}): it is damaged, or a newer version of "
            f"plivo-record-async wrote it. If it is newer, upgrade. It was not changed. It begins with {text[:200]!r}"
        ) from error
