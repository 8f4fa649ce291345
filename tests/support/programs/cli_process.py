"""Start ``plivo-record`` as a process, and serve the responses that it receives."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

AUTH_ID, AUTH_TOKEN = "MAABCDEFGHIJKLMNOPQR", "token"


def json_lines(text: str) -> list[dict[str, Any]]:
    """Parse JSON objects, one on each line."""
    return [json.loads(line) for line in text.splitlines()]


async def start_command(
    url: str, *words: str, stdout: int = subprocess.PIPE, stdin: int = subprocess.PIPE, token: str = AUTH_TOKEN
) -> asyncio.subprocess.Process:
    """Start the command with the account and the URL in its environment."""
    given = {"PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": token, "PLIVO_BASE_URL": url}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "plivo_record_async", *words),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **given},
    )


@asynccontextmanager
async def serve_answers(answer: Callable[[str], Awaitable[bytes]]) -> AsyncGenerator[str]:
    """Serve the status that ``answer`` returns for a conference, one request on each connection; yield the URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status = await answer(unquote(head.split()[1].decode().split("/")[5]))
        writer.write(b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" % status)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"
