"""How Plivo signs a callback.

Version 3, as the official SDKs compute it: ``base64(HMAC-SHA256(auth token, S + "." + nonce))``, where ``S`` is
the address without query and fragment, then ``?`` and the sorted query, and for a POST ``.`` and the sorted
parameters run together without any separator.
https://docs.plivo.com/docs/voice/concepts/signature-validation/
https://github.com/plivo/plivo-python/blob/master/plivo/utils/signature_v3.py
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

__all__ = ["sign_callback_v3"]

Params = Mapping[str, str | Sequence[str]]


def sign_callback_v3(method: str, url: str, params: Params, nonce: str, auth_token: str) -> str:
    """Sign a callback as Plivo does, for emulators and tests.

    Args:
        method: ``GET`` or ``POST``.
        url: The absolute URL that is called; its query is signed, its fragment is not.
        params: The form of a POST, or what a GET adds to the query of ``url``; decoded names and values, a
            name that is repeated has a sequence of values.
        nonce: The value of ``X-Plivo-Signature-V3-Nonce``.
        auth_token: The account's or subaccount's auth token.

    Returns:
        The value of ``X-Plivo-Signature-V3`` (or of ``X-Plivo-Signature-Ma-V3`` with the main account's token).

    Raises:
        ValueError: Another method, or a URL that is not absolute http(s).
    """
    return _digest(f"{_signed_text(method, url, params)}.{nonce}", auth_token.encode()).decode()


def _signed_text(method: str, url: str, params: Params) -> str:
    address, query = _split(url)
    asked = parse_qsl(query, keep_blank_values=True)
    match method.upper():
        case "GET":
            # The official SDK lets the query win where a name is in both.
            named = {name for name, _ in asked}
            asked += [(name, value) for name, value in _pairs(params) if name not in named]
            return f"{address}?{_joined(asked)}" if asked else address
        case "POST":
            mark = "?" if asked or params else ""
            dot = "." if asked and params else ""
            sent = "".join([name + value for name, value in sorted(_pairs(params))])
            return f"{address}{mark}{_joined(asked)}{dot}{sent}"
        case _:
            raise ValueError(f"method must be GET or POST, not {method!r}")


def _split(url: str) -> tuple[str, str]:
    """The address and the query; the scheme in lower case, the rest as written, the fragment gone."""
    address, _, query = url.partition("#")[0].partition("?")
    scheme, separator, rest = address.partition("://")
    if not separator or scheme.lower() not in {"http", "https"} or rest[:1] in {"", "/"}:
        raise ValueError(f"url must be an absolute http:// or https:// URL, not {url!r}")
    # The official SDK leaves the ;parameters of the last path segment out.
    before, slash, last = rest.rpartition("/")
    return f"{scheme.lower()}://{before}{slash}{last.partition(';')[0]}", query


def _pairs(params: Params) -> list[tuple[str, str]]:
    return [
        (name, value) for name, values in params.items() for value in ((values,) if isinstance(values, str) else values)
    ]


def _joined(pairs: list[tuple[str, str]]) -> str:
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def _digest(text: str, auth_token: bytes) -> bytes:
    return binascii.b2a_base64(hmac.digest(auth_token, text.encode(), "sha256"), newline=False)
