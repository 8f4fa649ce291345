"""Callbacks that were cut up differently: they sign the same, and must not pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.errors import MalformedCallbackError
from plivo_record_async.protocol.callbacks import parse_callback
from plivo_record_async.protocol.mismatches import explain_signature
from plivo_record_async.protocol.models import UnknownCallback
from plivo_record_async.protocol.resplits import find_resplit
from tests.protocol.honest import (
    NONCE,
    RECORDING_ENDED,
    RECORDING_ENDED_2012,
    RECORDING_ENDED_CAMEL_CASE,
    TOKEN,
    TRANSCRIPTION_ENDED,
    TRANSCRIPTION_FAILED,
    V3_NONCE,
    Request,
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
        assert not is_believed(forged)


def is_believed(request: Request) -> bool:
    try:
        return not isinstance(parse_callback(**request, auth_tokens=TOKEN), UnknownCallback)
    except MalformedCallbackError:
        return False


@pytest.mark.parametrize("fields", HONEST)
def test_a_captured_get_does_not_pass_as_a_post(fields: dict[str, str]) -> None:
    """Both sign ``address?…``; the separators of the one become names and values of the other."""
    captured = callback(fields, method="GET", url="https://h/cb")
    names = sorted(fields)
    parts = [f"={fields[name]}&" for name in names[:-1]] + [f"={fields[names[-1]]}"]
    forged = callback(dict(zip(names, parts, strict=True)), url="https://h/cb")
    assert forged["headers"].items() >= captured["headers"].items(), "the signature covers it"
    assert not is_believed(forged)


ENDED_2012, FAILED, DONE = RECORDING_ENDED_2012, TRANSCRIPTION_FAILED, TRANSCRIPTION_ENDED
FAILED_START = {"api_id": "2867b6e2", "error": "no such conference"}
EVIL = "https://evil.example/?"


@pytest.mark.parametrize(
    ("honest", "dropped", "forged"),
    [
        (
            FAILED,
            {"duration", "error"},
            {"call_uuid": FAILED["call_uuid"][:-4], "f8bb": f"duration12error{FAILED['error']}"},
        ),
        (
            FAILED,
            {"duration", "error"},
            {"call_uuid": FAILED["call_uuid"][:-4], f"f8bbduration12error{FAILED['error']}": ""},
        ),
        (FAILED, {"error"}, {"e": "", "r": f"ror{FAILED['error']}"}),
        (FAILED | {"disposition": "x"}, {"duration", "error"}, {"disposition": f"xduration12error{FAILED['error']}"}),
        (FAILED_START, {"error"}, {"api_id": "2867b6", "e2": "errorno such conference"}),
        (FAILED_START, {"error"}, {"api_id": "2867b6", "e2errorno such conference": ""}),
        (FAILED_START | {"message": ""}, {"error"}, {"api_id": "2867b6", "e2error": "no such conference"}),
        (FAILED_START | {"code": "404", "message": ""}, {"error"}, {"code": "404errorno such conference"}),
        (ENDED_2012, {"record_url"}, {"message": "reco", f"rd_donerecord_url{ENDED_2012['record_url']}": ""}),
        (ENDED_2012, {"record_url"}, {"message": "reco", "rd_done": f"record_url{ENDED_2012['record_url']}"}),
        (
            RECORDING_ENDED,
            {"conference_name"},
            {"api_id": RECORDING_ENDED["api_id"][:-3], "e48conference_nameMy Conf Room": ""},
        ),
        (
            RECORDING_ENDED | {"recording_format": "mp3"},
            {"recording_id"},
            {"recording_format": "mp3recording_id93bc7c6a-3b2b-11e3"},
        ),
        (
            RECORDING_ENDED | {"conference_name": f"xrecord_url{EVIL}"},
            set[str](),
            {"conference_name": "x", "record_url": f"{EVIL}record_url{RECORDING_ENDED['record_url']}"},
        ),
    ],
)
def test_no_cut_hides_what_matters(honest: dict[str, str], dropped: set[str], forged: dict[str, str]) -> None:
    cut = {name: value for name, value in honest.items() if name not in dropped} | forged
    assert signed_part(cut) == signed_part(honest), "the signature covers it"
    parse_callback(**callback(honest), auth_tokens=TOKEN)
    with pytest.raises(MalformedCallbackError):
        parse_callback(**callback(cut), auth_tokens=TOKEN)


def forge(captured: Request, **changes: Any) -> Request:
    """Something else under the same signature."""
    return cast("Request", {**captured, **changes})


def test_the_end_of_a_form_does_not_pass_as_a_nonce() -> None:
    captured = callback(RECORDING_ENDED_2012)
    form, end = (
        RECORDING_ENDED_2012 | {"record_url": "http://s3"},
        "amazonaws.com/recordings_2013/93bc7c6a-3b2b-11e3.mp3",
    )
    forged = forge(captured, body=callback(form)["body"], headers=captured["headers"] | {V3_NONCE: f"{end}.{NONCE}"})
    assert explain_signature(**forged, auth_tokens=TOKEN).ok, "the signature covers it"
    with pytest.raises(MalformedCallbackError, match="a nonce of Plivo's holds no dot"):
        parse_callback(**forged, auth_tokens=TOKEN)


@pytest.mark.parametrize("name", ["", "s"])
def test_a_query_does_not_pass_as_a_part_of_the_form(name: str) -> None:
    captured = callback(TRANSCRIPTION_FAILED, url="https://h/cb?start=8f3a")
    hidden = {"call_uuid", "duration", "error"} | ({"recording_id"} if name else set[str]())
    swallowed = "".join(field + TRANSCRIPTION_FAILED[field] for field in sorted(hidden))
    form = {field: value for field, value in TRANSCRIPTION_FAILED.items() if field not in hidden}
    form[name] = f"start=8f3a.{swallowed}".removeprefix(name)
    forged = forge(captured, url="https://h/cb", body=callback(form)["body"])
    assert explain_signature(**forged, auth_tokens=TOKEN).ok, "the signature covers it"
    with pytest.raises(MalformedCallbackError):
        parse_callback(**forged, auth_tokens=TOKEN)


def test_the_head_of_a_form_does_not_pass_as_a_part_of_the_query() -> None:
    honest = TRANSCRIPTION_FAILED | {"error": "Failed. please retry"}
    captured = callback(honest, url="https://h/cb?start=8f3a")
    head = f"call_uuid{honest['call_uuid']}duration12errorFailed"
    kept = {field: honest[field] for field in sorted(honest) if field > "error"}
    forged = forge(captured, url=f"https://h/cb?start=8f3a.{head}", body=callback({" please retry": ""} | kept)["body"])
    assert explain_signature(**forged, auth_tokens=TOKEN).ok, "the signature covers it"
    assert not is_believed(forged)


NEW_FIELDS = {
    "billed_duration": "12",
    "callback_reason": "errors occurred, see the message and the response",
    "detail": "recording_id, record_url and duration are known",
    "error_code": "0",
    "recording_format": "mp3",
    "related_url": "https://h/?recording_id=3&duration=12",
    "transcription_type": "auto",
}


@pytest.mark.parametrize("fields", [RECORDING_ENDED, RECORDING_ENDED_CAMEL_CASE])
@pytest.mark.parametrize("name", NEW_FIELDS)
def test_new_fields_of_a_kind_that_does_not_know_the_word_pass(fields: dict[str, str], name: str) -> None:
    more = fields | {name: NEW_FIELDS[name]}
    assert parse_callback(**callback(more), auth_tokens=TOKEN).raw == more


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
        or (name not in KNOWN and name.startswith(known) and known in KINDS[1] and known not in fields)
        for name, value in fields.items()
        for known in KNOWN
    )
    assert (find_resplit(fields, KINDS) is not None) is may_be_pieces


def test_neighbours_are_neighbours_in_the_order_of_signing() -> None:
    for name, following in pairwise(sorted(RECORDING_ENDED)):
        swallowed = {name: f"x{following}y"} | {n: "x" for n in RECORDING_ENDED if n not in {name, following}}
        assert find_resplit(swallowed, (KNOWN | set(RECORDING_ENDED),)) == name
