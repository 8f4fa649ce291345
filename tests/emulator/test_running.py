from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from plivo_record_async.emulator.options import EmulatorOptions
from plivo_record_async.emulator.running import run_emulator

AUTH_ID, AUTH_TOKEN = "MAABCDEFGHIJKLMNOPQR", "token"
OPTIONS = EmulatorOptions(
    host="127.0.0.1",
    port=0,
    auth_id=AUTH_ID,
    auth_token=AUTH_TOKEN,
    strict=False,
    dialect=None,
    clock="real",
    seed=0,
    quota=None,
    keep=10,
)


@asynccontextmanager
async def emulate(*words: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, int]]:
    """Run ``plivo-record emulate`` as a process; yield it and its port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "plivo_record_async", "emulate", "--port", "0", "--quiet", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": AUTH_TOKEN},
    )
    assert process.stdout is not None
    try:
        ready = (await process.stdout.readline()).decode()
        yield process, int(ready.rpartition(":")[2])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def control(port: int, target: str, body: bytes = b"{}") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a request to the control API; return the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /__emulator__/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (target.encode(), port, len(body), body)
    )
    return reader, writer


FAULTS = [
    (b'{"on": "start", "do": "stall"}', "real"),
    (b'{"on": "start", "do": "delay", "seconds": 600}', "real"),
    (b'{"on": "start", "do": "delay", "seconds": 600}', "virtual"),
]


@pytest.mark.parametrize(("fault", "clock"), FAULTS, ids=["stall", "delay", "virtual delay"])
async def test_request_that_waits_in_a_fault_is_reset_when_the_process_ends(fault: bytes, clock: str) -> None:
    async with emulate("--clock", clock) as (process, port):
        answer, setting = await control(port, "faults", fault)
        assert (await answer.readline()).startswith(b"HTTP/1.1 201 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        path = f"/v1/Account/{AUTH_ID}/Conference/x/Record/"
        writer.write(f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".encode())
        answer, asking = await control(port, "conferences/y")  # it is answered after the start was received
        assert (await answer.readline()).startswith(b"HTTP/1.1 200 ")
        process.terminate()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        _, errors = await process.communicate()
        unexpected = [line for line in errors.splitlines() if not line.startswith((b"# ", b"export ", b"curl "))]
        assert (process.returncode, unexpected) == (0, [])
        for each in (setting, writer, asking):
            each.close()


async def test_function_is_called_in_the_event_loop_of_the_emulator() -> None:
    async with run_emulator(OPTIONS) as running:
        assert running.loop is asyncio.get_running_loop()
        threads: list[threading.Thread] = []

        async def later() -> None:
            threads.append(threading.current_thread())

        def use_from_elsewhere() -> None:
            asyncio.run(running.run(later))
            asyncio.run(running.run(threads.append, threading.current_thread()))

        await asyncio.to_thread(use_from_elsewhere)
        assert threads[0] is threading.current_thread()
        assert len(threads) == 2
