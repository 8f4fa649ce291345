"""``emulate``: the local Plivo as a command."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.cli.output import ExitCode, Output
from plivo_record_async.cli.signals import end_signal

if TYPE_CHECKING:
    from plivo_record_async.emulator import Emulator

__all__ = ["emulate"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="NUMBER",
    default=8765,
    show_default=True,
    help="0 takes any free port.",
)
@click.option("--auth-id", help="The account's id: MA and 18 capital letters or digits.  [default: a made-up one]")
@click.option("--auth-token", help="The account's token.  [default: a made-up one]")
@click.option("--strict", is_flag=True, help="No conference is live until it is created.")
def emulate(*, host: str, port: int, auth_id: str | None, auth_token: str | None, strict: bool) -> ExitCode:
    """Run a local Plivo to test against.

    Prints one line, ready and its address, when it accepts requests; GET /__emulator__/state on that address shows
    what it knows. It ends on SIGINT or SIGTERM.
    """
    with needed_extra("emulator"):
        from plivo_record_async.emulator import Emulator  # noqa: PLC0415 - it needs the extra
    account: dict[str, Any] = {"auth_id": auth_id, "auth_token": auth_token}
    given = {name: value for name, value in account.items() if value is not None}
    emulator = Emulator(host=host, port=port, strict=strict, **given)
    asyncio.run(_until_signalled(emulator, Output(as_json=False)))
    return ExitCode.DONE


async def _until_signalled(emulator: Emulator, output: Output) -> None:
    ended = end_signal()
    async with emulator:
        output.line(f"ready {emulator.url}")
        await ended.wait()
