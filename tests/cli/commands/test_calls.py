from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable

import pytest
from click.testing import Result

from plivo_record_async.emulator import Emulator
from tests.support.programs.cli_process import json_lines, serve_answers, start_command

Command = Callable[..., Awaitable[Result]]
CALLBACK = "http://127.0.0.1:9/callback"


async def test_start_prints_plivos_answer(command: Command, plivo: Emulator) -> None:
    ended = await command("start", "standup")
    recording = plivo.state()["recordings"][0]
    assert ended.exit_code == 0
    assert ended.stdout.startswith(f"started  standup  recording_id={recording['recording_id']}  api_id=")
    assert ended.stdout.count("\n") == 1
    assert ended.stderr == ""
    assert plivo.executions("standup") == 1


async def test_start_passes_every_option_on(command: Command, plivo: Emulator) -> None:
    options = [
        "--format",
        "wav",
        "--callback-url",
        CALLBACK,
        "--callback-method",
        "get",
        "--transcription-type",
        "auto",
    ]
    options += ["--transcription-url", CALLBACK, "--transcription-method", "POST", "--timeout", "5"]
    ended = await command("start", "standup", "--json", *options)
    (answer,) = json_lines(ended.stdout)
    assert ended.exit_code == 0
    assert answer == {"type": "PendingResponse", "conference_name": "standup", "ok": True, "api_id": answer["api_id"]}
    recording = plivo.state()["recordings"][0]
    assert recording["file_format"] == "wav"
    assert recording["api_id"] == answer["api_id"]
    assert recording["callback_url"] == recording["transcription_url"] == CALLBACK
    assert (recording["callback_method"], recording["transcription_method"]) == ("GET", "POST")


async def test_a_name_may_look_like_an_option(command: Command, plivo: Emulator) -> None:
    assert (await command("start", "--", "--json")).exit_code == 0
    assert plivo.executions("--json") == 1


async def test_stop_prints_that_it_succeeded(command: Command, plivo: Emulator) -> None:
    await command("start", "standup")
    ended = await command("stop", "standup")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "stopped  standup\n", "")
    assert not plivo.state()["conferences"]["standup"]["recording"]


async def test_stop_in_asynchronous_mode_is_pending(command: Command) -> None:
    ended = await command("stop", "standup", "--callback-url", CALLBACK, "--callback-method", "POST")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("pending  standup  api_id=")


async def test_rejected_call_is_one_line_on_stderr(command: Command) -> None:
    ended = await command("start", "standup", PLIVO_AUTH_TOKEN="wrong")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: ")
    assert "401" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("word", ["start", "stop"])
async def test_rejected_call_as_json_is_one_object_on_stdout(command: Command, word: str) -> None:
    ended = await command(word, "standup", "--json", PLIVO_AUTH_TOKEN="wrong")
    (error,) = json_lines(ended.stdout)
    assert (ended.exit_code, ended.stderr) == (1, "")
    assert (error["type"], error["status"], error["ok"]) == ("AuthenticationError", 401, False)
    assert error["conference_name"] == "standup"
    assert "PLIVO_AUTH_ID" in error["error"]
    in_a_batch = await command("batch", word, "--json", stdin=b"standup", PLIVO_AUTH_TOKEN="wrong")
    assert json_lines(in_a_batch.stdout)[0] == error | {"line_number": 1}


@pytest.mark.parametrize("words", [("-v",), ("-vv",)])
async def test_each_call_is_one_note_of_a_verbose_command(command: Command, words: tuple[str, ...]) -> None:
    ended = await command("start", "standup", "--json", *words)
    notes = [line["note"] for line in json_lines(ended.stderr)]
    assert [note.partition(" (")[0] for note in notes if " ended: succeeded" in note] == [
        "start of 'standup' ended: succeeded"
    ]
    assert any(note.startswith("attempt 1 of start of 'standup'") for note in notes) == (words == ("-vv",))


async def test_plivo_log_shows_each_call_once(command: Command) -> None:
    ended = await command("stop", "standup", PLIVO_LOG="info")
    assert (ended.exit_code, ended.stderr.count("stop of 'standup' ended: succeeded")) == (0, 1)
    invalid = await command("stop", "standup", PLIVO_LOG="loud")
    assert (invalid.exit_code, invalid.stderr.count("PLIVO_LOG must be debug or info")) == (2, 1)


async def test_unknown_outcome_as_json_is_one_object_on_stdout(command: Command, broken: str) -> None:
    ended = await command("start", "standup", "--json", PLIVO_BASE_URL=broken)
    (error,) = json_lines(ended.stdout)
    assert (ended.exit_code, ended.stderr) == (3, "")
    assert (error["type"], error["status"], error["phase"]) == ("OutcomeUnknownError", 503, "answer")


async def test_error_before_a_call_as_json_is_one_object_on_stderr(command: Command) -> None:
    for words, auth_id in (("start standup --json", None), ("start . --json", "ignored"), ("stop --json", "ignored")):
        ended = await command(*words.split(), PLIVO_AUTH_ID=auth_id)
        (error,) = json_lines(ended.stderr)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert error["type"] == ("UsageError" if auth_id else "ConfigurationError")


@pytest.mark.parametrize(
    "words", [("start", "standup"), ("stop", "standup"), ("batch", "start"), ("demo", "--live", "--room", "a")]
)
async def test_missing_credentials_are_a_configuration_error(command: Command, words: tuple[str, ...]) -> None:
    ended = await command(*words, PLIVO_AUTH_ID=None)
    assert ended.exit_code == 2
    assert ended.stderr.startswith("error: auth_id is missing")
    assert "PLIVO_AUTH_ID" in ended.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["start"], "Missing argument 'NAME'"),
        (["start", "."], "conference_name must not be '.'"),
        (["start", "a", "--format", "ogg"], "Invalid value for '--format'"),
        (["start", "a", "--callback-url", "/callback"], "callback_url must be an absolute http"),
        (["start", "a", "--callback-method", "GET"], "callback_method was given without callback_url"),
        (["start", "a", "--timeout", "0"], "Invalid value for '--timeout'"),
        (["start", "a", "--timeout", "nan"], "Invalid value for '--timeout': 'nan' is not a number of seconds. Try"),
        (["batch", "stop", "--timeout", "inf"], "Invalid value for '--timeout': 'inf' is not a number of seconds. Try"),
        (["start", "a&b", "--callback-url", CALLBACK, "--callback-method", "GET"], "must not be GET"),
        (["batch", "start", "/"], "'/': Is a directory"),
        (["stop", ""], "conference_name must not be empty"),
        (["batch"], "Missing command"),
        (["batch", "start", "--concurrency", "0"], "Invalid value for '--concurrency'"),
        (["batch", "start", "no/such/file"], "'no/such/file': No such file or directory"),
    ],
)
async def test_wrong_usage_is_reported_before_anything_is_sent(
    command: Command, plivo: Emulator, words: list[str], reason: str
) -> None:
    ended = await command(*words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ")
    assert reason in ended.stderr
    assert " --help\n" in ended.stderr
    assert plivo.state()["conferences"] == {}


async def test_an_unknown_outcome_has_its_own_exit_code(command: Command, broken: str) -> None:
    ended = await command("start", "standup", PLIVO_BASE_URL=broken)
    assert ended.exit_code == 3
    assert "may have been executed" in ended.stderr


async def test_call_that_was_not_sent_is_a_failure(command: Command, unused_tcp_port: int) -> None:
    ended = await command("start", "a", "--timeout", "0.2", PLIVO_BASE_URL=f"http://127.0.0.1:{unused_tcp_port}")
    assert ended.exit_code == 1
    assert "Nothing was sent" in ended.stderr


@pytest.mark.parametrize("words", [["start", "a"], ["stop", "a"], ["batch", "start"], ["batch", "stop", "--json"]])
async def test_outcome_that_cannot_be_printed_is_unknown(account: Emulator, unread: int, words: list[str]) -> None:
    process = await start_command(account.url, *words, stdout=unread)
    assert process.stdin is not None
    process.stdin.write(b"a\n")
    process.stdin.close()  # a batch reads its whole input before the first call
    assert await process.wait() == 3
    assert process.stderr is not None
    assert await process.stderr.read() == b""
    assert account.executions("a") == ("start" in words)


async def test_rejected_call_that_cannot_be_printed_is_a_failure(account: Emulator) -> None:
    full = await asyncio.to_thread(os.open, "/dev/full", os.O_WRONLY)
    for words in (["start", "a", "--json"], ["start", "a"]):
        process = await start_command(account.url, *words, stdout=full, token="wrong")
        _, err = await process.communicate()
        assert (process.returncode, err.count(b"\n")) == (1, 1)
    process = await start_command(account.url, "start", "a", stdout=full)
    _, err = await process.communicate()
    assert process.returncode == 3
    assert err == b"error: The call was made, but its outcome cannot be printed: [Errno 28] No space left on device\n"
    os.close(full)


class SilentPlivo:
    """Answers a call only after the test permits it."""

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def answer(self, _: str) -> bytes:
        self.asked.set()
        await self.answers.wait()
        return b"404 Not Found"


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
async def test_after_a_signal_the_outcome_is_awaited_and_printed(number: signal.Signals, code: int, word: str) -> None:
    plivo = SilentPlivo()
    async with serve_answers(plivo.answer) as url:
        process = await start_command(url, "start", "a")
        assert process.stderr is not None
        await plivo.asked.wait()
        process.send_signal(number)
        first = await process.stderr.readline()
        plivo.answers.set()
        out, last = await process.communicate()
    assert (process.returncode, out) == (code, b"")
    assert first.startswith(f"error: {word}; nothing more is sent, ".encode())
    assert last.startswith(b"error: start of 'a': Plivo answered 404")


@pytest.mark.parametrize("word", ["start", "stop"])
async def test_after_a_second_signal_the_outcome_is_unknown(word: str) -> None:
    plivo = SilentPlivo()
    async with serve_answers(plivo.answer) as url:
        process = await start_command(url, word, "a", "--json")
        assert process.stderr is not None
        await plivo.asked.wait()
        process.send_signal(signal.SIGTERM)
        await process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 5)
        plivo.answers.set()
    assert process.returncode == 143
    assert "closed" in json.loads(err)["error"]
    (outcome,) = json_lines(out.decode())
    assert (outcome["type"], outcome["conference_name"]) == ("OutcomeUnknownError", "a")


async def test_outcome_for_which_the_disk_is_full_is_unknown(
    full_disk: Callable[..., Awaitable[int]], plivo: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await full_disk("start", "a") == 3
    assert plivo.executions("a") == 1
    assert capsys.readouterr().err == (
        "error: The call was made, but its outcome cannot be printed: [Errno 28] No space left on device\n"
    )
