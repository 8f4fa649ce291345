"""What a good signature proves: that Plivo once said this text. Which fields were meant is read out of it next."""

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
    """A request whose signature was found good; only `callbacks.verify_callback` makes them.

    Attributes:
        method: ``GET`` or ``POST``.
        fields: What the callback says: the form of a POST, or the query of a GET without what was issued.
        issued: The pairs of the issued URL with which the query of a GET begins; only known if it was pinned.
        unsigned: Pairs in the form of a GET whose names its query has too, so that the signature does not cover them.
        signed_text: The text that the signature was made for, as far as it was checked, with the nonce.
        nonce: The nonce at its end.
        url_is_pinned: Whether the text was computed from the URL that was given to Plivo.
        expected_method: The only method that was expected. If None, either was.
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
        """The SHA-256 of the signed text in hexadecimal digits, the same for every way to cut one capture up."""
        return sha256(self.signed_text.encode(errors="surrogatepass")).hexdigest()

    @property
    def raw(self) -> Mapping[str, str | list[str]]:
        """Every field as it was sent, ready for JSON; a name that is repeated has the list of its values."""
        pairs = (*self.issued, *self.fields)
        raw: dict[str, str | list[str]] = dict(pairs)
        if len(raw) != len(pairs):
            for name, count in Counter(name for name, _ in pairs).items():
                if count > 1:
                    raw[name] = [value for other, value in pairs if other == name]
        return raw
