"""The one place where commands print: lines for people, JSON for machines.

With ``--json`` every line on stdout is one JSON object with a ``type``; an error is one JSON object on stderr. All
of it is ASCII, and for people whatever could steer a terminal is escaped, so a conference's name cannot.
"""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal, TextIO, cast

import attrs
import click

from plivo_record_async.errors import ConfigurationError, PlivoRecordError
from plivo_record_async.protocol.api.retry import may_have_been_executed
from plivo_record_async.protocol.models import (
    Outcome,
    PendingResponse,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
)

__all__ = ["BadLine", "ExitCode", "Output", "Result", "Tally", "conference", "error_record", "exit_code", "printable"]

Result = RecordingStarted | RecordingStopped | PendingResponse
"""Whatever a start or a stop returns."""

Verdict = Literal["done", "failed", "unknown"]

_ERROR_FIELDS = ("status", "api_id", "phase", "retry_after", "sent_at")
_RESULT_FIELDS = ("recording_id", "api_id", "url")
_WORDS: dict[type, str] = {RecordingStarted: "started", RecordingStopped: "stopped", PendingResponse: "pending"}
_COLOURS: dict[Verdict, str] = {"done": "green", "failed": "red", "unknown": "yellow"}


class ExitCode(IntEnum):
    """What the commands tell the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNKNOWN = 3
    INTERRUPTED = 130
    TERMINATED = 143


def exit_code(error: Exception) -> ExitCode:
    """The exit code that an error ends a command with."""
    if isinstance(error, ConfigurationError):
        return ExitCode.USAGE
    if isinstance(error, PlivoRecordError) and may_have_been_executed(error):
        return ExitCode.UNKNOWN
    return ExitCode.FAILED


def _verdict(error: Exception | None) -> Verdict:
    if error is None:
        return "done"
    return "unknown" if exit_code(error) is ExitCode.UNKNOWN else "failed"


@attrs.frozen(kw_only=True)
class BadLine:
    """A line of a batch's input that is no request.

    Attributes:
        number: Which line it is, from 1.
        text: The line; bytes that are not UTF-8 are escaped.
    """

    number: int
    text: str


@attrs.define
class Tally:
    """How many items of a batch ended how, and how many lines were not begun if the batch ended early."""

    done: int = 0
    failed: int = 0
    unknown: int = 0
    not_begun: int | None = None

    def count(self, error: Exception | None) -> None:
        """Count one item, by the error it ended with, if any."""
        verdict = _verdict(error)
        setattr(self, verdict, getattr(self, verdict) + 1)

    @property
    def exit_code(self) -> ExitCode:
        """Unknown weighs more than failed: it must not be repeated blindly."""
        if self.unknown:
            return ExitCode.UNKNOWN
        return ExitCode.FAILED if self.failed else ExitCode.DONE


def printable(text: str) -> str:
    """The text with everything escaped that is not a visible character."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def conference(request: BadLine | StartRequest | StopRequest) -> str:
    """The name of the conference that a request is about; a line that is no request stands for itself."""
    return request.text if isinstance(request, BadLine) else request.conference_name


def error_record(error: Exception) -> dict[str, Any]:
    """An error for machines: its type, its words in ``error``, and the data it carries."""
    data = {name: getattr(error, name, None) for name in _ERROR_FIELDS}
    return {"type": type(error).__name__, "error": str(error)} | {k: v for k, v in data.items() if v is not None}


def _outcome_record(outcome: Outcome[Any, Result]) -> dict[str, Any]:
    request = outcome.request
    about = (
        {"line": request.text, "line_number": request.number}
        if isinstance(request, BadLine)
        else {"conference_name": conference(request)}
    )
    record: dict[str, Any] = about | {"ok": outcome.ok}
    if outcome.error is not None:
        return error_record(outcome.error) | record
    given = attrs.asdict(outcome.result, filter=attrs.filters.exclude("raw"))
    return {"type": type(outcome.result).__name__} | record | given


def _outcome_line(outcome: Outcome[Any, Result]) -> str:
    name = printable(conference(outcome.request))
    verdict = _verdict(outcome.error)
    word = click.style(f"{_WORDS.get(type(outcome.result), verdict):<8}", fg=_COLOURS[verdict])
    if outcome.error is not None:
        return f"{word} {name}  {printable(str(outcome.error))}"
    facts = [(field, getattr(outcome.result, field, None)) for field in _RESULT_FIELDS]
    said = "  ".join(f"{field}={printable(value)}" for field, value in facts if value)
    return f"{word} {name}  {said}".rstrip()


@attrs.frozen
class Output:
    """Prints for people, or with ``as_json`` for machines."""

    as_json: bool

    def outcome(self, outcome: Outcome[Any, Result]) -> None:
        """What became of one start or stop."""
        self.record(_outcome_record(outcome)) if self.as_json else self.line(_outcome_line(outcome))

    def summary(self, tally: Tally, *, all_read: bool = True) -> None:
        """How a batch ended.

        Args:
            tally: What was counted.
            all_read: Whether the input was read to its end, so that `Tally.not_begun` counts all of it.
        """
        counts = attrs.asdict(tally, filter=attrs.filters.exclude(type(None)))
        if self.as_json:
            early = {} if tally.not_begun is None else {"all_read": all_read}
            self.record({"type": "Summary"} | counts | early)
        else:
            said = [f"{number} {verdict.replace('_', ' ')}" for verdict, number in counts.items()]
            self.line(f"summary: {', '.join(said)}" + ("" if all_read or tally.not_begun is None else " or more"))

    def error(self, error: Exception) -> None:
        """The one line on stderr that says why a command ended; without stderr the exit code has to do."""
        line = _json(error_record(error)) if self.as_json else f"error: {printable(str(error))}"
        try:
            click.echo(line, err=True)
        except OSError:
            _discard(sys.stderr)

    def note(self, text: str) -> None:
        """A line on stderr for people, if stderr can be written to."""
        try:
            click.echo(printable(text), err=True)
        except OSError:
            _discard(sys.stderr)

    def lost(self, error: OSError, what: str = "") -> None:
        """Print nothing any more, since it failed; why is said on stderr, unless the reader has merely gone.

        Args:
            error: Why it failed.
            what: What is not printed, and what happens next.
        """
        if not isinstance(error, BrokenPipeError):
            self.error(PlivoRecordError(f"{what}: {error}") if what else error)
        _discard(sys.stdout)

    def line(self, text: str = "") -> None:
        """A line for people; what came from outside must have been made `printable`."""
        click.echo(text)

    def record(self, record: Mapping[str, Any]) -> None:
        """A line for machines."""
        click.echo(_json(record))


def _discard(stream: TextIO) -> None:
    """Let what is printed there go nowhere; the interpreter's last flush would fail, and change the exit code.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    with suppress(io.UnsupportedOperation), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _json(value: object) -> str:
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: object) -> Any:
    """The value as JSON can have it and every reader of JSON takes it.

    Numbers that are not finite become null, times ISO 8601, and what UTF-8 cannot carry is escaped.
    """
    plain: Any = value
    match value:
        case None | bool() | int():
            pass
        case float():
            plain = value if math.isfinite(value) else None
        case bytes():
            plain = value.decode(errors="backslashreplace")
        case datetime():
            plain = value.isoformat()
        case Mapping():
            plain = {_plain(str(name)): _plain(each) for name, each in cast("Mapping[object, object]", value).items()}
        case list() | tuple():
            plain = [_plain(each) for each in cast("Sequence[object]", value)]
        case _:
            plain = str(value).encode(errors="backslashreplace").decode()
    return plain
