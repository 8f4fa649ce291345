"""A report for people that explains why a signature does not match. The receiver does not use this module."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from plivo_record_async._value import Value
from plivo_record_async.errors import MalformedCallbackError, SignatureMissingError
from plivo_record_async.protocol.callbacks.parsing import called_url, read_form
from plivo_record_async.protocol.callbacks.signatures import (
    AuthTokens,
    Headers,
    SignatureHeaders,
    find_match,
    read_signature_headers,
    signed_texts,
    split_url,
)

__all__ = ["SignatureReport", "explain_signature"]


@attrs.frozen(kw_only=True)
class SignatureReport(Value):
    """A report of how a signature was checked.

    It contains neither an auth token nor the correct signature, because a reader could sign callbacks with them.

    Attributes:
        signature_headers: The signature headers of the request. If None, the request is not signed.
        signed_texts: The texts for which signatures were computed. There are two if the official SDKs sign the URL in
            two ways.
        matched: The name of the header whose signature matches. If None, no signature matches.
        hint: What is wrong, as a text for people. If None, a signature matches.
    """

    signature_headers: SignatureHeaders | None = None
    signed_texts: tuple[str, ...] = ()
    matched: str | None = None
    hint: str | None = None

    @property
    def ok(self) -> bool:
        """Whether a signature matches."""
        return self.matched is not None

    def __str__(self) -> str:
        lines = ["the signature matches" if self.ok else "no signature matches"]
        lines += [f"signed text: {text}" for text in self.signed_texts]
        if self.signature_headers is not None:
            lines += [f"{name}: {value}" for name, value in self.signature_headers.signatures.items()]
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
    """Report how the signature of a callback was checked, and which common mistake explains a mismatch.

    Log the report if a genuine callback is rejected. Never send it in a response, because it shows what must be signed.

    Args:
        method: The method of the request: ``GET`` or ``POST``.
        url: The public URL that Plivo called, with its query.
        headers: The headers of the request.
        body: The body of the request.
        auth_tokens: The auth token of the account or subaccount, or several tokens.
        expected_url: The URL that was given to Plivo. If None, the signature is checked against ``url``.
        allow_v2: Whether to check a signature of version 2 if the request has none of version 3.

    Returns:
        The texts that may have been signed, the headers with which they were compared, and a hint.

    Raises:
        MalformedCallbackError: The method, the URL or the body is not that of a callback, so nothing can be compared.
        ConfigurationError: ``auth_tokens`` is empty or contains an empty token.
        ValueError: ``expected_url`` is not an absolute http(s) URL.
        TypeError: The headers are not texts, or the body is not bytes.
    """
    called, _ = called_url(method, url, expected_url)
    try:
        signature_headers = read_signature_headers(headers, allow_v2=allow_v2)
    except SignatureMissingError as error:
        return SignatureReport(hint=str(error))
    form = read_form(headers, body)
    try:
        texts = signed_texts(signature_headers, method, called, form)
    except ValueError as error:
        raise MalformedCallbackError(str(error)) from error
    match = find_match(signature_headers, texts, auth_tokens)
    hint = None
    if match is None:
        mistakes = (
            mistake
            for mistake, other_method, other_url in _usual_mistakes(method, called)
            if find_match(
                signature_headers, signed_texts(signature_headers, other_method, other_url, form), auth_tokens
            )
        )
        hint = next(mistakes, "it was signed with another auth token or for another URL, or it was changed after that")
    return SignatureReport(
        signature_headers=signature_headers, signed_texts=texts, matched=match and match.header, hint=hint
    )


def _usual_mistakes(method: str, url: str) -> Iterator[tuple[str, str, str]]:
    """Yield common mistakes: for each one a hint, and the method and the URL that were signed in this case."""
    origin, path, query = split_url(url)
    query_pairs = f"?{query}" if query else ""
    scheme, _, host = origin.partition("://")
    other = "http" if scheme == "https" else "https"
    name, _, port = host.rpartition(":")
    bare = name if name and port.isdigit() else host
    proxy = "a proxy changed the URL; verify against the one that was given to Plivo"
    yield f"it was signed for {other}://: {proxy}", method, f"{other}://{host}{path}{query_pairs}"
    yield f"it was signed for a URL without port: {proxy}", method, f"{scheme}://{bare}{path}{query_pairs}"
    yield f"it was signed for {other}:// without port: {proxy}", method, f"{other}://{bare}{path}{query_pairs}"
    slashed = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    yield (
        "it was signed for a URL that differs only in the slash at the end of its path",
        method,
        f"{origin}{slashed}{query_pairs}",
    )
    yield "it was signed for the URL without its query", method, origin + path
    swapped = "POST" if method.upper() == "GET" else "GET"
    yield f"it was signed as a {swapped}", swapped, url
