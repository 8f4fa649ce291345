"""The fields that Plivo's callbacks are known to have, and how they are told in a text without separators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal

__all__ = [
    "BEGINNINGS",
    "FREE_TEXTS",
    "IDS",
    "KNOWN",
    "OF_KIND",
    "URLS",
    "WORDS",
    "EventKind",
    "Kind",
    "holds_known_name",
    "missing",
]

EventKind = Literal["recording", "answer", "transcription"]
"""What a callback tells of. Fields that tell of several things tell of the one that stands first."""

Kind = Literal["response"] | EventKind
"""What an event is made of: JSON in the field ``response``, or flat fields of its kind."""

_ID, _NUMBER, _URL, _TEXT = "[A-Za-z0-9]", "-?[0-9]", "(?i:https?)://", r"[^=\s]"

BEGINNINGS: Mapping[str, str] = {
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
"""Names that no honest text holds, with what the values of those fields begin with."""

WORDS: Mapping[str, re.Pattern[str]] = {
    "duration": re.compile(r"(?:^|[A-Za-z0-9])duration[0-9]", re.MULTILINE),
    "error": re.compile(r"(?:^|[A-Za-z0-9])error(?!s\b)[A-Za-z0-9]", re.MULTILINE),
    "message": re.compile(r"messagerecord[_ ]done"),
    "transcription": re.compile(r"transcription(?:[A-Za-z0-9]|$)", re.MULTILINE),
}
"""Names that are words of the language too, with what tells, in a line of text, that they are the names of fields."""

KNOWN = frozenset({*BEGINNINGS, *WORDS})
"""The names of all known fields."""

URLS = frozenset({"record_url", "RecordUrl"})
IDS = frozenset({"api_id", "call_uuid", "recording_id", "RecordingID"})
FREE_TEXTS = frozenset({"conference_name", "ConferenceName", "error", "message", "transcription"})

_SNAKE = frozenset(name for name in BEGINNINGS if name.startswith("record")) | {"api_id", "conference_name", "message"}
_CAMEL = frozenset(name for name in BEGINNINGS if name[0].isupper())
_ANSWER = frozenset({"api_id", "error", "message"})
_TRANSCRIPTION = frozenset(name for name in KNOWN if name.startswith("transcription")) | {
    "call_uuid",
    "duration",
    "error",
    "recording_id",
}
_SHAPES = (_SNAKE, _CAMEL, _ANSWER, _TRANSCRIPTION, frozenset({"response"}))

OF_KIND: Mapping[Kind, frozenset[str]] = {
    "response": frozenset(BEGINNINGS),
    "recording": _SNAKE | _CAMEL | {"error", "response"},
    "answer": _ANSWER | URLS | {"recording_id", "response"},
    "transcription": _TRANSCRIPTION | URLS | {"api_id", "response"},
}
"""The names of the kind's own fields, and those by which other kinds that it could be made of are told.

Those are the kinds that go before it; and for an answer the transcription too, whose words could spell one.
"""


def holds_known_name(text: str) -> bool:
    """Return whether the text holds the name of a known field, so that a callback with it can be cut differently."""
    return any(name in text for name in KNOWN)


@cache
def missing(here: frozenset[str]) -> frozenset[str]:
    """Return the known names that callbacks with those that are here can have, but this one has not."""
    return frozenset[str]().union(*([shape for shape in _SHAPES if here <= shape] or _SHAPES)) - here
