from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from plivo_record_async.emulator import Emulator
from tests.support.programs.cli_process import json_lines, serve_answers, start_command

Command = Callable[..., Awaitable[Result]]
CALLBACK = "http://127.0.0.1:9/callback"


async def test_batch_takes_names_and_requests_and_prints_each_outcome(command: Command, plivo: Emulator) -> None:
    request = json.dumps({"conference_name": "c", "file_format": "wav", "callback_url": CALLBACK})
    ended = await command("batch", "start", "-", "--json", stdin=f"a\n\n b \r\n{request}\n".encode())
    *outcomes, summary = json_lines(ended.stdout)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert {(each["conference_name"], each["type"]) for each in outcomes} == {
        ("a", "RecordingStarted"),
        (" b ", "RecordingStarted"),
        ("c", "PendingResponse"),
    }
    assert summary == {"type": "Summary", "done": 3, "failed": 0, "unknown": 0}
    assert [plivo.executions(name) for name in ("a", " b ", "c")] == [1, 1, 1]


async def test_batch_reads_a_file_and_stops_too(command: Command, plivo: Emulator, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("a\nb\n")
    assert (await command("batch", "start", str(names))).exit_code == 0
    ended = await command("batch", "stop", str(names), "--concurrency", "1")
    assert ended.exit_code == 0
    assert ended.stdout == "stopped  a\nstopped  b\nsummary: 2 done, 0 failed, 0 unknown\n"
    assert not any(each["recording"] for each in plivo.state()["conferences"].values())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b".", "line 2: conference_name must not be '.'"),
        (b"\xff", "line 2: 'utf-8' codec can't decode"),
    ],
)
async def test_invalid_line_does_not_stop_the_others(
    command: Command, plivo: Emulator, line: bytes, reason: str
) -> None:
    ended = await command("batch", "start", stdin=b"a\n" + line + b"\nb\n")
    assert ended.exit_code == 1
    assert reason in ended.stdout
    assert "summary: 2 done, 1 failed, 0 unknown\n" in ended.stdout
    assert (plivo.executions("a"), plivo.executions("b")) == (1, 1)


async def test_invalid_line_is_repeated_in_the_json(command: Command) -> None:
    ended = await command("batch", "stop", "--json", stdin=b".\n")
    refused, summary = json_lines(ended.stdout)
    assert (refused["line"], refused["line_number"], refused["ok"], refused["type"]) == (".", 1, False, "ValueError")
    assert summary["failed"] == 1


async def test_unknown_outcome_takes_precedence_over_failures(command: Command, broken: str) -> None:
    ended = await command("batch", "start", stdin=b"a\n.\n", PLIVO_BASE_URL=broken)
    assert ended.exit_code == 3
    assert "unknown  a  " in ended.stdout
    assert ended.stdout.endswith("summary: 0 done, 1 failed, 1 unknown\n")


async def test_outcome_is_printed_before_the_next_line_and_ctrl_c_ends_the_wait(account: Emulator) -> None:
    process = await start_command(account.url, "batch", "start", stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"a\n")
    assert (await process.stdout.readline()).startswith(b"started  a  ")
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 130
    assert await process.stdout.read() == b"summary: 1 done, 0 failed, 0 unknown, 0 not begun or more\n"
    assert (await process.stderr.read()).startswith(b"error: interrupted; nothing more is sent, ")
    process.stdin.close()


class Signalled:
    """A batch that receives signals while one call is in progress."""

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()
        self.names: list[str] = []

    async def answer(self, name: str) -> bytes:
        self.names.append(name)
        self.asked.set()
        await self.answers.wait()
        return b"404 Not Found"

    async def run(self, *numbers: signal.Signals, answers: bool) -> tuple[int | None, list[dict[str, Any]], str]:
        """Return the exit code, what was printed on stdout, and the error on stderr."""
        async with serve_answers(self.answer) as url:
            process = await start_command(url, "batch", "stop", "--json", "--concurrency", "1")
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(b"sent\nnot sent\n\nneither")
            process.stdin.close()
            await self.asked.wait()
            first, *others = numbers
            process.send_signal(first)
            error = json.loads(await process.stderr.readline())["error"]
            for number in others:
                process.send_signal(number)
            if answers:
                self.answers.set()
            out, _ = await asyncio.wait_for(process.communicate(), 5)
            self.answers.set()
        return process.returncode, json_lines(out.decode()), error


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
async def test_signal_ends_the_batch_and_the_call_in_progress_is_finished(
    number: signal.Signals, code: int, word: str
) -> None:
    plivo = Signalled()
    ended, (outcome, summary), error = await plivo.run(number, answers=True)
    assert (ended, error.partition(";")[0]) == (code, word)
    assert (outcome["conference_name"], outcome["status"]) == ("sent", 404)
    assert summary == {"type": "Summary", "done": 0, "failed": 1, "unknown": 0, "not_begun": 2, "all_read": True}
    assert plivo.names == ["sent"]


async def test_second_signal_ends_the_batch_at_once_and_the_call_in_progress_is_unknown() -> None:
    ended, (outcome, summary), _ = await Signalled().run(signal.SIGTERM, signal.SIGINT, answers=False)
    assert ended == 143
    assert (outcome["conference_name"], outcome["type"]) == ("sent", "OutcomeUnknownError")
    assert (summary["unknown"], summary["not_begun"]) == (1, 2)


async def test_batch_finishes_calls_in_progress_and_begins_no_other_when_output_fails() -> None:
    names: list[str] = []
    printing_failed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        name = head.split()[1].decode().split("/")[5]
        names.append(name)
        if name == "slow":
            await printing_failed.wait()
        status = b"503 Service Unavailable" if names.count(name) == 1 and name == "slow" else b"204 No Content"
        writer.write(b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % status)
        writer.close()

    full = await asyncio.to_thread(os.open, "/dev/full", os.O_WRONLY)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        process = await start_command(f"http://{host}:{port}", "batch", "stop", "--concurrency", "2", stdout=full)
        os.close(full)
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"slow\na\n")
        assert b"No space left on device" in await process.stderr.readline()
        process.stdin.write(b"b\nc\n")
        printing_failed.set()
        assert await process.wait() == 3
        assert await process.stderr.read() == b""
    assert sorted(names) == ["a", "slow", "slow"], "the slow one was tried again, and is done"


async def test_a_summary_that_cannot_be_printed_is_a_failure(account: Emulator) -> None:
    reading, writing = os.pipe()
    process = await start_command(account.url, "batch", "start", stdout=writing)
    os.close(writing)
    assert process.stdin is not None
    process.stdin.write(b"a\n")
    with os.fdopen(reading, "rb") as pipe:
        assert (await asyncio.to_thread(pipe.readline)).startswith(b"started  a  ")
    process.stdin.close()
    assert await process.wait() == 1
    assert process.stderr is not None
    assert await process.stderr.read() == b""


# A batch of which Plivo rejects every call


class Plivo:
    """Answers with a status for each conference, and records the names."""

    def __init__(self, **statuses: bytes) -> None:
        self.statuses = statuses
        self.asked: list[str] = []

    async def answer(self, name: str) -> bytes:
        self.asked.append(name)
        return self.statuses.get(name, self.statuses["others"])


NAMES = [f"room-{number}" for number in range(2000)]
INPUT = "\n\n".join(NAMES).encode()


@pytest.mark.parametrize("word", ["start", "stop"])
@pytest.mark.parametrize("others", [b"401 Unauthorized", b"403 Forbidden"])
async def test_account_that_is_rejected_ends_the_batch_at_once(command: Command, word: str, others: bytes) -> None:
    plivo = Plivo(others=others)
    async with serve_answers(plivo.answer) as url:
        ended = await command("batch", word, "--json", stdin=INPUT, PLIVO_BASE_URL=url)
    *outcomes, summary = json_lines(ended.stdout)
    assert ended.exit_code == 1
    assert len(plivo.asked) == len(outcomes) <= 32
    assert {each["status"] for each in outcomes} == {int(others[:3])}
    left = len(NAMES) - len(outcomes)
    assert summary == {
        "type": "Summary",
        "done": 0,
        "failed": len(outcomes),
        "unknown": 0,
        "not_begun": left,
        "all_read": True,
    }
    (error,) = json_lines(ended.stderr)
    assert (error["type"], error["status"]) == ("BatchEndedEarlyError", int(others[:3]))
    assert error["error"].endswith("The lines without an outcome were not begun; run the batch again with them")


async def test_batch_that_ends_early_is_reported_in_text_without_json(command: Command) -> None:
    plivo = Plivo(others=b"401 Unauthorized")
    async with serve_answers(plivo.answer) as url:
        ended = await command("batch", "start", "--concurrency", "1", stdin=INPUT, PLIVO_BASE_URL=url)
    assert ended.stdout.endswith("summary: 0 done, 1 failed, 0 unknown, 1999 not begun\n")
    assert ended.stderr.startswith("error: the batch ended early, because Plivo answered 401 (")
    assert ": check PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN. " in ended.stderr
    assert plivo.asked == ["room-0"]


async def test_calls_that_wait_for_the_quota_are_dropped_when_the_batch_ends_early(command: Command) -> None:
    """All 2,000 calls begin at once, and the quota permits 300 of them in the first five seconds."""
    asked: list[str] = []
    used_up = asyncio.Event()

    async def answer(name: str) -> bytes:
        asked.append(name)
        if len(asked) == 300:
            used_up.set()
        await used_up.wait()
        return b"401 Unauthorized"

    async with serve_answers(answer) as url:
        ended = await command("batch", "start", "--json", "--concurrency", "2000", stdin=INPUT, PLIVO_BASE_URL=url)
    *outcomes, summary = json_lines(ended.stdout)
    assert len(asked) == len(outcomes) == 300
    assert (summary["failed"], summary["not_begun"]) == (300, 1700)


async def test_calls_in_progress_are_finished(command: Command) -> None:
    arrived, refused = asyncio.Event(), asyncio.Event()

    async def answer(name: str) -> bytes:
        if name == "slow":
            arrived.set()
            await refused.wait()
            return b"202 Accepted"
        await arrived.wait()
        asyncio.get_running_loop().call_soon(refused.set)
        return b"401 Unauthorized"

    async with serve_answers(answer) as url:
        ended = await command(
            *("batch", "start", "--json", "--concurrency", "2"), stdin=b"slow\nrefused\nc\nd\ne", PLIVO_BASE_URL=url
        )
    *outcomes, summary = json_lines(ended.stdout)
    assert {each["conference_name"]: each.get("status") for each in outcomes} == {"refused": 401, "slow": 202}
    assert ended.exit_code == 3, "an empty answer to a start is accepted in words that make no sense"
    assert (summary["failed"], summary["unknown"], summary["not_begun"]) == (1, 1, 3)


async def test_single_403_does_not_end_the_batch(command: Command) -> None:
    plivo = Plivo(first=b"204 No Content", forbidden=b"403 Forbidden", others=b"204 No Content")
    async with serve_answers(plivo.answer) as url:
        ended = await command(
            *("batch", "stop", "--concurrency", "1"), stdin=b"first\nforbidden\nlast", PLIVO_BASE_URL=url
        )
    assert ended.exit_code == 1
    assert ended.stdout.endswith("summary: 2 done, 1 failed, 0 unknown\n")
    assert ended.stderr == ""
    assert plivo.asked == ["first", "forbidden", "last"]


async def test_401_ends_the_batch_whatever_was_done_before(command: Command) -> None:
    plivo = Plivo(refused=b"401 Unauthorized", others=b"204 No Content")
    async with serve_answers(plivo.answer) as url:
        ended = await command("batch", "stop", "--concurrency", "1", stdin=b"a\nrefused\nb\nc", PLIVO_BASE_URL=url)
    assert ended.stdout.endswith("summary: 1 done, 1 failed, 0 unknown, 2 not begun\n")
    assert plivo.asked == ["a", "refused"]


async def test_batch_that_ends_does_not_wait_for_more_input(account: Emulator) -> None:
    process = await start_command(account.url, "batch", "start", "--json", "--concurrency", "2", token="wrong")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"a\nb\nc\nd\n")
    out = await process.stdout.read()
    assert await process.wait() == 1
    *outcomes, summary = json_lines(out.decode())
    assert summary["all_read"] is False
    assert len(outcomes) + summary["not_begun"] == 4
    process.stdin.close()


# Input that cannot be read


async def test_read_error_of_the_input_is_reported(command: Command, plivo: Emulator) -> None:
    ended = await command("batch", "start", "/proc/self/mem")
    assert (ended.exit_code, ended.stdout) == (1, "summary: 0 done, 0 failed, 0 unknown\n")
    assert ended.stderr == (
        "error: /proc/self/mem cannot be read to its end: Input/output error. No call was made for later lines\n"
    )
    ended = await command("batch", "start", "--json", stdin=b"a\n" + b"b" * 2_000_000 + b"\nc\n")
    assert ended.exit_code == 1
    assert "standard input cannot be read to its end: it has a line of more than 1 MiB" in ended.stderr
    assert plivo.executions("c") == 0


async def test_nonblocking_input_is_awaited(account: Emulator) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    process = await start_command(account.url, "batch", "start", stdin=reading)
    os.close(reading)
    assert process.stdout is not None
    for name in (b"a", b"b"):
        await asyncio.to_thread(os.write, writing, name + b"\n")
        assert (await process.stdout.readline()).startswith(b"started  " + name)
    os.close(writing)
    assert await process.stdout.read() == b"summary: 2 done, 0 failed, 0 unknown\n"
    assert await process.wait() == 0


async def test_any_line_gives_valid_json(command: Command) -> None:
    odd = [b"\xff\xfe", "\U0001f600".encode(), b"\xed\xa0\x80", b"\x1b[31m", b'{"conference_name": "\\ud800"}', b"NaN"]
    ended = await command("batch", "start", "--json", stdin=b"\n".join(odd))
    for line in ended.stdout.splitlines():
        assert line.isascii()
        json.loads(line, parse_constant=pytest.fail)["type"].encode()
    *outcomes, _ = json_lines(ended.stdout)
    assert {each.get("line") for each in outcomes if not each["ok"]} == {
        *("\\xff\\xfe", "\\xed\\xa0\\x80", '{"conference_name": "\\ud800"}')
    }


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (
            0,
            (3, "error: Outcomes can no longer be printed. Calls in progress are finished, and no more calls are made"),
        ),
        (1, (1, "error: The summary cannot be printed")),
    ],
)
async def test_full_disk_ends_the_batch(
    full_disk: Callable[..., Awaitable[int]],
    after: int,
    expected: tuple[int, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("a\n")
    code = await full_disk("batch", "start", str(names), after=after)
    assert (code, capsys.readouterr().err.partition(": [Errno 28]")[0]) == expected
