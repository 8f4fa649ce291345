"""The requests of the client and of the official ``plivo`` package, compared byte for byte.

Where they differ, they differ on purpose, and the difference stands here.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from plivo_record_async import RecordClient, fast_transport
from tests.support.official_sdk import official_client
from tests.support.servers.request_recorder import RecordedRequest, RequestRecorder
from tests.support.untyped_libraries import plivo

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
TOKEN = "tokentokentokentokentokentokentokentoken"

CALLBACK = "https://me.example/cb?room=a%20b&x=%2F#ct=2000&rt=3000&rc=5&rp=5xx,ct"

# Names that the official package encodes as it should.
PLAIN_NAMES = ["standup", "My Conf Room", "über", "会議", "🎙", "a-b_c.d~e", "100%"]

START_OPTIONS: list[dict[str, Any]] = [
    {},
    {"file_format": "mp3"},
    {"file_format": "wav"},
    {"transcription_type": "auto"},
    {"transcription_url": CALLBACK, "transcription_method": "GET"},
    {"callback_url": CALLBACK},
    {"callback_url": CALLBACK, "callback_method": "POST"},
    {
        "file_format": "wav",
        "transcription_type": "auto",
        "transcription_url": CALLBACK,
        "transcription_method": "POST",
        "callback_url": CALLBACK,
        "callback_method": "GET",
    },
]
STOP_OPTIONS: list[dict[str, Any]] = [
    {},
    {"callback_url": CALLBACK},
    {"callback_url": CALLBACK, "callback_method": "GET"},
]


@pytest.fixture(params=["default", "fast"])
def way(request: pytest.FixtureRequest) -> str:
    way: str = request.param
    return way


async def both(
    way: str, ours: str, theirs: str, name: str, options: dict[str, Any]
) -> tuple[RecordedRequest, RecordedRequest]:
    """What the same call sends, ours first."""
    transport = fast_transport() if way == "fast" else None
    async with RequestRecorder() as recorder:
        async with RecordClient(AUTH_ID, TOKEN, base_url=recorder.url, transport=transport) as client:
            await getattr(client, ours)(name, **options)
        with official_client(recorder.url, AUTH_ID, TOKEN) as official:
            await asyncio.to_thread(getattr(official.conferences, theirs), name, **options)
    our_request, their_request = recorder.requests
    return our_request, their_request


async def starts(way: str, name: str, options: dict[str, Any]) -> tuple[RecordedRequest, RecordedRequest]:
    return await both(way, "start_recording", "record", name, options)


async def stops(way: str, name: str, options: dict[str, Any]) -> tuple[RecordedRequest, RecordedRequest]:
    return await both(way, "stop_recording", "record_stop", name, options)


def test_official_sdk_is_the_version_that_was_read() -> None:
    assert plivo.version.__version__ == "4.63.0"


@pytest.mark.parametrize("name", PLAIN_NAMES)
async def test_request_lines_are_the_same(way: str, name: str) -> None:
    for ours, theirs in (await starts(way, name, {}), await stops(way, name, {})):
        assert (ours.method, ours.target) == (theirs.method, theirs.target)


@pytest.mark.parametrize("options", START_OPTIONS)
async def test_bodies_of_a_start_are_the_same(way: str, options: dict[str, Any]) -> None:
    ours, theirs = await starts(way, "standup", options)
    assert (ours.method, ours.target) == (theirs.method, theirs.target)
    for name in ("authorization", "content-type", "accept", "host"):
        assert ours.headers[name] == theirs.headers[name]
    # Byte for byte, but for the argument that theirs leaks.
    assert theirs.body == json.dumps({"conference_name": "standup"} | options).encode()
    assert ours.body == json.dumps(options).encode()
    assert ours.body == theirs.body.replace(b'"conference_name": "standup"', b"").replace(b"{, ", b"{")


@pytest.mark.parametrize("options", STOP_OPTIONS)
async def test_stops_are_the_same(way: str, options: dict[str, Any]) -> None:
    ours, theirs = await stops(way, "standup", options)
    assert (ours.method, ours.target.partition("?")[0]) == (theirs.method, theirs.target)
    for name in ("authorization", "accept", "host"):
        assert ours.headers[name] == theirs.headers[name]


# Where they differ on purpose


@pytest.mark.parametrize("options", STOP_OPTIONS)
async def test_arguments_of_a_stop_are_in_the_query_as_documented(way: str, options: dict[str, Any]) -> None:
    """https://www.plivo.com/docs/api/request/ says so of GET and DELETE."""
    ours, theirs = await stops(way, "standup", options)
    assert ours.body == b""
    assert dict(parse_qsl(ours.target.partition("?")[2], strict_parsing=bool(options))) == options
    assert json.loads(theirs.body) == {"conference_name": "standup"} | options
    assert "?" not in theirs.target


async def test_conference_name_is_not_in_the_body(way: str) -> None:
    ours, theirs = await starts(way, "standup", {})
    assert json.loads(ours.body) == {}
    assert json.loads(theirs.body) == {"conference_name": "standup"}


@pytest.mark.parametrize(
    ("name", "ours_says", "theirs_says"),
    [
        ("a/b", "a%2Fb", "a/b"),
        ("x?y#z", "x%3Fy%23z", "x?y#z"),
        ("a%2Fb", "a%252Fb", "a%2Fb"),
        ("a+b", "a%2Bb", "a+b"),
        ("a&b=c;d", "a%26b%3Dc%3Bd", "a&b=c;d"),
    ],
)
async def test_every_name_is_encoded_in_full(way: str, name: str, ours_says: str, theirs_says: str) -> None:
    ours, theirs = await starts(way, name, {})
    assert ours.target == f"/v1/Account/{AUTH_ID}/Conference/{ours_says}/Record/"
    whole = f"/v1/Account/{AUTH_ID}/Conference/{theirs_says}/Record/"
    assert theirs.target == whole.partition("#")[0]  # a fragment never leaves


async def test_no_name_changes_the_path() -> None:
    async with RequestRecorder() as recorder:
        async with RecordClient(AUTH_ID, TOKEN, base_url=recorder.url) as client:
            with pytest.raises(ValueError, match=r"conference_name must not be '\.\.'"):
                await client.start_recording("..")
        with official_client(recorder.url, AUTH_ID, TOKEN) as official:
            await asyncio.to_thread(official.conferences.record, "..")
    (theirs,) = recorder.requests
    assert theirs.target == f"/v1/Account/{AUTH_ID}/Record/"


async def test_each_client_has_its_own_user_agent(way: str) -> None:
    ours, theirs = await starts(way, "standup", {})
    assert ours.headers["user-agent"].startswith("plivo-record-async/")
    assert theirs.headers["user-agent"].startswith("plivo-python/4.63.0")


async def test_stop_closes_its_connection_because_a_204_may_have_a_body(way: str) -> None:
    ours, theirs = await stops(way, "standup", {})
    assert ours.headers["connection"] == "close"
    assert theirs.headers["connection"] == "keep-alive"
    assert "content-type" not in ours.headers
    assert theirs.headers["content-type"] == "application/json"


async def test_no_compression_is_requested(way: str) -> None:
    ours, theirs = await starts(way, "standup", {})
    assert ours.headers["accept-encoding"] == "identity"
    assert "gzip" in theirs.headers["accept-encoding"]


async def test_requests_differ_in_nothing_else(way: str) -> None:
    ours, theirs = await starts(way, "standup", {"file_format": "wav"})
    differing = {"user-agent", "accept-encoding", "connection", "content-length"}
    assert {name: ours.headers[name] for name in ours.headers.keys() - differing} == {
        name: theirs.headers[name] for name in theirs.headers.keys() - differing
    }
