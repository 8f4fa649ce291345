"""The checks of the public callback URL: a signed request that travels through it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from ipaddress import ip_address
from urllib.parse import urlsplit

import attrs

from plivo_record_async.cli.doctor.check import Check, ok, problem, warning
from plivo_record_async.cli.doctor.http_post import Answer, NoAnswerError, post
from plivo_record_async.cli.doctor.self_test import Recorder, SelfTest, compare
from plivo_record_async.settings import Settings

__all__ = ["check_callback_url", "check_host", "check_with_receiver"]

_NAME, _SIGNATURE = "callback_url", "callback_signature"

_ADVICE = {
    401: "The gateway asks for a password, which Plivo does not have. Let this path be open: signatures protect it.",
    404: "Nothing is mounted at this path. Compare the path of --public-url with that of app.mount(…), and with what "
    "the gateway removes.",
    405: "Something accepts no POST at this path, or a redirect has turned POST into GET.",
    413: "The gateway permits only smaller bodies. Plivo's transcripts may have two megabytes.",
    502: "The gateway does not reach the application. Start it, and check its address in the gateway's configuration.",
    503: "If the tracker answers, its store cannot be written: see its log. Otherwise the gateway does not reach it.",
    504: "The gateway gets no response from the application in time. See the log of the application.",
}


async def check_host(public_url: str, *, is_local: bool, timeout: float) -> AsyncGenerator[Check, None]:
    """Yield what is unusual about the host of the public URL.

    Args:
        public_url: The public URL.
        is_local: Whether the API is on this machine, as the emulator is.
        timeout: The time limit in seconds.
    """
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    try:
        async with asyncio.timeout(timeout):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        advice = "Check the name. Plivo must be able to resolve it too."
        yield problem("callback_host", f"{host} cannot be resolved: {error}", advice)
        return
    addresses = list(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))
    private = [address for address in addresses if not ip_address(address).is_global]
    if private and not is_local:
        advice = "Unless the name has another address outside of your network, Plivo cannot reach it."
        yield warning(
            "callback_host", f"{host} resolves to {', '.join(private)}, which is not a public address", advice
        )
    else:
        yield ok("callback_host", f"{host} resolves to {', '.join(addresses)}")
    if parts.scheme == "http" and not is_local:
        advice = "Use https. Callbacks contain the names of conferences, URLs of recordings, and transcripts."
        yield warning("callback_host", "callbacks are not encrypted, because the URL begins with http://", advice)


@attrs.frozen
class _Sender:
    """Sends the requests of the self-test."""

    test: SelfTest
    timeout: float

    async def send(self, *, signed: bool = True, has_query: bool = True) -> Answer:
        test = attrs.evolve(self.test, has_query=has_query)
        headers = test.headers if signed else test.unsigned_headers
        return await post(test.url, headers=headers, content=test.body, timeout=self.timeout)


async def check_callback_url(public_url: str, settings: Settings, *, timeout: float) -> AsyncGenerator[Check, None]:
    """Yield whether a tracker answers at the public URL, and whether it trusts a signed request.

    Args:
        public_url: The public URL, without a slash at its end.
        settings: The credentials.
        timeout: The time limit of each request, in seconds.
    """
    sender = _Sender(SelfTest(public_url=public_url, auth_token=settings.auth_token), timeout)
    try:
        unsigned = await sender.send(signed=False)
        if not _is_answer(unsigned, 403, b"Forbidden\n"):
            yield _unexpected(sender.test.url, unsigned)
            return
        yield ok(_NAME, f"a tracker answers at {sender.test.url}")
        yield await _check_signature(sender)
    except NoAnswerError as error:
        yield _unreached(sender.test.url, error)


async def _check_signature(sender: _Sender) -> Check:
    signed = await sender.send()
    if _is_answer(signed, 200, b"OK\n"):
        return ok(_SIGNATURE, "the tracker trusts a signed request; its path, query, headers and body arrive unaltered")
    if not _is_answer(signed, 403, b"Forbidden\n"):
        return _unexpected(sender.test.url, signed)
    if (await sender.send(has_query=False)).status == 200:  # noqa: PLR2004 - OK
        advice = "Let the gateway pass the query on unchanged. A tracker finds the recording by it."
        return problem(_SIGNATURE, "the query of the request is changed before it arrives", advice)
    advice = (
        "The log of the tracker says why. Its public_url must be exactly --public-url, its auth_tokens must contain "
        "PLIVO_AUTH_TOKEN, and the gateway must not change the body or the headers X-Plivo-Signature-V3 and "
        "X-Plivo-Signature-V3-Nonce. To see what arrives, stop the tracker and run doctor with --listen at its address."
    )
    return problem(_SIGNATURE, "the tracker rejects a signed request with 403", advice)


async def check_with_receiver(
    public_url: str, settings: Settings, listener: socket.socket, *, timeout: float
) -> AsyncGenerator[Check, None]:
    """Yield how a signed request to the public URL arrives at a receiver of ``doctor`` itself.

    Args:
        public_url: The public URL, without a slash at its end.
        settings: The credentials.
        listener: The socket at which the receiver listens.
        timeout: The time limit of the request, in seconds.
    """
    from plivo_record_async.serving import serving, url_of  # noqa: PLC0415 - it needs the extra

    sender = _Sender(SelfTest(public_url=public_url, auth_token=settings.auth_token), timeout)
    recorder, address = Recorder(), url_of(listener)
    async with serving(recorder, listener):
        try:
            answer = await sender.send()
        except NoAnswerError as error:
            yield _unreached(sender.test.url, error)
            return
    if recorder.request is None:
        yield _unexpected(sender.test.url, answer, f" It does not come from {address}.")
        return
    if not _is_answer(answer, 200, recorder.answer):
        advice = (
            "Let the gateway pass the response on unchanged. Plivo repeats a callback that is not answered with 200."
        )
        yield problem(_NAME, f"the request arrives, but its response is changed to {answer.status}", advice)
    else:
        yield ok(_NAME, f"a request to {sender.test.url} arrives at {address}, and so does its response")
    for check in compare(sender.test, recorder.request):
        yield check


def _is_answer(answer: Answer, status: int, body: bytes) -> bool:
    return answer.status == status and answer.body == body


def _unreached(url: str, error: NoAnswerError) -> Check:
    advice = "Check DNS, the firewall, the certificate, and that the gateway is running. Some networks permit no "
    advice += "connection from inside to their own public address: then run doctor from outside."
    return problem(_NAME, f"no response from {url}: {error}", advice)


def _unexpected(url: str, answer: Answer, remark: str = "") -> Check:
    """Return the result for a response that is not the one of a tracker."""
    finding = f"{url} answers {answer.status}"
    location = answer.headers.get("location")
    if 300 <= answer.status < 400:  # noqa: PLR2004 - a redirect
        advice = "Plivo must not be redirected. Use the address of the redirect, without /recording, as public URL."
        return problem(_NAME, f"{finding} and redirects to {location}.{remark}", advice)
    if answer.body.startswith(b"This tracker was created without a public_url"):
        return problem(_NAME, f"{finding}: the tracker polls.{remark}", "Create the tracker with public_url=….")
    if answer.status < 300:  # noqa: PLR2004 - a success
        kind = answer.headers.get("content-type", "an unknown type")
        advice = "Another application answers at this path. Mount the tracker there, and check the gateway's rules."
        return problem(_NAME, f"{finding} to a request that no tracker trusts, with {kind}.{remark}", advice)
    return problem(
        _NAME, f"{finding}.{remark}", _ADVICE.get(answer.status, "See the logs of the gateway and the application.")
    )
