"""The status of a followed recording: as a line for people, as a JSON object for programs, and as an exit code."""

from __future__ import annotations

from typing import Any

import click

from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.outcomes import printable
from plivo_record_async.protocol.models import RecordingState, RecordingStatus

__all__ = ["state_exit_code", "status_line", "status_object"]

_FAILED = frozenset[RecordingState]({"not_sent", "rejected", "absent", "failed"})
_UNKNOWN = frozenset[RecordingState]({"planned", "sending", "unknown"})
_COLOURS = {ExitCode.DONE: "green", ExitCode.FAILED: "red", ExitCode.UNKNOWN: "yellow"}


def state_exit_code(state: RecordingState) -> ExitCode:
    """Return the exit code of a command that ends while a recording is in a state.

    Args:
        state: The state of the recording.
    """
    if state in _UNKNOWN:
        return ExitCode.UNKNOWN
    return ExitCode.FAILED if state in _FAILED else ExitCode.DONE


def status_line(status: RecordingStatus) -> str:
    """Return a status as a line for people.

    Args:
        status: The status.
    """
    label = click.style(f"{status.state:<11}", fg=_COLOURS[state_exit_code(status.state)])
    ids = {"start_id": status.start_id, "recording_id": status.recording_id, "url": status.record_url}
    known = [f"{name}={printable(value)}" for name, value in ids.items() if value]
    error = [] if status.error is None else [printable(status.error)]
    return "  ".join([label, printable(status.conference_name), *known, *error])


def status_object(status: RecordingStatus) -> dict[str, Any]:
    """Return the JSON object of a status, without its history.

    Args:
        status: The status.
    """
    fields = status.to_dict()
    del fields["history"]
    return {"type": "RecordingStatus"} | fields
