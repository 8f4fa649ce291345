"""The one place where commands print: lines for people, JSON for machines.

With ``--json`` every line on stdout is one JSON object with a ``type``, and an error is one JSON object on stderr. All
of it is ASCII. For people, control characters are escaped, so that the name of a conference cannot control a terminal.
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

OutcomeKind = Literal["done", "failed", "unknown"]

_ERROR_FIELDS = ("status", "api_id", "phase", "retry_after", "sent_at")
_RESULT_FIELDS = ("recording_id", "api_id", "url")
_LABELS: dict[type, str] = {RecordingStarted: "started", RecordingStopped: "stopped", PendingResponse: "pending"}
_COLOURS: dict[OutcomeKind, str] = {"done": "green", "failed": "red", "unknown": "yellow"}


class ExitCode(IntEnum):
    """The exit codes of the commands."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNKNOWN = 3
    INTERRUPTED = 130
    TERMINATED = 143


def exit_code(error: Exception) -> ExitCode:
    """Return the exit code of a command that ends with this error."""
    if isinstance(error, ConfigurationError):
        return ExitCode.USAGE
    if isinstance(error, PlivoRecordError) and may_have_been_executed(error):
        return ExitCode.UNKNOWN
    return ExitCode.FAILED


def _kind_of(error: Exception | None) -> OutcomeKind:
    if error is None:
        return "done"
    return "unknown" if exit_code(error) is ExitCode.UNKNOWN else "failed"


@attrs.frozen(kw_only=True)
class BadLine:
    """A line of a batch's input that is not a request.

    Attributes:
        number: The number of the line, from 1.
        text: The line. Bytes that are not UTF-8 are escaped.
    """

    number: int
    text: str


@attrs.define
class Tally:
    """The counted outcomes of a batch.

    Attributes:
        not_begun: How many lines were not begun. If None, the batch did not end early.
    """

    done: int = 0
    failed: int = 0
    unknown: int = 0
    not_begun: int | None = None

    def count(self, error: Exception | None) -> None:
        """Count an item by its error. If None, it succeeded."""
        kind = _kind_of(error)
        setattr(self, kind, getattr(self, kind) + 1)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the batch. An unknown outcome comes first: such a call must not be repeated blindly."""
        if self.unknown:
            return ExitCode.UNKNOWN
        return ExitCode.FAILED if self.failed else ExitCode.DONE


def printable(text: str) -> str:
    """Return the text with all characters escaped that are not printable."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def conference(request: BadLine | StartRequest | StopRequest) -> str:
    """Return the name of a request's conference, or the text of a line that is not a request."""
    return request.text if isinstance(request, BadLine) else request.conference_name


def error_record(error: Exception) -> dict[str, Any]:
    """Return the JSON object of an error: its type, its message in ``error``, and its data."""
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
    kind = _kind_of(outcome.error)
    label = click.style(f"{_LABELS.get(type(outcome.result), kind):<8}", fg=_COLOURS[kind])
    if outcome.error is not None:
        return f"{label} {name}  {printable(str(outcome.error))}"
    facts = [(field, getattr(outcome.result, field, None)) for field in _RESULT_FIELDS]
    known_facts = "  ".join(f"{field}={printable(value)}" for field, value in facts if value)
    return f"{label} {name}  {known_facts}".rstrip()


@attrs.frozen
class Output:
    """Prints lines for people or, with ``as_json``, JSON for machines."""

    as_json: bool

    def outcome(self, outcome: Outcome[Any, Result]) -> None:
        """Print the outcome of one start or stop."""
        self.record(_outcome_record(outcome)) if self.as_json else self.line(_outcome_line(outcome))

    def summary(self, tally: Tally, *, all_read: bool = True) -> None:
        """Print the result of a batch.

        Args:
            tally: The counted outcomes.
            all_read: Whether the input was read to its end, so that `Tally.not_begun` counts all remaining lines.
        """
        counts = attrs.asdict(tally, filter=attrs.filters.exclude(type(None)))
        if self.as_json:
            early = {} if tally.not_begun is None else {"all_read": all_read}
            self.record({"type": "Summary"} | counts | early)
        else:
            parts = [f"{number} {kind.replace('_', ' ')}" for kind, number in counts.items()]
            self.line(f"summary: {', '.join(parts)}" + ("" if all_read or tally.not_begun is None else " or more"))

    def error(self, error: Exception) -> None:
        """Print an error as one line on stderr, if stderr can be written to."""
        line = _json(error_record(error)) if self.as_json else f"error: {printable(str(error))}"
        try:
            click.echo(line, err=True)
        except OSError:
            _discard(sys.stderr)

    def note(self, text: str) -> None:
        """Print a line for people on stderr, if stderr can be written to."""
        try:
            click.echo(printable(text), err=True)
        except OSError:
            _discard(sys.stderr)

    def stop_printing(self, error: OSError, consequence: str = "") -> None:
        """Discard all further output on stdout, because it cannot be written.

        The reason is printed on stderr, unless the reader has closed the pipe.

        Args:
            error: Why stdout cannot be written.
            consequence: What is not printed, and what happens next.
        """
        if not isinstance(error, BrokenPipeError):
            self.error(PlivoRecordError(f"{consequence}: {error}") if consequence else error)
        _discard(sys.stdout)

    def line(self, text: str = "") -> None:
        """Print a line for people. Text from outside must be made `printable` first."""
        click.echo(text)

    def record(self, record: Mapping[str, Any]) -> None:
        """Print a JSON object as one line."""
        click.echo(_json(record))


def _discard(stream: TextIO) -> None:
    """Redirect a stream to the null device; otherwise the interpreter's last flush fails and changes the exit code.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    with suppress(io.UnsupportedOperation), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _json(value: object) -> str:
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: object) -> Any:
    """Return the value in the types of JSON.

    Numbers that are not finite become null, and times ISO 8601. Text that UTF-8 cannot encode is escaped.
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
