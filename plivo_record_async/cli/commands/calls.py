"""The commands ``start`` and ``stop``: each makes one call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

import click

from plivo_record_async.cli.followed_start import FollowedStart
from plivo_record_async.cli.input.arguments import CheckedText
from plivo_record_async.cli.input.options import json_option, store_option, timeout_option
from plivo_record_async.cli.output.exit_codes import ExitCode, exit_code
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.outcomes import Result
from plivo_record_async.cli.output.printer import Printer, printed
from plivo_record_async.cli.signals import end_signal, ending_early
from plivo_record_async.client import RecordClient
from plivo_record_async.protocol.arguments import utf8_text
from plivo_record_async.protocol.models import Outcome, StartRequest, StopRequest

__all__ = ["OutcomeStream", "checked_request", "start", "stop"]

RequestT = TypeVar("RequestT", StartRequest, StopRequest)
CommandT = TypeVar("CommandT", bound=Callable[..., Any])
OutcomeStream = AsyncGenerator[Outcome[Any, Result], None]
"""The outcomes of calls, as they arrive."""

_CALLBACKS = ("callback_url", "callback_method", "transcription_url", "transcription_method")

_METHOD = click.Choice(["GET", "POST"], case_sensitive=False)


def _callback_options(command: CommandT) -> CommandT:
    for option in (
        click.option(
            "--callback-method",
            type=_METHOD,
            metavar="[GET|POST]",
            help="The HTTP method that Plivo uses for --callback-url.  [default: POST]",
        ),
        click.option(
            "--callback-url",
            metavar="URL",
            help="Use asynchronous mode: Plivo sends its response and the end of the recording to this URL.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("name")
@click.option("--format", "file_format", type=click.Choice(["mp3", "wav"]), help="The file format.  [default: mp3]")
@_callback_options
@click.option(
    "--transcription-type",
    metavar="TYPE",
    help="The type of transcription, usually auto. It is sent unchanged.",
)
@click.option("--transcription-url", metavar="URL", help="The URL to which Plivo sends the transcript.")
@click.option(
    "--transcription-method",
    type=_METHOD,
    metavar="[GET|POST]",
    help="The HTTP method that Plivo uses for --transcription-url.  [default: POST]",
)
@store_option("Follow the recording, and keep in this store what is known about it.")
@click.option(
    "--public-url",
    metavar="URL",
    help="With --store: the URL at which Plivo reaches listen, or your own tracker, with the same store. Without it, "
    "Plivo is asked about the recording.",
)
@click.option("--transcribe", is_flag=True, help="With --store: request a transcript.")
@click.option(
    "--dedupe-key",
    type=CheckedText(utf8_text, "dedupe_key"),
    metavar="KEY",
    help="With --store: start nothing if the store has a start with the same key.",
)
@click.option(
    "--wait",
    type=click.Choice(["accepted", "recorded", "transcribed"]),
    help="With --store: wait until the recording has reached this state. Without --public-url, Plivo is asked once a "
    "minute.  [default: accepted]",
)
@timeout_option
@json_option
def start(*, name: str, timeout: float | None, as_json: bool, **options: Any) -> ExitCode:
    """Start recording the conference NAME.

    Write -- before a NAME that begins with a dash.

    With --store, the recording is followed: before anything is sent, the start gets a start_id of its own and is
    written to the store. Then status, listen and download can use the recording by its start_id, and so can every
    RecordingTracker with the same store. If you give --public-url, Plivo sends its callbacks there: run listen with the
    same --store and the same --public-url. Without --public-url, Plivo is asked: by this command with --wait, by
    reconcile, and by a RecordingTracker without a public URL.

    With --json, the outcome of the call is one object on standard output. The field ok says whether the call succeeded.
    On success, the object has the fields of Plivo's response or, with --store, of the status of the recording; on
    failure, error has the message. If no call can be made, for example because credentials are missing, the error is on
    standard error.

    \b
    Examples:
      plivo-record start standup
      plivo-record start standup --format wav --callback-url https://me.example/plivo
      plivo-record start standup --store r.db --public-url https://me.example/plivo
      plivo-record start standup --store recordings.db --wait recorded
      plivo-record start --json -- -name-with-a-dash
    """  # noqa: D301 - click wants the control character
    follow = {option: options.pop(option) for option in ("public_url", "transcribe", "dedupe_key", "wait")}
    store = options.pop("store")
    request = checked_request(StartRequest, name, **options)
    printer = Printer(as_json)
    if store is None:
        _refuse(follow, "needs --store")
        return asyncio.run(_call_once(lambda client: client.start_many([request], timeout=timeout), printer))
    _refuse({name: options[name] for name in _CALLBACKS}, "cannot be combined with --store, which issues these URLs")
    if follow["wait"] == "transcribed" and not follow["transcribe"]:
        raise click.UsageError("--wait transcribed needs --transcribe", click.get_current_context())
    return asyncio.run(FollowedStart(request=request, printer=printer, store=store, timeout=timeout, **follow).run())


def _refuse(options: Mapping[str, object], reason: str) -> None:
    """Raise a usage error if one of the options was given."""
    for name, value in options.items():
        if value:
            raise click.UsageError(f"--{name.replace('_', '-')} {reason}", click.get_current_context())


@click.command(short_help="Stop recording the conference NAME.")
@click.argument("name")
@_callback_options
@timeout_option
@json_option
def stop(*, name: str, timeout: float | None, as_json: bool, **options: Any) -> ExitCode:
    """Stop recording the conference NAME.

    It is safe to repeat a stop. Write -- before a NAME that begins with a dash.

    With --json, the outcome of the call is one object on standard output, as for start.

    \b
    Examples:
      plivo-record stop standup
      plivo-record stop standup --json
    """  # noqa: D301 - click wants the control character
    request = checked_request(StopRequest, name, **options)
    return asyncio.run(_call_once(lambda client: client.stop_many([request], timeout=timeout), Printer(as_json)))


def checked_request(kind: type[RequestT], name: str, **options: Any) -> RequestT:
    """Return a request.

    Args:
        kind: The type of the request.
        name: The name of the conference.
        **options: The other arguments of the request.

    Raises:
        UsageError: An argument is not valid.
    """
    try:
        return kind(name, **options)
    except ValueError as error:
        raise click.UsageError(str(error), click.get_current_context()) from error


async def _call_once(call: Callable[[RecordClient], OutcomeStream], printer: Printer) -> ExitCode:
    """Make one call and print its outcome. Without ``--json``, an error is printed on stderr.

    If the outcome of a call that was executed cannot be printed, the exit code is `ExitCode.UNKNOWN`, because
    `ExitCode.FAILED` would mean that the call may be repeated.
    """
    ended = end_signal(printer)
    with showing_log(printer.warning, note=printer.note):
        async with RecordClient() as client, ending_early(client, ended), aclosing(call(client)) as outcomes:
            outcome = await anext(outcomes)
    code = ended.exit_code or exit_code(outcome.error)
    if outcome.error is not None and not printer.as_json:
        printer.error(outcome.error)
        return code
    return code if printed(printer, partial(printer.outcome, outcome)) else code or ExitCode.UNKNOWN
