"""How Plivo signs a callback, and how a signature is checked.

Version 3, as the official SDKs compute it, is ``base64(HMAC-SHA256(auth token, S + "." + nonce))``, where ``S``
is the address without query and fragment, then ``?`` and the sorted query, and for a POST ``.`` and the sorted
fields of the form, run together without any separator. Version 2 signs address and nonce only.
https://docs.plivo.com/docs/voice/concepts/signature-validation/
https://github.com/plivo/plivo-python/blob/master/plivo/utils/signature_v3.py

Where the SDKs differ on exotic URLs the official Python SDK decides, and what others sign for the same address
is accepted besides: ``https://h`` for ``https://h/``, and a last path segment with its ``;parameters``.
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, product
from typing import Literal, NamedTuple, Protocol

import attrs

from plivo_record_async.errors import ConfigurationError, SignatureMissingError
from plivo_record_async.protocol.callbacks.urlencoded import Pairs, read_pairs

__all__ = [
    "AuthTokens",
    "Headers",
    "Match",
    "Params",
    "SignatureClaim",
    "find_match",
    "listed",
    "read_claim",
    "read_content_type",
    "sign_callback_v3",
    "signed_texts",
    "split_url",
]

AuthTokens = str | Sequence[str]
"""One auth token, or all that are valid now: during a rotation, or of an account and its subaccounts."""


class Headers(Protocol):
    """A request's header fields: names in any case, or as WSGI spells them (``HTTP_X_PLIVO_SIGNATURE_V3``).

    A mapping, or what a framework has instead of one.
    """

    def items(self) -> Iterable[tuple[str, str]]:
        """Return names and values."""
        ...


Params = Mapping[str, str | Sequence[str]]
"""Decoded names and values; a name that is repeated has a sequence of values."""

Version = Literal["V3", "V2"]

_HEADERS: dict[Version, tuple[str, str, str]] = {
    "V3": ("x-plivo-signature-v3", "x-plivo-signature-ma-v3", "x-plivo-signature-v3-nonce"),
    "V2": ("x-plivo-signature-v2", "x-plivo-signature-ma-v2", "x-plivo-signature-v2-nonce"),
}

# In lower case, as HTTP spells them and as WSGI does: https://peps.python.org/pep-3333/#environ-variables
_SIGNATURE_HEADERS = {
    spelling: name
    for name in [*chain(*_HEADERS.values()), "x-plivo-signature"]
    for spelling in (name, f"http_{name.replace('-', '_')}")
}
_WSGI_CONTENT_TYPES = frozenset({"content_type", "http_content_type"})


@attrs.frozen
class SignatureClaim:
    """What a request says of its own signature.

    Attributes:
        version: ``V3``, or ``V2``.
        nonce: The nonce that was signed with the request.
        signatures: Name of each signature header, in lower case, to its value: a comma-separated list while
            tokens rotate. The header with ``-ma-`` is signed with the main account's token.
    """

    version: Version
    nonce: str
    signatures: Mapping[str, str]


def sign_callback_v3(method: str, url: str, params: Params, nonce: str, auth_token: str) -> str:
    """Sign a callback as Plivo does, for emulators and tests.

    Args:
        method: ``GET`` or ``POST``.
        url: The absolute URL that is called; its query is signed, its fragment is not.
        params: The form of a POST, or what a GET adds to the query of ``url``.
        nonce: The value of ``X-Plivo-Signature-V3-Nonce``.
        auth_token: The account's or subaccount's auth token.

    Returns:
        The value of ``X-Plivo-Signature-V3`` (or of ``X-Plivo-Signature-Ma-V3`` with the main account's token).

    Raises:
        ValueError: Another method, or a URL that is not absolute http(s).
    """
    origin, path, query = split_url(url)
    form = [
        (name, value) for name, values in params.items() for value in ([values] if isinstance(values, str) else values)
    ]
    text = _spellings(origin, path)[0] + _signed_tail(method, query, form)
    return _digest(f"{text}.{nonce}", auth_token.encode()).decode()


def read_claim(headers: Headers, *, allow_v2: bool = False) -> SignatureClaim:
    """Read the signature headers; a header that comes twice counts as one list.

    Args:
        headers: The request's header fields.
        allow_v2: Whether version 2 will do where there is no header of version 3.

    Raises:
        SignatureMissingError: There is no signature, or no nonce, of an accepted version.
        TypeError: The headers are no texts.
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
        for name, _ in headers.items():  # noqa: PERF102 - werkzeug's headers are pairs to who goes through them
            _header_text(name)
        raise SignatureMissingError(_missing(version, sorted(found)))
    return SignatureClaim(version, found[nonce], signatures)


def read_content_type(headers: Headers) -> str | None:
    """Return the type of the request's body, or None if the headers do not name one."""
    for name, value in headers.items():
        key = name.lower()
        if key == "content-type" or (key in _WSGI_CONTENT_TYPES and value):  # WSGI may have an empty one for none
            return value
    return None


def signed_texts(claim: SignatureClaim, method: str, url: str, form: Pairs) -> tuple[str, ...]:
    """What is signed, with the nonce; two texts where the address has two spellings.

    Args:
        claim: What the request says of its signature.
        method: ``GET`` or ``POST``, in any case.
        url: The absolute URL that Plivo called, with its query.
        form: The decoded fields of the body; a GET has none.

    Raises:
        ValueError: Another method, a URL that is not absolute http(s), or too many pairs in its query.
    """
    origin, path, query = split_url(url)
    tail = _signed_tail(method, query, form)
    # Version 2 covers neither the query nor the body.
    behind = f"{tail}.{claim.nonce}" if claim.version == "V3" else claim.nonce
    return tuple([address + behind for address in _spellings(origin, path)])


class Match(NamedTuple):
    """What a good signature signs.

    Attributes:
        header: The name of the header that holds it.
        text: The text that it was made for.
    """

    header: str
    text: str


def find_match(claim: SignatureClaim, texts: Sequence[str], auth_tokens: AuthTokens) -> Match | None:
    """Return the first header that holds a signature of one of the texts, made with one of the tokens.

    Signatures are compared in constant time.

    Raises:
        ConfigurationError: No token, or an empty one, which anybody could sign with.
    """
    tokens = [token.encode(errors="surrogatepass") for token in listed(auth_tokens)]
    expected = [(_digest(text, token), text) for token in tokens for text in texts]
    for name, value in claim.signatures.items():
        # As bytes, because compare_digest takes no text beyond ASCII.
        given = "".join(value.split()).encode(errors="replace").split(b",")
        for (ours, text), theirs in product(expected, given):
            if hmac.compare_digest(ours, theirs):
                return Match(name, text)
    return None


def listed(auth_tokens: AuthTokens) -> Sequence[str]:
    """The tokens one by one.

    Raises:
        ConfigurationError: No token, or an empty one, which anybody could sign with.
        TypeError: What is no text.
    """
    tokens = (auth_tokens,) if isinstance(auth_tokens, str) else tuple(auth_tokens)
    if not all(map(_is_text, tokens)):
        raise TypeError("auth_tokens must be a text, or several; bytes and other values are none")
    if not tokens or not all(tokens):
        raise ConfigurationError("auth_tokens must hold at least one auth token, and no empty one")
    return tokens


def split_url(url: str) -> tuple[str, str, str]:
    """Origin, path and query of an absolute URL as they are signed: as written, but the scheme in lower case.

    Raises:
        ValueError: It is not an absolute http(s) URL.
    """
    address, _, query = url.partition("#")[0].partition("?")
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    if not host or scheme.lower() not in {"http", "https"}:
        raise ValueError(f"url must be an absolute http:// or https:// URL, not {url!r}")
    return f"{scheme.lower()}://{host}", slash + path, query


def _spellings(origin: str, path: str) -> tuple[str, ...]:
    """The address as the official Python SDK signs it, then as others do."""
    if path in {"", "/"}:
        return origin + path, origin if path else f"{origin}/"
    before, slash, last = path.rpartition("/")
    if ";" in last:
        return f"{origin}{before}{slash}{last.partition(';')[0]}", origin + path
    return (origin + path,)


def _signed_tail(method: str, query: str, form: Pairs) -> str:
    """What is signed behind the address: the query and the form."""
    asked = read_pairs(query)
    match method.upper():
        case "GET":
            # The official SDK lets the query win where a name is in both.
            named = {name for name, _ in asked}
            said = [*asked, *(pair for pair in form if pair[0] not in named)]
            return f"?{_joined(said)}" if said else ""
        case "POST":
            sent = "".join(chain.from_iterable(sorted(form)))
            return f"{'?' if asked or form else ''}{_joined(asked)}{'.' if asked and form else ''}{sent}"
        case _:
            raise ValueError(f"method must be GET or POST, not {method!r}")


def _joined(pairs: Pairs) -> str:
    return "&".join(map("=".join, sorted(pairs)))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _header_text(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"headers must be texts, not {text!r:.80}; what ASGI has as bytes is decoded as latin-1")
    return text


def _missing(version: str, found: Sequence[str]) -> str:
    wanted = f"X-Plivo-Signature-{version} (or -Ma-{version}) and X-Plivo-Signature-{version}-Nonce"
    had = f"only {', '.join(found)}" if found else "no signature at all"
    weak = any(name.endswith("-v2") for name in found)
    why = "; version 2 does not cover the body, and is accepted only where it was asked for" if weak else ""
    return f"the request must carry {wanted}, but has {had}{why}"


def _digest(text: str, auth_token: bytes) -> bytes:
    # A lone surrogate, which no honest request holds, must fail to match, not fail to encode.
    signed = text.encode(errors="surrogatepass")
    return binascii.b2a_base64(hmac.digest(auth_token, signed, "sha256"), newline=False)
