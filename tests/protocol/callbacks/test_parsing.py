"""Parsing of a request into an event: which requests are rejected, and why."""

from __future__ import annotations

import io
import json
import os
from collections import UserDict
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers
from werkzeug.datastructures import EnvironHeaders

from plivo_record_async.errors import (
    CallbackRejectedError,
    ConfigurationError,
    MalformedCallbackError,
    SignatureMismatchError,
    SignatureMissingError,
)
from plivo_record_async.protocol.callbacks.diagnostics import explain_signature
from plivo_record_async.protocol.callbacks.parsing import parse_callback, read_form, verify_callback
from plivo_record_async.protocol.callbacks.signatures import sign_callback_v3
from plivo_record_async.protocol.callbacks.urlencoded import read_pairs
from plivo_record_async.protocol.models import ApiResponse, RecordingEnded, TranscriptionEnded, UnknownCallback
from tests.support.samples.callbacks import (
    MA_V3,
    NONCE,
    RECORDING_ENDED,
    TOKEN,
    TRANSCRIPTION_ENDED,
    URL,
    V3,
    V3_NONCE,
    Request,
    callback,
    reason_of,
)

EXAMPLES = int(os.environ.get("CALLBACK_EXAMPLES", "500"))
"""How many random requests are tried. ``CALLBACK_EXAMPLES=20000`` tries more."""

KINDS = [
    (RECORDING_ENDED, RecordingEnded),
    (TRANSCRIPTION_ENDED, TranscriptionEnded),
    ({"response": '{"api_id": "1", "message": "conference recording started"}'}, ApiResponse),
    ({"Event": "Ünknown", "&": "=", "": "+ %"}, UnknownCallback),
]


def changed(request: Request, **changes: Any) -> Any:
    return {**request, **changes}


# Accepted requests


@pytest.mark.parametrize(("fields", "kind"), KINDS)
@pytest.mark.parametrize("url", ["https://h", "https://h/", "http://h:8080/cb", URL])
def test_each_kind_of_callback_is_parsed_from_a_post(fields: dict[str, str], kind: type, url: str) -> None:
    event = parse_callback(**callback(fields, url=url), auth_tokens=TOKEN)
    assert (type(event), event.raw) == (kind, fields)


@pytest.mark.parametrize(("fields", "kind"), KINDS)
@pytest.mark.parametrize("url", ["https://h/", "http://h:8080/cb", URL])
def test_each_kind_of_callback_is_parsed_from_a_get(fields: dict[str, str], kind: type, url: str) -> None:
    event = parse_callback(**callback(fields, method="GET", url=url), auth_tokens=TOKEN)
    own = {"start": "8f3a"} if url == URL else {}
    assert (type(event), event.raw) == (kind, fields | own)


def test_query_of_a_post_is_not_read_as_fields() -> None:
    url = "https://h/cb?duration=mine&duration=again&message=record_done&Ünicode=%C3%BC"
    event = parse_callback(**callback(TRANSCRIPTION_ENDED, url=url), auth_tokens=TOKEN)
    assert isinstance(event, TranscriptionEnded)
    assert event.raw == TRANSCRIPTION_ENDED


def test_form_of_a_get_counts_as_part_of_its_fields() -> None:
    """The official SDK signs it so. A form that repeats a name of the query is not signed and not trusted."""
    request = callback(RECORDING_ENDED, url="https://h/cb?a=1")
    signature = sign_callback_v3("GET", request["url"], RECORDING_ENDED, NONCE, TOKEN)
    get = changed(request, method="GET", headers={V3: signature, V3_NONCE: NONCE})
    assert parse_callback(**get, auth_tokens=TOKEN).raw == {"a": "1"} | RECORDING_ENDED
    event = parse_callback(**changed(get, body=get["body"] + b"&a=2"), auth_tokens=TOKEN)
    assert event == UnknownCallback(raw={"a": "1"} | RECORDING_ENDED)
    assert reason_of(event) == "its form repeats 'a' of its query, which is not signed"


def test_method_is_read_in_any_case() -> None:
    for method in ("POST", "GET"):
        request = callback(RECORDING_ENDED, method=method)
        assert parse_callback(**changed(request, method=method.lower()), auth_tokens=TOKEN).raw.items() >= (
            RECORDING_ENDED.items()
        )


@pytest.mark.parametrize("make", [dict, UserDict, Headers])
@pytest.mark.parametrize("case", [str, str.lower, str.upper, str.title])
def test_headers_are_any_mapping_with_names_in_any_case(make: Any, case: Any) -> None:
    request = callback(RECORDING_ENDED)
    headers = make({case(name): value for name, value in request["headers"].items()})
    assert parse_callback(**changed(request, headers=headers), auth_tokens=TOKEN).raw == RECORDING_ENDED


@pytest.mark.parametrize("case", [str, str.lower])
@pytest.mark.parametrize("make", [dict, UserDict, EnvironHeaders])
def test_header_names_may_be_those_of_wsgi(make: Any, case: Any) -> None:
    """Django's ``request.META`` also contains other values."""
    request = callback(RECORDING_ENDED)
    environ: dict[str, Any] = {f"HTTP_{name.upper().replace('-', '_')}": v for name, v in request["headers"].items()}
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
    environ |= {"wsgi.input": io.BytesIO(), "wsgi.version": (1, 0), "SERVER_PORT": 80, "HTTP_ACCEPT": "*/*"}
    headers = make(environ) if make is EnvironHeaders else make({case(name): v for name, v in environ.items()})
    assert parse_callback(**changed(request, headers=headers), auth_tokens=TOKEN).raw == RECORDING_ENDED
    assert explain_signature(**changed(request, headers=headers), auth_tokens=TOKEN).ok
    json_body = {**environ, "CONTENT_TYPE": "application/json"}
    with pytest.raises(MalformedCallbackError, match="cannot be verified"):
        parse_callback(**changed(request, headers=json_body), auth_tokens=TOKEN)
    without = {**environ, "CONTENT_TYPE": ""}
    assert parse_callback(**changed(request, headers=without), auth_tokens=TOKEN).raw == RECORDING_ENDED


@pytest.mark.parametrize("header", [V3, MA_V3])
@pytest.mark.parametrize("tokens", [TOKEN, [TOKEN], ["new", TOKEN], ("subaccount's", "old", TOKEN)])
def test_signature_of_any_auth_token_is_accepted(header: str, tokens: Any) -> None:
    request = callback(RECORDING_ENDED, header=header)
    assert parse_callback(**request, auth_tokens=tokens).raw == RECORDING_ENDED


@pytest.mark.parametrize("separator", [",", ", "])
def test_two_signatures_are_accepted_during_rotation(separator: str) -> None:
    request = callback(RECORDING_ENDED)
    old, new = callback(RECORDING_ENDED, token="old")["headers"][V3], request["headers"][V3]
    headers = {**request["headers"], V3: separator.join([old, new])}
    for token in ("old", TOKEN):
        assert parse_callback(**changed(request, headers=headers), auth_tokens=token).raw == RECORDING_ENDED


def test_version_2_signature_counts_only_on_request() -> None:
    """The test vector is from plivo-python. Version 2 does not cover the body."""
    headers = {
        "X-Plivo-Signature-V2": "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc=",
        "X-Plivo-Signature-V2-Nonce": "12345",
    }
    request = Request(
        method="POST", url="https://answer.url", headers=headers, body=urlencode(RECORDING_ENDED).encode()
    )
    with pytest.raises(SignatureMissingError, match="version 2 does not cover the body"):
        parse_callback(**request, auth_tokens="my_auth_token")
    event = parse_callback(**request, auth_tokens="my_auth_token", allow_v2=True)
    assert event.raw == RECORDING_ENDED
    with pytest.raises(SignatureMismatchError):
        parse_callback(**request, auth_tokens="my_auth_tokens", allow_v2=True)
    with pytest.raises(MalformedCallbackError, match="method must be GET or POST"):
        parse_callback(**changed(request, method="PUT"), auth_tokens="my_auth_token", allow_v2=True)
    stronger = changed(request, headers={**headers, V3: "bm90IGl0", V3_NONCE: "1"})
    with pytest.raises(SignatureMismatchError, match="x-plivo-signature-v3"):
        parse_callback(**stronger, auth_tokens="my_auth_token", allow_v2=True)


def test_all_splits_of_one_capture_have_one_digest() -> None:
    """This also holds if the method, the query, the form or the spelling of the address differs."""
    captured = callback({"a": "1", "b": "2"}, url="https://h/?q=1")

    def digest(method: str, url: str, body: bytes, **pins: Any) -> str:
        return verify_callback(method, url, captured["headers"], body, auth_tokens=["old", TOKEN], **pins).digest

    digests = {
        digest("POST", "https://h/?q=1", b"a=1&b=2"),
        digest("POST", "https://h?q=1", b"b=2&a=1"),
        digest("post", "HTTPS://h/?%71=1", b"a=1b2"),
        digest("POST", "https://h/", b"q%3D1.=a1b2"),
        digest("GET", "https://h/?q=1.a1b2", b""),
        digest("POST", "/elsewhere", b"a1=b2", expected_url="https://h/?q=1#rc=5", expected_method="POST"),
    }
    assert len(digests) == 1
    other = callback({"a": "1", "b": "2"}, url="https://h/?q=2")
    assert verify_callback(**other, auth_tokens=TOKEN).digest not in digests


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert read_form({}, b"a=\xff&b=%FF&c=%C3%BC") == [("a", "�"), ("b", "�"), ("c", "ü")]


# Pinned values

PINNED = "https://me.example/plivo/callback?start=8f3a&b=%C3%BC#rc=5&rp=ct,rt,5xx"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("fields", "kind"), KINDS[:3])
def test_a_callback_to_the_expected_url_is_trusted(method: Any, fields: dict[str, str], kind: type) -> None:
    """A proxy may change the scheme, the host and the path."""
    request = callback(fields, method=method, url=PINNED.partition("#")[0])
    for inner in ("http://10.0.0.7:8000/inner", "/inner", ""):
        request["url"] = f"{inner}?{request['url'].partition('?')[2]}"
        event = parse_callback(**request, auth_tokens=TOKEN, expected_url=PINNED, expected_method=method)
        assert type(event) is kind
        assert event.raw == fields | ({"start": "8f3a", "b": "ü"} if method == "GET" else {})


@pytest.mark.parametrize(
    "query", ["", "b=%FC", "b=%c3%bc&start=8f3a", "start=8f3b&b=%C3%BC", "record_url=https://evil.example", "a=1&a=2"]
)
def test_received_query_of_a_post_is_ignored_with_an_expected_url(query: str) -> None:
    request = callback(RECORDING_ENDED, url=PINNED.partition("#")[0])
    request["url"] = f"https://me.example/plivo/callback?{query}"
    assert isinstance(parse_callback(**request, auth_tokens=TOKEN, expected_url=PINNED), RecordingEnded)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "url",
    [
        PINNED.replace("8f3a", "8f3b"),
        PINNED.replace("start=8f3a&", ""),
        PINNED.replace("#", "&c=1#"),
        PINNED.replace("https", "http"),
        PINNED.replace("me.example", "you.example"),
        PINNED.replace("/callback", "/other"),
    ],
)
def test_a_callback_to_another_url_does_not_match(method: str, url: str) -> None:
    request = callback(RECORDING_ENDED, method=method, url=PINNED.partition("#")[0])
    with pytest.raises(SignatureMismatchError):
        parse_callback(**request, auth_tokens=TOKEN, expected_url=url)


def test_query_of_a_get_must_begin_with_that_of_the_expected_url() -> None:
    request = callback(RECORDING_ENDED, method="GET", url="https://h/cb?a=1&b=2")
    fields = urlencode(RECORDING_ENDED)
    for query, is_good in ((f"a=1&b=2&{fields}", True), (f"b=2&a=1&{fields}", False), (f"{fields}&a=1&b=2", False)):
        request["url"] = f"https://h/cb?{query}"
        if is_good:
            assert isinstance(
                parse_callback(**request, auth_tokens=TOKEN, expected_url="https://h/cb?a=1&b=2"), RecordingEnded
            )
        else:
            with pytest.raises(SignatureMismatchError):
                parse_callback(**request, auth_tokens=TOKEN, expected_url="https://h/cb?a=1&b=2")


def test_query_of_the_expected_url_is_not_read_as_fields() -> None:
    url = "https://h/cb?recording_id=mine&message=record_done&a=1&a=2"
    request = callback(RECORDING_ENDED, method="GET", url=url)
    event = parse_callback(**request, auth_tokens=TOKEN, expected_url=url)
    assert isinstance(event, RecordingEnded)
    assert event.recording_id == RECORDING_ENDED["recording_id"]
    assert event.raw["recording_id"] == ["mine", RECORDING_ENDED["recording_id"]]
    assert event.raw["a"] == ["1", "2"]
    assert isinstance(parse_callback(**request, auth_tokens=TOKEN), UnknownCallback)


@pytest.mark.parametrize(("method", "expected"), [("GET", "POST"), ("POST", "GET")])
def test_unexpected_method_is_not_trusted(method: Any, expected: Any) -> None:
    request = callback(RECORDING_ENDED, method=method, url="https://h/cb")
    event = parse_callback(**request, auth_tokens=TOKEN, expected_method=expected)
    assert event == UnknownCallback(raw=RECORDING_ENDED)
    assert reason_of(event) == f"its method is {method}, but {expected} was expected"
    assert isinstance(parse_callback(**request, auth_tokens=TOKEN, expected_method=method), RecordingEnded)


@pytest.mark.parametrize("fields", [RECORDING_ENDED, {"response": json.dumps(RECORDING_ENDED)}])
def test_unexpected_conference_is_not_trusted(fields: dict[str, str]) -> None:
    request = callback(fields)
    assert isinstance(parse_callback(**request, auth_tokens=TOKEN, conference_name="My Conf Room"), RecordingEnded)
    for other in ("my conf room", "My Conf", ""):
        event = parse_callback(**request, auth_tokens=TOKEN, conference_name=other)
        assert event == UnknownCallback(raw=fields)
        assert reason_of(event) == f"it reports the conference 'My Conf Room', not {other!r}"


@pytest.mark.parametrize("fields", [TRANSCRIPTION_ENDED, KINDS[2][0], RECORDING_ENDED | {"conference_name": ""}])
def test_callback_without_a_conference_name_matches_any_conference(fields: dict[str, str]) -> None:
    event = parse_callback(**callback(fields), auth_tokens=TOKEN, conference_name="standup")
    assert not isinstance(event, UnknownCallback)


@pytest.mark.parametrize("url", ["/callback", "", "ftp://h/cb", "h/cb"])
def test_an_expected_url_must_be_absolute(url: str) -> None:
    with pytest.raises(ValueError, match="url must be an absolute"):
        parse_callback(**callback(RECORDING_ENDED), auth_tokens=TOKEN, expected_url=url)


@pytest.mark.parametrize("method", ["PUT", "post", ""])
def test_an_expected_method_must_be_get_or_post(method: Any) -> None:
    with pytest.raises(ValueError, match="expected_method must be GET or POST, not"):
        parse_callback(**callback(RECORDING_ENDED), auth_tokens=TOKEN, expected_method=method)


# Odd but genuine content


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"record_url": ""}, "record_url is missing"),
        ({"record_url": "https://h/a b.mp3"}, "record_url is not an http"),
        ({"record_url": "media.plivo.com/x.mp3"}, "record_url is not an http"),
        ({"recording_duration": "None"}, "recording_duration is not a number: 'None'"),
        ({"recording_duration": "22s"}, "recording_duration is not a number: '22s'"),
        ({"recording_duration_ms": "null"}, "recording_duration_ms is not a number"),
        ({"recording_start_ms": "2014-08-05T10:39:23Z"}, "recording_start_ms is not a number"),
        ({"recording_end_ms": "9" * 18}, "recording_end_ms is out of range"),
        ({"api_id": "", "recording_id": ""}, "neither api_id nor recording_id"),
        ({"recording_id": "two words"}, "recording_id is not an ID"),
        ({"RecordUrl": "https://h/x"}, "given twice"),
        ({"error": "boom"}, "there is also an error"),
        ({"response": "not JSON"}, "response cannot be read as JSON"),
        ({"response": "[1]"}, "response is not a JSON object"),
        ({"response": '{"api_id": "1", "error": "x"}'}, "fields of its own besides those in response"),
        ({"response": '{"hello": "world"}'}, "a known kind"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_odd_content_with_a_valid_signature_is_kept(changes: dict[str, str], reason: str, method: str) -> None:
    fields = RECORDING_ENDED | changes
    event = parse_callback(**callback(fields, method=method, url="https://h/cb"), auth_tokens=TOKEN)
    assert event == UnknownCallback(raw=fields)
    assert reason in reason_of(event)
    assert json.loads(json.dumps(event.raw)) == fields


# Rejected requests


@pytest.mark.parametrize(
    "changes",
    [
        {"url": URL.replace("https", "http")},
        {"url": URL.replace("me.example", "you.example")},
        {"url": URL.replace("me.example", "me.example:443")},
        {"url": URL.replace("/callback", "/callback/")},
        {"url": URL.partition("?")[0]},
        {"url": f"{URL}&x=1"},
        {"url": URL.replace("8f3a", "8f3b")},
        {"method": "GET"},
        {"body": b""},
        {"body": urlencode(RECORDING_ENDED | {"record_url": "https://evil.example/x"}).encode()},
        {"body": urlencode(RECORDING_ENDED | {"extra": "1"}).encode()},
        {"body": urlencode(RECORDING_ENDED).encode() + b"&api_id=2"},
        {"body": b"\x00\xff"},
    ],
)
def test_changed_callback_does_not_match(changes: dict[str, Any]) -> None:
    with pytest.raises(SignatureMismatchError, match="explain_signature") as caught:
        parse_callback(**changed(callback(RECORDING_ENDED), **changes), auth_tokens=TOKEN)
    assert caught.value.status == 403
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("tokens", ["other", ["other"], [TOKEN.lower(), TOKEN[:-1]]])
def test_signature_of_another_token_does_not_match(tokens: Any) -> None:
    with pytest.raises(SignatureMismatchError):
        parse_callback(**callback(RECORDING_ENDED), auth_tokens=tokens)


@pytest.mark.parametrize("removed", [V3, V3_NONCE])
def test_unsigned_callback_raises_signature_missing_error(removed: str) -> None:
    request = callback(RECORDING_ENDED)
    headers = {name: value for name, value in request["headers"].items() if name != removed}
    with pytest.raises(SignatureMissingError) as caught:
        parse_callback(**changed(request, headers=headers, body=b"\xff", url="no url"), auth_tokens=TOKEN)
    assert caught.value.status == 403


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_body_that_is_not_a_form_is_malformed(content_type: str) -> None:
    headers = {V3: "s", V3_NONCE: "1", "content-type": content_type}
    with pytest.raises(
        MalformedCallbackError, match="cannot be verified; Plivo sends application/x-www-form"
    ) as caught:
        parse_callback("POST", URL, headers, b'{"api_id": "1"}', auth_tokens=TOKEN)
    assert caught.value.status == 400
    with pytest.raises(SignatureMissingError):
        parse_callback("POST", URL, {"content-type": content_type}, b'{"api_id": "1"}', auth_tokens=TOKEN)


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-URLencoded"]
)
def test_a_form_may_name_its_charset(content_type: str) -> None:
    request = callback(RECORDING_ENDED)
    headers = {**request["headers"], "Content-Type": content_type}
    assert parse_callback(**changed(request, headers=headers), auth_tokens=TOKEN).raw == RECORDING_ENDED


def test_empty_body_needs_no_content_type() -> None:
    request = callback({})
    headers = {**request["headers"], "Content-Type": "application/json"}
    assert parse_callback(**changed(request, headers=headers), auth_tokens=TOKEN) == UnknownCallback()


RAW_HEADERS = {name.lower().encode(): value.encode() for name, value in callback(RECORDING_ENDED)["headers"].items()}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"headers": RAW_HEADERS}, "headers must be texts, not b'"),
        ({"headers": {V3: b"x", V3_NONCE: "1"}}, "headers must be texts, not b'x'"),
        ({"headers": {V3: None, V3_NONCE: "1"}}, "headers must be texts, not None"),
        ({"body": "api_id=1"}, "body must be bytes, not str"),
        ({"body": None}, "body must be bytes, not NoneType"),
    ],
)
def test_error_names_a_body_of_the_wrong_type(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        parse_callback(**changed(callback(RECORDING_ENDED), **changes), auth_tokens=TOKEN)


@pytest.mark.parametrize("tokens", [("old", TOKEN), ["old", TOKEN], iter(["old", TOKEN]), ("\ud83d", TOKEN)])
def test_auth_tokens_may_be_any_iterable_or_a_string(tokens: Any) -> None:
    assert parse_callback(**callback(RECORDING_ENDED), auth_tokens=tokens).raw == RECORDING_ENDED


@pytest.mark.parametrize("changes", [{"method": "PUT"}, {"method": ""}, {"url": "/callback"}, {"url": ""}])
def test_invalid_method_or_url_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedCallbackError, match=r"^(method|url) must be"):
        parse_callback(**changed(callback(RECORDING_ENDED), **changes), auth_tokens=TOKEN)


@pytest.mark.parametrize("url", ["https://h/cb#", "https://h/cb?a=1#b=2", "https://h/#/cb", "#"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_url_with_a_number_sign_is_rejected_first(url: str, method: str) -> None:
    """Some servers pass on the text after it, which is not signed."""
    for expected_url in (None, "https://h/cb#rc=5"):
        with pytest.raises(MalformedCallbackError, match="has a '#', and what follows it is not signed") as caught:
            parse_callback(method, url, {}, b"", auth_tokens=TOKEN, expected_url=expected_url)
        assert caught.value.status == 400
    with pytest.raises(MalformedCallbackError, match="has a '#'"):
        explain_signature(method, url, {}, b"", auth_tokens=TOKEN)


def test_percent_encoded_number_sign_is_accepted() -> None:
    fields = RECORDING_ENDED | {"conference_name": "a#b"}
    for method in ("GET", "POST"):
        event = parse_callback(**callback(fields, method=method, url="https://h/cb?%23=%23"), auth_tokens=TOKEN)
        assert isinstance(event, RecordingEnded)
        assert event.conference_name == "a#b"


def test_a_nonce_with_a_dot_cannot_be_verified() -> None:
    request = callback(RECORDING_ENDED)
    request["headers"][V3_NONCE] = f"mp3.{NONCE}"
    with pytest.raises(MalformedCallbackError, match="the nonce must not contain a dot: 'mp3"):
        parse_callback(**request, auth_tokens=TOKEN)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_callback_with_too_many_fields_is_rejected(method: str) -> None:
    many = "&".join(["ab"] * 20_000)
    headers = {V3: "s", V3_NONCE: "1"}
    with pytest.raises(MalformedCallbackError, match="at most 500 names and values, but 20000 were received"):
        parse_callback(method, f"https://h/cb?{many}", headers, b"", auth_tokens=TOKEN)
    with pytest.raises(MalformedCallbackError, match="at most 500 names and values, but 20000 were received"):
        parse_callback("POST", "https://h/cb", headers, many.encode(), auth_tokens=TOKEN)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_repeated_names_are_kept_but_not_trusted(method: str) -> None:
    """``a=1&a=2`` has the same signature in any order, so it is not certain which value is meant."""
    twice = {"api_id": ["1", "2"], "b": ["x", "x"], "c": ["y"]}
    body = urlencode(twice, doseq=True)
    url = "https://h/cb" if method == "POST" else f"https://h/cb?{body}"
    signature = sign_callback_v3(method, url, twice if method == "POST" else {}, NONCE, TOKEN)
    headers = {V3: signature, V3_NONCE: NONCE}
    event = parse_callback(method, url, headers, body.encode() if method == "POST" else b"", auth_tokens=TOKEN)
    assert event == UnknownCallback(raw={"api_id": ["1", "2"], "b": ["x", "x"], "c": "y"})
    assert reason_of(event) == "it repeats 'api_id, b'"


@pytest.mark.parametrize(
    "cut",
    [
        {"record_ur": f"l{RECORDING_ENDED['record_url']}"},
        {f"record_url{RECORDING_ENDED['record_url'][:5]}": RECORDING_ENDED["record_url"][5:]},
    ],
)
def test_differently_split_parameters_are_rejected(cut: dict[str, str]) -> None:
    request = callback(RECORDING_ENDED)
    fields = {name: value for name, value in RECORDING_ENDED.items() if name != "record_url"} | cut
    forged = changed(request, body=urlencode(fields).encode())
    assert dict(verify_callback(**forged, auth_tokens=TOKEN).fields) == fields, "the signature alone does not tell"
    with pytest.raises(MalformedCallbackError, match="split in another place"):
        parse_callback(**forged, auth_tokens=TOKEN)


@pytest.mark.parametrize("field", ["recording_start_ms", "recording_duration_ms", "recording_duration"])
@pytest.mark.parametrize("number", ["nan", "inf", "1e999", "9" * 20, "-7", "12;", "१२"])
def test_excessive_numbers_are_kept_but_not_trusted(field: str, number: str) -> None:
    event = parse_callback(**callback(RECORDING_ENDED | {field: number}), auth_tokens=TOKEN)
    assert event == UnknownCallback(raw=RECORDING_ENDED | {field: number})
    assert reason_of(event).startswith(f"{field} is ")


@pytest.mark.parametrize("tokens", ["", [], [""], ("good", "")])
def test_missing_auth_token_raises_configuration_error(tokens: Any) -> None:
    with pytest.raises(ConfigurationError, match="auth_tokens"):
        parse_callback(**callback(RECORDING_ENDED), auth_tokens=tokens)


# Any input

text = st.text(st.characters(), max_size=20)
words = st.sampled_from(
    [*RECORDING_ENDED.items(), *TRANSCRIPTION_ENDED.items(), ("response", '{"api_id": 1}'), ("response", "[")]
)
pairs = st.lists(words | st.tuples(text.map(lambda t: t.encode(errors="replace").decode()), st.text()), max_size=8)
bodies = st.binary(max_size=60) | pairs.map(lambda fields: urlencode(fields).encode())
methods = st.sampled_from(["GET", "POST", "get", "HEAD"])
urls = st.one_of(
    text,
    st.builds("https://{}".format, text),
    pairs.map(lambda fields: f"https://h/cb?{urlencode(fields)}"),
    st.builds("https://h/{}?{}".format, text, text),
)


@settings(max_examples=EXAMPLES, deadline=None)
@pytest.mark.timeout(900)
@given(
    method=methods | text,
    url=urls,
    headers=st.dictionaries(st.sampled_from([V3, MA_V3, V3_NONCE, "Content-Type", "Host"]) | text, text),
    body=bodies,
    token=st.text(min_size=1),
    allow_v2=st.booleans(),
)
def test_nothing_unverified_becomes_an_event(
    *, method: str, url: str, headers: dict[str, str], body: bytes, token: str, allow_v2: bool
) -> None:
    with pytest.raises(CallbackRejectedError):
        parse_callback(method, url, headers, body, auth_tokens=token, allow_v2=allow_v2)


@settings(max_examples=EXAMPLES, deadline=None)
@pytest.mark.timeout(900)
@given(method=st.sampled_from(["GET", "POST"]), url=urls, form=pairs | st.binary(max_size=60))
def test_signed_callback_raises_only_errors_of_the_package(
    *, method: str, url: str, form: list[tuple[str, str]] | bytes
) -> None:
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    fields: dict[str, list[str]] = {}
    for name, value in read_form({}, body):
        fields.setdefault(name, []).append(value)
    try:
        headers = {V3: sign_callback_v3(method, url, fields, NONCE, TOKEN), V3_NONCE: NONCE}
    except ValueError:
        headers = {V3: "no such URL can be signed", V3_NONCE: NONCE}
    try:
        event = parse_callback(method, url, headers, body, auth_tokens=["other", TOKEN])
    except MalformedCallbackError:
        return
    asked = {name for name, _ in read_pairs(url.partition("?")[2])} if method == "GET" else set[str]()
    for name in fields.keys() - asked:
        assert event.raw[name] == (fields[name] if len(fields[name]) > 1 else fields[name][0])
