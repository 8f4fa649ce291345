"""What connectors share: the headers of a request, and which connections and classes can be trusted."""

from __future__ import annotations

import httpcore
import httpx
import pytest
import respx

from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.models import StartRequest, StopRequest
from plivo_record_async.transport.connectors.connector import decoded, is_clean, is_unmodified, request_headers
from tests.support.clients.mock_transport import BASIC, TOKEN, error_of_start


@pytest.mark.parametrize(("surplus", "clean"), [(b"", True), (b"HTTP/1.1 200 OK\r\n\r\n", False)])
async def test_connection_with_bytes_after_the_response_is_not_clean(surplus: bytes, clean: bool) -> None:
    stream = httpcore.AsyncMockStream([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + surplus])
    url = httpcore.URL("http://h/")
    async with httpcore.AsyncHTTP11Connection(url.origin, stream) as connection:
        response = await connection.handle_async_request(httpcore.Request("GET", url, headers=[("Host", "h")]))
        assert await response.aread() == b"ok"
        assert is_clean(connection) is clean
        await response.aclose()


def test_object_that_is_not_a_connection_of_httpcore_is_not_clean() -> None:
    assert not is_clean(object())
    assert not is_clean(None)


def test_subclass_with_code_of_its_own_is_not_unmodified() -> None:
    class Transport(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(202)

    assert is_unmodified(httpcore.AsyncHTTPConnection)
    assert is_unmodified(httpx.AsyncHTTPTransport)
    assert not is_unmodified(Transport)


@respx.mock
def test_class_that_respx_mocks_is_not_unmodified() -> None:
    assert not is_unmodified(httpcore.AsyncHTTPConnection)


def test_only_a_stop_asks_to_close_the_connection() -> None:
    start = request_headers(endpoints.start_recording(StartRequest("standup", file_format="wav")))
    assert start == [(b"Content-Type", b"application/json"), (b"Content-Length", b"22")]
    assert request_headers(endpoints.stop_recording(StopRequest("standup"))) == [(b"Connection", b"close")]
    assert request_headers(endpoints.list_conferences()) == []


def test_headers_are_decoded_with_their_names_in_lower_case() -> None:
    assert decoded([(b"Retry-After", b"2"), (b"X-Name", b"\xe4")]) == {"retry-after": "2", "x-name": "ä"}


async def test_no_error_shows_the_token() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("boom", request=request)

    error = await error_of_start(handler)
    assert TOKEN not in f"{error!r} {error} {vars(error)} {error.__cause__!r}"
    assert BASIC not in f"{error!r} {error} {vars(error)} {error.__cause__!r}"
