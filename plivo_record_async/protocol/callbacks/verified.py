"""`VerifiedCallback`: a request whose signature proves that Plivo signed its text.

The signature does not prove where in the text each field begins and ends; `events` decides this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256

import attrs

from plivo_record_async.protocol.callbacks.urlencoded import Pairs
from plivo_record_async.protocol.models import HttpMethod

__all__ = ["VerifiedCallback"]


@attrs.frozen(kw_only=True)
class VerifiedCallback:
    """A request with a valid signature. Only `parsing.verify_callback` makes values of this class.

    Attributes:
        method: ``GET`` or ``POST``.
        fields: The fields of the callback: the form of a POST, or the query of a GET without the pairs of ``issued``.
        issued: The pairs of the issued URL with which the query of a GET begins. It is empty if the URL is not pinned.
        unsigned: The pairs in the form of a GET whose names are also in its query. The signature does not cover them.
        signed_text: The text for which the signature was computed, with the nonce.
        nonce: The nonce, which is the end of the signed text.
        url_is_pinned: Whether the signed text was computed from the URL that was given to Plivo.
        expected_method: The ``callback_method`` that was given to Plivo. If None, both methods are accepted.
    """

    method: HttpMethod
    fields: Pairs
    issued: Pairs = ()
    unsigned: Pairs = ()
    signed_text: str
    nonce: str
    url_is_pinned: bool = False
    expected_method: HttpMethod | None = None

    @property
    def digest(self) -> str:
        """The SHA-256 of the signed text in hexadecimal digits. It is the same for every reading of one text."""
        return sha256(self.signed_text.encode(errors="surrogatepass")).hexdigest()

    @property
    def raw(self) -> Mapping[str, str | list[str]]:
        """Every field as it was received. A repeated name has the list of its values."""
        pairs = (*self.issued, *self.fields)
        raw: dict[str, str | list[str]] = dict(pairs)
        if len(raw) != len(pairs):
            for name, count in Counter(name for name, _ in pairs).items():
                if count > 1:
                    raw[name] = [value for other, value in pairs if other == name]
        return raw
