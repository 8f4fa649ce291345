"""The one place where commands print: lines for people, JSON for programs.

With ``--json`` every line on stdout is one JSON object with a ``type``, and an error is one JSON object on stderr. All
of it is ASCII. For people, control characters are escaped, so that the name of a conference cannot control a terminal.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import attrs
import click

from plivo_record_async.cli.output.json_text import json_text
from plivo_record_async.cli.output.outcomes import Result, Tally, error_object, outcome_line, outcome_object, printable
from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.protocol.models import Outcome

__all__ = ["Printer", "printed"]


@attrs.frozen
class Printer:
    """Prints lines for people or, with ``as_json``, JSON for programs."""

    as_json: bool

    def outcome(self, outcome: Outcome[Any, Result]) -> None:
        """Print the outcome of one start or stop.

        Args:
            outcome: The outcome of a call, or the failure of a line that is not a request.

        Raises:
            OSError: stdout cannot be written.
        """
        if self.as_json:
            self.json_object(outcome_object(outcome))
        else:
            self.line(outcome_line(outcome))

    def summary(self, tally: Tally, *, all_read: bool = True) -> None:
        """Print the result of a batch.

        Args:
            tally: The counted outcomes.
            all_read: Whether the input was read to its end, so that `Tally.not_begun` counts all remaining lines.

        Raises:
            OSError: stdout cannot be written.
        """
        counts = attrs.asdict(tally, filter=attrs.filters.exclude(type(None)))
        if self.as_json:
            ended_early = {} if tally.not_begun is None else {"all_read": all_read}
            self.json_object({"type": "Summary"} | counts | ended_early)
        else:
            parts = [f"{number} {kind.replace('_', ' ')}" for kind, number in counts.items()]
            self.line(f"summary: {', '.join(parts)}" + ("" if all_read or tally.not_begun is None else " or more"))

    def line(self, text: str = "") -> None:
        """Print a line for people on stdout.

        Args:
            text: The line. Text that comes from outside the program must be made `printable` first.

        Raises:
            OSError: stdout cannot be written.
        """
        _print_on_stdout(text)

    def json_object(self, fields: Mapping[str, Any]) -> None:
        """Print a JSON object as one line on stdout.

        Args:
            fields: The names and values of the object.

        Raises:
            OSError: stdout cannot be written.
        """
        _print_on_stdout(json_text(fields))

    def error(self, error: Exception) -> None:
        """Print an error as one line on stderr, if stderr can be written.

        Args:
            error: The error.
        """
        _print_on_stderr(json_text(error_object(error)) if self.as_json else f"error: {printable(str(error))}")

    def failure(self, error: Exception, **about: str) -> None:
        """Print the failure of one of several items: as an error or, with ``--json``, as an object on stdout.

        Args:
            error: The error.
            **about: The fields of the object that name the item.

        Raises:
            OSError: stdout cannot be written.
        """
        if self.as_json:
            self.json_object(error_object(error) | about | {"ok": False})
        else:
            self.error(error)

    def warning(self, text: str) -> None:
        """Print a warning like an error on stderr, if stderr can be written.

        Args:
            text: The warning.
        """
        self.error(PlivoRecordError(text))

    def note(self, text: str) -> None:
        """Print information on stderr, if stderr can be written.

        Args:
            text: The information, as one line.
        """
        _print_on_stderr(json_text({"type": "Note", "note": text}) if self.as_json else printable(text))

    def note_object(self, fields: Mapping[str, Any]) -> None:
        """Print information as a JSON object on stderr, if stderr can be written.

        Args:
            fields: The names and values of the object.
        """
        _print_on_stderr(json_text(fields))

    def stop_printing(self, error: OSError, consequence: str = "") -> None:
        """Discard all further output on stdout, because it cannot be written.

        The reason is printed on stderr, unless the reader has closed the pipe.

        Args:
            error: Why stdout cannot be written.
            consequence: What is not printed, and what happens next.
        """
        if not isinstance(error, BrokenPipeError):
            self.error(PlivoRecordError(f"{consequence}: {error}") if consequence else error)
        self.discard_output()

    def discard_output(self) -> None:
        """Discard all further output on stdout, and what has been printed and not been written."""
        _discard(sys.stdout)


def printed(printer: Printer, print_it: Callable[[], None]) -> bool:
    """Print the outcome of a call that was made, and return whether that was possible.

    If it was not, the exit code must not be `ExitCode.FAILED`, which would mean that the call may be repeated.

    Args:
        printer: The printer.
        print_it: Prints the outcome.
    """
    try:
        print_it()
    except OSError as error:
        printer.stop_printing(error, "The call was made, but its outcome cannot be printed")
        return False
    return True


def _print_on_stdout(line: str) -> None:
    if sys.stdout is None:  # the program was started with a closed stdout; click would print nothing
        raise OSError(errno.EBADF, "stdout is closed")
    click.echo(line)


def _print_on_stderr(line: str) -> None:
    try:
        click.echo(line, err=True)
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO | None) -> None:
    """Redirect a stream to the null device; otherwise the interpreter's last flush fails and changes the exit code.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    if stream is None:
        return
    with suppress(io.UnsupportedOperation), Path(os.devnull).open("wb") as null_device:
        os.dup2(null_device.fileno(), stream.fileno())
