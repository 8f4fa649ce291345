"""Why was a callback refused? For people; the receiver itself never asks."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from plivo_record_async._value import Value
from plivo_record_async.errors import MalformedCallbackError, SignatureMissingError
from plivo_record_async.protocol.callbacks.parsing import called_url, read_form
from plivo_record_async.protocol.callbacks.signatures import (
    AuthTokens,
    Headers,
    SignatureClaim,
    find_match,
    read_claim,
    signed_texts,
    split_url,
)

__all__ = ["SignatureReport", "explain_signature"]


@attrs.frozen(kw_only=True)
class SignatureReport(Value):
    """What was compared with what.

    It holds no token, nor the signature that would have been right: its reader could sign with that.

    Attributes:
        claim: The request's signature headers; ``None`` if it is not signed.
        signed_texts: What was signed to compare with them; two texts where the address has two spellings.
        matched: The name of the header that holds a matching signature.
        hint: What is wrong, in words, as far as that can be found out.
    """

    claim: SignatureClaim | None = None
    signed_texts: tuple[str, ...] = ()
    matched: str | None = None
    hint: str | None = None

    @property
    def ok(self) -> bool:
        """Whether a signature matched."""
        return self.matched is not None

    def __str__(self) -> str:
        lines = ["the signature matches" if self.ok else "no signature matches"]
        lines += [f"signed text: {text}" for text in self.signed_texts]
        if self.claim is not None:
            lines += [f"{name}: {value}" for name, value in self.claim.signatures.items()]
        return "\n".join([*lines, self.hint] if self.hint else lines)


def explain_signature(
    method: str,
    url: str,
    headers: Headers,
    body: bytes,
    *,
    auth_tokens: AuthTokens,
    expected_url: str | None = None,
    allow_v2: bool = False,
) -> SignatureReport:
    """Show how a callback's signature was checked, and which usual mistake a mismatch comes from.

    Log it where a callback is refused that should not be; never answer a request with it. The arguments are those
    of ``parse_callback``.

    Raises:
        MalformedCallbackError: Method, URL or body are not a callback's, so there is nothing to compare.
        ConfigurationError: ``auth_tokens`` holds no token, or an empty one.
        ValueError: ``expected_url`` is no absolute http(s) URL.
    """
    called, _ = called_url(method, url, expected_url)
    try:
        claim = read_claim(headers, allow_v2=allow_v2)
    except SignatureMissingError as error:
        return SignatureReport(hint=str(error))
    form = read_form(headers, body)
    try:
        texts = signed_texts(claim, method, called, form)
    except ValueError as error:
        raise MalformedCallbackError(str(error)) from error
    match = find_match(claim, texts, auth_tokens)
    hint = None
    if match is None:
        mistakes = (
            words
            for words, other_method, other_url in _usual_mistakes(method, called)
            if find_match(claim, signed_texts(claim, other_method, other_url, form), auth_tokens)
        )
        hint = next(mistakes, "it was signed with another auth token, for another URL, or was changed on its way")
    return SignatureReport(claim=claim, signed_texts=texts, matched=match and match.header, hint=hint)


def _usual_mistakes(method: str, url: str) -> Iterator[tuple[str, str, str]]:
    """What is wrong if the callback matches this method and URL."""
    origin, path, query = split_url(url)
    asked = f"?{query}" if query else ""
    scheme, _, host = origin.partition("://")
    other = "http" if scheme == "https" else "https"
    name, _, port = host.rpartition(":")
    bare = name if name and port.isdigit() else host
    proxy = "a proxy changed the URL; verify against the one that was given to Plivo"
    yield f"it was signed for {other}://: {proxy}", method, f"{other}://{host}{path}{asked}"
    yield f"it was signed for a URL without port: {proxy}", method, f"{scheme}://{bare}{path}{asked}"
    yield f"it was signed for {other}:// without port: {proxy}", method, f"{other}://{bare}{path}{asked}"
    slashed = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    yield "it was signed for a URL that differs in the slash at its end", method, f"{origin}{slashed}{asked}"
    yield "it was signed for the URL without its query", method, origin + path
    swapped = "POST" if method.upper() == "GET" else "GET"
    yield f"it was signed as a {swapped}", swapped, url
