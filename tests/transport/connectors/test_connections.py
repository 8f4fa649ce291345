"""The client's own connections: what they send, when they are reused, and when they are closed."""

from __future__ import annotations

import asyncio
import base64
import logging
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import httpx
import pytest
import respx
import trustme

from plivo_record_async import (
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RecordingStarted,
    RecordingStopped,
    __version__,
)
from plivo_record_async.transport.connectors.connector import KEEPALIVE
from plivo_record_async.transport.connectors.exchange import NEVER_CONNECTED
from tests.support.clients.mock_transport import AUTH_ID, BASIC, RECORD, TOKEN, client_over
from tests.support.samples.http_failures import LIBRARY_FAILURES, OTHER_FAILURES, instance
from tests.support.servers.request_recorder import RequestRecorder


@pytest.mark.parametrize("cls", LIBRARY_FAILURES + OTHER_FAILURES)
async def test_every_failure_of_the_default_transport_is_an_error_of_the_package(cls: type[Exception]) -> None:
    with respx.mock:
        respx.post(path=RECORD).mock(side_effect=instance(cls))
        async with client_over() as client:
            with pytest.raises((NotSentError, OutcomeUnknownError)) as caught:
                await client.start_recording("standup")
    assert isinstance(caught.value, NotSentError) is issubclass(cls, NEVER_CONNECTED)


async def test_bytes_of_a_request() -> None:
    async with RequestRecorder() as recorder, client_over(base_url=recorder.url) as client:
        assert await client.start_recording("a/b c?", file_format="wav") == RecordingStarted(
            api_id="2867b6e2", message="conference recording started", recording_id="r", url="http://u"
        )
        assert await client.stop_recording("a/b c?") == RecordingStopped()
        start, stop = recorder.requests
        target = f"/v1/Account/{AUTH_ID}/Conference/a%2Fb%20c%3F/Record/"
        assert (start.method, start.target, start.body) == ("POST", target, b'{"file_format": "wav"}')
        assert (stop.method, stop.target, stop.body) == ("DELETE", target, b"")
        for heard in recorder.requests:
            assert heard.headers["authorization"] == f"Basic {BASIC}"
            assert heard.headers["user-agent"].startswith(f"plivo-record-async/{__version__} (Python ")
            assert heard.headers["accept"] == "application/json"
            assert heard.headers["accept-encoding"] == "identity"
            assert heard.headers["host"] == recorder.url.removeprefix("http://")
        assert start.headers["content-type"] == "application/json"
        assert stop.headers["connection"] == "close"


async def test_a_user_agent_without_secrets_names_the_library() -> None:
    async with RequestRecorder() as recorder, client_over(base_url=recorder.url) as client:
        await client.start_recording("standup")
        assert f"httpx {httpx.__version__}" in recorder.requests[0].headers["user-agent"]


async def test_connection_is_reused_but_not_after_a_stop() -> None:
    async with RequestRecorder() as recorder, client_over(base_url=recorder.url) as client:
        for _ in range(3):
            await client.start_recording("standup")
        assert recorder.connections == 1
        await client.stop_recording("standup")
        await client.start_recording("standup")
        assert [heard.connection for heard in recorder.requests] == [1, 1, 1, 1, 2]


async def test_a_connection_that_a_stop_opened_is_closed_after_it() -> None:
    async with RequestRecorder() as recorder, client_over(base_url=recorder.url) as client:
        await client.stop_recording("standup")
        async with asyncio.timeout(10):
            while recorder.open:
                await turns_of_the_loop()


async def test_there_are_no_more_connections_than_allowed() -> None:
    async with RequestRecorder() as recorder, client_over(base_url=recorder.url, max_connections=3) as client:
        outcomes = [outcome async for outcome in client.start_many([f"room {n}" for n in range(60)])]
        assert all(outcome.ok for outcome in outcomes)
        assert recorder.connections <= 3


@pytest.mark.parametrize(("host", "path"), [("127.0.0.1", ""), ("127.0.0.1", "/plivo/v2/"), ("::1", "/x")])
async def test_base_url_with_port_and_path_is_called(host: str, path: str) -> None:
    async with RequestRecorder(host) as recorder, client_over(base_url=recorder.url + path) as client:
        await client.start_recording("standup")
        assert recorder.requests[0].target == path.rstrip("/") + RECORD
        assert recorder.requests[0].headers["host"] == recorder.url.removeprefix("http://")


async def test_no_log_shows_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with RequestRecorder() as recorder, client_over(base_url=recorder.url) as client:
        await client.start_recording("standup")
        await client.stop_recording("standup")
    assert {"httpcore.connection", "httpcore.http11"} <= {record.name for record in caplog.records}
    assert not any(secret in caplog.text + repr(caplog.records) for secret in (TOKEN, BASIC, BASIC[-40:]))


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), ("no certificate", "")])
def test_error_names_a_certificate_file_without_certificates(
    content: str | None, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(
        ConfigurationError, match=f"SSL_CERT_FILE must name a file or a directory of certificates to trust.*{why}"
    ) as caught:
        client_over()
    assert str(path) in str(caught.value)
    client_over(trust_env=False)
    client_over(base_url="http://h")


@pytest.fixture
def directory_of_certificates(authority: trustme.CA, tmp_path: Path) -> str:
    """A directory with the certificate of the authority, under the name by which OpenSSL finds it."""
    certificate = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(certificate))
    command = ["openssl", "x509", "-noout", "-hash", "-in", str(certificate)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    certificate.rename(tmp_path / f"{name}.0")
    return str(tmp_path)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="only openssl knows the name of the file")
async def test_certificate_directory_of_the_environment_is_trusted(
    directory_of_certificates: str, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with RequestRecorder(tls=server_tls) as recorder:
        monkeypatch.setenv("SSL_CERT_DIR", directory_of_certificates)
        async with client_over(base_url=recorder.url) as client:
            assert (await client.start_recording("standup")).recording_id == "r"
        async with client_over(base_url=recorder.url, trust_env=False) as client:
            with pytest.raises(NotSentError, match="certificate verify failed"):
                await client.start_recording("standup")


async def test_requests_are_sent_through_a_proxy_with_its_credentials_and_headers() -> None:
    async with RequestRecorder() as recorder:
        proxy = httpx.Proxy(recorder.url, auth=("me", "p@ss"), headers={"X-Team": "a"})
        async with client_over(base_url="http://api.invalid", proxy=proxy) as client:
            assert (await client.start_recording("standup")).recording_id == "r"
        [request] = recorder.requests
        assert request.target == f"http://api.invalid{RECORD}"
        assert request.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'me:p@ss').decode()}"
        assert request.headers["x-team"] == "a"


async def turns_of_the_loop() -> None:
    """Give both sides of a loopback connection time to process events."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_connection_closed_by_the_server_is_not_reused() -> None:
    async with RequestRecorder() as recorder, client_over(base_url=recorder.url) as client:
        await client.start_recording("standup")
        recorder.open[1].write_eof()
        await turns_of_the_loop()
        await client.start_recording("standup")
        assert [heard.connection for heard in recorder.requests] == [1, 2]


async def test_unneeded_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, leaps = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock() + sum(leaps))
    async with RequestRecorder() as recorder, client_over(base_url=recorder.url) as client:
        await asyncio.gather(*(client.start_recording("standup") for _ in range(2)))
        for _ in range(2):
            assert recorder.open.keys() == {1, 2}
            leaps.append(0.6 * KEEPALIVE)
            await client.start_recording("standup")
        busy = recorder.requests[-1].connection
        async with asyncio.timeout(10):
            while recorder.open.keys() != {busy}:
                await turns_of_the_loop()
        assert recorder.connections == 2


async def test_closing_the_client_closes_its_connections() -> None:
    async with RequestRecorder() as recorder:
        async with client_over(base_url=recorder.url) as client:
            await asyncio.gather(*(client.start_recording("standup") for _ in range(5)))
            assert recorder.open
        async with asyncio.timeout(10):
            while recorder.open:
                await turns_of_the_loop()
