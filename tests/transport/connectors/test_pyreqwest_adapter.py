"""The fast transport: the same requests and the same outcomes through pyreqwest."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import subprocess
import sys
from typing import Any

import httpx
import pytest

from plivo_record_async import (
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RecordClient,
    RecordingStopped,
    fast_transport,
)
from tests.support.servers.request_recorder import RequestRecorder

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
TOKEN = "tokentokentokentokentokentokentokentoken"


def client(base_url: str, **options: Any) -> RecordClient:
    return RecordClient(AUTH_ID, TOKEN, base_url=base_url, transport=fast_transport(), max_retries=0, **options)


async def test_fast_transport_starts_and_stops_over_one_connection() -> None:
    async with RequestRecorder() as recorder, client(recorder.url + "/prefix") as calls:
        for name in ("standup", "a/b ä"):
            assert (await calls.start_recording(name, file_format="wav")).recording_id == "r"
        assert await calls.stop_recording("standup") == RecordingStopped()
        assert recorder.connections == 1
        assert [heard.target for heard in recorder.requests] == [
            f"/prefix/v1/Account/{AUTH_ID}/Conference/{segment}/Record/"
            for segment in ("standup", "a%2Fb%20%C3%A4", "standup")
        ]
        assert [heard.body for heard in recorder.requests] == [b'{"file_format": "wav"}'] * 2 + [b""]


async def test_fast_transport_serves_many_tasks() -> None:
    async with RequestRecorder() as recorder, client(recorder.url) as calls:
        outcomes = [outcome async for outcome in calls.start_many([f"room {n}" for n in range(200)])]
        assert all(outcome.ok for outcome in outcomes)
        assert len(recorder.requests) == 200


async def test_a_refused_connection_is_not_sent() -> None:
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        async with client(f"http://127.0.0.1:{bound_but_deaf.getsockname()[1]}") as calls:
            with pytest.raises(NotSentError, match="Nothing was sent"):
                await calls.start_recording("standup")


async def test_disconnect_is_unknown_and_described() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with (
        await asyncio.start_server(hang_up, "127.0.0.1", 0) as server,
        client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as calls,
    ):
        with pytest.raises(OutcomeUnknownError, match="sending had begun") as caught:
            await calls.start_recording("standup")
    assert "NetworkError: connection closed before message completed" in str(caught.value)


async def test_start_has_a_content_length() -> None:
    """pyreqwest asks for the body when it sends it, but does not send it in chunks."""
    async with RequestRecorder() as recorder, client(recorder.url) as calls:
        await calls.start_recording("standup")
        await calls.get_recording("r")
    start, look = recorder.requests
    assert (start.headers["content-length"], start.body) == ("2", b"{}")
    assert not {"transfer-encoding"} & (start.headers.keys() | look.headers.keys())


async def test_fast_transport_sends_through_a_proxy_with_credentials() -> None:
    async with RequestRecorder() as recorder:
        proxy = httpx.Proxy(recorder.url, auth=("me", "p@ss"), headers={"X-Team": "a"})
        async with client("http://api.invalid", proxy=proxy) as calls:
            assert (await calls.start_recording("standup")).recording_id == "r"
        (heard,) = recorder.requests
        assert heard.target.startswith("http://api.invalid/v1/Account/")
        assert heard.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'me:p@ss').decode()}"
        assert heard.headers["x-team"] == "a"


async def test_fast_transport_can_be_closed_and_reopened() -> None:
    async with RequestRecorder() as recorder:
        calls = client(recorder.url)
        for _ in range(2):
            async with calls:
                assert (await calls.start_recording("standup")).recording_id == "r"
        assert recorder.connections == 2


async def test_client_that_sent_nothing_can_be_closed() -> None:
    async with client("http://api.invalid"):
        pass


async def test_lookup_that_never_connected_is_not_sent() -> None:
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        async with client(f"http://127.0.0.1:{bound_but_deaf.getsockname()[1]}") as calls:
            with pytest.raises(NotSentError, match="ConnectError"):
                await calls.get_recording("r")


def test_certificates_of_a_proxy_raise_configuration_error() -> None:
    proxy = httpx.Proxy("https://proxy.example", ssl_context=ssl.create_default_context())
    with pytest.raises(ConfigurationError, match="cannot use a proxy that has an ssl_context"):
        client("http://h", proxy=proxy)


async def test_timeout_can_be_longer_than_pyreqwest_accepts() -> None:
    async with RequestRecorder() as recorder, client(recorder.url) as calls:
        assert (await calls.start_recording("standup", timeout=1e300)).recording_id == "r"


ENDS_WHILE_CONNECTING = """
import asyncio, socket
from plivo_record_async import RecordClient, fast_transport

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(0)
fillers = [socket.socket() for _ in range(8)]
for filler in fillers:
    filler.setblocking(False)
    filler.connect_ex(listener.getsockname())

async def main():
    url = "http://{}:{}".format(*listener.getsockname())
    client = RecordClient("MA" + "X" * 18, "t" * 40, base_url=url, transport=fast_transport())
    asyncio.create_task(client.start_recording("standup", timeout=0.5))
    await asyncio.sleep(0.1)

asyncio.run(main())
"""


def test_program_can_end_while_it_connects() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDS_WHILE_CONNECTING], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


async def test_fast_transport_works_as_an_httpx_transport() -> None:
    async with RequestRecorder() as recorder, httpx.AsyncClient(transport=fast_transport()) as plain:
        answer = await plain.post(recorder.url, json={})
        assert (answer.status_code, answer.json()["api_id"]) == (202, "2867b6e2")
