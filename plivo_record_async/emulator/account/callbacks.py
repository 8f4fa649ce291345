"""The callbacks that Plivo sends: their fields, their signatures and their delivery options.

Contents: https://plivo.com/docs/voice/api/conferences
Signatures: https://docs.plivo.com/docs/voice/concepts/signature-validation/
Delivery: https://plivo.com/docs/voice/concepts/callback-configurations.md
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qsl, urldefrag, urlencode

import attrs

from plivo_record_async.protocol.callbacks.signatures import SignatureHeaders, sign_callback_v3, signed_texts

__all__ = ["Callback", "CallbackKind", "DeliveryOptions", "HttpCallback", "SignatureScheme"]

CallbackKind = Literal["response", "recording", "transcription"]
"""The asynchronous response, the end of a recording, or the end of a transcription."""

SignatureScheme = Literal["V3", "V3 list", "V2", "none"]
"""How a callback is signed. ``V3 list`` is a rotation of auth tokens, with the signature of the retired token first."""

_RANGES = {"ct": range(100, 10_001), "rt": range(100, 40_001), "tt": range(100, 55_001), "rc": range(6)}
_NUMBER = re.compile("[0-9]{1,9}")


@attrs.frozen(kw_only=True)
class DeliveryOptions:
    """The delivery options in the fragment of a callback's URL.

    Options that are unknown, unreadable or out of range are ignored. The region (``er``) has no effect.

    Attributes:
        connect_ms: ``ct``, the longest wait for a connection.
        read_ms: ``rt``, the longest wait for the first byte and between bytes.
        total_ms: ``tt``, the longest time for all attempts together.
        retries: ``rc``, how many attempts may follow the first.
        retry_on: ``rp``, the failures that are retried: ``4xx``, ``5xx``, ``ct``, ``rt``, ``all``.
    """

    connect_ms: int = 2000
    read_ms: int = 40_000
    total_ms: int = 55_000
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct", "rt"})

    @classmethod
    def of(cls, url: str) -> DeliveryOptions:
        """Return the options in the fragment of a URL."""
        given = dict(parse_qsl(urldefrag(url).fragment))
        numbers = {key: int(given[key]) for key in _RANGES if _NUMBER.fullmatch(given.get(key, ""))}
        valid = {key: number for key, number in numbers.items() if number in _RANGES[key]}
        policies = frozenset(given.get("rp", "").split(",")) & {"4xx", "5xx", "ct", "rt", "all"}
        standard = cls()
        return cls(
            connect_ms=valid.get("ct", standard.connect_ms),
            read_ms=valid.get("rt", standard.read_ms),
            total_ms=valid.get("tt", standard.total_ms),
            retries=valid.get("rc", standard.retries),
            retry_on=policies or standard.retry_on,
        )

    def retries_after(self, failure: str | None, attempt: int) -> bool:
        """Return whether another attempt follows.

        Args:
            failure: The class of the last failure, as in ``retry_on``. If None, there is nothing to retry.
            attempt: How many attempts were made.
        """
        return failure is not None and attempt <= self.retries and not self.retry_on.isdisjoint({failure, "all"})


@attrs.frozen(kw_only=True)
class HttpCallback:
    """A callback as an HTTP request.

    Attributes:
        method: ``GET`` or ``POST``.
        url: The URL to call, without the fragment.
        headers: The headers.
        content: The body. If None, the request is a GET.
        signed_text: The string that was signed, with the nonce. If None, nothing was signed.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    signed_text: str | None = None


@attrs.frozen(kw_only=True)
class Callback:
    """One callback to deliver.

    Attributes:
        kind: What it reports.
        url: The URL as it was given, with its fragment.
        method: ``GET`` or ``POST``.
        fields: The fields in the order in which they are sent.
        api_id: The ID of the request that it belongs to.
        conference_name: The conference that it concerns. If None, it concerns none.
        recording_id: The recording that it concerns. If None, it concerns none.
        delay_s: Seconds to wait before it is sent.
    """

    kind: CallbackKind
    url: str
    method: str
    fields: Mapping[str, str]
    api_id: str
    conference_name: str | None = None
    recording_id: str | None = None
    delay_s: float = 0.0

    def signed(self, *, nonce: str, auth_token: str, scheme: SignatureScheme = "V3") -> HttpCallback:
        """Return the callback as a signed request, with a form or with its fields in the query."""
        url = urldefrag(self.url).url
        form: Mapping[str, str] = self.fields
        if self.method == "GET":
            url += ("" if url.endswith("?") else "&" if "?" in url else "?") + urlencode(self.fields)
            form = {}
        headers, text = _signature(self.method, url, form, nonce=nonce, auth_token=auth_token, scheme=scheme)
        content = None
        if self.method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            content = urlencode(self.fields).encode()
        return HttpCallback(method=self.method, url=url, headers=headers, content=content, signed_text=text)


def _signature(
    method: str, url: str, form: Mapping[str, str], *, nonce: str, auth_token: str, scheme: SignatureScheme
) -> tuple[dict[str, str], str | None]:
    """Return the signature headers and the string that was signed."""
    match scheme:
        case "none":
            return {}, None
        case "V2":
            return _headers("V2", _sign_v2(url, nonce, auth_token), nonce), url.partition("?")[0] + nonce
        case "V3" | "V3 list":
            signature = sign_callback_v3(method, url, form, nonce, auth_token)
            if scheme == "V3 list":
                signature = f"{sign_callback_v3(method, url, form, nonce, f'retired {auth_token}')},{signature}"
            text = signed_texts(SignatureHeaders("V3", nonce, {}), method, url, tuple(form.items()))[0]
            return _headers("V3", signature, nonce), text


def _sign_v2(url: str, nonce: str, auth_token: str) -> str:
    """Sign the address and the nonce: https://www.plivo.com/docs/voice/concepts/signature-validation/ ."""
    address = url.partition("?")[0]
    return base64.b64encode(hmac.digest(auth_token.encode(), f"{address}{nonce}".encode(), "sha256")).decode()


def _headers(version: str, signature: str, nonce: str) -> dict[str, str]:
    """Return the signature headers. The account is a main account, so both signatures are the same."""
    name = "X-Plivo-Signature"
    return {f"{name}-{version}": signature, f"{name}-Ma-{version}": signature, f"{name}-{version}-Nonce": nonce}
