"""The outcomes of calls: as lines for people, as JSON objects for programs, and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs
import click

from plivo_record_async.cli.input.requests import InvalidLine, Item
from plivo_record_async.cli.output.exit_codes import ExitCode, exit_code
from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.protocol.models import (
    Outcome,
    PendingResponse,
    RecordingStarted,
    RecordingStatus,
    RecordingStopped,
    StartRequest,
    StopRequest,
)

__all__ = [
    "Followed",
    "Result",
    "Tally",
    "UnfinishedError",
    "error_object",
    "kind_of",
    "outcome_line",
    "outcome_object",
    "printable",
]

OutcomeKind = Literal["done", "failed", "unknown", "unfinished"]
"""How an outcome is counted."""

_ERROR_FIELDS = ("status", "api_id", "phase", "retry_after", "sent_at", "start_id")
_RESULT_FIELDS = ("recording_id", "api_id", "url")
_LABELS: dict[type, str] = {RecordingStarted: "started", RecordingStopped: "stopped", PendingResponse: "pending"}
_COLOURS: dict[OutcomeKind, str] = {"done": "green", "failed": "red", "unknown": "yellow", "unfinished": "cyan"}


@attrs.frozen(kw_only=True)
class Followed:
    """What a batch reached with a recording that it follows.

    Attributes:
        status: The status of the recording.
        path: The downloaded file. If None, it was not downloaded.
    """

    status: RecordingStatus
    path: Path | None = None


Result = RecordingStarted | RecordingStopped | PendingResponse | Followed
"""What a call of a batch returns."""


class UnfinishedError(PlivoRecordError):
    """A start was made, but the batch ended before the recording reached what the batch waits for.

    Args:
        message: What happened.
        recording: The status of the recording. If None, it could not be read.
    """

    def __init__(self, message: str, *, recording: RecordingStatus | None = None) -> None:
        super().__init__(message)
        self.recording = recording


@attrs.define
class Tally:
    """The counted outcomes of a batch.

    Attributes:
        done: How many calls succeeded.
        failed: How many calls failed, and how many lines are not requests.
        unknown: How many calls may have been executed.
        unfinished: How many starts were made whose recordings had not reached what the batch waits for when the batch
            ended. If None, there are none.
        not_begun: How many lines were not begun. If None, the batch did not end early.
    """

    done: int = 0
    failed: int = 0
    unknown: int = 0
    unfinished: int | None = None
    not_begun: int | None = None

    def count(self, error: Exception | None) -> None:
        """Count one outcome.

        Args:
            error: The error of the call. If None, the call succeeded.
        """
        kind = kind_of(error)
        setattr(self, kind, (getattr(self, kind) or 0) + 1)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the batch. An unknown outcome takes precedence: its call must not be repeated blindly."""
        if self.unknown:
            return ExitCode.UNKNOWN
        return ExitCode.FAILED if self.failed or self.unfinished else ExitCode.DONE


def printable(text: str) -> str:
    """Return a text with every character escaped that is not printable.

    Args:
        text: Any text.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def error_object(error: Exception) -> dict[str, Any]:
    """Return the JSON object of an error: its type, its message in ``error``, and its data.

    Args:
        error: Any error.
    """
    data = {name: getattr(error, name, None) for name in _ERROR_FIELDS}
    recording = getattr(error, "recording", None)
    if isinstance(recording, RecordingStatus):
        data |= {"start_id": recording.start_id, "state": recording.state, "recording_id": recording.recording_id}
    return {"type": type(error).__name__, "error": str(error)} | {k: v for k, v in data.items() if v is not None}


def outcome_object(outcome: Outcome[Any, Result]) -> dict[str, Any]:
    """Return the JSON object of an outcome.

    Args:
        outcome: The outcome of a call, or the failure of a line that is not a request.
    """
    about: dict[str, Any] = _about(outcome.request) | {"ok": outcome.ok}
    if outcome.error is not None:
        return error_object(outcome.error) | about
    if isinstance(outcome.result, Followed):
        path = outcome.result.path
        return (
            {"type": "RecordingStatus"} | about | _status_fields(outcome.result.status) | {"path": path and str(path)}
        )
    result = attrs.asdict(outcome.result, filter=attrs.filters.exclude("raw"))
    return {"type": type(outcome.result).__name__} | about | result


def outcome_line(outcome: Outcome[Any, Result]) -> str:
    """Return an outcome as a line for people.

    Args:
        outcome: The outcome of a call, or the failure of a line that is not a request.
    """
    about = _about(outcome.request)
    name = printable(about["conference_name"] if "conference_name" in about else about["line"])
    kind = kind_of(outcome.error)
    result = outcome.result
    word = result.status.state if isinstance(result, Followed) else _LABELS.get(type(result), kind)
    label = click.style(f"{word:<8}", fg=_COLOURS[kind])
    if outcome.error is not None:
        return f"{label} {name}  {printable(str(outcome.error))}"
    if isinstance(result, Followed):
        reached = str(result.path) if result.path else f"start_id={result.status.start_id}"
        return f"{label} {name}  {printable(reached)}"
    fields = [(field, getattr(result, field, None)) for field in _RESULT_FIELDS]
    known = "  ".join(f"{field}={printable(value)}" for field, value in fields if value)
    return f"{label} {name}  {known}".rstrip()


def _about(request: StartRequest | StopRequest | Item[Any] | InvalidLine) -> dict[str, Any]:
    """Return the fields that name a request, or the line that is not one."""
    if isinstance(request, InvalidLine):
        return {"line": request.text, "line_number": request.number}
    if isinstance(request, Item):
        return {"conference_name": request.request.conference_name, "line_number": request.number}
    return {"conference_name": request.conference_name}


def _status_fields(status: RecordingStatus) -> dict[str, Any]:
    fields = status.to_dict()
    del fields["history"]
    return fields


def kind_of(error: Exception | None) -> OutcomeKind:
    """Return how an outcome is counted.

    Args:
        error: The error of the call. If None, the call succeeded.
    """
    if error is None:
        return "done"
    if isinstance(error, UnfinishedError):
        return "unfinished"
    return "unknown" if exit_code(error) is ExitCode.UNKNOWN else "failed"
