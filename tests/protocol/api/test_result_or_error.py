"""The error that a response means, what the error keeps of it, and success statuses that are not a success."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.api.result_or_error import result_of
from plivo_record_async.protocol.api.results import (
    read_conference,
    read_nothing,
    read_pending,
    read_recording,
    read_recordings,
    read_started,
    read_stopped,
)
from plivo_record_async.protocol.api.retry import may_have_been_executed
from plivo_record_async.protocol.models import RecordingStopped, StartRequest, StopRequest
from tests.support.samples.responses import API_ID, CUT_OFF, HTML, STARTED, error_of, response, result

SENSELESS = {
    "empty": response(202),
    "blank": response(202, b" \r\n"),
    "an empty object": response(202, {}),
    "without api_id": response(202, {"message": "conference recording started"}),
    "api_id null": response(202, {"api_id": None}),
    "api_id empty": response(202, {"api_id": ""}),
    "api_id an object": response(202, {"api_id": {"id": API_ID}}),
    "api_id true": response(202, {"api_id": True}),
    "a list": response(202, [STARTED]),
    "a text": response(202, "conference recording started"),
    "null": response(202, b"null"),
    "HTML": response(200, HTML),
    "cut-off JSON": response(202, CUT_OFF),
    "complete JSON of an incomplete body": response(202, STARTED, complete=False),
    "no UTF-8": response(202, b"\xff\xfe\xfd"),
    "in an unknown encoding": response(202, b"\x0b\x02\x80", headers={"content-encoding": "br"}),
    "a thousand brackets": response(202, b'{"api_id": ' + b"[" * 900 + b"]" * 900 + b"}"),
}


@pytest.mark.parametrize("incoming", SENSELESS.values(), ids=SENSELESS)
@pytest.mark.parametrize("reader", [read_started, read_pending])
def test_unreadable_success_counts_as_accepted_and_keeps_its_body(incoming: Response, reader: Any) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        result(incoming, reader)
    error = caught.value
    assert (error.status, error.body, error.operation) == (incoming.status, incoming.text, "start of 'standup'")
    assert "Do not repeat it: it counts as executed" in str(error)
    assert isinstance(error.__cause__, ValueError)


def test_unreadable_success_of_a_repeatable_request_is_repeatable() -> None:
    with pytest.raises(UnexpectedResponseError, match="It is safe to repeat"):
        result(response(200, HTML), read_stopped, repeatable=True)


def test_stop_with_a_truncated_body_is_not_a_stop_without_a_body() -> None:
    with pytest.raises(UnexpectedResponseError, match="the response ended after 0 bytes"):
        result(response(204, complete=False), read_stopped)


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
def test_rejection_has_the_error_class_of_its_status(status: int, kind: type[ApiError]) -> None:
    body = {"api_id": API_ID, "error": "not today"}
    error = error_of(response(status, body), repeatable=True)
    assert type(error) is kind
    assert (error.status, error.api_id, error.message) == (status, API_ID, "not today")
    assert (json.loads(error.body), error.operation) == (body, "start of 'standup'")
    if kind is not ServerError:
        assert type(error_of(response(status, body))) is kind


PROVE_NOTHING = [100, 101, 103, 199, 300, 303, 304, 305, 306, 309, 399, 408, 419, 420, 444, 460, 498, 499]
"""Gateways use statuses of their own: https://nginx.org/en/docs/http/ngx_http_core_module.html describes 499,
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html describes 460."""


@pytest.mark.parametrize("status", [*PROVE_NOTHING, 500, 502, 503, 504, 520, 599, 999])
def test_ambiguous_status_makes_a_start_unknown(status: int) -> None:
    error = error_of(response(status, {"api_id": API_ID, "error": "oops"}))
    assert type(error) is OutcomeUnknownError
    assert (error.status, error.api_id, error.phase) == (status, API_ID, "answer")
    assert json.loads(error.body) == {"api_id": API_ID, "error": "oops"}
    assert not error.repeatable
    assert "Do not repeat it: a second start records" in str(error)


@pytest.mark.parametrize("status", PROVE_NOTHING)
def test_ambiguous_status_of_a_repeatable_request_is_repeatable(status: int) -> None:
    error = error_of(response(status, {"error": "oops"}), repeatable=True)
    assert (type(error), error.status, error.repeatable) == (OutcomeUnknownError, status, True)
    assert may_have_been_executed(error)
    assert "It is safe to repeat" in str(error)


PATH = "/v1/Account/MAXXXXXXXXXXXXXXXXXX/Conference/standup/Record/"


MOVED = [
    (f"https://api.plivo.com{PATH}", " to 'https://api.plivo.com', to which"),
    (f"https://api.plivo.com:8443{PATH}?a=b#c", " to 'https://api.plivo.com:8443', to which"),
    (f"https://gateway.example/plivo{PATH}", " to 'https://gateway.example/plivo', to which"),
    (f"http://[::1]:8080{PATH}", " to 'http://[::1]:8080', to which"),
    (f"https://user:secret@api.plivo.com{PATH}", " to 'https://api.plivo.com', to which"),
    (f" https://api.plivo.com{PATH} ", " to 'https://api.plivo.com', to which"),
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
    error = error_of(response(status, HTML, headers={"location": location}), repeatable=repeatable)
    assert type(error) is ApiError
    assert f"It was not executed. Correct base_url (PLIVO_BASE_URL){advice}" in str(error)
    assert "secret" not in str(error)


def test_long_redirect_target_is_shortened() -> None:
    assert len(str(error_of(response(301, headers={"location": f"https://h/{'x' * 10_000}"})))) < 1_000


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
        result(response(status, body), reader)
    error = caught.value
    assert (error.status, json.loads(error.body), error.message) == (status, body, words)
    assert (error.api_id, error.recording_id, error.url) == (API_ID, STARTED["recording_id"], STARTED["url"])
    assert f"but the response contains an error: {words}, api_id {API_ID}. Do not repeat it: it may have" in str(error)


@pytest.mark.parametrize(
    "nothing", [None, "", "  ", False, 0, 0.0, {}, [], [None, ""], {"error": None}, {"message": ""}]
)
def test_empty_error_field_counts_as_no_error(nothing: object) -> None:
    body = {**STARTED, "error": nothing}
    started = result(response(202, body))
    assert (started.recording_id, started.raw) == (STARTED["recording_id"], body)


def test_error_of_a_repeatable_request_is_repeatable() -> None:
    with pytest.raises(UnexpectedResponseError, match="It is safe to repeat"):
        result(response(200, {"error": "not found"}), read_stopped, repeatable=True)


KEPT: dict[str, Response] = {
    "cut off": response(202, json.dumps(STARTED).encode()[:-4], complete=False),
    "whole, but its end did not come": response(202, json.dumps(STARTED).encode(), complete=False),
    "in a list": response(202, [STARTED]),
    "within HTML": response(200, b"<pre>" + json.dumps(STARTED).encode()),
}


@pytest.mark.parametrize("incoming", KEPT.values(), ids=KEPT)
@pytest.mark.parametrize("reader", [read_started, read_pending])
def test_ids_of_an_unreadable_response_are_kept(incoming: Response, reader: Any) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        result(incoming, reader)
    error = caught.value
    assert (error.api_id, error.recording_id, error.message) == (API_ID, STARTED["recording_id"], None)


def test_recording_id_is_kept_without_an_api_id() -> None:
    with pytest.raises(UnexpectedResponseError, match="no valid 'api_id'") as caught:
        result(response(202, STARTED | {"api_id": None}))
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
def test_message_of_a_rejection_is_found_in_any_field(body: object, words: str) -> None:
    error = error_of(response(404, body))
    assert error.message == words
    assert words in str(error)
    assert error.body == response(404, body).text


def test_unknown_status_without_a_body_has_no_message() -> None:
    assert "Plivo answered 499 (no reason given)" in str(error_of(response(499)))


@pytest.mark.parametrize("api_id", [None, "", True, ["a"]])
def test_api_id_is_text_or_none(api_id: object) -> None:
    error = error_of(response(404, {"api_id": api_id, "error": "not found"}))
    assert error.api_id is None
    assert "api_id" not in str(error)


@given(
    st.builds(
        response,
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
def test_any_response_is_a_value_or_an_error_of_the_package(incoming: Response, reader: Any, repeatable: bool) -> None:
    try:
        result(incoming, reader, repeatable=repeatable)
    except PlivoRecordError:
        return
    assert incoming.is_success


@pytest.mark.parametrize("depth", range(50, 1_000, 50))
@pytest.mark.parametrize("nest", [("[", "]"), ('{"error":', "}"), ('{"x":', "}")])
def test_deeply_nested_response_raises_no_recursion_error(depth: int, nest: tuple[str, str]) -> None:
    opening, closing = nest
    body = f'{{"error": {opening * depth}1{closing * depth}}}'.encode()
    assert isinstance(error_of(response(400, body)), BadRequestError)
    assert isinstance(error_of(response(202, body.replace(b"error", b"api_id", 1))), UnexpectedResponseError)


@pytest.mark.parametrize("status", [code for code in HTTPStatus if code not in range(200, 300)])
def test_only_2xx_counts_as_success(status: HTTPStatus) -> None:
    assert not Response(status=status).is_success
    assert isinstance(error_of(response(status)), PlivoRecordError)


def test_a_429_keeps_the_time_to_wait() -> None:
    error = error_of(response(429, headers={"retry-after": "7"}))
    assert (type(error), error.retry_after) == (RateLimitError, 7.0)


@pytest.mark.parametrize("incoming", [response(503), response(202, HTML)])
def test_an_error_of_a_tracked_start_names_it(incoming: Response) -> None:
    request = endpoints.start_recording(StartRequest("standup"), start_id="start-1")
    with pytest.raises(PlivoRecordError) as caught:
        result_of(request, incoming)
    assert isinstance(caught.value, OutcomeUnknownError | UnexpectedResponseError)
    assert caught.value.start_id == "start-1"


@pytest.mark.parametrize("may_be_already_executed", [False, True])
def test_a_404_may_mean_that_an_earlier_attempt_was_executed(may_be_already_executed: bool) -> None:
    request = endpoints.stop_recording(StopRequest("standup"))
    if may_be_already_executed:
        assert result_of(request, response(404), may_be_already_executed=True) == RecordingStopped()
    else:
        with pytest.raises(NotFoundError):
            result_of(request, response(404))
