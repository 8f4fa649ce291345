"""``demo``: where the story plays, and what it ends with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from plivo_record_async import _clock
from plivo_record_async.cli.demo.events import Event
from plivo_record_async.cli.demo.story import Story
from plivo_record_async.cli.demo.views import view
from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.cli.log import log_told
from plivo_record_async.cli.options import Seconds, json_option
from plivo_record_async.cli.output import ExitCode, Output, exit_code
from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.protocol.models import StartRequest

if TYPE_CHECKING:
    from plivo_record_async.cli.demo.places import Place

__all__ = ["demo"]


@click.command(short_help="See recordings being started, called back and stopped.")
@click.option(
    "--rooms", "count", type=click.IntRange(1, 250), metavar="NUMBER", help="How many conferences.  [default: 25]"
)
@click.option("--live", is_flag=True, help="Talk to the real Plivo: needs PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN and --room.")
@click.option(
    "--room", "names", multiple=True, metavar="NAME", help="With --live: a conference that is live; repeatable."
)
@click.option("--public-url", metavar="URL", help="With --live: where Plivo reaches the tracker.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="NUMBER",
    help="With --public-url: the tracker's port.  [default: 8766]",
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
    """See recordings being started, called back and stopped, over real HTTP.

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
        from plivo_record_async.cli.demo.places import live_place, local_place  # noqa: PLC0415 - they need the extra
    with TemporaryDirectory(prefix="plivo-record-") as directory:
        db = Path(directory, "recordings.db")
        place = (
            live_place(names, public_url=public_url, port=port or 8766, seconds=seconds or 5, db=db)
            if live
            else local_place(count or 25, seconds=seconds or 1.5, db=db)
        )
        return asyncio.run(_play(place, Output(as_json)))


def _check(*, count: int | None, live: bool, names: Sequence[str], public_url: str | None, port: int | None) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: They do not; the message says why.
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


async def _play(place: Place, output: Output) -> ExitCode:
    lost = asyncio.Event()
    with view(output) as show:

        def tell(event: Event) -> None:
            try:
                show(event)
            except OSError as error:  # what was started must be stopped all the same
                output.lost(error, "The rest cannot be printed; what was started is stopped")
                lost.set()

        async with place as plan:
            story = Story(plan, now=_clock.now, tell=tell, hurry=lost)
            with log_told(story.warn):
                closed = await story.play()
    for problem in closed.problems:
        output.error(PlivoRecordError(problem))
    if ExitCode.UNKNOWN in map(exit_code, story.errors):
        return ExitCode.UNKNOWN
    return ExitCode.FAILED if closed.problems or lost.is_set() else ExitCode.DONE
