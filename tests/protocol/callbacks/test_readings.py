"""Of all callbacks with the same signed text, only the genuine one is trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode

import pytest

from plivo_record_async.errors import MalformedCallbackError
from plivo_record_async.protocol.callbacks.diagnostics import explain_signature
from plivo_record_async.protocol.callbacks.parsing import parse_callback
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    TranscriptionEnded,
    UnknownCallback,
)
from tests.support.samples.callbacks import (
    HONEST,
    NONCE,
    RECORDING_ENDED,
    RECORDING_ENDED_2012,
    RECORDING_ENDED_CAMEL_CASE,
    TOKEN,
    TRANSCRIPTION_ENDED,
    TRANSCRIPTION_FAILED,
    URL,
    V3_NONCE,
    Request,
    callback,
    reason_of,
)

VICTIM = "5ea1ed00-0bad-4bad-8bad-0badc0ffee00"
EVIL = "https://evil.example/x.mp3"


def signed_form(fields: Mapping[str, str]) -> str:
    return "".join(name + value for name, value in sorted(fields.items()))


def forge(captured: Request, **changes: Any) -> Request:
    """Return a changed request whose signed text is the same."""
    forged = cast("Request", {**captured, **changes})
    assert explain_signature(**forged, auth_tokens=TOKEN).ok, "the signature covers it"
    return forged


def as_form(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields).encode()


def as_query(pairs: Mapping[str, str]) -> str:
    return urlencode(pairs, quote_via=quote)


def event_of(request: Request, **pins: Any) -> CallbackEvent | None:
    """Return the event that a request is trusted to report, or None."""
    try:
        event = parse_callback(**request, auth_tokens=TOKEN, **pins)
    except MalformedCallbackError:
        return None
    if isinstance(event, UnknownCallback):
        assert event.reason
        return None
    return event


# Genuine callbacks


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("fields", HONEST)
@pytest.mark.parametrize("query", ["", "?start=8f3a", "?a=1&tenant=x.y&z=", "?message=hello&error=0&duration=5"])
def test_genuine_callbacks_with_ordinary_queries_are_trusted(fields: dict[str, str], method: str, query: str) -> None:
    url = f"https://h/cb{query}"
    if method == "POST" or "error" not in query:  # in a GET these would be fields of its own
        assert event_of(callback(fields, method=method, url=url)) is not None
    for expected_method in (None, method):
        assert event_of(
            callback(fields, method=method, url=url), expected_url=f"{url}#rc=5", expected_method=expected_method
        )


@pytest.mark.parametrize("fields", [RECORDING_ENDED, RECORDING_ENDED_2012, RECORDING_ENDED_CAMEL_CASE])
@pytest.mark.parametrize(
    "conference_name",
    [
        "standup",
        "Daily message: error, duration and transcription",
        "recording_id",
        "long_duration3h",
        "error1",
        "a.b?c=d&e=f#g",
        "response",
        "api_id",
        "record url",
        "transcription",
        "Jürgen 🎙",
    ],
)
def test_callbacks_of_conferences_with_nearly_any_name_are_trusted(
    fields: dict[str, str], conference_name: str
) -> None:
    name = "ConferenceName" if "ConferenceName" in fields else "conference_name"
    event = event_of(callback(fields | {name: conference_name}))
    assert isinstance(event, RecordingEnded)
    assert event.conference_name == conference_name


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "words",
    [
        "",
        "we spoke of the message, the error and the response",
        "transcription of the recording id",
        "error error error5",
        "a & b = c",
        "conference name is standup",
    ],
)
def test_transcripts_with_nearly_any_text_are_trusted(words: str, method: str) -> None:
    event = event_of(callback(TRANSCRIPTION_ENDED | {"transcription": words}, method=method))
    assert isinstance(event, TranscriptionEnded)
    assert event.transcription == words


@pytest.mark.parametrize(
    "fields",
    [
        {"api_id": "1", "error": "transcription_type parameter is invalid"},
        {"api_id": "1", "error": "recording_id missing"},
        {"api_id": "1", "error": "conference_name parameter is missing"},
        {"api_id": "1", "message": "transcription in progress"},
        {"recording_id": "1", "error": "no"},
        {"response": '{"api_id": "1", "message": "x", "record_urls": "2", "transcription": "3"}'},
    ],
)
def test_responses_that_contain_field_names_are_trusted(fields: dict[str, str]) -> None:
    assert event_of(callback(fields)) is not None


@pytest.mark.parametrize(
    ("fields", "new"),
    [
        (RECORDING_ENDED, {"message_uuid": "97ceeb52"}),
        (RECORDING_ENDED, {"detail": "recording_id3"}),
        (RECORDING_ENDED, {"detail": f"https://h/?a=1&record_url={EVIL}"}),
        (RECORDING_ENDED_2012, {"rounded_recording_duration": "60"}),
        (RECORDING_ENDED_2012, {"cause": "error5"}),
        ({name: TRANSCRIPTION_ENDED[name] for name in ("recording_id", "transcription", "error")}, {"zone": "eu"}),
    ],
)
def test_new_fields_that_hold_known_ones_are_kept_but_not_trusted(fields: dict[str, str], new: dict[str, str]) -> None:
    assert parse_callback(**callback(fields | new), auth_tokens=TOKEN) == UnknownCallback(raw=fields | new)


NEW_FIELDS = {
    "billed_duration": "12",
    "callback_reason": "errors occurred, see the message and the response",
    "detail": "recording_id, record_url and duration are known",
    "error_code": "0",
    "recording_format": "mp3",
    "redirect": "https://h/?record_url=1",
    "related_url": "https://h/?recording_id=3&duration=12",
    "transcription_type": "auto",
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("fields", [RECORDING_ENDED, RECORDING_ENDED_CAMEL_CASE])
@pytest.mark.parametrize("name", NEW_FIELDS)
def test_new_fields_are_kept(fields: dict[str, str], name: str, method: str) -> None:
    more = fields | {name: NEW_FIELDS[name]}
    event = event_of(callback(more, method=method, url="https://h/cb"))
    assert event is not None
    assert event.raw == more


def test_new_field_after_an_empty_name_is_kept() -> None:
    fields = RECORDING_ENDED | {"conference_name": "", "detail": "x"}
    event = event_of(callback(fields))
    assert isinstance(event, RecordingEnded)
    assert event.conference_name is None


# Other splits of one captured callback


def absorbing_values(fields: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield forms in which a value contains the fields that follow it."""
    names = sorted(fields)
    for first in range(len(names)):
        for last in range(first + 1, len(names)):
            absorbed = "".join(name + fields[name] for name in names[first + 1 : last + 1])
            kept = {name: fields[name] for name in names[:first] + names[last + 1 :]}
            yield {**kept, names[first]: fields[names[first]] + absorbed}


def cut_ends(fields: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield forms in which the end of a value is a field of its own."""
    for name, value in fields.items():
        for end in range(len(value)):
            for border in {end + 1, len(value)}:
                yield {**fields, name: value[:end], value[end:border]: value[border:]}


@pytest.mark.parametrize("fields", HONEST)
def test_value_that_contains_another_field_is_not_trusted(fields: dict[str, str]) -> None:
    captured = callback(fields)
    for cut in absorbing_values(fields):
        assert event_of(forge(captured, body=as_form(cut))) is None


@pytest.mark.parametrize("fields", HONEST)
def test_only_free_text_may_lose_its_end(fields: dict[str, str]) -> None:
    captured, true = callback(fields), event_of(callback(fields))
    for cut in cut_ends(fields):
        if signed_form(cut) == signed_form(fields):
            event = event_of(forge(captured, body=as_form(cut)))
            if event != true and event is not None:
                changed = {name for name in fields if cut.get(name) != fields[name]}
                assert changed <= {"conference_name", "ConferenceName", "error"}


ENDED_2012, FAILED = RECORDING_ENDED_2012, TRANSCRIPTION_FAILED
FAILED_START = {"api_id": "2867b6e2-58c3-11e1-86da-adf28403fece", "error": "no such conference"}


@pytest.mark.parametrize(
    ("genuine", "dropped", "forged"),
    [
        # The end of an id hides what follows it.
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
        (FAILED_START, {"error"}, {"api_id": FAILED_START["api_id"][:-2], "ceerrorno such": " conference"}),
        (FAILED_START | {"message": "x"}, {"error"}, {"api_id": f"{FAILED_START['api_id']}errorno such conference"}),
        (
            RECORDING_ENDED,
            {"conference_name"},
            {"api_id": RECORDING_ENDED["api_id"][:-3], "e48conference_nameMy Conf Room": ""},
        ),
        # A name is spelled by others.
        (FAILED, {"error"}, {"e": "", "r": f"ror{FAILED['error']}"}),
        (ENDED_2012, {"record_url"}, {"message": "reco", f"rd_donerecord_url{ENDED_2012['record_url']}": ""}),
        (ENDED_2012, {"record_url"}, {"message": "reco", "rd_done": f"record_url{ENDED_2012['record_url']}"}),
        (ENDED_2012, {"message"}, {"conference_name": "myro", "ommess": "agerecord_done"}),
        # A new field has absorbed known ones.
        (FAILED | {"disposition": "x"}, {"duration", "error"}, {"disposition": f"xduration12error{FAILED['error']}"}),
        (
            FAILED | {"transcription": "good", "disposition": "x"},
            {"duration", "error"},
            {"disposition": f"xduration12error{FAILED['error']}"},
        ),
        (FAILED_START | {"code": "404", "message": "x"}, {"error"}, {"code": "404errorno such conference"}),
        (
            RECORDING_ENDED | {"recording_format": "mp3"},
            {"recording_id"},
            {"recording_format": "mp3recording_id93bc7c6a-3b2b-11e3"},
        ),
        # An ID or a URL has absorbed a new field, or lost its end.
        (RECORDING_ENDED | {"billed_duration": "1"}, {"billed_duration"}, {"api_id": f"{VICTIM}billed_duration1"}),
        (
            RECORDING_ENDED | {"recording_channels": "2"},
            {"recording_channels"},
            {"record_url": f"{RECORDING_ENDED['record_url']}recording_channels2"},
        ),
        (
            RECORDING_ENDED | {"record_url": "https://h/recording/1.mp3"},
            set[str](),
            {"record_url": "https://h/", "recording": "/1.mp3"},
        ),
        # An error that begins with chosen words, turned into the end of a recording.
        (FAILED_START | {"error": f"record_url{EVIL}"}, set[str](), {"error": "", "record_url": EVIL}),
        (
            FAILED_START | {"error": f"messagerecord_donerecord_url{EVIL}zz", "message": "not found"},
            {"message"},
            {"error": "", "message": "record_done", "record_url": EVIL, "zz": "messagenot found"},
        ),
        # An error turned into silence, or into success.
        (FAILED | {"error": "not found"}, set[str](), {"error": "", "n": "ot found"}),
        (FAILED_START | {"error": "f", "message": "started"}, set[str](), {"error": "", "f": ""}),
        (FAILED_START | {"error": "", "message": "started"}, {"message"}, {"error": "messagestarted"}),
        (FAILED_START | {"error": "", "message": "started"}, {"message"}, {"error": "me", "ssage": "started"}),
        (FAILED | {"disposition": "x"}, {"duration"}, {"disposition": "xduration12"}),
        (
            {"recording_id": "1", "error": "partial", "soundtrack": "x", "transcription": "hello"},
            {"transcription"},
            {"soundtrack": "xtranscriptionhello"},
        ),
        (
            {"recording_id": "1", "error": "partial", "transcription": "hello"},
            {"transcription"},
            {"recording_id": "1transcriptionhello"},
        ),
        (
            {"call_uuid": "c1", "error": "-5", "recording_id": "1", "transcription": "hello"},
            {"error"},
            {"call_uuid": "c1error-5"},
        ),
        # A text has lost its beginning to a new field.
        (
            TRANSCRIPTION_ENDED | {"transcription": "transcription2 is on"},
            set[str](),
            {"transcription": "", "transcription2": " is on"},
        ),
        (
            TRANSCRIPTION_ENDED | {"transcription": "read the transcription of today"},
            set[str](),
            {"transcription": "read the ", "transcription of": " today"},
        ),
        # A known name is left empty, and what is behind it is its value.
        (
            FAILED_START | {"error": 'conference xresponse{"api_id": "1", "message": "m"}'},
            set[str](),
            {"error": "con", "ference": " x", "response": "", '{"api_id"': ': "1", "message": "m"}'},
        ),
        # An answer and the end of a recording are not one event.
        (
            FAILED_START | {"detail": f"record_url{EVIL}"},
            {"error", "detail"},
            {"api_id": FAILED_START["api_id"][:-2], "ce": f"detailrecord_url{EVIL}errorno such conference"},
        ),
        # A new field is part of a name.
        (
            {name: FAILED[name] for name in ("recording_id", "error")} | {"billed_duration": "60"},
            {"billed_duration"},
            {"bill": "ed_", "duration": "60"},
        ),
    ],
)
def test_no_split_hides_an_important_field(genuine: dict[str, str], dropped: set[str], forged: dict[str, str]) -> None:
    if forged.get("api_id", "").startswith(VICTIM):
        genuine = genuine | {"api_id": VICTIM}
    cut = {name: value for name, value in genuine.items() if name not in dropped} | forged
    trusted = [event_of(callback(genuine)), event_of(forge(callback(genuine), body=as_form(cut)))]
    assert None in trusted, "at most one of them"
    assert trusted[1] is None or trusted[1] == trusted[0]


def test_an_error_that_begins_with_message_is_a_message() -> None:
    """Plivo also sends an empty error with a message, and its own errors do not begin in this way."""
    captured = callback(FAILED_START | {"error": "messagestarted"})
    assert event_of(captured) is None
    event = event_of(forge(captured, body=as_form(FAILED_START | {"error": "", "message": "started"})))
    assert isinstance(event, ApiResponse)
    assert (event.message, event.error) == ("started", None)


@pytest.mark.parametrize("name", ["", "account_id"])
def test_chosen_text_after_a_new_field_does_not_become_a_response(name: str) -> None:
    words = f"we api_id{VICTIM}errorgone"
    genuine = {"account_id": "MA1"} | TRANSCRIPTION_ENDED | {"transcription": words}
    before, after = signed_form(genuine).split(f"api_id{VICTIM}error")
    cut = {name: before.removeprefix(name), "api_id": VICTIM, "error": after}
    assert event_of(forge(callback(genuine), body=as_form(cut))) is None


# A conference name that an attacker chose

INSIDE = {
    "recording_duration": "7",
    "recording_duration_ms": "7000",
    "recording_end_ms": "1407235176252",
    "recording_id": VICTIM,
    "recording_start_ms": "1407235163907",
}


@pytest.mark.parametrize(
    "inside",
    [{"record_url": EVIL}, {"record_url": EVIL, "recording_id": VICTIM}, {**INSIDE, "record_url": EVIL}],
)
@pytest.mark.parametrize("absorbing_name", ["z", "zz_", "y_"])
def test_chosen_name_cannot_be_split_into_fields(inside: dict[str, str], absorbing_name: str) -> None:
    """The genuine fields are hidden in one unknown field after those of the name."""
    conference_name = f"x{signed_form(inside)}{absorbing_name}"
    genuine = RECORDING_ENDED | {"conference_name": conference_name}
    hidden = {name: value for name, value in genuine.items() if name > "conference_name"}
    cut = {"api_id": genuine["api_id"], "conference_name": "x", **inside, absorbing_name: signed_form(hidden)}
    captured = callback(genuine)
    forged = forge(captured, body=as_form(cut))
    for pins in (
        {},
        {"expected_url": URL},
        {"expected_url": URL, "expected_method": "POST", "conference_name": conference_name},
    ):
        assert event_of(forged, **pins) is None
    assert event_of(captured) is None, "it cannot be distinguished from the forged one"
    event = event_of(captured, conference_name=conference_name)
    assert isinstance(event, RecordingEnded)
    assert (event.record_url, event.conference_name) == (genuine["record_url"], conference_name)


def test_a_post_with_a_chosen_name_does_not_pass_as_a_get() -> None:
    """The text before the name becomes the name of the first pair, so no token is found."""
    url = "https://h/recording?plivo_record_proof=0123&plivo_record_start=8f3a"
    conference_name = f"x=1&recording_id={VICTIM}&transcription=we pay 1,000,000&z="
    captured = callback(RECORDING_ENDED | {"conference_name": conference_name}, url=url)
    text = signed_form(RECORDING_ENDED | {"conference_name": conference_name})
    before, _, rest = text.partition("=1&recording_id=")
    z = rest.partition("&z=")[2]
    pairs = {
        f"plivo_record_proof=0123&plivo_record_start=8f3a.{before}": "1",
        "recording_id": VICTIM,
        "transcription": "we pay 1,000,000",
        "z": z,
    }
    forged = forge(captured, method="GET", url=f"https://h/recording?{as_query(pairs)}", body=b"")
    assert event_of(forged) is None
    assert event_of(captured) is None
    assert event_of(captured, conference_name=conference_name) is not None
    forged["url"] += "#&plivo_record_start=another"
    with pytest.raises(MalformedCallbackError, match="has a '#'"):
        parse_callback(**forged, auth_tokens=TOKEN)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_chosen_name_cannot_become_a_response(method: str) -> None:
    answer = json.dumps({"api_id": VICTIM, "recording_id": VICTIM, "record_url": EVIL})
    conference_name = f"xresponse{answer}z" if method == "POST" else f"x&response={answer}&z="
    genuine = RECORDING_ENDED | {"conference_name": conference_name}
    captured = callback(genuine, url="https://h/cb", method=method)
    hidden = {name: value for name, value in genuine.items() if name > "conference_name"}
    if method == "POST":
        api_id = genuine["api_id"]
        cut = {"a": f"pi_id{api_id}conference_namex", "response": answer, "z": signed_form(hidden)}
        forged = forge(captured, body=as_form(cut))
    else:
        hidden_query = "&".join(map("=".join, sorted(hidden.items())))
        pairs = {"api_id": genuine["api_id"], "conference_name": "x", "response": answer, "z": f"&{hidden_query}"}
        forged = forge(captured, url=f"https://h/cb?{as_query(pairs)}")
    assert event_of(forged) is None
    assert event_of(forged, conference_name=conference_name) is None
    assert event_of(captured, conference_name=conference_name) is not None


def test_the_border_between_query_and_form_does_not_move_into_a_chosen_name() -> None:
    conference_name = f"x.record_url{EVIL}recording_id{VICTIM}z"
    genuine = RECORDING_ENDED | {"conference_name": conference_name}
    captured = callback(genuine, url="https://h/cb?start=8f3a")
    hidden = signed_form({name: value for name, value in genuine.items() if name > "conference_name"})
    query = as_query({"start": f"8f3a.api_id{genuine['api_id']}conference_namex"})
    body = as_form({"record_url": EVIL, "recording_id": VICTIM, "z": hidden})
    assert event_of(forge(captured, url=f"https://h/cb?{query}", body=body)) is None


@pytest.mark.parametrize("separator", ["", "&y="])
def test_a_get_with_a_chosen_name_does_not_pass_as_a_post(separator: str) -> None:
    """Its first fields become the query of a POST, up to a dot in the name. This works without ``&``."""
    genuine = RECORDING_ENDED | {"conference_name": f"x.record_url{EVIL}recording_id{VICTIM}{separator}z"}
    captured = callback(genuine, method="GET", url="https://h/cb")
    rest = "&".join(map("=".join, sorted({n: v for n, v in genuine.items() if n > "conference_name"}.items())))
    forged = forge(
        captured,
        method="POST",
        url=f"https://h/cb?{as_query({'api_id': genuine['api_id'], 'conference_name': 'x'})}",
        body=as_form({"record_url": EVIL, "recording_id": f"{VICTIM}{separator}z&{rest}"}),
    )
    assert event_of(forged) is None
    body = as_form({"record_url": EVIL, "recording_id": VICTIM, f"z&{rest}": ""})
    if separator == "":
        assert event_of(forge(forged, body=body)) is None


def test_get_with_a_chosen_name_cannot_be_split_into_fields() -> None:
    conference_name = f"x&record_url={EVIL}&z="
    genuine = RECORDING_ENDED | {"conference_name": conference_name}
    captured = callback(genuine, method="GET", url="https://h/cb")
    rest = "&".join(map("=".join, sorted({n: v for n, v in genuine.items() if n > "conference_name"}.items())))
    pairs = {"api_id": genuine["api_id"], "conference_name": "x", "record_url": EVIL, "z": f"&{rest}"}
    forged = forge(captured, url=f"https://h/cb?{as_query(pairs)}")
    for pins in ({}, {"conference_name": conference_name}, {"expected_url": "https://h/cb", "expected_method": "GET"}):
        assert event_of(forged, **pins) is None
    assert event_of(captured) is None
    assert isinstance(event_of(captured, conference_name=conference_name), RecordingEnded)


@pytest.mark.parametrize(
    ("genuine", "before", "inside"),
    [
        (RECORDING_ENDED_CAMEL_CASE, {"C": "onferenceName=x"}, {"RecordUrl": EVIL, "RecordingID": VICTIM}),
        (
            {"response": json.dumps({"api_id": VICTIM, "error": "ROOM"})},
            {"r": 'esponse={"api_id": "' + VICTIM + '", "error": "x'},
            {"record_url": EVIL, "recording_id": VICTIM},
        ),
        (
            {"api_id": VICTIM, "error": "ROOM"},
            {f"api_id={VICTIM}&": "", "error": "=x"},
            {"recording_id": VICTIM, "transcription": "we pay", "transcription_charge": "1"},
        ),
    ],
)
def test_no_get_passes_as_a_post(genuine: dict[str, str], before: dict[str, str], inside: dict[str, str]) -> None:
    conference_name = f"x{signed_form(inside)}z"
    genuine = {
        name: value.replace("ROOM", conference_name).replace("My Conf Room", conference_name)
        for name, value in genuine.items()
    }
    captured = callback(genuine, method="GET", url="https://h/cb")
    rest = "&".join(map("=".join, sorted(genuine.items()))).partition(conference_name)[2]
    forged = forge(captured, method="POST", url="https://h/cb", body=as_form({**before, **inside, "z": rest}))
    assert event_of(forged) is None


@pytest.mark.parametrize(("file", "query"), [("1.mp3", "start=8f3a&z=1"), ("1.mp3?a=1", "start=8f3a")])
def test_url_in_a_get_absorbs_no_pair_and_loses_none(file: str, query: str) -> None:
    genuine = RECORDING_ENDED_2012 | {"record_url": f"https://h/{file}"}
    captured = callback(genuine, method="GET", url=f"https://h/cb?{query}")
    swallowing = genuine | {"record_url": f"https://h/{file}&{query}"}
    forged = forge(captured, url=f"https://h/cb?{as_query(swallowing)}")
    assert event_of(forged) is None
    assert (event_of(captured) is not None) is ("?" not in file)
    assert event_of(captured, expected_url=f"https://h/cb?{query}") is not None


def test_an_error_in_a_get_is_no_pair_of_the_query() -> None:
    captured = callback(TRANSCRIPTION_ENDED, method="GET", url="https://h/cb?plivo=1")
    cut = as_query(TRANSCRIPTION_ENDED | {"error": "&plivo=1"})
    assert event_of(captured) is not None
    assert event_of(forge(captured, url=f"https://h/cb?{cut}")) is None


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_json_has_one_reading_whatever_it_contains(method: str) -> None:
    conference_name = f'x"record_url{EVIL}recording_id{VICTIM}&record_url={EVIL}&z='
    fields = {"response": json.dumps(RECORDING_ENDED | {"conference_name": conference_name})}
    event = event_of(callback(fields, method=method))
    assert isinstance(event, RecordingEnded)
    assert (event.conference_name, event.record_url) == (conference_name, RECORDING_ENDED["record_url"])


@pytest.mark.parametrize("fields", HONEST)
def test_a_captured_get_does_not_pass_as_a_post(fields: dict[str, str]) -> None:
    """Both sign ``address?…``. The separators of the GET become parts of names and values of the POST."""
    captured = callback(fields, method="GET", url="https://h/cb")
    names = sorted(fields)
    parts = [f"={fields[name]}&" for name in names[:-1]] + [f"={fields[names[-1]]}"]
    forged = forge(captured, method="POST", url="https://h/cb", body=as_form(dict(zip(names, parts, strict=True))))
    assert event_of(forged) is None


def test_get_sent_as_a_post_without_a_form_has_no_fields() -> None:
    captured = callback(RECORDING_ENDED, method="GET", url="https://h/cb")
    event = parse_callback(**forge(captured, method="POST"), auth_tokens=TOKEN)
    assert event == UnknownCallback()
    assert isinstance(event, UnknownCallback)
    assert reason_of(event)


# Query, form and nonce


@pytest.mark.parametrize("name", ["", "s"])
def test_a_query_does_not_pass_as_a_part_of_the_form(name: str) -> None:
    captured = callback(TRANSCRIPTION_FAILED, url="https://h/cb?start=8f3a")
    hidden = {"call_uuid", "duration", "error"} | ({"recording_id"} if name else set[str]())
    absorbed = "".join(field + TRANSCRIPTION_FAILED[field] for field in sorted(hidden))
    form = {field: value for field, value in TRANSCRIPTION_FAILED.items() if field not in hidden}
    form[name] = f"start=8f3a.{absorbed}".removeprefix(name)
    assert event_of(forge(captured, url="https://h/cb", body=as_form(form))) is None


def test_the_head_of_a_form_does_not_pass_as_a_part_of_the_query() -> None:
    genuine = {
        name: value
        for name, value in (TRANSCRIPTION_FAILED | {"error": "Failed. please retry", "transcription": "a part"}).items()
        if name != "call_uuid"
    }
    captured = callback(genuine, url="https://h/cb?start=8f3a")
    kept = {field: genuine[field] for field in genuine if field > "error"}
    url = "https://h/cb?start=8f3a.duration12errorFailed"
    assert event_of(forge(captured, url=url, body=as_form({" please retry": ""} | kept))) is None
    bare = {"error": "(a.b)", "recording_id": "1", "transcription": "hello"}
    cut = {"b)": "", "recording_id": "1", "transcription": "hello"}
    forged = forge(callback(bare, url="https://h/cb?a=1"), url="https://h/cb?a=1.error(a", body=as_form(cut))
    assert event_of(forged) is None


@pytest.mark.parametrize(
    "query",
    ["record_url=mine&record_url=again", "recording_id=7", "a=1&api_id=x", "response={}", "a=xrecord_urlhttps://h"],
)
def test_a_post_whose_query_names_a_field_is_trusted_only_where_its_url_is_known(query: str) -> None:
    url = f"https://h/cb?{query}"
    genuine = callback(TRANSCRIPTION_ENDED, url=url)
    event = parse_callback(**genuine, auth_tokens=TOKEN)
    assert event == UnknownCallback(raw=TRANSCRIPTION_ENDED)
    assert isinstance(event, UnknownCallback)
    assert "may be a field of another event" in reason_of(event)
    assert isinstance(event_of(genuine, expected_url=url), TranscriptionEnded)


def test_the_end_of_a_form_does_not_pass_as_a_nonce() -> None:
    captured = callback(RECORDING_ENDED_2012)
    form = RECORDING_ENDED_2012 | {"record_url": "http://s3"}
    end = "amazonaws.com/recordings_2013/93bc7c6a-3b2b-11e3.mp3"
    forged = forge(captured, body=as_form(form), headers=captured["headers"] | {V3_NONCE: f"{end}.{NONCE}"})
    with pytest.raises(MalformedCallbackError, match="the nonce must not contain a dot"):
        parse_callback(**forged, auth_tokens=TOKEN)


# Readings that remain possible; docs/explanation/signatures.md describes them


def test_conference_name_may_lose_its_end_if_it_is_not_expected() -> None:
    captured = callback(RECORDING_ENDED | {"conference_name": "standup"})
    cut = {**RECORDING_ENDED, "conference_name": "stan", "dup": ""}
    forged = forge(captured, body=as_form(cut))
    assert event_of(forged) == parse_callback(
        **callback(RECORDING_ENDED | {"conference_name": "stan"}), auth_tokens=TOKEN
    )
    assert event_of(forged, conference_name="standup") is None


def test_transcript_may_lose_its_end_even_if_everything_else_is_known() -> None:
    """This needs a word that can be the name of a field between ``transcription`` and ``transcription_charge``."""
    text = TRANSCRIPTION_ENDED | {"transcription": "read the transcription2 aloud"}
    captured = callback(text)
    cut = text | {"transcription": "read the ", "transcription2": " aloud"}
    pins = {"expected_url": URL, "expected_method": "POST", "conference_name": "standup"}
    event = event_of(forge(captured, body=as_form(cut)), **pins)
    assert isinstance(event, TranscriptionEnded)
    assert event.transcription == "read the "


def test_error_message_may_lose_its_end() -> None:
    captured = callback(TRANSCRIPTION_FAILED | {"error": "too long"})
    cut = TRANSCRIPTION_FAILED | {"error": "too ", "long": ""}
    event = event_of(forge(captured, body=as_form(cut)))
    assert isinstance(event, TranscriptionEnded)
    assert event.error == "too "


def test_an_error_may_consist_of_a_field_that_plivo_added() -> None:
    captured = callback(TRANSCRIPTION_ENDED | {"mode": "auto"})
    event = event_of(forge(captured, body=as_form(TRANSCRIPTION_ENDED | {"error": "modeauto"})))
    assert isinstance(event, TranscriptionEnded)
    assert (event.error, event.transcription) == ("modeauto", "hello")


def test_free_text_may_absorb_a_field_that_plivo_added() -> None:
    captured = callback(RECORDING_ENDED | {"detail": "x"})
    event = event_of(forge(captured, body=as_form(RECORDING_ENDED | {"conference_name": "My Conf Roomdetailx"})))
    assert isinstance(event, RecordingEnded)
    assert event.conference_name == "My Conf Roomdetailx"
