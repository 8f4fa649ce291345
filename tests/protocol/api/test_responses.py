"""Every shape of answer that is documented or was seen, as a table: what comes in, what comes out."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plivo_record_async.protocol.api.responses import (
    Page,
    Reply,
    read,
    read_already_stopped,
    read_conference,
    read_conference_names,
    read_nothing,
    read_pending,
    read_recording,
    read_recordings,
    read_started,
    read_stopped,
)

from plivo_record_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    MethodNotAllowedError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlivoRecordError,
    RateLimitError,
    ServerError,
    UnexpectedResponseError,
)
from plivo_record_async.protocol.api.retry import leaves_doubt
from plivo_record_async.protocol.api.wire import structure
from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

API_ID = "2867b6e2-58c3-11e1-86da-adf28403fe48"

# The answer in the tests of the official SDKs, and the one of the oldest documentation, without recording_id:
# http://plivo.com/docs/api/conference/record/
STARTED = {
    "api_id": API_ID,
    "message": "conference recording started",
    "recording_id": "93bc7c6a-3b2b-11e3",
    "url": "http://s3.amazonaws.com/recordings_2013/93bc7c6a-3b2b-11e3.mp3",
}
OLD_STARTED = {name: value for name, value in STARTED.items() if name != "recording_id"}
# https://docs.plivo.com/docs/voice/api/request/asynchronous-request
SPAWNED = {"message": "async api spawned", "api_id": API_ID}
STOPPED = {"message": "conference recording stopped", "api_id": API_ID}

HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
CUT_OFF = b'{"api_id": "2867b6e2-58c3-11e1-86da-adf28403fe48", "err'


def reply(status: int, body: object = b"", **more: Any) -> Reply:
    return Reply(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode(), **more)


def answer(incoming: Reply, reader: Any = read_started, *, repeatable: bool = False) -> Any:
    return read(incoming, reader, "start of 'standup'", repeatable=repeatable)


def refusal(incoming: Reply, *, repeatable: bool = False) -> Any:
    with pytest.raises(PlivoRecordError) as caught:
        answer(incoming, repeatable=repeatable)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 206, 207])
@pytest.mark.parametrize("body", [STARTED, OLD_STARTED, STARTED | {"recording_id": None}, {"api_id": API_ID}, SPAWNED])
def test_start_is_accepted_with_any_success_status_and_missing_fields(status: int, body: dict[str, str]) -> None:
    started = answer(reply(status, body))
    assert started == RecordingStarted(
        api_id=API_ID, message=body.get("message"), url=body.get("url"), recording_id=body.get("recording_id")
    )
    assert started.raw == body


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("body", [SPAWNED, STARTED, {"api_id": API_ID}])
def test_asynchronous_mode_returns_only_the_api_id(status: int, body: dict[str, str]) -> None:
    assert answer(reply(status, body), read_pending) == PendingResponse(API_ID)


@pytest.mark.parametrize(
    ("incoming", "stopped"),
    [
        (reply(204), RecordingStopped()),
        (reply(204, b"\r\n"), RecordingStopped()),
        (reply(204, {}), RecordingStopped()),
        (reply(200), RecordingStopped()),
        (reply(204, STOPPED), RecordingStopped(api_id=API_ID, message="conference recording stopped")),
        (reply(202, STOPPED), RecordingStopped(api_id=API_ID, message="conference recording stopped")),
        (reply(202, SPAWNED), RecordingStopped(api_id=API_ID, message="async api spawned")),
    ],
)
def test_a_stop_is_accepted_with_and_without_a_body(incoming: Reply, stopped: RecordingStopped) -> None:
    assert answer(incoming, read_stopped) == stopped


SENSELESS = {
    "empty": reply(202),
    "blank": reply(202, b" \r\n"),
    "an empty object": reply(202, {}),
    "without api_id": reply(202, {"message": "conference recording started"}),
    "api_id null": reply(202, {"api_id": None}),
    "api_id empty": reply(202, {"api_id": ""}),
    "api_id an object": reply(202, {"api_id": {"id": API_ID}}),
    "api_id true": reply(202, {"api_id": True}),
    "a list": reply(202, [STARTED]),
    "a text": reply(202, "conference recording started"),
    "null": reply(202, b"null"),
    "HTML": reply(200, HTML),
    "cut-off JSON": reply(202, CUT_OFF),
    "complete JSON of an incomplete body": reply(202, STARTED, complete=False),
    "no UTF-8": reply(202, b"\xff\xfe\xfd"),
    "in an unknown encoding": reply(202, b"\x0b\x02\x80", headers={"content-encoding": "br"}),
    "a thousand brackets": reply(202, b'{"api_id": ' + b"[" * 900 + b"]" * 900 + b"}"),
}


@pytest.mark.parametrize("incoming", SENSELESS.values(), ids=SENSELESS)
@pytest.mark.parametrize("reader", [read_started, read_pending])
def test_unreadable_success_counts_as_accepted_and_keeps_its_body(incoming: Reply, reader: Any) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        answer(incoming, reader)
    error = caught.value
    assert (error.status, error.body, error.operation) == (incoming.status, incoming.text, "start of 'standup'")
    assert "Do not repeat it: it counts as executed" in str(error)
    assert isinstance(error.__cause__, ValueError)


def test_unreadable_success_of_a_repeatable_request_is_repeatable() -> None:
    with pytest.raises(UnexpectedResponseError, match="It is safe to repeat"):
        answer(reply(200, HTML), read_stopped, repeatable=True)


def test_stop_with_a_truncated_body_is_not_a_stop_without_a_body() -> None:
    with pytest.raises(UnexpectedResponseError, match="cut off after 0 bytes"):
        answer(reply(204, complete=False), read_stopped)


KINDS = {
    301: ApiError,
    302: ApiError,
    307: ApiError,
    308: ApiError,
    400: BadRequestError,
    401: AuthenticationError,
    402: ApiError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    406: ApiError,
    409: BadRequestError,
    418: ApiError,
    422: BadRequestError,
    429: RateLimitError,
    451: ApiError,
    500: ServerError,
    502: ServerError,
    503: ServerError,
    504: ServerError,
    599: ServerError,
    999: ServerError,
}


@pytest.mark.parametrize(("status", "kind"), KINDS.items())
def test_refusal_has_the_error_class_of_its_status(status: int, kind: type[ApiError]) -> None:
    body = {"api_id": API_ID, "error": "not today"}
    error = refusal(reply(status, body), repeatable=True)
    assert type(error) is kind
    assert (error.status, error.api_id, error.message) == (status, API_ID, "not today")
    assert (json.loads(error.body), error.operation) == (body, "start of 'standup'")
    if kind is not ServerError:
        assert type(refusal(reply(status, body))) is kind


PROVE_NOTHING = [100, 101, 103, 199, 300, 303, 304, 305, 306, 309, 399, 408, 419, 420, 444, 460, 498, 499]
"""Gateways use statuses of their own: https://nginx.org/en/docs/http/ngx_http_core_module.html knows 499,
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html knows 460."""


@pytest.mark.parametrize("status", [*PROVE_NOTHING, 500, 502, 503, 504, 520, 599, 999])
def test_ambiguous_status_makes_a_start_unknown(status: int) -> None:
    error = refusal(reply(status, {"api_id": API_ID, "error": "oops"}))
    assert type(error) is OutcomeUnknownError
    assert (error.status, error.api_id, error.phase) == (status, API_ID, "answer")
    assert json.loads(error.body) == {"api_id": API_ID, "error": "oops"}
    assert not error.repeatable
    assert "Do not repeat it: a second start records" in str(error)


@pytest.mark.parametrize("status", PROVE_NOTHING)
def test_ambiguous_status_of_a_repeatable_request_is_repeatable(status: int) -> None:
    error = refusal(reply(status, {"error": "oops"}), repeatable=True)
    assert (type(error), error.status, error.repeatable) == (OutcomeUnknownError, status, True)
    assert leaves_doubt(error)
    assert "It is safe to repeat" in str(error)


PATH = "/v1/Account/MAXXXXXXXXXXXXXXXXXX/Conference/standup/Record/"
MOVED = [
    (f"https://api.plivo.com{PATH}", " to 'https://api.plivo.com', where"),
    (f"https://api.plivo.com:8443{PATH}?a=b#c", " to 'https://api.plivo.com:8443', where"),
    (f"https://gateway.example/plivo{PATH}", " to 'https://gateway.example/plivo', where"),
    (f"http://[::1]:8080{PATH}", " to 'http://[::1]:8080', where"),
    (f"https://user:secret@api.plivo.com{PATH}", " to 'https://api.plivo.com', where"),
    (f" https://api.plivo.com{PATH} ", " to 'https://api.plivo.com', where"),
    (f"//api.plivo.com{PATH}", ": requests are redirected to '//api.plivo.com/v1/"),
    ("https://login.example/sso?token=secret#secret", ": requests are redirected to 'https://login.example/sso'."),
    ("/login?next=secret", ": requests are redirected to '/login'."),
    ("https://h/\x1b[31m", ": requests are redirected to 'https://h/\\x1b[31m'."),
    ("", ": something other than Plivo's API may be answering."),
    ("https://[v1.a", ": something other than Plivo's API may be answering."),
]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(("location", "advice"), MOVED, ids=range(len(MOVED)))
@pytest.mark.parametrize("repeatable", [False, True])
def test_redirect_error_names_the_base_url_to_correct(
    status: int, location: str, advice: str, repeatable: bool
) -> None:
    error = refusal(reply(status, HTML, headers={"location": location}), repeatable=repeatable)
    assert type(error) is ApiError
    assert f"It was not executed. Correct base_url (PLIVO_BASE_URL){advice}" in str(error)
    assert "secret" not in str(error)


def test_long_redirect_target_is_shortened() -> None:
    assert len(str(refusal(reply(301, headers={"location": f"https://h/{'x' * 10_000}"})))) < 1_000


# A success that is none


PROBLEMS: list[tuple[object, str]] = [
    ("conference not found", "conference not found"),
    ({"error": "conference not found"}, "conference not found"),
    (["no", {"message": "luck"}], "no; luck"),
    (True, "True"),
    (17, "17"),
    ({"code": 17}, "{'code': 17}"),
]


@pytest.mark.parametrize(
    "reader", [read_started, read_pending, read_stopped, read_recording, read_recordings, read_nothing]
)
@pytest.mark.parametrize(("problem", "words"), PROBLEMS)
@pytest.mark.parametrize("status", [200, 202, 204])
def test_success_status_with_an_error_is_an_unexpected_response(
    reader: Any, problem: object, words: str, status: int
) -> None:
    body: dict[str, Any] = {**STARTED, "objects": [], "error": problem}
    with pytest.raises(UnexpectedResponseError) as caught:
        answer(reply(status, body), reader)
    error = caught.value
    assert (error.status, json.loads(error.body), error.message) == (status, body, words)
    assert (error.api_id, error.recording_id, error.url) == (API_ID, STARTED["recording_id"], STARTED["url"])
    assert f"but its answer carries an error: {words}, api_id {API_ID}. Do not repeat it: it may have" in str(error)


@pytest.mark.parametrize(
    "nothing", [None, "", "  ", False, 0, 0.0, {}, [], [None, ""], {"error": None}, {"message": ""}]
)
def test_empty_error_field_counts_as_no_error(nothing: object) -> None:
    body = {**STARTED, "error": nothing}
    started = answer(reply(202, body))
    assert (started.recording_id, started.raw) == (STARTED["recording_id"], body)


def test_error_of_a_repeatable_request_is_repeatable() -> None:
    with pytest.raises(UnexpectedResponseError, match="It is safe to repeat"):
        answer(reply(200, {"error": "not found"}), read_stopped, repeatable=True)


# What can be read is kept


READABLE: dict[str, Reply] = {
    "gzip": reply(202, gzip.compress(json.dumps(STARTED).encode()), headers={"content-encoding": "gzip"}),
    "deflate": reply(202, zlib.compress(json.dumps(STARTED).encode()), headers={"content-encoding": "deflate"}),
    "a byte order mark": reply(202, json.dumps(STARTED).encode("utf-8-sig")),
    "UTF-16": reply(202, json.dumps(STARTED).encode("utf-16")),
    "a comment behind it": reply(202, json.dumps(STARTED).encode() + b"<!-- cache 7 -->"),
    "unknown numbers": reply(202, json.dumps(STARTED | {"x": float("nan")}).encode()),
}


@pytest.mark.parametrize("incoming", READABLE.values(), ids=READABLE)
def test_answer_to_a_start_is_read_in_any_encoding(incoming: Reply) -> None:
    assert answer(incoming) == structure(STARTED, RecordingStarted)


def test_latin_1_body_is_read() -> None:
    started = answer(reply(202, '{"api_id": "a", "recording_id": "r", "message": "démarré"}'.encode("latin-1")))
    assert started == RecordingStarted(api_id="a", recording_id="r", message="démarré")


KEPT: dict[str, Reply] = {
    "cut off": reply(202, json.dumps(STARTED).encode()[:-4], complete=False),
    "whole, but its end did not come": reply(202, json.dumps(STARTED).encode(), complete=False),
    "in a list": reply(202, [STARTED]),
    "within HTML": reply(200, b"<pre>" + json.dumps(STARTED).encode()),
}


@pytest.mark.parametrize("incoming", KEPT.values(), ids=KEPT)
@pytest.mark.parametrize("reader", [read_started, read_pending])
def test_ids_of_an_unreadable_answer_are_kept(incoming: Reply, reader: Any) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        answer(incoming, reader)
    error = caught.value
    assert (error.api_id, error.recording_id, error.message) == (API_ID, STARTED["recording_id"], None)


def test_recording_id_is_kept_without_an_api_id() -> None:
    with pytest.raises(UnexpectedResponseError, match="no usable 'api_id'") as caught:
        answer(reply(202, STARTED | {"api_id": None}))
    assert (caught.value.api_id, caught.value.recording_id) == (None, STARTED["recording_id"])


WORDS: list[tuple[object, str]] = [
    ({"api_id": API_ID, "error": "not found"}, "not found"),
    ({"error": "  authentication credentials were not provided\n"}, "authentication credentials were not provided"),
    ({"error": {"error": "nested"}}, "nested"),
    ({"error": {"message": "nested"}}, "nested"),
    ({"error": {"error": {"error": ["deep", {"message": "down"}]}}}, "deep; down"),
    ({"error": ["one", "two"]}, "one; two"),
    ({"error": [None, "", "two"]}, "two"),
    ({"error": [], "message": "said otherwise"}, "said otherwise"),
    ({"error": None, "message": "said otherwise"}, "said otherwise"),
    ({"error": {"callback_url": "invalid"}}, "{'callback_url': 'invalid'}"),
    ({"error": 17}, "17"),
    ({"message": "only a message"}, "only a message"),
    ({"api_id": API_ID}, "Not Found"),
    ({"api_id": API_ID, "error": ""}, "Not Found"),
    ({}, "Not Found"),
    (b"", "Not Found"),
    (b" \r\n", "Not Found"),
    (HTML, HTML.decode()),
    (b"HTML" * 1_000, "HTML" * 50),
    (CUT_OFF, CUT_OFF.decode()),
    ("just a text", '"just a text"'),
    ([1, 2], "[1, 2]"),
    (b"\xff", "ÿ"),
]


@pytest.mark.parametrize(("body", "words"), WORDS)
def test_message_of_a_refusal_is_found_in_any_field(body: object, words: str) -> None:
    error = refusal(reply(404, body))
    assert error.message == words
    assert words in str(error)
    assert error.body == reply(404, body).text


def test_unknown_status_without_a_body_has_no_message() -> None:
    assert "Plivo answered 499 (no reason given)" in str(refusal(reply(499)))


@pytest.mark.parametrize("api_id", [None, "", True, ["a"]])
def test_api_id_is_text_or_none(api_id: object) -> None:
    error = refusal(reply(404, {"api_id": api_id, "error": "not found"}))
    assert error.api_id is None
    assert "api_id" not in str(error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("3", 3.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10.0),
        ("Friday, 02-Jan-26 03:04:15 GMT", 10.0),
        ("Fri Jan  2 03:04:15 2026", 10.0),
        ("Fri, 02 Jan 2026 03:04:15 -0000", 10.0),
        ("Fri, 02 Jan 2026 08:34:15 +0530", 10.0),
        ("Fri, 02 Jan 2026 03:03:05 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.2.3", None),
        (".", None),
        ("²", None),
        ("1e3", None),
        ("inf", None),
        ("Fri, 99 Jan 2026 03:04:15 GMT", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2020 00:00:99999999999999 GMT", None),
        ("1 Jan 2020 1:1:1 +99999999999999999", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(value: str, seconds: float | None) -> None:
    assert refusal(reply(429, headers={"retry-after": value}, received_at=NOW)).retry_after == seconds


def test_retry_after_is_optional() -> None:
    assert refusal(reply(429, received_at=NOW)).retry_after is None


def test_date_in_retry_after_is_ignored_without_the_time_of_the_answer() -> None:
    assert reply(429, headers={"retry-after": "Fri, 02 Jan 2026 03:04:15 GMT"}).retry_after is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ Jan \d+ \d+:\d+:\d+ ([+-]\d+|GMT)"))
@example("0 1 2 3 4 5")
def test_any_retry_after_is_read_without_an_error(value: str) -> None:
    seconds = reply(429, headers={"retry-after": value}, received_at=NOW).retry_after
    assert seconds is None or seconds >= 0


@given(
    st.builds(
        reply,
        st.integers(100, 999),
        st.binary()
        | st.dictionaries(
            st.sampled_from(["api_id", "error", "message", "url", "recording_id", "objects", "conferences"]),
            st.recursive(
                st.none() | st.booleans() | st.floats() | st.text(),
                lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["error", "message", "x"]), inner),
                max_leaves=5,
            ),
        ),
        complete=st.booleans(),
    ),
    st.sampled_from([read_started, read_stopped, read_pending, read_recording, read_recordings, read_conference]),
    st.booleans(),
)
def test_any_answer_is_a_value_or_an_error_of_the_package(incoming: Reply, reader: Any, repeatable: bool) -> None:
    try:
        answer(incoming, reader, repeatable=repeatable)
    except PlivoRecordError:
        return
    assert incoming.ok


@pytest.mark.parametrize("depth", range(50, 1_000, 50))
@pytest.mark.parametrize("nest", [("[", "]"), ('{"error":', "}"), ('{"x":', "}")])
def test_deeply_nested_answer_raises_no_recursion_error(depth: int, nest: tuple[str, str]) -> None:
    opening, closing = nest
    body = f'{{"error": {opening * depth}1{closing * depth}}}'.encode()
    assert isinstance(refusal(reply(400, body)), BadRequestError)
    assert isinstance(refusal(reply(202, body.replace(b"error", b"api_id", 1))), UnexpectedResponseError)


@pytest.mark.parametrize("status", [code for code in HTTPStatus if code not in range(200, 300)])
def test_only_2xx_counts_as_success(status: HTTPStatus) -> None:
    assert not Reply(status=status).ok
    assert isinstance(refusal(reply(status)), PlivoRecordError)


def test_stop_of_a_stopped_recording() -> None:
    assert read_already_stopped(reply(404, {"api_id": API_ID, "error": "x"})) == RecordingStopped(api_id=API_ID)
    assert read_already_stopped(reply(404, HTML)) == RecordingStopped()


def test_deletion_returns_none() -> None:
    answer(reply(204), read_nothing)
    assert isinstance(refusal(reply(404)), NotFoundError)


def test_recordings_and_conferences_are_read() -> None:
    assert answer(reply(200, {"recording_id": "r"}), read_recording) == Recording(recording_id="r")
    conference: dict[str, Any] = {"conference_name": "standup", "members": []}
    assert answer(reply(200, conference), read_conference) == Conference(conference_name="standup")
    names = {"api_id": API_ID, "conferences": ["My Conf Room"]}
    assert answer(reply(200, names), read_conference_names) == ["My Conf Room"]


ROW = {"recording_id": "r"}


PAGES: dict[str, tuple[dict[str, Any], Page]] = {
    "as documented": (
        {"meta": {"limit": 20, "next": "/x?offset=20", "offset": 0, "total_count": 21}, "objects": [ROW]},
        Page(rows=(Recording(recording_id="r"),), next="/x?offset=20", limit=20, total=21),
    ),
    "the last": (
        {"meta": {"limit": "5", "next": None, "total_count": "1.0"}, "objects": [ROW]},
        Page(rows=(Recording(recording_id="r"),), ends=True, limit=5, total=1),
    ),
    "an odd meta": (
        {"meta": {"limit": "many", "next": ["x"], "total_count": -1}, "objects": []},
        Page(),
    ),
    "no object as meta": ({"meta": [], "objects": []}, Page()),
    "no meta": ({"objects": []}, Page()),
    "no rows, as Go writes them": ({"objects": None}, Page()),
    "odd rows": (
        {"objects": [None, 17, [ROW], {}, ROW, {"recording_id": None, "add_time": "soon"}]},
        Page(rows=(*[Recording()] * 4, Recording(recording_id="r"), Recording())),
    ),
}


@pytest.mark.parametrize(("body", "page"), PAGES.values(), ids=PAGES)
def test_pages_of_recordings_are_read(body: dict[str, Any], page: Page) -> None:
    assert answer(reply(200, body), read_recordings) == page


def test_row_keeps_all_its_fields_in_raw() -> None:
    objects: list[Any] = [None, 17, {"x": 1}]
    rows = answer(reply(200, {"objects": objects}), read_recordings).rows
    assert [row.raw for row in rows] == [{"row": None}, {"row": 17}, {"x": 1}]


def test_malformed_conference_names_do_not_hide_the_others() -> None:
    names: dict[str, Any] = {"conferences": ["a", None, 17, True, {}, ""]}
    assert answer(reply(200, names), read_conference_names) == ["a", "17"]


SENSELESS_LISTS: list[tuple[Any, dict[str, Any], str]] = [
    (read_recordings, {}, "its 'objects' is not a list: None"),
    (read_recordings, {"objects": "none"}, "its 'objects' is not a list: 'none'"),
    (read_recordings, {"objects": {"recording_id": "r"}}, "its 'objects' is not a list"),
    (read_conference_names, {"conferences": 17}, "its 'conferences' is not a list"),
    (read_conference, {"members": []}, "no usable 'conference_name'"),
    (read_conference, {"conference_name": True}, "no usable 'conference_name'"),
]


@pytest.mark.parametrize(("reader", "body", "words"), SENSELESS_LISTS)
def test_unreadable_list_raises_unexpected_response_error(reader: Any, body: dict[str, Any], words: str) -> None:
    with pytest.raises(UnexpectedResponseError, match=words):
        answer(reply(200, body), reader, repeatable=True)
