"""The emulator answers any bytes on a real socket, never with 5xx, and still works afterwards."""

from __future__ import annotations

import base64
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import quote, quote_from_bytes, urlsplit

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st

from plivo_record_async.emulator import Emulator

EXAMPLES = 400

# Requests


T = TypeVar("T")


def mostly(usual: st.SearchStrategy[T], unusual: st.SearchStrategy[T], *, parts: int = 8) -> st.SearchStrategy[T]:
    """The unusual in one of so many parts, and the usual in all others."""
    return st.integers(1, parts).flatmap(lambda part: unusual if part == parts else usual)


ODD_TEXT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", " ", "\0", "\ud800", "%", "%zz", "%00", "%ED%A0%80", "null", "NaN", "-1", "1e999", "9" * 4500]
    ),
    st.integers().map(str),
)
URLS = st.one_of(
    st.sampled_from(["http://127.0.0.1:9", "http://[::1]:9/", "http://u:p@127.0.0.1:9/", "http://a..b/", "http://["]),
    st.sampled_from(["http://127.0.0.1:0/", "http://127.0.0.1:99999/", "http://127.0.0.1:9:9/", "http://xn--a/"]),
    st.sampled_from(["http://127.0.0.1:9/\ud800", "http://127.0.0.1:9/\0", "http://127.0.0.1:9/ü?ü#ü"]),
    ODD_TEXT.map(lambda text: f"http://127.0.0.1:9/{text}#rc=0"),
    ODD_TEXT.map(lambda text: f"http://127.0.0.1:9/#{text}"),
)
TIMES = st.one_of(
    st.datetimes().map(str),
    st.datetimes(timezones=st.timezones()).map(str),
    st.sampled_from(
        ["0001-01-01", "0001-01-01 00:00+14:00", "0001-01-05", "9999-12-31 23:59:59-14:00", "2026-W01-1", "24:00"]
    ),
)
NAMES = (
    *("callback_method", "transcription_method", "transcription_type", "file_format", "recording_storage_duration__gt"),
    *("conference_name", "call_uuid", "subaccount", "unknown", ""),
)
PLAUSIBLE = st.one_of(ODD_TEXT, URLS, TIMES, st.sampled_from(["GET", "POST", "mp3", "wav", "20", "0", "standup"]))
JSON: st.SearchStrategy[Any] = st.recursive(
    PLAUSIBLE | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.one_of(
    st.tuples(st.sampled_from(["callback_url", "transcription_url"]), URLS),
    st.tuples(st.sampled_from(["add_time", "add_time__gt", "add_time__gte", "add_time__lt", "add_time__lte"]), TIMES),
    st.tuples(st.sampled_from(["limit", "offset"]), ODD_TEXT),
    st.tuples(st.sampled_from(NAMES), PLAUSIBLE),
)
SOME = st.lists(FIELDS, min_size=1, max_size=3)
BODIES: st.SearchStrategy[bytes] = mostly(
    SOME.map(lambda fields: json.dumps(dict(fields)).encode()),
    st.one_of(
        st.just(b""),
        st.sampled_from([b"[" * 5000, b'{"a":' * 3000]),
        JSON.map(lambda value: json.dumps(value).encode()),
        JSON.map(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")),
        JSON.flatmap(
            lambda value: st.sampled_from(["utf-16", "utf-32", "utf-8-sig"]).map(
                lambda encoding: json.dumps(value).encode(encoding)
            )
        ),
        st.sampled_from([b'{"limit":' + b"9" * 4500 + b"}", b"\xff\xfe", b"{", b"NaN"]),
        st.binary(max_size=50),
    ),
    parts=3,
)
SEGMENTS = mostly(
    st.sampled_from(["standup", "RECORDED"]),
    st.one_of(
        st.text(max_size=8).map(lambda text: quote(text.encode(errors="surrogatepass"), safe="")),
        st.binary(max_size=5).map(quote_from_bytes),
        st.sampled_from(["", "%", "%zz", "%00", "%0D%0A", "..", "%2E%2E", "%ED%A0%80", "%FF", "a%2Fb", "a%3Fb"]),
    ),
    parts=3,
)
ACCOUNT = "/v1/Account/ACCOUNT"
ENDPOINTS = st.sampled_from(
    [
        *[("POST", f"{ACCOUNT}/Conference/{{0}}/Record/")] * 4,
        *[("GET", f"{ACCOUNT}/Recording/")] * 4,
        ("DELETE", f"{ACCOUNT}/Conference/{{0}}/Record/"),
        ("GET", f"{ACCOUNT}/Conference/"),
        ("GET", f"{ACCOUNT}/Conference/{{0}}/"),
        ("GET", f"{ACCOUNT}/Recording/{{0}}/"),
        ("DELETE", f"{ACCOUNT}/Recording/{{0}}/"),
        ("GET", f"{ACCOUNT}/Recording/{{0}}.wav"),
        ("GET", "/__emulator__/state"),
        ("POST", "/__emulator__/conferences/{0}"),
        ("POST", "http://OWN/__emulator__/conferences/{0}/end"),
    ]
)
STRANGE = st.tuples(
    st.sampled_from(["GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "CONNECT", "get", "BREW", "!"]),
    st.sampled_from(
        [
            *("/v1/Account/{0}/{1}/", f"{ACCOUNT}/{{0}}/{{1}}/", f"{ACCOUNT}/Conference/{{0}}/{{1}}/"),
            *("/__emulator__/{0}/{1}", "/{0}/{1}", "/", "//", "*", "{0}:80", "{0}", "http://{0}/{1}", "http://OWN/{0}"),
        ]
    ),
)
FRAMING = {"Content-Length", "Transfer-Encoding"}
QUERIES = mostly(
    SOME.map(
        lambda pairs: "&".join(
            f"{quote(name)}={quote(value.encode(errors='surrogatepass'), safe='')}" for name, value in pairs
        )
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
)
NO_HEADERS: st.SearchStrategy[list[tuple[str, str]]] = st.just([])
HEADERS: st.SearchStrategy[list[tuple[str, str]]] = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["Content-Type", "Origin", "X-Plivo-Emulator", "Range", "Accept", "X-Forwarded-For"]),
            st.one_of(
                st.sampled_from(
                    ["application/json", "text/plain; charset=?", "1", "null", "bytes=0-0", "bytes=-", "["]
                ),
                st.sampled_from([f"bytes={'9' * 18}-", f"bytes=-{'9' * 18}", "bytes=5-3,1-2", "multipart/form-data"]),
                st.text(
                    st.characters(min_codepoint=33, max_codepoint=255, blacklist_characters="\x7f\x85\xa0"), max_size=9
                ),
            ),
        ),
        st.tuples(st.just("Authorization"), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9)),
        st.sampled_from(
            [
                *(("Authorization", "Basic ü"), ("Authorization", "Basic"), ("Authorization", "Basic ////")),
                *(("Host", "["), ("Host", "ü"), ("Host", "a:b:c"), ("Host", ""), ("Expect", "100-continue")),
                *(("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Transfer-Encoding", "chunked")),
                *(("Transfer-Encoding", "gzip"), ("Content-Length", "-1"), ("Content-Length", "1"), ("Cookie", "=")),
            ]
        ),
    ),
    max_size=4,
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request, mostly one that is understood; words in capitals stand for what the emulator has."""
    method, route = draw(mostly(ENDPOINTS, STRANGE))
    query, body = draw(QUERIES), draw(BODIES)
    headers = draw(mostly(NO_HEADERS, HEADERS))
    if method == "HEAD":
        # uvicorn answers a body that is malformed with text, which h11 does not let it send in answer to a HEAD.
        headers, body = [each for each in headers if each[0] not in FRAMING], b""
    usual = [
        ("Host", "OWN"),
        ("Authorization", "Basic CREDENTIALS"),
        ("X-Plivo-Emulator", "1"),
        ("Content-Length", str(len(body))),
    ]
    odd = {"Content-Length" if name == "Transfer-Encoding" else name for name, _ in headers}
    headers = [*(each for each in usual if each[0] not in odd), *headers]
    target = route.format(draw(SEGMENTS), draw(SEGMENTS)) + (f"?{query}" if query else "")
    version = draw(mostly(st.just("1.1"), st.sampled_from(["1.0", "2.0", "0.9", "x"])))
    lines = [f"{method} {target or '/'} HTTP/{version}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


# The server


class Fuzzed(logging.Handler):
    """A running emulator, and what its server and its event loop logged as their own failures."""

    def __init__(self, plivo: Emulator) -> None:
        super().__init__(logging.ERROR)
        self.complaints: list[str] = []
        self.plivo = plivo
        self.recorded = plivo.state()["recordings"][0]["recording_id"]
        self.own = urlsplit(plivo.url).netloc
        self.credentials = base64.b64encode(f"{plivo.auth_id}:{plivo.auth_token}".encode()).decode()

    def emit(self, record: logging.LogRecord) -> None:
        self.complaints.append(self.format(record))

    def say(self, request: bytes) -> list[int]:
        """Send bytes, hang up, and return the status of every answer."""
        host, _, port = self.own.partition(":")
        given = {"OWN": self.own, "ACCOUNT": self.plivo.auth_id, "CREDENTIALS": self.credentials}
        for name, value in {**given, "RECORDED": self.recorded}.items():
            request = request.replace(name.encode(), value.encode())
        answer = b""
        self.complaints.clear()
        with socket.create_connection((host, int(port)), timeout=20) as caller:
            try:
                caller.sendall(request)
                caller.shutdown(socket.SHUT_WR)
                while chunk := caller.recv(65536):
                    answer += chunk
            except (ConnectionResetError, BrokenPipeError):
                pass  # it had answered, and hung up, before it was sent everything
        return [int(line.split()[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Emulator()) as plivo:
        with httpx.Client(
            base_url=f"{plivo.url}/v1/Account/{plivo.auth_id}", auth=(plivo.auth_id, plivo.auth_token)
        ) as client:
            for method in ("POST", "DELETE"):
                client.request(method, "Conference/standup/Record/").raise_for_status()
        fuzzed = Fuzzed(plivo)
        logging.getLogger().addHandler(fuzzed)
        yield fuzzed
        logging.getLogger().removeHandler(fuzzed)
        portal.call(plivo.callbacks_settled)
        auth = (plivo.auth_id, plivo.auth_token)
        with httpx.Client(base_url=plivo.url, auth=auth) as client:
            state = client.get("/__emulator__/state").raise_for_status().json()
            assert state == json.loads(json.dumps(plivo.state()))
            for path in ("Conference/", "Recording/"):
                client.get(f"/v1/Account/{plivo.auth_id}/{path}").raise_for_status()


@given(request=requests())
@settings(max_examples=EXAMPLES)
def test_any_single_request_is_answered(fuzzed: Fuzzed, request: bytes) -> None:
    statuses = fuzzed.say(request)
    assert [status for status in statuses if status >= 500] == []
    assert fuzzed.complaints == []


@given(request=st.lists(requests(), min_size=2, max_size=4).map(b"".join), cut=st.integers(0, 2000))
@settings(max_examples=EXAMPLES)
def test_pipelined_and_truncated_requests_are_answered(fuzzed: Fuzzed, request: bytes, cut: int) -> None:
    statuses = fuzzed.say(request[:-cut] if cut else request)
    assert [status for status in statuses if status >= 500] == []
    assert fuzzed.complaints == []


@given(request=st.binary(max_size=200))
@settings(max_examples=EXAMPLES)
def test_server_still_works_after_arbitrary_bytes(fuzzed: Fuzzed, request: bytes) -> None:
    assert set(fuzzed.say(request)) <= {400, 401, 404}
    assert fuzzed.complaints == []
