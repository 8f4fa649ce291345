"""The command ``listen``: it receives callbacks, stores them, and shows them."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import click

from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.cli.input.options import json_option, store_option
from plivo_record_async.cli.input.store import open_store, store_name, usable_store
from plivo_record_async.cli.output.background import printing
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import end_signal
from plivo_record_async.client import RecordClient
from plivo_record_async.stores.interface import StoreChange
from plivo_record_async.tracker import RecordingTracker

__all__ = ["listen"]


@click.command(short_help="Receive, store and show callbacks.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="NUMBER",
    default=8766,
    show_default=True,
    help="The port to listen on. If 0, any free port.",
)
@click.option("--public-url", metavar="URL", help="The URL that Plivo calls.  [default: the loopback address]")
@store_option("Keep everything in this store. A file is created if it does not exist.", default="recordings.db")
@json_option
def listen(*, host: str, port: int, public_url: str | None, store: str, as_json: bool) -> ExitCode:
    """Receive Plivo's callbacks, store them, and show them as they arrive.

    The command receives the callbacks of every start with the same store and the same public URL: those of the command
    start, with its options --store and --public-url, and those of a RecordingTracker. It follows their recordings as a
    RecordingTracker does. It also receives the callbacks of recordings that were started without a store, if Plivo
    sends them to URL/recording and URL/transcription, where URL is the --public-url.

    The signature of each callback is verified for the --public-url, which must therefore be exactly the URL that Plivo
    calls. With the emulator, you can omit --public-url. Rejected callbacks are reported on standard error.

    As soon as it can receive callbacks, the command prints one line: "ready" and its address. It runs until it receives
    SIGINT or SIGTERM, or until its output can no longer be written.

    With --json, each line is an object. Its type is Ready or, for a callback, ApiResponse, RecordingEnded,
    TranscriptionEnded or UnknownCallback.

    \b
    Examples:
      plivo-record listen
      plivo-record listen --public-url https://me.example/plivo --store recordings.db --json
    """  # noqa: D301 - click wants the control character
    with needed_extra("emulator"):
        from plivo_record_async.serving import is_loopback, open_listener, url_of  # noqa: PLC0415 - it needs the extra
    with closing(open_listener(host, port)) as listening:
        if public_url is None and not is_loopback(listening):
            raise click.UsageError(
                "--public-url is missing. The signatures of callbacks are verified for the URL that Plivo calls, "
                "and only a loopback --host has a default",
                click.get_current_context(),
            )
        asyncio.run(_until_signalled(listening, public_url or url_of(listening), store, Printer(as_json)))
    return ExitCode.DONE


async def _until_signalled(listening: socket.socket, public_url: str, store: str, printer: Printer) -> None:
    from plivo_record_async.cli.listen.events import LogLine, Ready, received  # noqa: PLC0415 - only this command needs it

    with needed_extra("cli"):
        from plivo_record_async.cli.listen.view import view  # noqa: PLC0415 - no other command needs rich
    from plivo_record_async.serving import serving, url_of  # noqa: PLC0415 - it needs the extra

    ended = end_signal()
    async with printing(view(printer), ended) as show:

        def show_callbacks(change: StoreChange) -> None:
            for callback in received(change):
                show(callback)

        with showing_log(show, note=lambda text: show(LogLine(text))), usable_store():
            async with (
                RecordClient() as client,
                RecordingTracker(
                    client, public_url=public_url, store=open_store(store, observer=show_callbacks)
                ) as tracker,
                serving(tracker, listening),
            ):
                show(Ready(url=url_of(listening), public_url=public_url, db=store_name(store)))
                await ended.wait()
