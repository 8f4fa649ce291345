"""Errors that reject a callback."""

from __future__ import annotations

from typing import ClassVar

from plivo_record_async.errors.root import PlivoRecordError

__all__ = ["CallbackRejectedError", "MalformedCallbackError", "SignatureMismatchError", "SignatureMissingError"]


class CallbackRejectedError(PlivoRecordError):
    """The callback cannot be trusted.

    Attributes:
        status: The HTTP status to answer the callback with.
    """

    status: ClassVar[int] = 403


class SignatureMissingError(CallbackRejectedError):
    """The request carries no signature of an accepted version."""


class SignatureMismatchError(CallbackRejectedError):
    """No signature of the request matches its URL, its fields and the auth tokens."""


class MalformedCallbackError(CallbackRejectedError):
    """The request cannot be verified, or the name of a known field in it was split from its value in another place."""

    status: ClassVar[int] = 400
