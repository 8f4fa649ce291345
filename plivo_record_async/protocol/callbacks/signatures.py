"""How Plivo signs a callback, and how a signature is checked.

Version 3, as the official SDKs compute it, is ``base64(HMAC-SHA256(auth token, S + "." + nonce))``. ``S`` is the
address without query and fragment, then ``?`` and the sorted query, and for a POST ``.`` and the sorted fields of the
form, joined without separators. Version 2 signs only the address and the nonce.
https://docs.plivo.com/docs/voice/concepts/signature-validation/
https://github.com/plivo/plivo-python/blob/master/plivo/utils/signature_v3.py

The official SDKs differ for unusual URLs. `sign_callback_v3` follows the Python SDK. A signature as the other SDKs
compute it is accepted too: for ``https://h`` instead of ``https://h/``, and for a last path segment with its
``;parameters``.
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, product
from typing import Literal, NamedTuple, Protocol

import attrs

from plivo_record_async.errors import ConfigurationError, SignatureMissingError
from plivo_record_async.protocol.callbacks.urlencoded import Pairs, read_pairs

__all__ = [
    "AuthTokens",
    "Headers",
    "Params",
    "SignatureHeaders",
    "SignatureMatch",
    "as_token_list",
    "find_match",
    "read_content_type",
    "read_signature_headers",
    "sign_callback_v3",
    "signed_texts",
    "split_url",
]

AuthTokens = str | Sequence[str]
"""One auth token, or several: the old and the new one during a rotation, or those of an account and its subaccounts."""


class Headers(Protocol):
    """The headers of a request: a mapping, or the header object of a web framework.

    The names may be in any case, or as in WSGI (``HTTP_X_PLIVO_SIGNATURE_V3``).
    """

    def items(self) -> Iterable[tuple[str, str]]:
        """Return the names and values. A repeated name has several pairs."""
        ...


Params = Mapping[str, str | Sequence[str]]
"""Decoded names and values. A repeated name has a sequence of values."""

Version = Literal["V3", "V2"]

_HEADERS: dict[Version, tuple[str, str, str]] = {
    "V3": ("x-plivo-signature-v3", "x-plivo-signature-ma-v3", "x-plivo-signature-v3-nonce"),
    "V2": ("x-plivo-signature-v2", "x-plivo-signature-ma-v2", "x-plivo-signature-v2-nonce"),
}

# From the names in HTTP and in WSGI, in lower case, to the names in HTTP.
# https://peps.python.org/pep-3333/#environ-variables
_SIGNATURE_HEADERS = {
    spelling: name
    for name in [*chain(*_HEADERS.values()), "x-plivo-signature"]
    for spelling in (name, f"http_{name.replace('-', '_')}")
}
_WSGI_CONTENT_TYPES = frozenset({"content_type", "http_content_type"})


@attrs.frozen
class SignatureHeaders:
    """The signature headers of a request.

    Attributes:
        version: The version of the signature: ``V3`` or ``V2``.
        nonce: The nonce that was signed with the request.
        signatures: For the name of each signature header, in lower case, its value. While tokens are rotated, the value
            is a comma-separated list. The header with ``-ma-`` is signed with the token of the main account.
    """

    version: Version
    nonce: str
    signatures: Mapping[str, str]


def sign_callback_v3(method: str, url: str, params: Params, nonce: str, auth_token: str) -> str:
    """Compute the signature of a callback, version 3, as Plivo does. It is useful for tests.

    https://docs.plivo.com/docs/voice/concepts/signature-validation/

    Args:
        method: The method of the callback: ``GET`` or ``POST``.
        url: The absolute URL of the callback. Its query is signed, its fragment is not.
        params: The decoded fields: the form of a POST, or the fields that a GET adds to the query of ``url``.
        nonce: The value of the header ``X-Plivo-Signature-V3-Nonce``.
        auth_token: The auth token of the account or subaccount.

    Returns:
        The value of the header ``X-Plivo-Signature-V3``. With the token of the main account, also the value of
        ``X-Plivo-Signature-Ma-V3``.

    Raises:
        ValueError: The method is neither GET nor POST, or the URL is not an absolute http(s) URL.
    """
    origin, path, query = split_url(url)
    form = [
        (name, value) for name, values in params.items() for value in ([values] if isinstance(values, str) else values)
    ]
    text = _address_spellings(origin, path)[0] + _signed_after_address(method, query, form)
    return _digest(f"{text}.{nonce}", auth_token.encode()).decode()


def read_signature_headers(headers: Headers, *, allow_v2: bool = False) -> SignatureHeaders:
    """Return the signature headers of a request. The values of a repeated header are joined to one list.

    Args:
        headers: The headers of the request.
        allow_v2: Whether to return the headers of version 2 if there is none of version 3.

    Raises:
        SignatureMissingError: The request has no signature or no nonce of an accepted version.
        TypeError: The headers are not texts.
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = _SIGNATURE_HEADERS.get(name.lower())
        if key is not None:
            text = _header_text(value)
            found[key] = f"{found[key]},{text}" if key in found else text
    version: Version = "V2" if allow_v2 and found.keys().isdisjoint(_HEADERS["V3"][:2]) else "V3"
    own, main, nonce = _HEADERS[version]
    signatures = {name: found[name] for name in (own, main) if name in found}
    if nonce not in found or not any(signatures.values()):
        for name, _ in headers.items():  # noqa: PERF102 - iterating over werkzeug's headers returns pairs
            _header_text(name)
        raise SignatureMissingError(_missing(version, sorted(found)))
    return SignatureHeaders(version, found[nonce], signatures)


def read_content_type(headers: Headers) -> str | None:
    """Return the content type of a request.

    Args:
        headers: The headers of the request.

    Returns:
        The value of the header. If None, there is no such header.
    """
    for name, value in headers.items():
        key = name.lower()
        # In WSGI, the value may be an empty text if the request has no such header.
        if key == "content-type" or (key in _WSGI_CONTENT_TYPES and value):
            return value
    return None


def signed_texts(signature_headers: SignatureHeaders, method: str, url: str, form: Pairs) -> tuple[str, ...]:
    """Return the texts for which the signature may have been computed, with the nonce.

    Args:
        signature_headers: The signature headers of the request.
        method: ``GET`` or ``POST``, in any case.
        url: The absolute URL that Plivo called, with its query.
        form: The decoded fields of the body. A GET has none.

    Returns:
        One text, or two if the official SDKs sign the URL in two ways.

    Raises:
        ValueError: The method is neither GET nor POST, the URL is not an absolute http(s) URL, or its query has too
            many pairs.
    """
    origin, path, query = split_url(url)
    tail = _signed_after_address(method, query, form)
    # Version 2 covers neither the query nor the body.
    end = f"{tail}.{signature_headers.nonce}" if signature_headers.version == "V3" else signature_headers.nonce
    return tuple([address + end for address in _address_spellings(origin, path)])


class SignatureMatch(NamedTuple):
    """A signature that matches.

    Attributes:
        header: The name of the header with the signature.
        text: The text for which the signature was computed.
    """

    header: str
    text: str


def find_match(
    signature_headers: SignatureHeaders, texts: Sequence[str], auth_tokens: AuthTokens
) -> SignatureMatch | None:
    """Return the first signature that was computed for one of the texts with one of the tokens.

    Signatures are compared in constant time.

    Args:
        signature_headers: The signature headers of the request.
        texts: The texts that may have been signed.
        auth_tokens: The auth tokens with which they may have been signed.

    Returns:
        The signature. If None, no signature matches.

    Raises:
        ConfigurationError: There is no token, or a token is empty, so that anybody could sign with it.
        TypeError: A token is not a text.
    """
    tokens = [token.encode(errors="surrogatepass") for token in as_token_list(auth_tokens)]
    expected = [(_digest(text, token), text) for token in tokens for text in texts]
    for name, value in signature_headers.signatures.items():
        # Bytes are compared, because compare_digest accepts only ASCII texts.
        received = "".join(value.split()).encode(errors="replace").split(b",")
        for (ours, text), theirs in product(expected, received):
            if hmac.compare_digest(ours, theirs):
                return SignatureMatch(name, text)
    return None


def as_token_list(auth_tokens: AuthTokens) -> Sequence[str]:
    """Return one auth token or several as a sequence.

    Args:
        auth_tokens: The token or the tokens.

    Raises:
        ConfigurationError: There is no token, or a token is empty, so that anybody could sign with it.
        TypeError: A token is not a text.
    """
    tokens = (auth_tokens,) if isinstance(auth_tokens, str) else tuple(auth_tokens)
    if not all(map(_is_text, tokens)):
        raise TypeError("auth_tokens must be a str or several strs, not bytes or other values")
    if not tokens or not all(tokens):
        raise ConfigurationError("auth_tokens must contain at least one auth token and no empty one")
    return tokens


def split_url(url: str) -> tuple[str, str, str]:
    """Return the origin, the path and the query of a URL as they are signed: unchanged, except for the scheme's case.

    Args:
        url: The URL. Its fragment is ignored.

    Raises:
        ValueError: The URL is not an absolute http(s) URL.
    """
    address, _, query = url.partition("#")[0].partition("?")
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    if not host or scheme.lower() not in {"http", "https"}:
        raise ValueError(f"url must be an absolute http:// or https:// URL, not {url!r}")
    return f"{scheme.lower()}://{host}", slash + path, query


def _address_spellings(origin: str, path: str) -> tuple[str, ...]:
    """Return the address as the official Python SDK signs it, and then as other SDKs sign it if they differ."""
    if path in {"", "/"}:
        return origin + path, origin if path else f"{origin}/"
    before, slash, last = path.rpartition("/")
    if ";" in last:
        return f"{origin}{before}{slash}{last.partition(';')[0]}", origin + path
    return (origin + path,)


def _signed_after_address(method: str, query: str, form: Pairs) -> str:
    """Return the part of the signed text that follows the address: the query and the form."""
    query_pairs = read_pairs(query)
    match method.upper():
        case "GET":
            # In the official SDK, the query has precedence if both contain a name.
            query_names = {name for name, _ in query_pairs}
            signed = [*query_pairs, *(pair for pair in form if pair[0] not in query_names)]
            return f"?{_joined_pairs(signed)}" if signed else ""
        case "POST":
            sent = "".join(chain.from_iterable(sorted(form)))
            start, separator = "?" if query_pairs or form else "", "." if query_pairs and form else ""
            return f"{start}{_joined_pairs(query_pairs)}{separator}{sent}"
        case _:
            raise ValueError(f"method must be GET or POST, not {method!r}")


def _joined_pairs(pairs: Pairs) -> str:
    """Return the pairs of a query as they are signed."""
    return "&".join(map("=".join, sorted(pairs)))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _header_text(text: object) -> str:
    """Return the name or the value of a header, which must be a text."""
    if not isinstance(text, str):
        raise TypeError(f"headers must be texts, not {text!r:.80}; decode the bytes of ASGI as latin-1")
    return text


def _missing(version: str, found: Sequence[str]) -> str:
    """Return the message for a request without a signature of a version."""
    wanted = f"X-Plivo-Signature-{version} (or -Ma-{version}) and X-Plivo-Signature-{version}-Nonce"
    had = f"only {', '.join(found)}" if found else "no signature"
    weak = any(name.endswith("-v2") for name in found)
    why = "; version 2 does not cover the body and is accepted only with allow_v2=True" if weak else ""
    return f"the request must carry {wanted}, but has {had}{why}"


def _digest(text: str, auth_token: bytes) -> bytes:
    """Return the signature of a text."""
    # A lone surrogate must cause a mismatch, not a UnicodeEncodeError.
    code = _keyed(auth_token).copy()
    code.update(text.encode(errors="surrogatepass"))
    return binascii.b2a_base64(code.digest(), newline=False)


@lru_cache(maxsize=8)
def _keyed(auth_token: bytes) -> hmac.HMAC:
    """Return an HMAC that has read the key and nothing else. Copying it takes a fourth of the time of a new one."""
    return hmac.new(auth_token, digestmod="sha256")
