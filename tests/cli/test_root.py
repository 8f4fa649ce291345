from __future__ import annotations

import contextlib
import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.root import Root, plivo_record
from plivo_record_async.errors import NotSentError, PlivoRecordError, StoreError

COMMANDS = [
    *("start", "stop", "batch", "batch start", "batch stop", "listen", "status", "reconcile"),
    *("recordings", "recordings list", "recordings get", "recordings delete"),
    *("conferences", "conferences list", "conferences get", "download", "doctor", "emulate", "demo", "completion"),
    *("db", "db check", "db migrate", "db print", "db copy"),
    *("fleet", "fleet worker", "fleet submit", "fleet progress"),
]


def group(error: BaseException | None = None) -> Root:
    """Return a group with one command, which raises this error."""

    @click.group(cls=Root)
    def root() -> None:
        pass

    @root.command()
    @click.argument("name", default="")
    @click.option("--json", is_flag=True)
    def fail(name: str, json: bool) -> ExitCode:
        if error is not None:
            raise error
        click.echo(f"hello {name}")
        return ExitCode.UNKNOWN

    return root


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_help(command: str, option: str) -> None:
    ended = CliRunner().invoke(plivo_record, [*command.split(), option], prog_name="plivo-record")
    assert ended.exit_code == 0
    assert ended.stdout.startswith(f"Usage: plivo-record {command}".rstrip())
    assert f"Examples:\n    plivo-record {command}" in ended.stdout or " | plivo-record " in ended.stdout
    assert ended.stderr == ""


def test_help_names_every_command_and_exit_code() -> None:
    text = CliRunner().invoke(plivo_record, ["--help"]).stdout
    commands = text.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in commands] == sorted({command.split()[0] for command in COMMANDS})
    assert not any(line.endswith("...") for line in commands)
    for code in ExitCode:
        assert f"\n    {code:<4} " in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing command. Try: plivo-record --help"),
        (["nonsense"], "No such command 'nonsense'. Try: plivo-record --help"),
        (["stop"], "Missing argument 'NAME'. Try: plivo-record stop --help"),
        (
            ["completion"],
            "Missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish. Try: plivo-record completion --help",
        ),
        (["stop", "a", "--nonsense"], "No such option '--nonsense'. Try: plivo-record stop --help"),
        (["--hel"], "No such option '--hel'. Did you mean '--help'? Try: plivo-record --help"),
        (
            ["stop", "--jsn"],
            "No such option '--jsn'. Did you mean '--json'? Try: plivo-record stop --help",
        ),
        (["batch", "begin"], "No such command 'begin'. Try: plivo-record batch --help"),
    ],
)
def test_wrong_usage_is_one_line_on_stderr(words: list[str], message: str) -> None:
    ended = CliRunner().invoke(plivo_record, words, prog_name="plivo-record")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (2, "", f"error: {message}\n")


def test_a_name_that_looks_like_an_option_prints_no_json() -> None:
    ended = CliRunner().invoke(plivo_record, ["start", "--", "--json", "a"], prog_name="plivo-record")
    assert ended.stderr.startswith("error: Got unexpected extra argument")


def test_wrong_usage_as_json_is_one_object() -> None:
    ended = CliRunner().invoke(plivo_record, ["stop", "--json"], prog_name="plivo-record")
    assert ended.exit_code == 2
    assert ended.stderr == (
        '{"type": "UsageError", "error": "Missing argument \'NAME\'. Try: plivo-record stop --help"}\n'
    )


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (StoreError("the disk is full"), 1, "error: the disk is full\n"),
        (NotSentError("a", "b", phase="queue", evidence="c"), 1, "error: a: b. Nothing was sent (c); "),
        (click.ClickException("a file is missing."), 1, "error: a file is missing. Try: plivo-record --help\n"),
        (KeyboardInterrupt(), 130, "\nerror: interrupted; what was already sent may have been executed\n"),
    ],
)
def test_an_error_ends_with_one_line_and_a_code(error: BaseException, code: int, line: str) -> None:
    ended = CliRunner().invoke(group(error), ["fail"])
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert ended.stderr.startswith(line)


FULL = OSError(errno.ENOSPC, "No space left on device")
GONE = BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FULL, "error: [Errno 28] No space left on device\n"),
        (GONE, ""),
        (ExceptionGroup("", [GONE]), ""),
        (BaseExceptionGroup("", [ExceptionGroup("", [GONE, GONE]), GONE]), ""),
    ],
)
def test_failed_output_is_a_failure_without_message_if_the_reader_has_closed(error: BaseException, line: str) -> None:
    ended = CliRunner().invoke(group(error), ["fail"])
    assert (ended.exit_code, ended.stdout, ended.stderr) == (1, "", line)


@pytest.mark.parametrize(
    "mistake", [ZeroDivisionError(), TimeoutError(), ExceptionGroup("", [GONE, ZeroDivisionError()])]
)
def test_unexpected_exception_is_raised(mistake: Exception) -> None:
    with pytest.raises(type(mistake)):
        CliRunner().invoke(group(mistake), ["fail"], catch_exceptions=False)


COMMAND = (sys.executable, "-m", "plivo_record_async")


def test_process_ends_without_message_when_its_reader_has_closed() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for words, code in ((["--help"], 1), (["nonsense"], 2)):
        ended = subprocess.run([*COMMAND, *words], stdout=writing, stderr=writing, timeout=60, check=False)
        assert ended.returncode == code
    ended = subprocess.run([*COMMAND, "--help"], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (1, b"")
    os.close(writing)


def test_full_disk_is_reported_in_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([*COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
        assert (ended.returncode, ended.stderr) == (1, b"error: [Errno 28] No space left on device\n")
        ended = subprocess.run([*COMMAND, "nonsense"], stdout=full, stderr=full, timeout=60, check=False)
        assert ended.returncode == 2


def test_a_command_returns_its_exit_code() -> None:
    assert CliRunner().invoke(group(), ["fail", "a"]).exit_code == 3


def test_output_goes_to_a_redirected_stdout() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit) as ended:
        group().main(["fail", "a"])
    assert ended.value.code is ExitCode.UNKNOWN
    assert out.getvalue() == "hello a\n"


def test_another_program_may_embed_the_group() -> None:
    assert group().main(["fail"], standalone_mode=False) is ExitCode.UNKNOWN
    with pytest.raises(PlivoRecordError, match="disk"):
        group(StoreError("the disk is full")).main(["fail"], standalone_mode=False)


def test_output_works_with_any_terminal_encoding() -> None:
    ended = subprocess.run(
        [*COMMAND, "start", "a"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "PLIVO_AUTH_ID": "ż"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(rb"error: auth_id (PLIVO_AUTH_ID) must be")
    assert rb"\u017c" in ended.stderr
