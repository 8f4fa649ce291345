"""The errors with which Plivo's API answers, one class for each group of HTTP statuses.

https://plivo.com/docs/account/api/overview.md
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar, Literal

import attrs
from attrs import field

from plivo_record_async.errors.root import PlivoRecordError

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "MethodNotAllowedError",
    "Missing",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "ServerError",
]

Missing = Literal["conference", "recording", "transcription"]
"""The kind of resource that does not exist, if Plivo answers 404."""


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class ApiError(PlivoRecordError):
    """Plivo answered with an error status.

    All errors of this class and its subclasses, except `ServerError`, prove that the request was not executed. This
    class itself is raised for redirects, and for statuses from 400 to 499 that have no subclass.

    Attributes:
        status: The HTTP status of the response.
        api_id: Plivo's ID of the request, which Plivo's support asks for. If None, the response has none.
        message: Plivo's error message. If the response has none, the beginning of its body or the name of the status.
        body: The body of the response.
        operation: A description of the call, such as ``start of 'standup'``.
        advice: Whether the request was executed, and what to do next. It is the end of the error's text.
    """

    _advice: ClassVar[str] = (
        "It was not executed. Correct the request before you call again: Plivo would reject the same request again."
    )

    status: int
    api_id: str | None
    message: str
    body: str
    operation: str = field(default="the request", kw_only=True)
    advice: str = field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        self.advice = self.advice or self._advise()
        named = f", api_id {self.api_id}" if self.api_id else ""
        super().__init__(f"{self.operation}: Plivo answered {self.status} ({self.message}){named}. {self.advice}")

    def _advise(self) -> str:
        return self._advice


class BadRequestError(ApiError):
    """Plivo rejected the request with 400, 409 or 422.

    With 400 and 422, an argument is missing or invalid. With 409, the request conflicts with the present state of the
    conference or the recording. The request was not executed.
    """

    _advice = "It was not executed. Correct the arguments before you call again: Plivo would reject these again."

    def _advise(self) -> str:
        if self.status == HTTPStatus.CONFLICT:
            return (
                "It was not executed, because it conflicts with the present state of the conference or recording. "
                "Check that state before you call again."
            )
        return self._advice


class AuthenticationError(ApiError):
    """Plivo rejected the request with 401, because the auth ID and the auth token belong to no account.

    The request was not executed.
    """

    _advice = (
        "It was not executed, and Plivo rejects every call until the credentials are correct. "
        "Check auth_id and auth_token (PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN)."
    )


class PermissionDeniedError(ApiError):
    """Plivo rejected the request with 403, because the account may not make it.

    The account is not verified, the feature is switched off, or the IP address of this machine is not on the account's
    allow-list. The request was not executed.
    """

    _advice = (
        "It was not executed, and Plivo rejects it until the account permits it. "
        "Check the account's verification, its features and its IP allow-list."
    )


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class NotFoundError(ApiError):
    """Plivo rejected the request with 404, because a conference, recording or transcript does not exist.

    A conference exists only while somebody is in it. The request was not executed.

    Attributes:
        missing: The kind of resource that does not exist: ``conference``, ``recording`` or ``transcription``. If None,
            the call concerned none of them.
    """

    _advice = "It was not executed. Check base_url: something other than Plivo's API may be answering."

    missing: Missing | None = field(default=None, kw_only=True)

    def _advise(self) -> str:
        if self.missing == "conference":
            return (
                "It was not executed: no conference of this name is live. A conference exists only while somebody is "
                "in it, and its recordings end with it. Check the name. It is safe to repeat a start after somebody "
                "has joined the conference."
            )
        if self.missing == "recording":
            return (
                "It was not executed: the account has no recording with this ID. Check the ID and the account. "
                "The recording may have been deleted."
            )
        if self.missing == "transcription":
            return (
                "It was not executed: the account has no transcript of this recording. Check the ID and the account. "
                "Plivo makes a transcript only on request: client.create_transcription(…) requests it."
            )
        return self._advice


class MethodNotAllowedError(ApiError):
    """Plivo rejected the request with 405, because the URL does not accept its HTTP method.

    The request was not executed. The likely cause is a wrong ``base_url``.
    """

    _advice = (
        "It was not executed, and would be rejected again. "
        "Check base_url: something other than Plivo's API may be answering."
    )


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class RateLimitError(ApiError):
    """Plivo rejected the request with 429, because the account has used up its quota of 300 requests in 5 seconds.

    The request was not executed. The client repeats such a request by itself while its deadline permits; it raises this
    error after the last attempt. https://plivo.com/docs/voice/concepts/account-limits.md

    Attributes:
        retry_after: How many seconds to wait before the next call. If None, the response does not say it.
    """

    retry_after: float | None = field(default=None, kw_only=True)

    def _advise(self) -> str:
        pause = "a pause" if self.retry_after is None else f"a pause of {self.retry_after:g} s"
        return (
            f"It was rejected and not executed. It is safe to call again after {pause}, during which this client "
            "sends no request."
        )


class ServerError(ApiError):
    """Plivo answered with a status from 500 to 599. The request may or may not have been executed.

    This error is raised only for requests that are harmless to repeat, such as a stop. A start with such a response
    raises `OutcomeUnknownError`.
    """

    _advice = (
        "It may or may not have been executed, but repeating this request is harmless. Call again later. If the error "
        "persists, contact Plivo's support."
    )
