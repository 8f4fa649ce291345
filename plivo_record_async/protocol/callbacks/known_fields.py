"""The known fields of Plivo's callbacks, and how they are recognized in a text without separators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal

__all__ = [
    "FREE_TEXT_NAMES",
    "ID_NAMES",
    "KNOWN_NAMES",
    "NAMES_BY_KIND",
    "ORDINARY_WORDS",
    "URL_NAMES",
    "VALUE_STARTS",
    "ContentKind",
    "EventKind",
    "holds_known_name",
    "missing_names",
]

EventKind = Literal["recording", "api_response", "transcription"]
"""The kinds of events. If the fields of a callback fit several kinds, the first of these kinds applies."""

ContentKind = Literal["response"] | EventKind
"""The content of a callback: JSON in the field ``response``, or flat fields of one kind of event."""

_ID, _NUMBER, _URL, _TEXT = "[A-Za-z0-9]", "-?[0-9]", "(?i:https?)://", r"[^=\s]"

VALUE_STARTS: Mapping[str, str] = {
    "api_id": _ID,
    "call_uuid": _ID,
    "conference_name": _TEXT,
    "record_url": _URL,
    "recording_duration": _NUMBER,
    "recording_duration_ms": _NUMBER,
    "recording_end_ms": _NUMBER,
    "recording_id": _ID,
    "recording_start_ms": _NUMBER,
    "response": r'[ \t]*[\[{"]',
    "transcription_charge": _NUMBER,
    "transcription_rate": _NUMBER,
    "CallUUID": _ID,
    "ConferenceAction": _ID,
    "ConferenceMemberID": _ID,
    "ConferenceName": _TEXT,
    "ConferenceUUID": _ID,
    "RecordUrl": _URL,
    "RecordingDuration": _NUMBER,
    "RecordingDurationMs": _NUMBER,
    "RecordingEndMs": _NUMBER,
    "RecordingID": _ID,
    "RecordingStartMs": _NUMBER,
}
"""Names of fields that do not occur in ordinary text, with a pattern for the beginning of their values."""

ORDINARY_WORDS: Mapping[str, re.Pattern[str]] = {
    "duration": re.compile(r"(?:^|[A-Za-z0-9])duration[0-9]", re.MULTILINE),
    "error": re.compile(r"(?:^|[A-Za-z0-9])error(?!s\b)[A-Za-z0-9]", re.MULTILINE),
    "message": re.compile(r"messagerecord[_ ]done"),
    "transcription": re.compile(r"transcription(?:[A-Za-z0-9]|$)", re.MULTILINE),
}
"""Names of fields that are ordinary words, with a pattern that finds them as names of fields in a line of text."""

KNOWN_NAMES = frozenset({*VALUE_STARTS, *ORDINARY_WORDS})
"""The names of all known fields."""

URL_NAMES = frozenset({"record_url", "RecordUrl"})
"""The names of fields whose value is a URL."""

ID_NAMES = frozenset({"api_id", "call_uuid", "recording_id", "RecordingID"})
"""The names of fields whose value is an ID."""

FREE_TEXT_NAMES = frozenset({"conference_name", "ConferenceName", "error", "message", "transcription"})
"""The names of fields whose value is any text."""

_SHORTEST_NAMES = [name for name in KNOWN_NAMES if not any(other in name for other in KNOWN_NAMES - {name})]
"""The known names that contain no other known name. A text that contains a known name contains one of these."""

_SNAKE = frozenset(name for name in VALUE_STARTS if name.startswith("record")) | {
    "api_id",
    "conference_name",
    "message",
}
_CAMEL = frozenset(name for name in VALUE_STARTS if name[0].isupper())
_API_RESPONSE = frozenset({"api_id", "error", "message"})
_TRANSCRIPTION = frozenset(name for name in KNOWN_NAMES if name.startswith("transcription")) | {
    "call_uuid",
    "duration",
    "error",
    "recording_id",
}
_FORMATS = (_SNAKE, _CAMEL, _API_RESPONSE, _TRANSCRIPTION, frozenset({"response"}))

NAMES_BY_KIND: Mapping[ContentKind, frozenset[str]] = {
    "response": frozenset(VALUE_STARTS),
    "recording": _SNAKE | _CAMEL | {"error", "response"},
    "api_response": _API_RESPONSE | URL_NAMES | {"recording_id", "response"},
    "transcription": _TRANSCRIPTION | URL_NAMES | {"api_id", "response"},
}
"""For each kind of content, the names of its fields, and the names by which the kinds with precedence are recognized.

An asynchronous response also has those of a transcription, because the words of a transcript can spell such a response.
"""


def holds_known_name(text: str) -> bool:
    """Return whether a text contains the name of a known field. If it does, the callback may have a second reading.

    Args:
        text: The text.
    """
    return any(map(text.__contains__, _SHORTEST_NAMES))


@cache
def missing_names(here: frozenset[str]) -> frozenset[str]:
    """Return the known names that a callback lacks but may have together with those that it has.

    Args:
        here: The known names that the callback has.

    Returns:
        The names of the other fields in all formats that have the names in ``here``.
    """
    return frozenset[str]().union(*([names for names in _FORMATS if here <= names] or _FORMATS)) - here
