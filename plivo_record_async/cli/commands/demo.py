"""``demo``: show recordings without an account."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import click

from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.cli.input.options import Seconds, json_option
from plivo_record_async.cli.output.exit_codes import ExitCode, exit_code
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.protocol.models import StartRequest

if TYPE_CHECKING:
    from plivo_record_async.cli.demo.scenario import Scenario

__all__ = ["demo"]


@click.command(short_help="Watch recordings being started, followed and stopped.")
@click.option(
    "--rooms", "count", type=click.IntRange(1, 250), metavar="NUMBER", help="The number of conferences.  [default: 25]"
)
@click.option("--live", is_flag=True, help="Talk to the real Plivo: needs PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN and --room.")
@click.option(
    "--room", "names", multiple=True, metavar="NAME", help="With --live: a conference that is live; repeatable."
)
@click.option("--public-url", metavar="URL", help="With --live: the URL at which Plivo reaches the tracker.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="NUMBER",
    help="With --public-url: the port of the tracker.  [default: 8766]",
)
@click.option(
    "--seconds",
    type=Seconds(0.1, 3600),
    metavar="SECONDS",
    help="How long to record.  [default: 1.5, live: 5]",
)
@json_option
def demo(
    *,
    count: int | None,
    live: bool,
    names: Sequence[str],
    public_url: str | None,
    port: int | None,
    seconds: float | None,
    as_json: bool,
) -> ExitCode:
    """Watch recordings being started, followed and stopped, over real HTTP.

    Starts a local Plivo and a tracker on the loopback interface, starts recording 25 conferences at once, some in
    synchronous and some in asynchronous mode, ends some of the conferences, stops the other recordings, waits for each
    stage that the tracker follows, transcripts among them, and shows what happened when. Needs no account and leaves
    nothing behind.

    With --live the same code talks to the real Plivo. Conferences exist only while somebody is in them, so each must be
    named with --room. Asynchronous mode needs a --public-url that leads to the tracker on 127.0.0.1; without it all
    starts are synchronous.

    With --json each line is one event, an object whose type is Opened, Chapter, Happened, Warned or, at the end,
    Closed, which has ok, problems and all rooms.

    \b
    Examples:
      plivo-record demo
      plivo-record demo --rooms 100 --json
      plivo-record demo --live --room standup --public-url https://me.example/plivo
    """  # noqa: D301 - click wants the control character
    _check(count=count, live=live, names=names, public_url=public_url, port=port)
    with needed_extra("emulator"):
        from plivo_record_async.cli.demo.scenario import open_scenario  # noqa: PLC0415 - it needs the extra
    if live:
        scenario = open_scenario(names, live=True, public_url=public_url, port=port or 8766, seconds=seconds or 5)
    else:
        names = [f"room-{number:02}" for number in range(1, (count or 25) + 1)]
        scenario = open_scenario(names, live=False, public_url=None, port=0, seconds=seconds or 1.5)
    return asyncio.run(_run(scenario, Printer(as_json)))


def _check(*, count: int | None, live: bool, names: Sequence[str], public_url: str | None, port: int | None) -> None:
    """Check that the options go together.

    Raises:
        UsageError: They do not. The message says why.
    """
    wrong = {
        "--room needs --live: the local conferences name themselves": names and not live,
        "--public-url needs --live: the local Plivo reaches the tracker by itself": public_url and not live,
        "--rooms does not go with --live: name each live conference with --room": count and live,
        "--live needs at least one --room NAME: a conference that somebody is in": live and not names,
        "--port needs --public-url, which is to lead to it": port and not public_url,
        "--room names a conference twice": len(set(names)) < len(names),
    }
    reason = next((reason for reason, applies in wrong.items() if applies), None)
    try:
        for name in names:
            StartRequest(name)
    except ValueError as error:
        reason = reason or str(error)
    if reason:
        raise click.UsageError(reason, click.get_current_context())


async def _run(opened: AbstractAsyncContextManager[Scenario], printer: Printer) -> ExitCode:
    with needed_extra("cli"):
        from plivo_record_async.cli.demo.view import view  # noqa: PLC0415 - most commands do not need rich

    async with opened as scenario:
        with view(printer, scenario.rooms) as show:

            def show_event(event: dict[str, Any]) -> None:
                try:
                    show(event)
                except OSError as error:  # the recordings must be stopped nevertheless
                    printer.stop_printing(error, "The rest cannot be printed; what was started is stopped")
                    scenario.end_now.set()

            await scenario.run(show_event)
    for problem in scenario.problems:
        printer.error(PlivoRecordError(problem))
    if ExitCode.UNKNOWN in map(exit_code, scenario.errors):
        return ExitCode.UNKNOWN
    return ExitCode.FAILED if scenario.problems or scenario.end_now.is_set() else ExitCode.DONE
