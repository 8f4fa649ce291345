"""The command ``emulate``: it runs the emulator."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import attrs
import click
from click.core import ParameterSource

from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.cli.output.background import printing
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import end_signal

if TYPE_CHECKING:
    from plivo_record_async.emulator import Emulator

__all__ = ["emulate"]


@click.command(short_help="Run a local Plivo to test against.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="NUMBER",
    default=8765,
    show_default=True,
    help="The port to listen on. If 0, any free port.",
)
@click.option(
    "--auth-id",
    envvar="PLIVO_AUTH_ID",
    show_envvar=True,
    metavar="ID",
    help="The auth ID of the account: MA and 18 capital letters or digits.  [default: a made-up one]",
)
@click.option(
    "--auth-token",
    envvar="PLIVO_AUTH_TOKEN",
    show_envvar=True,
    metavar="TOKEN",
    help="The auth token of the account, which also signs the callbacks.  [default: a made-up one]",
)
@click.option("--strict", is_flag=True, help="Treat no conference as live until it is opened over the control API.")
@click.option(
    "--clock",
    type=click.Choice(["real", "squeezed", "virtual"]),
    default="real",
    show_default=True,
    help="real: the time of day. squeezed: the same, but the pauses between attempts to deliver a callback are ten "
    "times shorter. virtual: time moves only when you advance it.",
)
@click.option("--seed", type=int, metavar="NUMBER", default=0, show_default=True, help="The seed of random faults.")
@click.option(
    "--quota",
    metavar="REQUESTS/SECONDS",
    help="Answer 429 to requests beyond this quota, for example 300/5 for 300 requests in 5 seconds.  "
    "[default: no limit]",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    default=10_000,
    show_default=True,
    help="The number of entries to keep in each of the three logs: requests, callback attempts and events.",
)
@click.option("--quiet", is_flag=True, help="Do not print a line for each request and callback.")
def emulate(*, auth_id: str | None, auth_token: str | None, quota: str | None, quiet: bool, **options: Any) -> ExitCode:
    """Run a local Plivo to test against.

    As soon as it accepts requests, the command prints one line on standard output: "ready" and its address. Standard
    error then shows how to use it: the address of its console, the variables to export, and curl commands that start a
    recording and end its conference. After that, it shows a line for each request and each callback. The command ends
    on SIGINT or SIGTERM.

    \b
    Examples:
      plivo-record emulate
      plivo-record emulate --port 0 --strict --quiet
    """  # noqa: D301 - click wants the control character
    with needed_extra("emulator"):
        from plivo_record_async.emulator import Emulator  # noqa: PLC0415 - it needs the extra
    account: dict[str, Any] = {"auth_id": auth_id, "auth_token": auth_token}
    given = {name: value for name, value in account.items() if value is not None}
    emulator = Emulator(quota=None if quota is None else _quota(quota), **options, **given)
    source = click.get_current_context().get_parameter_source("auth_token")
    # A token from the environment may belong to the real account, so it is not shown.
    token = '"$PLIVO_AUTH_TOKEN"' if source is ParameterSource.ENVIRONMENT else shlex.quote(emulator.auth_token)
    asyncio.run(_until_signalled(emulator, Printer(as_json=False), token=token, strict=options["strict"], quiet=quiet))
    return ExitCode.DONE


@attrs.frozen
class _Quota:
    limit: int
    per: float


def _quota(text: str) -> _Quota:
    """Read a quota such as 300/5.

    Raises:
        BadParameter: The text is no quota.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([0-9]{1,6}(?:\.[0-9]{1,3})?)", text)
    if match is None or float(match[2]) <= 0:
        raise click.BadParameter(f"{text!r} is not a quota such as 300/5", param_hint="--quota")
    return _Quota(int(match[1]), float(match[2]))


async def _until_signalled(emulator: Emulator, printer: Printer, *, token: str, strict: bool, quiet: bool) -> None:
    ended = end_signal()
    # The emulator goes on if the lines on standard error cannot be printed.
    async with printing(nullcontext(printer.note), asyncio.Event()) as show:
        with showing_log(show, verbose=None if quiet else "plivo_record_async.emulator"):
            async with emulator:
                printer.line(f"ready {emulator.url}")
                for line in _instructions(emulator, token, strict=strict):
                    show(line)
                await ended.wait()


def _instructions(emulator: Emulator, token: str, *, strict: bool) -> Iterator[str]:
    """Yield the lines of a shell script that shows how to use the emulator.

    Args:
        emulator: The emulator, which is running.
        token: Its auth token, as a shell reads it.
        strict: Whether conferences must be opened.
    """
    auth_id, url = shlex.quote(emulator.auth_id), emulator.url
    conference = shlex.quote(f"{url}/__emulator__/conferences/standup")
    control = "curl -X POST -H 'X-Plivo-Emulator: 1'"
    yield f"# The console, a page that shows what happens: {url}/"
    yield "# To use it from a shell:"
    yield f"export PLIVO_AUTH_ID={auth_id} PLIVO_AUTH_TOKEN={token} PLIVO_BASE_URL={shlex.quote(url)}"
    if strict:
        yield "# To open the conference 'standup':"
        yield f"{control} {conference}"
    yield "# To start recording the conference 'standup':"
    record = shlex.quote(f"{url}/v1/Account/{emulator.auth_id}/Conference/standup/Record/")
    yield f"curl -X POST -u {auth_id}:{token} {record}"
    yield "# To end that conference, which ends its recordings and sends their callbacks:"
    yield f"{control} {conference}/end"
