"""The checks of the connection to Plivo's API: settings, proxy, network, credentials and clocks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Literal
from urllib.parse import urlsplit

from plivo_record_async import _clock
from plivo_record_async.cli.doctor.check import Check, ok, problem, warning
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    NotSentError,
    PermissionDeniedError,
    PlivoRecordError,
    RateLimitError,
    UnexpectedResponseError,
)
from plivo_record_async.settings import Environment, Settings
from plivo_record_async.transport.connectors.proxies import choose_proxy

__all__ = ["check_api", "check_network"]

_CONNECTION_ADVICE = {
    "api": "Check the firewall. If this network needs a proxy, set HTTPS_PROXY.",
    "proxy": "Check that the proxy is running, and its address in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY.",
}
_PORTS = {"http": 80, "https": 443}
_LARGEST_DIFFERENCE = 5.0
"""The seconds by which the clocks may differ. ``Date`` has a resolution of a second, and responses take time."""


async def check_api(settings: Settings, *, timeout: float, has_credentials: bool) -> AsyncGenerator[Check, None]:
    """Yield the results of the checks of the connection to Plivo.

    Args:
        settings: The credentials and the URL of the API.
        timeout: The time limit of each check, in seconds.
        has_credentials: Whether the credentials are those of the user, so that calls can be made.
    """
    environment = Environment.read()
    yield ok("environment", _describe(settings, environment, has_credentials=has_credentials))
    try:
        proxy = choose_proxy(settings.base_url, None, environment)
        client = RecordClient(settings.auth_id, settings.auth_token, base_url=settings.base_url, max_retries=0)
    except ConfigurationError as error:
        yield problem("environment", str(error), "Correct the variable that the message names.")
        return
    if proxy is None:
        yield ok("proxy", f"no proxy is used for {settings.base_url}")
        network = check_network(settings.base_url, "api", timeout=timeout)
    else:
        yield ok("proxy", f"requests to {settings.base_url} go through {proxy.url}")
        network = check_network(str(proxy.url), "proxy", timeout=timeout)
    reached = has_credentials
    async for check in network:
        reached = reached and check.result == "ok"
        yield check
    if reached:
        async for check in _check_calls(client, timeout):
            yield check


def _describe(settings: Settings, environment: Environment, *, has_credentials: bool) -> str:
    """Return the settings as a text without a secret."""
    facts = [f"PLIVO_BASE_URL={settings.base_url}"]
    if has_credentials:
        facts += [f"PLIVO_AUTH_ID={settings.auth_id}", f"PLIVO_AUTH_TOKEN has {len(settings.auth_token)} characters"]
    facts += [f"{scheme.upper()}_PROXY is set" for scheme in environment.proxies]
    named = {"NO_PROXY": environment.no_proxy, "SSL_CERT_FILE": environment.cert_file}
    named["SSL_CERT_DIR"] = environment.cert_dir
    return ", ".join([*facts, *(f"{name}={value}" for name, value in named.items() if value)])


async def check_network(url: str, name: Literal["api", "proxy"], *, timeout: float) -> AsyncGenerator[Check, None]:
    """Yield the results of looking up the host of a URL, and of connecting to it.

    Args:
        url: The URL.
        name: What the URL belongs to: ``api`` or ``proxy``.
        timeout: The time limit of each check, in seconds.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 1080)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            found = await loop.getaddrinfo(host, port, type=1)
    except (OSError, UnicodeError) as error:
        advice = "Check the name, the DNS server of this machine (/etc/resolv.conf), and whether a proxy is needed."
        yield problem(f"{name}_dns", f"{host} cannot be resolved: {_reason(error)}", advice)
        return
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    yield ok(f"{name}_dns", f"{host} resolves to {', '.join(addresses)}")
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        finding = f"no connection to {host} port {port}: {_reason(error)}"
        yield problem(f"{name}_connection", finding, _CONNECTION_ADVICE[name])
        return
    writer.close()
    yield ok(f"{name}_connection", f"{host} accepts connections on port {port}")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it takes too long"
    code = getattr(error, "errno", None)
    return os.strerror(code) if isinstance(code, int) and code > 0 else str(getattr(error, "strerror", None) or error)


async def _check_calls(client: RecordClient, timeout: float) -> AsyncGenerator[Check, None]:
    """Yield the results of two calls: what Plivo says about the credentials, and what time it is there."""
    error: PlivoRecordError | None = None
    async with client:
        for _ in range(2):  # the clocks can be compared only after two responses
            try:
                await client.list_conferences(timeout=timeout)
            except PlivoRecordError as failure:
                error = failure
            if isinstance(error, NotSentError | RateLimitError):
                break
        yield _credentials(error, client.settings)
        if not isinstance(error, NotSentError | RateLimitError):
            yield _clocks(client)


def _credentials(error: PlivoRecordError | None, settings: Settings) -> Check:
    name, what = "credentials", str(error)
    match error:
        case None:
            return ok(name, f"Plivo accepts the credentials of {settings.auth_id}")
        case AuthenticationError():
            advice = (
                "The auth ID and the auth token do not belong together. Copy both from Plivo's console. For a "
                "subaccount, use the token of the subaccount."
            )
        case NotFoundError():
            advice = f"Check that PLIVO_BASE_URL is Plivo's API and that the account {settings.auth_id} exists."
        case PermissionDeniedError():
            advice = "Check the account in Plivo's console: its verification, its features, and its IP allow-list."
        case RateLimitError():
            return warning(name, what, "The quota of the account is used up. Run doctor again in a few seconds.")
        case NotSentError():
            name, advice = (
                "api_request",
                (
                    "If the certificate is not trusted, a proxy or a firewall may replace it: set SSL_CERT_FILE to the "
                    "certificate of your network. If a proxy refuses the connection, check its address and password."
                ),
            )
            what = error.reason
        case UnexpectedResponseError():
            advice = "Something else than Plivo answers. Check PLIVO_BASE_URL, and proxies that show a login page."
        case ApiError():
            advice = "Plivo has a problem. See its status page, and run doctor again later."
        case _:
            advice = "Run doctor again. If it happens again, check proxies and firewalls, which may break connections."
    return problem(name, what, advice)


def _clocks(client: RecordClient) -> Check:
    ahead = client.plivo_clock.sending(_clock.read(), within=1).ahead
    if ahead is None:
        advice = (
            "A gateway may remove or replace the header Date. The tracker then relies on the clock of this machine."
        )
        return warning("clock", "the time at Plivo is not known, because its responses have no consistent Date", advice)
    difference = f"{abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} that of Plivo"
    if abs(ahead) <= _LARGEST_DIFFERENCE:
        return ok("clock", f"the clock of this machine agrees with that of Plivo within {_LARGEST_DIFFERENCE:g} s")
    advice = "Synchronize the clock of this machine, for example with chrony or systemd-timesyncd."
    return warning("clock", f"the clock of this machine is {difference}", advice)
