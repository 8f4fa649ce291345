"""Callbacks that were cut up differently: they sign the same, and must not pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.errors import MalformedCallbackError
from plivo_record_async.protocol.callbacks import parse_callback
from plivo_record_async.protocol.resplits import find_resplit
from tests.protocol.honest import (
    RECORDING_ENDED,
    RECORDING_ENDED_2012,
    RECORDING_ENDED_CAMEL_CASE,
    TOKEN,
    TRANSCRIPTION_ENDED,
    TRANSCRIPTION_FAILED,
    callback,
)

HONEST = [
    RECORDING_ENDED,
    RECORDING_ENDED_2012,
    RECORDING_ENDED_2012 | {"message": "record done"},
    RECORDING_ENDED_CAMEL_CASE,
    TRANSCRIPTION_ENDED,
    TRANSCRIPTION_FAILED,
    {"response": '{"api_id": "2867b6e2-58c3-11e1", "message": "conference recording started"}'},
]
KINDS = (
    frozenset({"api_id", "message", "error"}),
    frozenset({"api_id", "conference_name", "message", "record_url", "recording_duration", "recording_duration_ms"})
    | {"recording_id"},
    frozenset({"recording_id", "transcription", "duration", "error"}),
    frozenset({"response"}),
)
KNOWN = frozenset[str]().union(*KINDS)


def signed_part(fields: Mapping[str, str]) -> str:
    return "".join(name + value for name, value in sorted(fields.items()))


def moved_boundaries(fields: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """One letter or more goes from a name to its value, or from a value to its name."""
    for name, value in fields.items():
        both, rest = name + value, {one: fields[one] for one in fields if one != name}
        for end in range(len(both) + 1):
            if end != len(name) and both[:end] not in rest:
                yield rest | {both[:end]: both[end:]}


def swallowed_fields(fields: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A value takes in the fields behind it."""
    names = sorted(fields)
    for first in range(len(names)):
        for last in range(first + 1, len(names)):
            swallowed = "".join(name + fields[name] for name in names[first + 1 : last + 1])
            kept = {name: fields[name] for name in names[:first] + names[last + 1 :]}
            yield kept | {names[first]: fields[names[first]] + swallowed}


@pytest.mark.parametrize("fields", HONEST)
def test_what_is_honest_passes(fields: dict[str, str]) -> None:
    assert parse_callback(**callback(fields), auth_tokens=TOKEN).raw == fields


@pytest.mark.parametrize("fields", HONEST)
def test_no_single_cut_passes(fields: dict[str, str]) -> None:
    captured = callback(fields)
    cuts = [*moved_boundaries(fields), *swallowed_fields(fields)]
    same = [cut for cut in cuts if signed_part(cut) == signed_part(fields)]
    assert len(same) > len(fields)
    for cut in same:
        forged = captured.copy()
        forged["body"] = callback(cut)["body"]
        assert forged["headers"] == callback(cut)["headers"], "the signature covers it"
        with pytest.raises(MalformedCallbackError):
            parse_callback(**forged, auth_tokens=TOKEN)


@pytest.mark.parametrize("fields", HONEST)
def test_a_captured_get_does_not_pass_as_a_post(fields: dict[str, str]) -> None:
    """Both sign ``address?…``; the separators of the one become names and values of the other."""
    captured = callback(fields, method="GET", url="https://h/cb")
    names = sorted(fields)
    parts = [f"={fields[name]}&" for name in names[:-1]] + [f"={fields[names[-1]]}"]
    forged = callback(dict(zip(names, parts, strict=True)), url="https://h/cb")
    assert forged["headers"].items() >= captured["headers"].items(), "the signature covers it"
    with pytest.raises(MalformedCallbackError):
        parse_callback(**forged, auth_tokens=TOKEN)


@pytest.mark.parametrize(
    ("fields", "piece"),
    [
        ({"record_ur": "lhttps://h/x"}, "record_ur"),
        ({"": "record_urlhttps://h/x"}, ""),
        ({"r": "ecord_url"}, "r"),
        ({"recording_duration": "_ms12"}, "recording_duration"),
        ({"record_urlhttps://h/x": ""}, "record_urlhttps://h/x"),
        ({"error_code": "1"}, "error_code"),
        ({"api_id": "1conference_nameroom"}, "api_id"),
        ({"api_id": "1conference_nameroom", "record_url": "x"}, "api_id"),
        ({"conference_name": "roommessagerecord_done"}, "conference_name"),
        ({"conference_name": "roommessagerecord done", "record_url": "x"}, "conference_name"),
        ({"recording_id": "1transcriptiongood morning"}, "recording_id"),
        ({"conference_name": "roomduration12", "recording_id": "1", "transcription": "hi"}, "conference_name"),
        ({"recording_id": "1transcription"}, "recording_id"),
        ({"e": "", "r": "rortoo long", "recording_id": "1", "transcription": ""}, "e"),
        ({"api_id": "1err", "or": "not found"}, "or"),
        ({"conference_name": "roo", "mmess": "agerecord_done", "record_url": "x"}, "mmess"),
    ],
)
def test_the_piece_is_named(fields: dict[str, str], piece: str) -> None:
    assert find_resplit(fields, KINDS) == piece


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"record": "yes", "rec": "ord"},
        {"record_format": "wav", "recordings": "2", "a": "pi", "m": "ssage"},
        {"error": "", "error_code": "0"},
        {"conference_name": "Daily message: error, duration and transcription", "record_url": "x"},
        {"conference_name": "recording_id", "record_url": "x"},
        {"conference_name": "api_id"},
        {"conference_name": "long_duration3h", "record_url": "https://h", "recording_duration": "1"},
        {"api_id": "1", "error": "transcription_type parameter is invalid"},
        {"api_id": "1", "error": "recording_id missing"},
        {"api_id": "1", "message": "transcription in progress"},
        {"record_url": "https://h/?recording_id=1&conference_name=2", "recording_id": "1"},
        {"response": '{"api_id": "1", "record_url": "2", "transcription": "3"}'},
        {"redirect": "https://h/?record_url=1"},
        {"transcription": "we spoke of the message, the error and the response"},
    ],
)
def test_what_looks_alike_passes(fields: dict[str, str]) -> None:
    assert find_resplit(fields, KINDS) is None


@given(st.dictionaries(st.text(), st.text()))
def test_new_fields_pass_unless_they_could_be_pieces(extra: dict[str, str]) -> None:
    fields = RECORDING_ENDED | extra
    may_be_pieces = any(
        (known != name and known.startswith(name) and (name + value).startswith(known))
        or (name not in KNOWN and name.startswith(known) and known not in fields)
        for name, value in fields.items()
        for known in KNOWN
    )
    assert (find_resplit(fields, KINDS) is not None) is may_be_pieces


def test_neighbours_are_neighbours_in_the_order_of_signing() -> None:
    for name, following in pairwise(sorted(RECORDING_ENDED)):
        swallowed = {name: f"x{following}y"} | {n: "x" for n in RECORDING_ENDED if n not in {name, following}}
        assert find_resplit(swallowed, (KNOWN | set(RECORDING_ENDED),)) == name
