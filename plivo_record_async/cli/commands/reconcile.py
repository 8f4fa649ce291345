"""The command ``reconcile``: it asks Plivo about the recordings of a store that are not resolved."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import click

from plivo_record_async.cli.input.options import json_option, store_option
from plivo_record_async.cli.input.store import open_existing_store, usable_store
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.output.statuses import state_exit_code, status_line, status_object
from plivo_record_async.cli.signals import cancelled_by, end_signal, ending_early
from plivo_record_async.client import RecordClient
from plivo_record_async.tracker import RecordingTracker

__all__ = ["reconcile"]


@click.command(short_help="Ask Plivo about recordings that are not resolved.")
@store_option("Ask about the recordings in this store. It must exist.", default="recordings.db")
@json_option
def reconcile(*, store: str, as_json: bool) -> ExitCode:
    """Ask Plivo now about every recording in the store that is not resolved, and print its status afterwards.

    A recording is not resolved if the outcome of its start, its end or its transcript is not known. What Plivo answers
    is written to the store. Trackers and listen ask by themselves too, but less and less often, so use this command
    after an outage, or if nothing else uses the store. It may run at the same time as a tracker, and takes at most a
    tenth of the account's quota.

    The exit code is 0 if the outcome of every start is known, 1 if Plivo could not be asked about everything, and 3 if
    the outcome of a start is still unknown.

    With --json, each line is an object of the type RecordingStatus.

    \b
    Examples:
      plivo-record reconcile
      plivo-record reconcile --store recordings.db --json
    """  # noqa: D301 - click wants the control character
    return asyncio.run(_Reconciliation(Printer(as_json)).run(store))


class _Reconciliation:
    """Asks Plivo, and prints the status of each recording.

    Args:
        printer: Prints the statuses.
    """

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._code = ExitCode.DONE

    async def run(self, store: str) -> ExitCode:
        """Run the command, and return its exit code.

        Args:
            store: The value of ``--store``.
        """
        ended = end_signal(self._printer)
        with showing_log(self._warn, note=self._printer.note), usable_store():
            async with (
                RecordClient() as client,
                ending_early(client, ended),
                RecordingTracker(client, store=open_existing_store(store)) as tracker,
                cancelled_by(ended),
                aclosing(tracker.reconcile()) as statuses,
            ):
                async for status in statuses:
                    if state_exit_code(status.state) is ExitCode.UNKNOWN:
                        self._code = ExitCode.UNKNOWN
                    if self._printer.as_json:
                        self._printer.json_object(status_object(status))
                    else:
                        self._printer.line(status_line(status))
        return ended.exit_code or self._code

    def _warn(self, text: str) -> None:
        """Print a warning of the tracker: Plivo could not be asked, or its answer could not be stored."""
        self._code = max(self._code, ExitCode.FAILED)
        self._printer.warning(text)
