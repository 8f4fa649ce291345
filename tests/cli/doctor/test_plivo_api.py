from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from blockbuster import BlockBuster

from plivo_record_async.cli.doctor.check import Check
from plivo_record_async.cli.doctor.plivo_api import check_api, check_network
from plivo_record_async.emulator import Emulator
from plivo_record_async.settings import Settings
from tests.support.servers.proxies import ConnectProxy

AUTH_ID, AUTH_TOKEN = "MAABCDEFGHIJKLMNOPQR", "a-secret-token"


@pytest.fixture(autouse=True)
def environment(blockbuster: BlockBuster, monkeypatch: pytest.MonkeyPatch) -> None:
    blockbuster.deactivate()  # the client reads the certificates of the machine
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def checked(url: str, *, token: str = AUTH_TOKEN, has_credentials: bool = True) -> dict[str, Check]:
    settings = Settings(auth_id=AUTH_ID, auth_token=token, base_url=url)
    checks = [check async for check in check_api(settings, timeout=5, has_credentials=has_credentials)]
    assert not any(token in f"{check.finding} {check.advice}" for check in checks)
    assert all(check.advice for check in checks if check.result != "ok")
    return {check.name: check for check in checks}


def results(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.result for name, check in checks.items()}


@pytest.fixture
async def account() -> AsyncIterator[Emulator]:
    async with Emulator(auth_id=AUTH_ID, auth_token=AUTH_TOKEN) as plivo:
        yield plivo


async def test_everything_is_ok_if_plivo_accepts_the_credentials(account: Emulator) -> None:
    checks = await checked(account.url)
    assert results(checks) == dict.fromkeys(
        ("environment", "proxy", "api_dns", "api_connection", "credentials", "clock"), "ok"
    )
    assert AUTH_ID in checks["environment"].finding
    assert "PLIVO_AUTH_TOKEN has 14 characters" in checks["environment"].finding
    assert {request.method for request in account.requests} == {"GET"}


async def test_wrong_token_is_a_problem_and_the_clock_is_compared_nevertheless(account: Emulator) -> None:
    checks = await checked(account.url, token="another-token")
    assert (checks["credentials"].result, checks["clock"].result) == ("problem", "ok")
    assert "401" in checks["credentials"].finding
    assert "do not belong together" in checks["credentials"].advice


async def test_without_credentials_only_the_network_is_checked(account: Emulator) -> None:
    checks = await checked(account.url, has_credentials=False)
    assert results(checks) == dict.fromkeys(("environment", "proxy", "api_dns", "api_connection"), "ok")
    assert AUTH_ID not in checks["environment"].finding
    assert account.requests == []


@asynccontextmanager
async def answering(response: bytes) -> AsyncGenerator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response)
            await writer.drain()
        except asyncio.IncompleteReadError:
            pass  # the check of the connection sends nothing
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("status", "body", "result", "advice"),
    [
        (404, b'{"error": "not found"}', "problem", "PLIVO_BASE_URL"),
        (403, b'{"error": "forbidden"}', "problem", "verification"),
        (429, b"{}", "warning", "in a few seconds"),
        (500, b"{}", "problem", "Plivo has a problem"),
        (200, b"<html>Log in</html>", "problem", "login page"),
    ],
)
async def test_each_response_has_its_own_advice(status: int, body: bytes, result: str, advice: str) -> None:
    head = b"HTTP/1.1 %d Status\r\nRetry-After: 60\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    async with answering(head % (status, len(body)) + body) as url:
        checks = await checked(url)
    assert checks["credentials"].result == result
    assert advice in checks["credentials"].advice


async def test_connection_that_breaks_is_a_problem() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n") as url:
        checks = await checked(url)
    assert checks["credentials"].result == "problem"


async def test_clock_that_differs_is_a_warning() -> None:
    response = (
        b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: close\r\nContent-Length: 44\r\n\r\n"
        b'{"api_id": "an-id", "conferences": [ "a" ]  }'
    )
    async with answering(response.replace(b"44", b"45")) as url:
        checks = await checked(url)
    assert checks["credentials"].result == "ok"
    assert checks["clock"].result == "warning"
    assert "ahead of that of Plivo" in checks["clock"].finding


async def test_response_without_a_date_leaves_the_clock_unknown() -> None:
    async with answering(b"HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}") as url:
        checks = await checked(url)
    assert checks["clock"].result == "warning"
    assert "is not known" in checks["clock"].finding


async def test_unreachable_api_is_a_problem(unused_tcp_port: int) -> None:
    checks = await checked(f"http://127.0.0.1:{unused_tcp_port}")
    assert list(checks)[-1] == "api_connection"
    assert checks["api_connection"].result == "problem"
    assert checks["api_connection"].finding.endswith(f"port {unused_tcp_port}: Connection refused")
    checks = await checked("https://host.invalid")
    assert list(checks)[-1] == "api_dns"
    assert checks["api_dns"].result == "problem"


async def test_connection_without_tls_is_a_problem_of_the_request(account: Emulator) -> None:
    checks = await checked(account.url.replace("http://", "https://"))
    assert checks["api_request"].result == "problem"
    assert "SSL_CERT_FILE" in checks["api_request"].advice
    assert "clock" not in checks


async def test_proxy_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://me:secret@"))
        proxy.refusal_status = 407
        checks = await checked("https://host.invalid")
        assert checks["proxy"].finding == f"requests to https://host.invalid go through {proxy.url}"
    assert "HTTPS_PROXY is set" in checks["environment"].finding
    assert (checks["proxy_dns"].result, checks["proxy_connection"].result) == ("ok", "ok")
    assert checks["api_request"].result == "problem"
    assert "407" in checks["api_request"].finding
    assert "secret" not in str(checks)


async def test_unreachable_proxy_is_a_problem_of_the_proxy(
    monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused_tcp_port}")
    checks = await checked("https://host.invalid")
    assert list(checks)[-1] == "proxy_connection"
    assert "Check that the proxy is running" in checks["proxy_connection"].advice


async def test_invalid_proxy_or_certificate_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/missing.pem")
    checks = await checked("https://host.invalid")
    assert checks["environment"].result == "problem"
    assert "SSL_CERT_FILE" in checks["environment"].finding
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://me:secret@proxy")
    checks = await checked("https://host.invalid")
    assert "secret" not in str(checks)


async def test_name_that_cannot_be_encoded_is_a_problem() -> None:
    url = f"http://{'a' * 70}.example"
    (check,) = [check async for check in check_network(url, "api", timeout=5)]
    assert (check.name, check.result) == ("api_dns", "problem")
