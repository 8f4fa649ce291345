"""The requests that users make, and the rate limit of a client."""

from __future__ import annotations

import re
from typing import Literal

import attrs
from attrs import field

from plivo_record_async._value import Value
from plivo_record_async.protocol.arguments import (
    conference_name,
    http_url,
    integer,
    one_of,
    optional,
    positive_number,
    text,
)

__all__ = ["FileFormat", "HttpMethod", "RateLimit", "StartRequest", "StopRequest"]

FileFormat = Literal["mp3", "wav"]
"""The format of a recording's file. Plivo's default is ``mp3``."""

HttpMethod = Literal["GET", "POST"]
"""The HTTP method of a callback. Plivo's default is ``POST``."""


def _shown(url: str | None) -> str:
    """Return the ``repr`` of a URL without what can be a secret: user, password, query and fragment."""
    if url is None:
        return repr(url)
    shown, *secret = re.split("[?#]", re.sub("//[^/?#]*@", "//", url), maxsplit=1)
    return repr(f"{shown}?…" if secret else shown)


def _check_callback_method(request: StartRequest | StopRequest) -> None:
    """Raise a ``ValueError`` if the method of a callback does not fit the other attributes."""
    if request.callback_method is not None and request.callback_url is None:
        raise ValueError("callback_method was given without callback_url; pass both or neither")
    if request.callback_method == "GET" and not {"&", "="}.isdisjoint(request.conference_name):
        raise ValueError(
            f"callback_method must not be GET for the conference {request.conference_name!r}: the signature of a GET "
            "does not distinguish an '&' or '=' in a name from those between the fields, so an attacker could split "
            "the signed text into another callback. Use POST, the default, which is safe"
        )


@attrs.frozen
class StartRequest(Value):
    """A request to start a recording of a conference.

    An option that is None is not sent, so Plivo's own default applies. The ``repr`` shows no query of a URL, because it
    can be a secret. https://plivo.com/docs/voice/api/conferences

    Attributes:
        conference_name: The name of the conference: any text except an empty one, ``.`` and ``..``.
        file_format: The format of the file: ``mp3`` or ``wav``. If None, Plivo makes an mp3.
        transcription_type: The type of the transcription. It is sent unchanged. Plivo's documentation names ``auto``
            and, in older versions, ``hybrid``. If None, Plivo's default applies.
        transcription_url: The URL to which Plivo sends the transcript. If None, Plivo sends no transcript.
        transcription_method: The HTTP method for ``transcription_url``: ``GET`` or ``POST``. If None, Plivo uses POST.
        callback_url: The URL to which Plivo sends the asynchronous response, and later the end of the recording. It is
            sent byte for byte, including its fragment, which contains options for the delivery (`CallbackPolicy`). If
            None, Plivo answers with a `RecordingStarted` and sends no callback.
        callback_method: The HTTP method for ``callback_url``: ``GET`` or ``POST``. It requires ``callback_url``.
            ``GET`` is invalid for a conference name that contains ``&`` or ``=``, because the signature of a GET does
            not distinguish them from those between fields. If None, Plivo uses POST.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has an invalid value.
    """

    conference_name: str = field(validator=conference_name)
    file_format: FileFormat | None = field(default=None, validator=optional(one_of("mp3", "wav")), kw_only=True)
    transcription_type: str | None = field(default=None, validator=optional(text), kw_only=True)
    transcription_url: str | None = field(default=None, validator=optional(http_url), kw_only=True, repr=_shown)
    transcription_method: HttpMethod | None = field(
        default=None, validator=optional(one_of("GET", "POST")), kw_only=True
    )
    callback_url: str | None = field(default=None, validator=optional(http_url), kw_only=True, repr=_shown)
    callback_method: HttpMethod | None = field(default=None, validator=optional(one_of("GET", "POST")), kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_callback_method(self)


@attrs.frozen
class StopRequest(Value):
    """A request to stop all recordings of a conference.

    An option that is None is not sent, so Plivo's own default applies. The ``repr`` shows no query of a URL, because it
    can be a secret. https://plivo.com/docs/voice/api/conferences

    Attributes:
        conference_name: The name of the conference: any text except an empty one, ``.`` and ``..``.
        callback_url: The URL to which Plivo sends the asynchronous response. If None, Plivo answers with a
            `RecordingStopped`.
        callback_method: The HTTP method for ``callback_url``: ``GET`` or ``POST``. It requires ``callback_url``.
            ``GET`` is invalid for a conference name that contains ``&`` or ``=``. If None, Plivo uses POST.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has an invalid value.
    """

    conference_name: str = field(validator=conference_name)
    callback_url: str | None = field(default=None, validator=optional(http_url), kw_only=True, repr=_shown)
    callback_method: HttpMethod | None = field(default=None, validator=optional(one_of("GET", "POST")), kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_callback_method(self)


@attrs.frozen
class RateLimit(Value):
    """The largest number of requests that a client sends in any window of time.

    Plivo permits an account 300 requests in any 5 seconds: ``RateLimit(300, per=5.0)``.
    https://plivo.com/docs/voice/concepts/account-limits.md

    Attributes:
        limit: The number of requests.
        per: The length of the window in seconds.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: ``limit`` is less than 1, or ``per`` is not a finite number above 0.
    """

    limit: int
    per: float = field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        integer("limit", self.limit, least=1)
        positive_number("per", self.per)
