"""A search for second readings: other callbacks that sign the same as a genuine one, and are believed.

It knows how version 3 signs. From one genuine callback it makes others with the same signed text: another method,
another border between query and form, other borders between names and values. As the text is the same, so is the
signature, and none has to be computed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

import attrs

from plivo_record_async.errors import MalformedCallbackError
from plivo_record_async.protocol.callbacks.events import read_event
from plivo_record_async.protocol.callbacks.known_fields import KNOWN_NAMES
from plivo_record_async.protocol.callbacks.parsing import event_of
from plivo_record_async.protocol.callbacks.verified import VerifiedCallback
from plivo_record_async.protocol.models import CallbackEvent, HttpMethod, StartRequest, UnknownCallback
from plivo_record_async.protocol.recording.contradictions import contradiction
from plivo_record_async.protocol.recording.evidence import StartAccepted
from plivo_record_async.protocol.recording.lifecycle import apply, begin_sending
from tests.readings.captures import INNOCENT, Capture, Pairs, capture_of, joined
from tests.support.samples.callbacks import NONCE, RECORDING_ENDED
from tests.support.samples.recordings import NOW

__all__ = [
    "ADDRESS",
    "BELIEVERS",
    "Believer",
    "Finding",
    "Search",
    "SecondReading",
    "is_within_limits",
    "meant",
    "second_readings",
]

ADDRESS = "https://me.example/plivo/callback"

_LAST = "\U0010ffff"
"""A name behind all others."""

_NAMES = re.compile(f"(?=({'|'.join(sorted(KNOWN_NAMES, reverse=True))}))")
_EVENTS = [
    {"record_url", "recording_id"},
    {"api_id", "record_url"},
    {"api_id", "record_url", "recording_id"},
    {"api_id", "conference_name", "record_url", "recording_duration", "recording_duration_ms", "recording_id"},
    {"conference_name", "record_url", "recording_id"},
    {"RecordUrl", "RecordingID"},
    {"ConferenceName", "RecordUrl", "RecordingDuration", "RecordingID"},
    {"RecordUrl", "api_id"},
    {"recording_id", "transcription"},
    {"error", "recording_id", "transcription"},
    {"error", "recording_id"},
    {"api_id", "error"},
    {"api_id", "message"},
    {"response"},
]
"""What an event can be made of."""


@attrs.frozen(kw_only=True)
class SecondReading:
    """Another callback with the same signed text: its method, and the pairs of its query and of its form."""

    method: HttpMethod
    query: Pairs
    form: Pairs = ()


# Other callbacks with the same text


def second_readings(capture: Capture, count: int, random: Random) -> Iterator[SecondReading]:
    """Some of a capture's second readings, most of which look like events."""
    said, own = capture.said, joined(capture.own)
    borders = [0, *(dot.end() for dot in re.finditer(r"\.", said) if "=" in said[: dot.start()])]
    likely = [0, len(own) + 1] if own and said.startswith(f"{own}.") else [0]
    for _ in range(count):
        if "=" in said and random.random() < 0.4:
            pairs = _pairs(said, random)
            if pairs is not None:
                yield SecondReading(method="GET", query=pairs)
        else:
            border = random.choice(likely if random.random() < 0.6 else borders)
            form = _fields(said[border:], random)
            if form is not None:
                yield SecondReading(method="POST", query=_as_query(said[: max(border - 1, 0)]), form=form)


def _as_query(text: str) -> Pairs:
    """One way to read a query; with a POST nothing depends on which."""
    name, _, value = text.rpartition("=")
    return [(name, value)] if text else []


def _fields(text: str, random: Random) -> Pairs | None:
    """A form whose fields, run together, are the text; None if the attempt leads to none."""
    marks = _chosen([(at.start(), at[1]) for at in _NAMES.finditer(text)], random)
    starts = [*(at for at, _ in marks), len(text)]
    following = [*(name for _, name in marks), _LAST]
    fields = [*_unknown(text[: starts[0]], "", following[0], random)]
    for (at, name), end, next_name in zip(marks, starts[1:], following[1:], strict=True):
        segment = text[at + len(name) : end]
        cut = _end_of_value(segment, name, next_name, random)
        fields += [(name, segment[:cut]), *_unknown(segment[cut:], name, next_name, random)]
    return fields if fields == sorted(fields) else None


def _chosen(found: Sequence[tuple[int, str]], random: Random) -> Sequence[tuple[int, str]]:
    """Places of known names, in their order, that can all be fields of one callback."""
    wanted = random.choice(_EVENTS) if random.random() < 0.5 else set[str]()
    others = random.choice([0.0, 0.5, 1.0] if wanted else [0.5, 0.9, 1.0])
    chosen, end, last = list[tuple[int, str]](), 0, ""
    for at, name in found:
        if at >= end and name > last and random.random() < (0.7 if name in wanted else others):
            chosen.append((at, name))
            end, last = at + len(name), name
    return chosen


def _end_of_value(segment: str, name: str, following: str, random: Random) -> int:
    """Where a value ends; mostly where what is behind it can be the name of a field."""
    if random.random() < 0.4:
        return len(segment)
    places = [at for at in range(len(segment)) if name < segment[at : at + 30] < following]
    return random.choice(places) if places and random.random() < 0.9 else random.randrange(len(segment) + 1)


def _unknown(text: str, before: str, following: str, random: Random) -> Iterator[tuple[str, str]]:
    """A text as unknown fields whose names stand between two others."""
    while text:
        lengths = [length for length in range(len(text) + 1) if before <= text[:length] < following] or [len(text)]
        length = random.choice([lengths[0], lengths[-1], random.choice(lengths)])
        end = len(text) if random.random() < 0.8 else random.randrange(length, len(text) + 1)
        yield text[:length], text[length:end]
        before, text = text[:length], text[end:]


def _pairs(said: str, random: Random) -> Pairs | None:
    """A query whose pairs, joined, are the text; None if the attempt leads to none."""
    found = [(at.start(), at[1]) for at in _NAMES.finditer(said)]
    named = {
        at: name
        for at, name in _chosen(found, random)
        if said[at - 1 : at] in {"", "&"} and said[at + len(name) :].startswith("=")
    }
    odds = random.choice([0.0, 0.2, 1.0])
    others = {sign.end() for sign in re.finditer("&", said) if random.random() < odds}
    borders = sorted({0, *named, *others})
    pairs = list[tuple[str, str]]()
    for start, end in zip(borders, [*(border - 1 for border in borders[1:]), len(said)], strict=True):
        signs = [sign.start() for sign in re.finditer("=", said[start:end])]
        if not signs:
            return None
        sign = len(named[start]) if start in named else random.choice([signs[0], random.choice(signs)])
        pairs.append((said[start : start + sign], said[start + sign + 1 : end]))
    return pairs if pairs == sorted(pairs) else None


# Who believes them


Believer = Callable[[SecondReading, Capture], CallbackEvent | None]
"""What is made of a reading; None if it is refused, or could not come in at all under what is pinned."""


def verified(reading: SecondReading, capture: Capture, **pins: Any) -> VerifiedCallback:
    """What `verify_callback` hands out for a reading."""
    fields = reading.query if reading.method == "GET" else reading.form
    text = f"{ADDRESS}?{capture.said}.{NONCE}"
    pins = {"method": reading.method, "fields": fields, **pins}
    return VerifiedCallback(signed_text=text, nonce=NONCE, **pins)


def _parse(callback: VerifiedCallback, conference_name: str | None = None) -> CallbackEvent | None:
    try:
        return event_of(callback, conference_name=conference_name)
    except MalformedCallbackError:
        return None


def _at_url(reading: SecondReading, capture: Capture, **pins: Any) -> VerifiedCallback | None:
    """The same where the URL is pinned."""
    if reading.method == "POST":
        fits = joined(reading.query) == joined(capture.own)
        return verified(reading, capture, url_is_pinned=True, **pins) if fits else None
    rest = list(reading.query)
    for pair in capture.own:
        if pair not in rest:
            return None
        rest.remove(pair)
    return verified(reading, capture, fields=rest, issued=capture.own, url_is_pinned=True, **pins)


def without_pins(reading: SecondReading, capture: Capture) -> CallbackEvent | None:
    """``parse_callback`` that is told nothing."""
    return _parse(verified(reading, capture))


def with_url(reading: SecondReading, capture: Capture) -> CallbackEvent | None:
    """``parse_callback`` with ``expected_url``."""
    callback = _at_url(reading, capture)
    return None if callback is None else _parse(callback)


def with_name(reading: SecondReading, capture: Capture) -> CallbackEvent | None:
    """``parse_callback`` with ``conference_name``."""
    return _parse(verified(reading, capture), capture.room)


def with_all(reading: SecondReading, capture: Capture) -> CallbackEvent | None:
    """``parse_callback`` with everything pinned."""
    callback = _at_url(reading, capture, expected_method=capture.method)
    return None if callback is None else _parse(callback, capture.room)


def by_tracker(reading: SecondReading, capture: Capture) -> CallbackEvent | None:
    """The tracker's receiver: POST only, the URL and the name of the record, and no id but the record's."""
    callback = _at_url(reading, capture, expected_method="POST")
    if callback is None:
        return None
    event = read_event(callback, conference_name=capture.room)
    accepted = StartAccepted(
        description="202", api_id=RECORDING_ENDED["api_id"], recording_id=RECORDING_ENDED["recording_id"]
    )
    record, _ = apply(begin_sending("start-1", StartRequest(capture.room), NOW), accepted, NOW)
    return None if contradiction(record, event) else event


BELIEVERS: Mapping[str, Believer] = {
    "parse_callback without pins": without_pins,
    "parse_callback with expected_url": with_url,
    "parse_callback with conference_name": with_name,
    "parse_callback with all pins": with_all,
    "the tracker": by_tracker,
}


# What must not be believed


def meant(capture: Capture) -> CallbackEvent:
    """What Plivo meant: the event of the same callback from an innocent room, whose name is then put back."""
    innocent = SecondReading(method="POST", query=(), form=[*capture.innocent.items()])
    event = read_event(verified(innocent, capture, url_is_pinned=True))
    assert not isinstance(event, UnknownCallback), event.reason
    texts = {name: getattr(event, name, None) for name in ("conference_name", "error", "transcription")}
    return attrs.evolve(event, **{n: text.replace(INNOCENT, capture.room) for n, text in texts.items() if text})


_TEXTS = {"conference_name", "error", "message", "transcription"}


def is_within_limits(true: CallbackEvent, event: CallbackEvent, new: Pairs = ()) -> bool:
    """Whether an event differs from what was meant only as docs/explanation/signatures.md says that it may.

    A free text may have lost its end, or have swallowed a field that Plivo added. What failed has failed; and what
    has not failed has not, but for an error that is made of such a field.
    """
    if type(event) is not type(true):
        return False
    for name in (attribute.name for attribute in attrs.fields(type(event)) if attribute.eq):
        said, sent = getattr(event, name), getattr(true, name)
        has_turned = name == "error" and said != sent and None in {said, sent}
        if has_turned and not (said and any("".join(pair).startswith(said) for pair in new)):
            return False
        if said != sent and (name not in _TEXTS or not _begin_alike(said or "", sent or "")):
            return False
    return True


def _begin_alike(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


@attrs.frozen
class Finding:
    """A second reading that is believed although it is another event."""

    believer: str
    capture: Capture
    reading: SecondReading
    event: CallbackEvent


@attrs.define
class Search:
    """A search that can be repeated: the same seed leads to the same readings.

    Attributes:
        seed: Where it begins.
        believers: Who is asked.
        tried: How many second readings were tried.
        events: How many of them were believed, nearly all as what Plivo meant.
    """

    seed: int = 0
    believers: Mapping[str, Believer] = attrs.field(factory=lambda: BELIEVERS)
    tried: int = 0
    events: int = 0

    def run(self, count: int) -> Iterator[Finding]:
        """Try at least so many second readings, and yield each that is believed as something else."""
        random = Random(self.seed)
        while self.tried < count:
            capture = capture_of(random)
            true = meant(capture)
            for reading in second_readings(capture, 60, random):
                self.tried += 1
                for name, believer in self.believers.items():
                    event = believer(reading, capture)
                    if event is None or isinstance(event, UnknownCallback):
                        continue
                    self.events += 1
                    if not is_within_limits(true, event, capture.new):
                        yield Finding(name, capture, reading, event)
