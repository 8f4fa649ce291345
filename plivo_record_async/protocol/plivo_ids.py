"""The ids of Plivo's that a callback names, whether or not the callback is believed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from plivo_record_async.protocol.fields import UnreadableError, json_object

__all__ = ["PlivoId", "named_ids"]

PlivoId = Literal["api_id", "recording_id"]
"""The ids of Plivo's by which a followed recording can be found."""

_SPELLINGS: Mapping[PlivoId, tuple[str, str]] = {
    "api_id": ("api_id", "ApiID"),
    "recording_id": ("recording_id", "RecordingID"),
}


def named_ids(raw: Mapping[str, Any]) -> dict[PlivoId, str]:
    """Return the ids in a callback's fields, or in the JSON of its field ``response``.

    Args:
        raw: Every field as it was sent.
    """
    fields = dict(raw)
    if isinstance(response := raw.get("response"), str):
        with suppress(UnreadableError):
            fields = {**json_object("response", response), **fields}
    found: dict[PlivoId, str] = {}
    for kind, spellings in _SPELLINGS.items():
        values = [value for name in spellings if isinstance(value := fields.get(name), str) and value]
        if values:
            found[kind] = values[0]
    return found
