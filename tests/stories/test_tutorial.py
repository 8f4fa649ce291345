"""The tutorial, step by step as a newcomer takes it, against ``plivo-record emulate`` on other ports."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import attrs
import pytest
from blockbuster import BlockBuster

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
FILES: dict[str, str] = dict(re.findall(r"^```py\n# ([\w.]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
INSTALL, EMULATE, EXPORT, END = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

[SHOWN] = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
"""The last line that ``transcript.py`` prints, as the page shows it."""

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PLIVO_")}


@attrs.frozen
class Terminal:
    """Where the commands of the page are typed, on free ports instead of the page's."""

    folder: Path
    ports: dict[str, str]

    @contextlib.asynccontextmanager
    async def running(self, commands: str) -> AsyncGenerator[asyncio.StreamReader]:
        """Run commands of the page; what they print. They are ended if they have not ended by themselves."""
        commands = commands.strip().replace(".venv/bin/python", sys.executable)
        commands = commands.replace(".venv/bin/plivo-record", f"{sys.executable} -m plivo_record_async")
        *before, last = self.adapted(commands).splitlines()
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-ec",
            "\n".join([*before, f"exec {last}"]),
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.communicate()

    async def said(self, commands: str) -> list[str]:
        """The lines that commands print."""
        async with self.running(commands) as output:
            return (await output.read()).decode().splitlines()

    def adapted(self, text: str) -> str:
        for theirs, ours in self.ports.items():
            text = text.replace(theirs, ours)
        return text


@pytest.fixture
async def terminal(
    tmp_path: Path, blockbuster: BlockBuster, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[Terminal]:
    """A terminal in a folder with the page's files, while the local Plivo runs."""
    blockbuster.deactivate()  # it starts and ends processes
    plivo, receiver = (str(unused_tcp_port_factory()) for _ in range(2))
    terminal = Terminal(tmp_path, {"8765": plivo, "8000": receiver})
    for name, source in FILES.items():
        (tmp_path / name).write_text(terminal.adapted(source), encoding="utf-8")
    async with terminal.running(f"{EMULATE.strip()} --port {plivo}") as output:
        assert await output.readline() == f"ready http://127.0.0.1:{plivo}\n".encode()
        yield terminal


def python(name: str) -> str:
    """How the page runs a file, in the terminal in which the variables were exported."""
    return f"{EXPORT}.venv/bin/python {name}"


def test_the_page_says_how_each_file_is_run() -> None:
    assert list(FILES) == ["first.py", "many.py", "transcript.py", "verify.py"]
    assert INSTALL.splitlines()[-1] == ".venv/bin/pip install --quiet '.[cli,emulator]'"


async def test_tutorial_starts_and_stops_one_recording(terminal: Terminal) -> None:
    recording, file, stopped = await terminal.said(python("first.py"))
    assert re.fullmatch(r"recording \S+", recording)
    assert re.fullmatch(r"file: http://127\.0\.0\.1:\d+/\S+\.wav", file)
    assert stopped == "stopped"


async def test_tutorial_starts_many_recordings(terminal: Terminal) -> None:
    said = await terminal.said(python("many.py"))
    assert len([line for line in said if "is recording" in line]) == 3
    assert [line for line in said if "failed" in line] == [line for line in said if line.startswith(".. ")] != []


async def test_tutorial_waits_for_a_transcript(terminal: Terminal) -> None:
    async with terminal.running(python("transcript.py")) as output:
        assert (await output.readline()).startswith(b"started: ")
        await terminal.said(END)
        assert re.fullmatch(rb"recorded: \d+ ms at http://\S+\.mp3\n", await output.readline())
        assert (await output.readline()).decode() == SHOWN
        assert await output.read() == b""


async def test_tutorial_verifies_a_callback(terminal: Terminal) -> None:
    event, rejected = await terminal.said(python("verify.py"))
    assert event.startswith("standup lasted 345100 ms: https://media.plivo.com/")
    assert rejected.startswith("answer with 403 - no signature")
