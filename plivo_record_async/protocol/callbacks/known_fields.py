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

EventKind = Literal["recording", "answer", "transcription"]
"""The kinds of event. If the fields of a callback fit several kinds, the first of them counts."""

ContentKind = Literal["response"] | EventKind
"""What the content of a callback is: JSON in the field ``response``, or flat fields of one kind of event."""

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
"""Names that do not occur in ordinary text, with a pattern for the beginning of the values of those fields."""

ORDINARY_WORDS: Mapping[str, re.Pattern[str]] = {
    "duration": re.compile(r"(?:^|[A-Za-z0-9])duration[0-9]", re.MULTILINE),
    "error": re.compile(r"(?:^|[A-Za-z0-9])error(?!s\b)[A-Za-z0-9]", re.MULTILINE),
    "message": re.compile(r"messagerecord[_ ]done"),
    "transcription": re.compile(r"transcription(?:[A-Za-z0-9]|$)", re.MULTILINE),
}
"""Names that are ordinary words, with a pattern that finds them as names of fields in a line of text."""

KNOWN_NAMES = frozenset({*VALUE_STARTS, *ORDINARY_WORDS})
"""The names of all known fields."""

URL_NAMES = frozenset({"record_url", "RecordUrl"})
ID_NAMES = frozenset({"api_id", "call_uuid", "recording_id", "RecordingID"})
FREE_TEXT_NAMES = frozenset({"conference_name", "ConferenceName", "error", "message", "transcription"})

_SNAKE = frozenset(name for name in VALUE_STARTS if name.startswith("record")) | {
    "api_id",
    "conference_name",
    "message",
}
_CAMEL = frozenset(name for name in VALUE_STARTS if name[0].isupper())
_ANSWER = frozenset({"api_id", "error", "message"})
_TRANSCRIPTION = frozenset(name for name in KNOWN_NAMES if name.startswith("transcription")) | {
    "call_uuid",
    "duration",
    "error",
    "recording_id",
}
_SHAPES = (_SNAKE, _CAMEL, _ANSWER, _TRANSCRIPTION, frozenset({"response"}))

NAMES_BY_KIND: Mapping[ContentKind, frozenset[str]] = {
    "response": frozenset(VALUE_STARTS),
    "recording": _SNAKE | _CAMEL | {"error", "response"},
    "answer": _ANSWER | URL_NAMES | {"recording_id", "response"},
    "transcription": _TRANSCRIPTION | URL_NAMES | {"api_id", "response"},
}
"""The names of the fields of each kind of content, and the names by which the kinds with precedence are recognized.

An answer also has those of a transcription, whose words could spell an answer.
"""


def holds_known_name(text: str) -> bool:
    """Return whether the text contains the name of a known field. If it does, a callback may have a second reading."""
    return any(name in text for name in KNOWN_NAMES)


@cache
def missing_names(here: frozenset[str]) -> frozenset[str]:
    """Return the known names that a callback may have beside those it has.

    Args:
        here: The known names that the callback has.
    """
    return frozenset[str]().union(*([shape for shape in _SHAPES if here <= shape] or _SHAPES)) - here
