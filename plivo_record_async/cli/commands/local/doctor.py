"""The command ``doctor``: it checks the machine, the connection to Plivo, and the public callback URL."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import ExitStack, closing
from ipaddress import ip_address
from urllib.parse import urlsplit

import attrs
import click

from plivo_record_async.cli.doctor.callback_url import check_callback_url, check_host, check_with_receiver
from plivo_record_async.cli.doctor.check import Check, check_lines, check_object, problem, warning
from plivo_record_async.cli.doctor.machine import check_store, check_versions
from plivo_record_async.cli.doctor.plivo_api import check_api
from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.cli.input.options import Seconds, json_option, store_option
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import run_reading
from plivo_record_async.errors import ConfigurationError
from plivo_record_async.settings import Settings, checked_base_url

__all__ = ["doctor"]

_PLACEHOLDERS = ("MA" + "0" * 18, "-")
"""An auth ID and an auth token that are sent nowhere."""


@click.command(short_help="Find out why something does not work.")
@click.option("--public-url", metavar="URL", help="Check this public URL: send a signed request through it.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="With --public-url: receive the request here, instead of by a tracker that is running, and compare it with "
    "what was sent.",
)
@store_option("Check this store too.")
@click.option(
    "--timeout",
    type=Seconds(min=0, min_open=True),
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    help="The seconds that each check may take.",
)
@json_option
def doctor(*, public_url: str | None, listen: str | None, store: str | None, timeout: float, as_json: bool) -> ExitCode:
    """Check the credentials, the connection to Plivo, the clock, and the public callback URL.

    Each line is the result of one check: ok, warning or problem, what was found, and what to do. The command makes two
    calls that only read. It never prints the auth token.

    With --public-url, the command sends requests to URL/recording, as Plivo does: an unsigned one, which a tracker must
    reject, and a signed one, which a tracker must trust. A tracker or listen must be running behind the URL. It keeps
    the signed request as one orphan, however often you run doctor. With --listen, the command receives the request
    itself at this address, in place of the tracker, and says what the gateway has changed.

    The exit code is 0 if there is no problem, and 1 if there is one.

    With --json, each line is an object of the type Check.

    \b
    Examples:
      plivo-record doctor
      plivo-record doctor --public-url https://me.example/plivo --store recordings.db
      plivo-record doctor --public-url https://me.example/plivo --listen 127.0.0.1:8000
    """  # noqa: D301 - click wants the control character
    if public_url is not None:
        public_url = checked_base_url("--public-url", public_url)
    elif listen is not None:
        raise click.UsageError("--listen needs --public-url", click.get_current_context())
    printer = Printer(as_json)
    with ExitStack() as stack:
        listener = None if listen is None else stack.enter_context(closing(_open_listener(listen)))
        diagnosis = _Diagnosis(public_url=public_url, listener=listener, store=store, timeout=timeout)
        return run_reading(_show(diagnosis.checks(), printer), printer)


def _open_listener(address: str) -> socket.socket:
    """Return a socket that listens at an address such as 127.0.0.1:8000."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port[:6]) > 65535:  # noqa: PLR2004 - the largest port
        raise click.UsageError(
            f"--listen must be an address such as 127.0.0.1:8000, not {address!r}", click.get_current_context()
        )
    with needed_extra("emulator"):
        from plivo_record_async.serving import open_listener  # noqa: PLC0415 - it needs the extra
    return open_listener(host.strip("[]"), int(port))


async def _show(checks: AsyncGenerator[Check, None], printer: Printer) -> ExitCode:
    code = ExitCode.DONE
    async for check in checks:
        if check.result == "problem":
            code = ExitCode.FAILED
        if printer.as_json:
            printer.json_object(check_object(check))
        else:
            for line in check_lines(check):
                printer.line(line)
    return code


@attrs.frozen(kw_only=True)
class _Diagnosis:
    """All checks.

    Attributes:
        public_url: The public URL. If None, it is not checked.
        listener: The socket at which the self-test is received. If None, a tracker receives it.
        store: The value of ``--store``. If None, no store is checked.
        timeout: The time limit of each check, in seconds.
    """

    public_url: str | None
    listener: socket.socket | None
    store: str | None
    timeout: float

    async def checks(self) -> AsyncGenerator[Check, None]:
        """Yield the results of all checks."""
        yield check_versions()
        if self.store is not None:
            yield await check_store(self.store)
        settings, reason = _settings()
        if reason is not None:
            advice = "Correct the setting. Plivo's console shows the auth ID and the auth token."
            yield problem("environment", reason, advice)
        if settings is not None:
            async for check in check_api(settings, timeout=self.timeout, has_credentials=reason is None):
                yield check
        if self.public_url is not None and settings is not None and reason is None:
            async for check in self._callback_checks(self.public_url, settings):
                yield check
        elif self.public_url is not None:
            yield warning("callback_url", "it was not checked, because settings are missing", "Set them first.")

    async def _callback_checks(self, public_url: str, settings: Settings) -> AsyncGenerator[Check, None]:
        async for check in check_host(public_url, is_local=_is_local(settings.base_url), timeout=self.timeout):
            yield check
            if check.result == "problem":
                return
        if self.listener is None:
            checks = check_callback_url(public_url, settings, timeout=self.timeout)
        else:
            checks = check_with_receiver(public_url, settings, self.listener, timeout=self.timeout)
        async for check in checks:
            yield check


def _settings() -> tuple[Settings | None, str | None]:
    """Return the settings, and why those of the user cannot be used.

    If only the credentials are missing or malformed, the settings contain placeholders for them.
    """
    try:
        return Settings.read(None, None, None), None
    except ConfigurationError as error:
        reason = str(error)
    try:
        return Settings.read(*_PLACEHOLDERS, None), reason
    except ConfigurationError:
        return None, reason


def _is_local(url: str) -> bool:
    """Return whether a URL has a loopback address, as that of the emulator has."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
