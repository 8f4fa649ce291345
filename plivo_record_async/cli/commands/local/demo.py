"""``demo``: show recordings without an account."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from plivo_record_async.cli.commands.calls import checked_request
from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.cli.input.options import Seconds, json_option
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import end_signal
from plivo_record_async.protocol.models import StartRequest

__all__ = ["demo"]


@click.command(short_help="Watch recordings being started, followed and stopped.")
@click.option(
    "--rooms", "count", type=click.IntRange(1, 250), metavar="NUMBER", help="The number of conferences.  [default: 25]"
)
@click.option("--live", is_flag=True, help="Use the real Plivo. Needs PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN and --room.")
@click.option(
    "--room", "names", multiple=True, metavar="NAME", help="With --live: the name of a live conference; repeatable."
)
@click.option("--public-url", metavar="URL", help="With --live: the URL at which Plivo reaches the tracker.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="NUMBER",
    help="With --public-url: the port of the tracker.  [default: 8766]",
)
@click.option(
    "--seconds", type=Seconds(0.1, 3600), metavar="SECONDS", help="How long to record.  [default: 1.5, live: 5]"
)
@click.option(
    "--open",
    "open_console",
    is_flag=True,
    help="Open the console of the local Plivo in a browser, and keep it running until Ctrl-C.",
)
@json_option
def demo(*, count: int | None, live: bool, names: Sequence[str], as_json: bool, **options: Any) -> ExitCode:
    """Watch recordings being started, followed and stopped, over real HTTP.

    The demo starts a local Plivo and a tracker on the loopback interface. It starts recording 25 conferences at once,
    some in synchronous and some in asynchronous mode. Then it ends some of the conferences, stops the other recordings,
    and waits until the tracker has received the recordings and the transcripts. At the end it shows what happened when.
    It needs no account and leaves nothing behind.

    With --live, the demo uses the real Plivo. A conference exists only while somebody is in it, so --room must name
    each conference. Asynchronous mode needs a --public-url that leads to the tracker on 127.0.0.1. Without it, all
    starts are synchronous. No transcripts are requested.

    With --json, each line is an event: an object whose type is Opened, Chapter, Happened, Warned or, at the end,
    Closed. The last one has ok, problems and rooms.

    \b
    Examples:
      plivo-record demo
      plivo-record demo --open
      plivo-record demo --rooms 100 --json
      plivo-record demo --live --room standup --public-url https://me.example/plivo
    """  # noqa: D301 - click wants the control character
    _check(count=count, live=live, names=names, **options)
    names = names or [f"room-{number:02}" for number in range(1, (count or 25) + 1)]
    return asyncio.run(_run(names, Printer(as_json), live=live, **options))


def _check(*, count: int | None, live: bool, names: Sequence[str], **options: Any) -> None:
    """Check that the options go together.

    Raises:
        UsageError: They do not. The message says why.
    """
    public_url, port, open_console = options["public_url"], options["port"], options["open_console"]
    reasons = {
        "--room needs --live: the local conferences have names of their own": names and not live,
        "--public-url needs --live: the local Plivo reaches the tracker by itself": public_url and not live,
        "--rooms does not go with --live: name each live conference with --room": count and live,
        "--live needs at least one --room NAME: a conference that somebody is in": live and not names,
        "--port needs --public-url: a URL that leads to this port": port and not public_url,
        "--open does not go with --live: only the local Plivo has a console": open_console and live,
        "--room names a conference twice": len(set(names)) < len(names),
    }
    for reason, applies in reasons.items():
        if applies:
            raise click.UsageError(reason, click.get_current_context())
    for name in names:
        checked_request(StartRequest, name)


async def _run(
    names: Sequence[str],
    printer: Printer,
    *,
    live: bool,
    public_url: str | None,
    port: int | None,
    seconds: float | None,
    open_console: bool,
) -> ExitCode:
    with needed_extra("emulator"), needed_extra("cli"):
        from plivo_record_async.cli.demo.scenario import DemoConference, Scenario  # noqa: PLC0415 - it needs the extra
        from plivo_record_async.cli.demo.view import view  # noqa: PLC0415 - most commands do not need rich
        from plivo_record_async.emulator import Emulator  # noqa: PLC0415 - it needs the extra

    conferences = [
        DemoConference(
            conference_name=name,
            mode="async" if n % 5 not in {1, 3} and (public_url or not live) else "sync",
            transcribe=not live and n % 5 == 0,  # transcripts of the real Plivo cost money, and take minutes
        )
        for n, name in enumerate(names)
    ]
    with view(printer, conferences) as show:
        scenario = Scenario(
            conferences=conferences,
            emulator=None if live else Emulator(),
            seconds=seconds or (5 if live else 1.5),
            callback_timeout=60 if live else 5,
            ended=end_signal(printer, "the console is closed" if open_console else "the recordings are stopped"),
            show=show,
            printer=printer,
            open_console=open_console,
        )
        return await scenario.run(public_url=public_url, port=port or (8766 if live else 0))
