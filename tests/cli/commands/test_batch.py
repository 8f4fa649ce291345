from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
import termios
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
async def test_invalid_line_is_refused_before_anything_is_sent(
    command: Command, plivo: Emulator, line: bytes, reason: str
) -> None:
    ended = await command("batch", "start", stdin=b"a\n" + line + b"\nb\n")
    assert ended.exit_code == 2
    assert reason in ended.stdout
    assert ended.stdout.endswith("summary: 0 done, 1 failed, 0 unknown, 2 not begun\n")
    assert ended.stderr == (
        "error: standard input: 1 of 3 lines are not valid. Nothing was sent. Correct them, and run the batch again\n"
    )
    assert plivo.requests == []


async def test_invalid_line_is_repeated_in_the_json(command: Command) -> None:
    ended = await command("batch", "stop", "--json", stdin=b".\n")
    refused, summary = json_lines(ended.stdout)
    assert (refused["line"], refused["line_number"], refused["ok"], refused["type"]) == (".", 1, False, "ValueError")
    assert (summary["failed"], summary["not_begun"]) == (1, 0)
    assert json_lines(ended.stderr)[0]["type"] == "InputError"


async def test_many_invalid_lines_are_counted(command: Command) -> None:
    ended = await command("batch", "start", "--json", stdin=b".\n" * 1000)
    *refused, summary = json_lines(ended.stdout)
    assert [each["line_number"] for each in refused] == list(range(1, 21))
    assert summary["failed"] == 1000
    assert "1000 of 1000 lines are not valid. The first 20 are printed." in ended.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"conference_name,colour\na,red\n", "unknown column 'colour'; the known columns are conference_name, "),
        (b"conference_name;file_format\na;wav\n", "not separated by commas"),
        (b'[{"conference_name": "a"}]', "JSON array"),
        (b"a\rb\r", "CR alone"),
        ("a\n".encode("utf-16"), "UTF-16"),
        ("a\n".encode("utf-16-le"), "UTF-16"),
        (b"abcd\0\n", "NUL in line 1"),
    ],
)
async def test_file_that_is_not_a_list_of_conferences_is_refused(
    command: Command, plivo: Emulator, tmp_path: Path, content: bytes, reason: str
) -> None:
    rooms = tmp_path / "rooms.csv"
    rooms.write_bytes(content)
    ended = await command("batch", "start", str(rooms))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: {rooms}: ")
    assert reason in ended.stderr
    assert plivo.requests == []


async def test_rows_of_a_csv_file_have_options(command: Command, plivo: Emulator, tmp_path: Path) -> None:
    rooms = tmp_path / "rooms.csv"
    rooms.write_bytes(b'\xef\xbb\xbfconference_name,file_format\r\n"a, ""b""\nc",wav\r\n\xf0\x9f\x98\x80,\r\n')
    ended = await command("batch", "start", str(rooms), "--json")
    *outcomes, summary = json_lines(ended.stdout)
    assert (ended.exit_code, summary["done"]) == (0, 2)
    assert {(each["conference_name"], each["line_number"]) for each in outcomes} == {
        ('a, "b"\nc', 2),
        ("\U0001f600", 4),
    }
    assert plivo.executions('a, "b"\nc') == 1
    [recording] = [each for each in plivo.state()["recordings"] if each["conference_name"] != "\U0001f600"]
    assert recording["file_format"] == "wav"


async def test_dry_run_checks_the_input_without_credentials_and_sends_nothing(
    command: Command, plivo: Emulator
) -> None:
    content = b"a\nb\na\n" + b"".join(b"room-%d\n" % number for number in range(598))
    without = dict.fromkeys(("PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN"))
    ended = await command("batch", "start", "--dry-run", stdin=content, **without)
    assert (ended.exit_code, ended.stdout) == (
        0,
        "dry run: 601 calls, 1 duplicates, at least 10 s at the quota of 300 calls in 5 s; nothing was sent\n",
    )
    assert ended.stderr == "line 3: the conference 'a' is in line 1 too, and each line is a call\n"
    ended = await command("batch", "start", "--dry-run", "--json", stdin=content, **without)
    assert json_lines(ended.stdout) == [{"type": "DryRun", "calls": 601, "duplicates": 1, "seconds": 10}]
    assert (await command("batch", "start", "--dry-run", stdin=b"a\n.\n", **without)).exit_code == 2
    assert plivo.requests == []


async def test_duplicates_are_reported_and_each_is_a_call(command: Command, plivo: Emulator) -> None:
    ended = await command("batch", "start", "--json", stdin=b"a\n" * 25)
    *notes, rest = json_lines(ended.stderr)
    assert len(notes) == 20
    assert rest == {"type": "Note", "note": "4 more lines name a conference that is in an earlier line too"}
    assert plivo.executions("a") == 25


async def test_failed_lines_are_written_in_the_format_of_the_input(
    command: Command, plivo: Emulator, tmp_path: Path
) -> None:
    rooms, failed = tmp_path / "rooms.csv", tmp_path / "failed.csv"
    rooms.write_text('conference_name,file_format\na,\n"b, c",wav\nd,\n')
    plivo.faults.on("start", conference="b, c").status(404, executed=False)
    plivo.faults.on("start", conference="d").status(503, executed=True)
    ended = await command("batch", "start", str(rooms), "--failed", str(failed))
    assert ended.exit_code == 3
    assert failed.read_text() == 'conference_name,file_format\n"b, c",wav\n', "the unknown one is not in the file"
    ended = await command("batch", "start", str(failed), "--failed", str(failed))
    assert ended.exit_code == 2
    assert ended.stderr == "error: --failed must not be the file that is read. Nothing was sent\n"
    ended = await command("batch", "start", str(rooms), "--failed", str(tmp_path / "none" / "failed.csv"))
    assert ended.exit_code == 2
    assert "failed.csv cannot be written: No such file or directory. Nothing was sent" in ended.stderr


async def test_names_with_separators_are_reported(command: Command) -> None:
    ended = await command("batch", "start", stdin=b"Doe, Jane\n")
    assert ended.exit_code == 0
    assert ended.stderr == (
        "standard input has no header with the column conference_name, so each line is the name of a conference, with "
        "all its separators\n"
    )


async def test_unknown_outcome_takes_precedence_over_failures(command: Command) -> None:
    plivo = Plivo(a=b"503 Service Unavailable", others=b"404 Not Found")
    async with serve_answers(plivo.answer) as url:
        ended = await command("batch", "start", stdin=b"a\nb\n", PLIVO_BASE_URL=url)
    assert ended.exit_code == 3
    assert "unknown  a  " in ended.stdout
    assert ended.stdout.endswith("summary: 0 done, 1 failed, 1 unknown\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_signal_ends_the_wait_for_input(account: Emulator, number: signal.Signals, code: int) -> None:
    process = await start_command(account.url, "batch", "start", "--json")
    assert process.stdin is not None
    process.stdin.write(b"a\nb\n")
    await process.stdin.drain()
    await _first_read(process)
    process.send_signal(number)
    assert process.stdout is not None
    out = await process.stdout.read()
    assert await process.wait() == code
    [summary] = json_lines(out.decode())
    assert (summary["not_begun"], summary["all_read"]) == (2, False)
    assert account.requests == []
    process.stdin.close()


async def _first_read(process: asyncio.subprocess.Process) -> None:
    """Wait until the process has read its input, which it does after it handles signals."""
    assert process.stdin is not None
    pipe = process.stdin.get_extra_info("pipe").fileno()
    while int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), sys.byteorder):
        await asyncio.sleep(0.01)


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
        if name in {"slow", "b"}:
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
        process.stdin.write(b"slow\na\nb\nc\n")
        process.stdin.close()
        assert b"No space left on device" in await process.stderr.readline()
        printing_failed.set()
        assert await process.wait() == 3
        assert await process.stderr.read() == b""
    assert "c" not in names
    assert names.count("slow") == 2, "the slow one was tried again, and is done"


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


# Input that cannot be read


async def test_read_error_of_the_input_is_reported(command: Command, plivo: Emulator) -> None:
    ended = await command("batch", "start", "/proc/self/mem")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == "error: /proc/self/mem: it cannot be read: Input/output error. Nothing was sent\n"
    ended = await command("batch", "start", "--json", stdin=b"a\n" + b"b" * 2_000_000 + b"\nc\n")
    assert ended.exit_code == 2
    assert "standard input: line 2 has more than 1048576 characters" in ended.stderr
    assert plivo.requests == []


async def test_nonblocking_input_is_awaited(account: Emulator) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    process = await start_command(account.url, "batch", "start", stdin=reading)
    os.close(reading)
    assert process.stdout is not None
    for name in (b"a", b"b"):
        await asyncio.to_thread(os.write, writing, name + b"\n")
    os.close(writing)
    assert (await process.stdout.read()).endswith(b"summary: 2 done, 0 failed, 0 unknown\n")
    assert await process.wait() == 0


async def test_any_line_gives_valid_json(command: Command) -> None:
    valid = ["\U0001f600".encode(), b"\x1b[31m", b"NaN", b'{"conference_name": "\\u0007"}']
    invalid = [b"\xff\xfe", b"\xed\xa0\x80", b'{"conference_name": "\\ud800"}']
    outcomes: list[dict[str, Any]] = []
    for lines in (valid, [*valid, *invalid]):
        ended = await command("batch", "start", "--json", stdin=b"\n".join(lines))
        for line in ended.stdout.splitlines():
            assert line.isascii()
            json.loads(line, parse_constant=pytest.fail)["type"].encode()
        outcomes += json_lines(ended.stdout)[:-1]
    assert len(outcomes) == 7
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
