"""Record the terminal session of the page about batches: ``python docs/record_batch_session.py``.

It runs the commands against the emulator and writes what they print to ``docs/_static/batch-session.txt``.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import sys
import tempfile
from pathlib import Path

from plivo_record_async.emulator import Emulator

FILE = Path(__file__).parent / "_static" / "batch-session.txt"
ROOMS = 300
SHOWN = 3


async def record() -> str:
    """Return the session: three commands, of which the second is terminated, and the shortened output of each."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/plivo"
    start = "plivo-record batch start rooms.csv"
    store = f"{start} --store recordings.db --batch monday --download recordings --public-url {url}"
    with tempfile.TemporaryDirectory() as directory:
        names = "".join(f"room {number}\n" for number in range(ROOMS))
        (Path(directory) / "rooms.csv").write_text(
            f"conference_name\n{names}", encoding="utf-8"
        )
        async with Emulator() as plivo:
            session = [await _run(f"{start} --dry-run", plivo, directory)]
            session.append(await _run(store, plivo, directory, signal_after=ROOMS // 2))
            session.append(await _run(f"{store} --resume", plivo, directory, ends=True))
    return "\n".join(session).replace(url, "https://me.example/plivo")


async def _run(
    command: str,
    plivo: Emulator,
    directory: str,
    *,
    signal_after: int = 0,
    ends: bool = False,
) -> str:
    words = [
        sys.executable,
        "-m",
        "plivo_record_async",
        *shlex.split(command)[1:],
        "--concurrency",
        "4",
    ]
    account = {
        "PLIVO_AUTH_ID": plivo.auth_id,
        "PLIVO_AUTH_TOKEN": plivo.auth_token,
        "PLIVO_BASE_URL": plivo.url,
    }
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=directory,
        env={**os.environ, **account},  # noqa: TID251 - it starts processes
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    running = asyncio.create_task(process.communicate())
    while len(plivo.state()["conferences"]) < (ROOMS if ends else signal_after):  # noqa: ASYNC110 - of a process
        await asyncio.sleep(0.01)
    if signal_after:
        process.send_signal(signal.SIGTERM)
    if ends:
        for name in list(plivo.state()["conferences"]):
            await plivo.end_conference(name)
    out, _ = await running
    lines = out.decode().splitlines()
    if len(lines) > 2 * SHOWN:
        lines = [*lines[:SHOWN], f"… {len(lines) - SHOWN - 1} more lines …", lines[-1]]
    return "\n".join([f"$ {command}", *lines, f"$ echo $?\n{process.returncode}"])


if __name__ == "__main__":
    FILE.write_text(asyncio.run(record()) + "\n", encoding="utf-8")
