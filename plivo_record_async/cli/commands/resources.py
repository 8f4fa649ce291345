"""The commands ``recordings`` and ``conferences``: they list, show and delete what Plivo stores."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import attrs
import click

from plivo_record_async.cli.input.arguments import CONFERENCE_NAME, RECORDING_ID, Time
from plivo_record_async.cli.input.options import json_option, timeout_option
from plivo_record_async.cli.output.attributes import attribute_lines, duration_text, time_text
from plivo_record_async.cli.output.exit_codes import ExitCode, exit_code
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.outcomes import printable
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import end_signal, ending_early, reading_client, run_reading
from plivo_record_async.client import RecordClient
from plivo_record_async.protocol.models import Conference, Recording
from plivo_record_async.transport.batch import run_many

__all__ = ["conferences", "recordings"]

_CONCURRENCY = 8

_ids = click.argument("ids", metavar="ID...", nargs=-1, required=True, type=RECORDING_ID)


@click.group(no_args_is_help=False, short_help="List, show or delete the recordings that Plivo stores.")
def recordings() -> None:
    """List, show or delete the recordings that Plivo stores.

    \b
    Examples:
      plivo-record recordings list --conference standup
      plivo-record recordings get 5d7e1c1e-5f2e-4a3a-9a3c-0a4b6f2f7b1d
    """  # noqa: D301 - click wants the control character


@recordings.command("list", short_help="List the recordings that Plivo stores, newest first.")
@click.option(
    "--conference",
    "conference_name",
    type=CONFERENCE_NAME,
    metavar="NAME",
    help="List only the recordings of this conference.",
)
@click.option(
    "--added-after",
    type=Time(),
    metavar="TIME",
    help="List only recordings that were added at or after this time.  [default: 7 days before --added-before]",
)
@click.option(
    "--added-before",
    type=Time(),
    metavar="TIME",
    help="List only recordings that were added at or before this time.  [default: now]",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="NUMBER", help="List at most this many recordings.")
@timeout_option
@json_option
def recordings_list(*, limit: int | None, as_json: bool, **options: Any) -> ExitCode:
    """List the recordings that Plivo stores, newest first.

    TIME is a date or a time in ISO 8601, such as 2026-05-01 or 2026-05-01T09:30:00+02:00. Without an offset, it is in
    UTC. The period between the two times may be longer than the 30 days that Plivo accepts; it is then requested in
    several parts. --timeout applies to the request for each page of the list.

    Each line has the time at which the recording was added, its ID, its duration, its conference and the URL of its
    file. With --json, each line is an object of the type Recording.

    \b
    Examples:
      plivo-record recordings list
      plivo-record recordings list --conference standup --added-after 2026-05-01
      plivo-record recordings list --limit 10 --json
    """  # noqa: D301 - click wants the control character
    printer = Printer(as_json)
    return run_reading(_print_recordings(printer, limit, options, click.get_current_context()), printer)


async def _print_recordings(
    printer: Printer, limit: int | None, options: dict[str, Any], context: click.Context
) -> ExitCode:
    async with reading_client(RecordClient()) as client:
        try:
            listed = client.list_recordings(**options)
        except ValueError as error:
            raise click.UsageError(str(error), context) from error
        async with aclosing(listed) as rows:
            number = 0
            async for recording in rows:
                if printer.as_json:
                    printer.json_object(_object_of(recording))
                else:
                    printer.line(_line_of(recording))
                number += 1
                if number == limit:
                    break
    return ExitCode.DONE


@recordings.command("get", short_help="Show recordings that Plivo stores.")
@_ids
@timeout_option
@json_option
def recordings_get(*, ids: tuple[str, ...], timeout: float | None, as_json: bool) -> ExitCode:
    """Show the recordings with these IDs.

    Write -- before an ID that begins with a dash.

    With --json, the outcome for each ID is one object on standard output. The field ok says whether the recording was
    found.

    \b
    Examples:
      plivo-record recordings get 5d7e1c1e-5f2e-4a3a-9a3c-0a4b6f2f7b1d
      plivo-record recordings get --json -- -an-id-with-a-dash
    """  # noqa: D301 - click wants the control character

    async def get(client: RecordClient, recording_id: str) -> Recording:
        return await client.get_recording(recording_id, timeout=timeout)

    printer = Printer(as_json)
    return run_reading(_show_each(ids, get, printer, "recording_id"), printer)


@recordings.command("delete", short_help="Delete recordings that Plivo stores.")
@_ids
@timeout_option
@json_option
def recordings_delete(*, ids: tuple[str, ...], timeout: float | None, as_json: bool) -> ExitCode:
    """Delete the recordings with these IDs, and their files, from Plivo.

    A deletion cannot be undone. It is safe to repeat. Write -- before an ID that begins with a dash.

    With --json, the outcome for each ID is one object on standard output. The field ok says whether the recording was
    deleted.

    \b
    Examples:
      plivo-record recordings delete 5d7e1c1e-5f2e-4a3a-9a3c-0a4b6f2f7b1d
      plivo-record recordings delete --json -- -an-id-with-a-dash
    """  # noqa: D301 - click wants the control character
    return asyncio.run(_delete_each(ids, timeout, Printer(as_json)))


async def _delete_each(ids: Sequence[str], timeout: float | None, printer: Printer) -> ExitCode:
    ended = end_signal(printer)
    code = ExitCode.DONE
    with showing_log(printer.warning, note=printer.note):
        async with RecordClient() as client, ending_early(client, ended):

            async def delete(recording_id: str) -> None:
                await client.delete_recording(recording_id, timeout=timeout)

            async with aclosing(run_many(dict.fromkeys(ids), delete, concurrency=_CONCURRENCY)) as outcomes:
                async for outcome in outcomes:
                    code = max(code, exit_code(outcome.error))
                    if outcome.error is not None:
                        printer.failure(outcome.error, recording_id=outcome.request)
                    elif printer.as_json:
                        printer.json_object({"type": "Deleted", "recording_id": outcome.request, "ok": True})
                    else:
                        printer.line(f"deleted  {printable(outcome.request)}")
    return ended.exit_code or code


@click.group(no_args_is_help=False, short_help="List or show the conferences that are live.")
def conferences() -> None:
    """List or show the conferences that are live.

    \b
    Examples:
      plivo-record conferences list
      plivo-record conferences get standup
    """  # noqa: D301 - click wants the control character


@conferences.command("list", short_help="List the names of the conferences that are live.")
@timeout_option
@json_option
def conferences_list(*, timeout: float | None, as_json: bool) -> ExitCode:
    """List the names of the conferences that are live.

    With --json, each line is an object of the type ConferenceName with the field conference_name.

    \b
    Examples:
      plivo-record conferences list
      plivo-record conferences list --json
    """  # noqa: D301 - click wants the control character
    printer = Printer(as_json)

    async def show() -> ExitCode:
        async with reading_client(RecordClient()) as client:
            for name in await client.list_conferences(timeout=timeout):
                if as_json:
                    printer.json_object({"type": "ConferenceName", "conference_name": name})
                else:
                    printer.line(printable(name))
        return ExitCode.DONE

    return run_reading(show(), printer)


@conferences.command("get", short_help="Show conferences that are live.")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=CONFERENCE_NAME)
@timeout_option
@json_option
def conferences_get(*, names: tuple[str, ...], timeout: float | None, as_json: bool) -> ExitCode:
    """Show the live conferences with these names.

    Write -- before a NAME that begins with a dash.

    With --json, the outcome for each NAME is one object on standard output. The field ok says whether the conference
    was found.

    \b
    Examples:
      plivo-record conferences get standup
      plivo-record conferences get standup retro --json
    """  # noqa: D301 - click wants the control character

    async def get(client: RecordClient, conference_name: str) -> Conference:
        return await client.get_conference(conference_name, timeout=timeout)

    printer = Printer(as_json)
    return run_reading(_show_each(names, get, printer, "conference_name"), printer)


async def _show_each(
    keys: Sequence[str],
    get: Callable[[RecordClient, str], Awaitable[Recording | Conference]],
    printer: Printer,
    key_name: str,
) -> ExitCode:
    code, number = ExitCode.DONE, 0
    async with reading_client(RecordClient()) as client:

        async def get_one(key: str) -> Recording | Conference:
            return await get(client, key)

        async with aclosing(run_many(dict.fromkeys(keys), get_one, concurrency=_CONCURRENCY)) as outcomes:
            async for outcome in outcomes:
                code = max(code, exit_code(outcome.error, reading=True))
                if outcome.error is not None:
                    printer.failure(outcome.error, **{key_name: outcome.request})
                elif printer.as_json:
                    printer.json_object(_object_of(outcome.result) | {key_name: outcome.request, "ok": True})
                else:
                    if number:
                        printer.line()
                    number += 1
                    _print_attributes(printer, outcome.result)
    return code


def _print_attributes(printer: Printer, value: Recording | Conference) -> None:
    fields = attrs.asdict(value, recurse=False, filter=attrs.filters.exclude("raw", "members"))
    for line in attribute_lines(fields):
        printer.line(line)


def _object_of(value: Recording | Conference) -> dict[str, Any]:
    fields = value.to_dict()
    del fields["raw"]
    return {"type": type(value).__name__} | fields


def _line_of(recording: Recording) -> str:
    texts = (
        time_text(recording.added_at),
        recording.recording_id or "-",
        duration_text(recording.duration_ms),
        recording.conference_name or "-",
        recording.recording_url or "-",
    )
    return "  ".join(map(printable, texts))
