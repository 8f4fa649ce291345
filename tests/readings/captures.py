"""Genuine callbacks captured by an attacker who chose the name of the conference, or spoke in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random

import attrs

from tests.support.samples.callbacks import (
    RECORDING_ENDED,
    RECORDING_ENDED_2012,
    RECORDING_ENDED_CAMEL_CASE,
    TRANSCRIPTION_ENDED,
    TRANSCRIPTION_FAILED,
)

Fields = Mapping[str, str]
Pairs = Sequence[tuple[str, str]]


@attrs.frozen(kw_only=True)
class Capture:
    """A genuine callback.

    Attributes:
        method: How Plivo sent it.
        own: The pairs in the query of the URL that was issued.
        fields: What Plivo said.
        room: The conference's name.
        innocent: The same from a room with a name like any other, without new fields.
        new: The new fields.
    """

    method: str
    own: Pairs
    fields: Fields
    room: str
    innocent: Fields
    new: Pairs

    @property
    def said(self) -> str:
        """What was signed, without the address and the nonce."""
        if self.method == "GET":
            return joined([*self.own, *self.fields.items()])
        form = "".join(map("".join, sorted(self.fields.items())))
        return f"{joined(self.own)}.{form}" if self.own else form


def joined(pairs: Pairs) -> str:
    """How a query is signed."""
    return "&".join(map("=".join, sorted(pairs)))


INNOCENT = "standup"
VICTIM, EVIL = "5ea1ed00-0bad-4bad-8bad-0badc0ffee00", "https://evil.example/x.mp3"

# What events are made of; an attacker puts it into the name of a conference.
_BAIT = {
    "api_id": VICTIM,
    "call_uuid": VICTIM,
    "conference_name": "victims",
    "duration": "7",
    "error": "boom",
    "message": "record_done",
    "record_url": EVIL,
    "recording_duration": "7",
    "recording_duration_ms": "7000",
    "recording_end_ms": "1407235176252",
    "recording_id": VICTIM,
    "recording_start_ms": "1407235163907",
    "transcription": "we pay 1,000,000",
    "transcription_charge": "0.05",
    "transcription_rate": "0.01",
    "response": json.dumps({"api_id": VICTIM, "error": "gone"}),
    "RecordUrl": EVIL,
    "RecordingID": VICTIM,
    "RecordingDuration": "7",
    "RecordingDurationMs": "7000",
    "ConferenceName": "victims",
}
_FILLING = ["", "x", "z", "zz", "a", ".", "x.", "_", "y_", "x=1", "zz=", "&", "=", "?", " ", "#", "x=1&start=8f3a", "é"]
_EVENTS = [
    ["api_id", "record_url", "recording_id"],
    ["record_url", "recording_id"],
    ["conference_name", "record_url", "recording_duration", "recording_id"],
    [*RECORDING_ENDED],
    ["message", "record_url", "recording_id"],
    ["recording_id", "transcription"],
    [*TRANSCRIPTION_ENDED],
    ["error", "recording_id"],
    ["api_id", "message"],
    ["api_id", "error"],
    ["response"],
    ["RecordUrl", "RecordingID"],
    ["ConferenceName", "RecordUrl", "RecordingDuration", "RecordingID"],
]


_LISTED = [
    f"x=1&recording_id={VICTIM}&transcription=we pay 1,000,000&z=",
    f'x=1&response={{"record_url":"{EVIL}","recording_id":"{VICTIM}"}}&z=',
    f'xresponse{{"record_url":"{EVIL}","recording_id":"{VICTIM}"}}z',
    f"x.record_url{EVIL}recording_id{VICTIM}z",
    f"x&record_url={EVIL}&z=",
]
"""Names of attacks that once worked."""


def room_of(random: Random) -> str:
    """A name that somebody chose who knows how callbacks are signed; now and then an innocent one."""
    if random.random() < 0.1:
        return random.choice(["standup", "My Conf Room", "Daily message: error, duration and transcription", "a&b=c"])
    if random.random() < 0.1:
        return random.choice(_LISTED)
    names = sorted(random.choice(_EVENTS))
    if random.random() < 0.3:
        names = [name for name in names if random.random() < 0.8]
    filler = random.choice
    if random.random() < 0.6:
        bait = "".join(name + _BAIT[name] for name in names)
    else:
        bait = "&" + "".join(f"{name}={_BAIT[name]}&" for name in names)
    name = f"{filler(_FILLING)}{bait}{filler(_FILLING)}"
    return "x" if name in {"", ".", ".."} else name


def speech_of(random: Random) -> str:
    """What may be said in a conference: words, some of which are names of fields, but none with an underscore."""
    words = [
        "we",
        "agreed",
        "on",
        "the",
        "error",
        "message",
        "duration",
        "12",
        "transcription",
        "transcriptions",
        "response",
    ]
    words += ["recording", "id", "to", "you", "zero", "1", "charge", "rate", "a", "z", "&", "=", "."]
    return " ".join(random.choice(words) for _ in range(random.randrange(12)))


_ROOM = "\ue000"


def _named(fields: Fields, room: str) -> Fields:
    """The fields of a callback from the room."""
    escaped = {"response": json.dumps(room)[1:-1]}
    return {name: value.replace(_ROOM, escaped.get(name, room)) for name, value in fields.items()}


def _recording(random: Random) -> Fields:
    return RECORDING_ENDED | {"conference_name": _ROOM}


def _recording_2012(random: Random) -> Fields:
    return RECORDING_ENDED_2012 | {"conference_name": _ROOM}


def _recording_camel_case(random: Random) -> Fields:
    return RECORDING_ENDED_CAMEL_CASE | {"ConferenceName": _ROOM}


def _recording_json(random: Random) -> Fields:
    return {"response": json.dumps(RECORDING_ENDED | {"conference_name": _ROOM}, ensure_ascii=False)}


def _answer_json(random: Random) -> Fields:
    return {
        "response": json.dumps(
            {"api_id": RECORDING_ENDED["api_id"], "error": f"conference {_ROOM} not found"}, ensure_ascii=False
        )
    }


def _answer(random: Random) -> Fields:
    said = [{"message": "conference recording started"}, {"error": "not found"}, {"error": "", "message": "started"}]
    return {"api_id": RECORDING_ENDED["api_id"]} | random.choice(said)


def _answer_with_room(random: Random) -> Fields:
    return {"api_id": RECORDING_ENDED["api_id"], "error": f"conference {_ROOM} not found"}


def _transcription(random: Random) -> Fields:
    said = _ROOM if random.random() < 0.3 else speech_of(random)  # words that were chosen as a room's name may be
    return TRANSCRIPTION_ENDED | {"transcription": said}


def _transcription_bare(random: Random) -> Fields:
    said = _transcription(random)
    return {name: said[name] for name in ("recording_id", "transcription", "error")}


def _transcription_failed(random: Random) -> Fields:
    words = ["Recording duration too long for transcription", "not found", "Failed. please retry", "no"]
    return TRANSCRIPTION_FAILED | {"error": random.choice(words)}


SHAPES: Sequence[Callable[[Random], Fields]] = [
    _recording,
    _recording,
    _recording_2012,
    _recording_camel_case,
    _recording_json,
    _answer_json,
    _answer,
    _answer_with_room,
    _transcription,
    _transcription_bare,
    _transcription_failed,
]

_NEW: Pairs = [
    ("account_id", "MA1"),
    ("billed_duration", "60"),
    ("disposition", "x"),
    ("recording_channels", "2"),
    ("Event", "RecordStop"),
    ("mode", "auto"),
    ("zone", "eu"),
]
_OWN: Sequence[Pairs] = [
    [],
    [("start", "8f3a")],
    [("a", "1")],
    [("plivo_record_proof", "0" * 32), ("plivo_record_start", "8f3a")],
    [("tenant", "x.y"), ("z", "")],
]


def capture_of(random: Random) -> Capture:
    """A genuine callback of any shape."""
    room = room_of(random)
    fields = random.choice(SHAPES)(random)
    more = [random.choice(_NEW)] if random.random() < 0.15 else []
    method = random.choice(["POST", "POST", "GET"])
    return Capture(
        method=method,
        own=random.choice(_OWN),
        fields={**_named(fields, room), **dict(more)},
        room=room,
        innocent=_named(fields, INNOCENT),
        new=more,
    )
