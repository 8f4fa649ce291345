"""The fast way: pyreqwest (Rust) spoken to directly. Imported only when it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpcore
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport
from pyreqwest.exceptions import ConnectError, ConnectTimeoutError
from pyreqwest.response import ResponseBodyReader

from plivo_record_async._http import KEEPALIVE, Evidence, Lane, ShortcutTransport, common_headers, own_headers
from plivo_record_async.protocol.endpoints import Request
from plivo_record_async.settings import Settings

__all__ = ["RustTransport"]

NEVER_CONNECTED = "client error (Connect)"
"""How hyper names a failure before sending: https://docs.rs/hyper-util/latest/src/hyper_util/client/legacy/client.rs.html
pyreqwest raises its connect errors also for a connection that was reset *after* sending."""


_FAREWELL = 0.01
"""Seconds. pyreqwest's threads let go of their last Python objects a moment after it was closed; a program that ends
within that moment is aborted by the interpreter (``PyGILState_Release``), and there is nothing to await instead."""


class RustTransport(HttpxTransport, ShortcutTransport):
    """An httpx transport like any other, and a shorter way for a client of ours."""

    def __init__(self) -> None:
        super().__init__(_plain_client().build())

    def lane(self, settings: Settings) -> Lane:
        """Speak to Plivo without httpx's request and response objects, which cost more than the exchange itself."""
        return _Rust(settings)


def _plain_client() -> ClientBuilder:
    """Nothing is followed, unpacked or negotiated: each request is one request."""
    return (
        ClientBuilder()
        .follow_redirects(enable=False)
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        .http1_only()
        .pool_idle_timeout(timedelta(seconds=KEEPALIVE))
    )


class _Rust:
    def __init__(self, settings: Settings) -> None:
        self._base = f"{settings.base_url}/v1/Account/{settings.auth_id}"
        self._headers = [(name.decode(), value.decode()) for name, value in common_headers(settings)]
        self._client: Client | None = self._open()

    def _open(self) -> Client:
        return _plain_client().default_headers(self._headers).build()

    async def exchange(self, request: Request[Any], evidence: Evidence, seconds: float) -> None:  # noqa: ARG002 - the caller keeps the time
        if self._client is None:
            self._client = self._open()
        builder = self._client.request(request.method, self._base + request.path)
        for name, value in own_headers(request):
            builder = builder.header(name.decode(), value.decode())
        if request.body is not None:
            builder = builder.body_bytes(request.body)
        try:
            async with builder.build_streamed() as response:
                await evidence.collect(response.status, dict(response.headers), _chunks(response.body_reader))
        except (ConnectError, ConnectTimeoutError) as error:
            if {"message": NEVER_CONNECTED} not in (error.details["causes"] or ()):
                raise
            raise httpcore.ConnectError(str(error)) from error

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
            await asyncio.sleep(_FAREWELL)


async def _chunks(body: ResponseBodyReader) -> AsyncIterator[bytes]:
    while (chunk := await body.read_chunk()) is not None:
        yield bytes(chunk)
