"""Errors of callbacks that cannot be trusted."""

from __future__ import annotations

from typing import ClassVar

from plivo_record_async.errors.root import PlivoRecordError

__all__ = ["CallbackRejectedError", "MalformedCallbackError", "SignatureMismatchError", "SignatureMissingError"]


class CallbackRejectedError(PlivoRecordError):
    """The callback cannot be trusted. A receiver answers it with ``status`` and does not use its content.

    Attributes:
        status: The HTTP status to answer the callback with: 403 or 400.
    """

    status: ClassVar[int] = 403


class SignatureMissingError(CallbackRejectedError):
    """The request has no signature, or none of an accepted version. Its status is 403."""


class SignatureMismatchError(CallbackRejectedError):
    """No signature of the request matches its URL, its fields and the auth tokens. Its status is 403.

    Either Plivo did not send the request, or the URL or an auth token is wrong. ``explain_signature`` shows what was
    compared.
    """


class MalformedCallbackError(CallbackRejectedError):
    """The request is not a callback that Plivo could have signed. Its status is 400.

    The method or the body is not that of a callback, the URL contains ``#``, or the text of a field was split between
    name and value in another place than by Plivo.
    """

    status: ClassVar[int] = 400
