"""The URL tokens in issued callback URLs: the ``start_id`` and a proof that this tracker issued it.

The URL identifies the recording before anything else in the callback is trusted. Plivo signs the query of the URL too,
so a callback with a valid signature has the token as it was issued.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2s
from typing import Literal, get_args
from urllib.parse import quote, unquote_plus

__all__ = [
    "CALLBACK_PATHS",
    "CallbackPath",
    "find_start_id",
    "issue_url",
    "names_start",
    "read_start_id",
    "without_proof",
]

CallbackPath = Literal["recording", "transcription"]
"""The last segment of the path of an issued URL.

The URL with ``recording`` receives the asynchronous response and the end of the recording. The URL with
``transcription`` receives the end of the transcription.
"""

CALLBACK_PATHS: tuple[CallbackPath, ...] = get_args(CallbackPath)
"""All values of `CallbackPath`."""

_START, _PROOF = "plivo_record_start", "plivo_record_proof"
_STARTS, _PROOFS = (re.compile(f"(?:^|&){name}=([^&]*)") for name in (_START, _PROOF))
_IN_TEXT = re.compile(f"{_PROOF}=([0-9a-f]+)&{_START}=([A-Za-z0-9_-]+)")  # a query is signed sorted and decoded
_PURPOSE = b"plivo-record-async callback URL"


def issue_url(public_url: str, path: CallbackPath, start_id: str, auth_token: str) -> str:
    """Return the URL that Plivo calls for a start.

    Args:
        public_url: The public URL of the receiver, without a slash at its end.
        path: The last segment of the path.
        start_id: The tracker's ID of the start.
        auth_token: The auth token with which the proof is computed.
    """
    proof = _proof(path, start_id, auth_token).decode()
    return f"{public_url}/{path}?{_START}={quote(start_id, safe='')}&{_PROOF}={proof}"


def read_start_id(path: CallbackPath, query: str, auth_tokens: Sequence[str]) -> str | None:
    """Return the start for which the URL of a callback was issued.

    The query is not verified yet, so the function only searches for the two parameters as they were issued.

    Args:
        path: The last segment of the path of the callback.
        query: The query of the URL as it was received.
        auth_tokens: The auth tokens with which the proof may have been computed.

    Returns:
        The ``start_id``. If None, the query does not contain exactly one, or it has no valid proof.
    """
    match _STARTS.findall(query), _PROOFS.findall(query):
        case [named], [proof] if _is_proven(path, start_id := unquote_plus(named), proof, auth_tokens):
            return start_id
        case _:
            return None


def names_start(query: str) -> bool:
    """Return whether a query contains a ``start_id``, with or without a valid proof.

    Args:
        query: The query of the URL as it was received.
    """
    return _STARTS.search(query) is not None


def find_start_id(path: CallbackPath, text: str, auth_tokens: Sequence[str]) -> str | None:
    """Return the start whose token is contained in a signed text.

    An attacker who captured a callback can present its query as a single name, in which `read_start_id` finds no token.
    The signed text still contains the token as it was issued.

    Args:
        path: The last segment of the path of the callback.
        text: The signed text.
        auth_tokens: The auth tokens with which the proof may have been computed.

    Returns:
        The ``start_id``. If None, the text contains no token with a valid proof.
    """
    for proof, start_id in _IN_TEXT.findall(text):
        if _is_proven(path, start_id, proof, auth_tokens):
            return str(start_id)
    return None


def without_proof(query: str) -> str:
    """Return a query without its proof, so that an access log does not contain the proof.

    Args:
        query: The query of the URL as it was received.
    """
    return _PROOFS.sub("", query)


def _is_proven(path: CallbackPath, start_id: str, proof: str, auth_tokens: Sequence[str]) -> bool:
    """Compare the proof with that of every token, so that the time of the comparison reveals nothing."""
    received = proof.encode(errors="replace")
    matches = [hmac.compare_digest(_proof(path, start_id, token), received) for token in auth_tokens]
    return any(matches)


def _proof(path: CallbackPath, start_id: str, auth_token: str) -> bytes:
    message = f"{path}:{start_id}".encode(errors="surrogatepass")
    return blake2s(message, key=_key(auth_token), digest_size=16).hexdigest().encode()


@lru_cache(maxsize=8)
def _key(auth_token: str) -> bytes:
    return hmac.digest(auth_token.encode(), _PURPOSE, "sha256")
