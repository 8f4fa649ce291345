"""The exit codes of the commands, and the exit code of each error."""

from __future__ import annotations

from enum import IntEnum

from plivo_record_async.errors import ConfigurationError, PlivoRecordError
from plivo_record_async.protocol.api.retry import may_have_been_executed

__all__ = ["ExitCode", "exit_code"]


class ExitCode(IntEnum):
    """The exit codes of the commands."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNKNOWN = 3
    INTERRUPTED = 130
    TERMINATED = 143


def exit_code(error: Exception | None, *, reading: bool = False) -> ExitCode:
    """Return the exit code of a command that ends with an error.

    Args:
        error: The error. If None, the command succeeded.
        reading: Whether the command only reads, so that its outcome is never unknown.
    """
    if error is None:
        return ExitCode.DONE
    if isinstance(error, ConfigurationError):
        return ExitCode.USAGE
    if not reading and isinstance(error, PlivoRecordError) and may_have_been_executed(error):
        return ExitCode.UNKNOWN
    return ExitCode.FAILED
