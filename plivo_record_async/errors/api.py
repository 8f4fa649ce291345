"""Errors that Plivo's API answers, by their HTTP status: https://plivo.com/docs/account/api/overview.md ."""

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

Missing = Literal["conference", "recording"]
"""The resource that does not exist, if Plivo answers 404."""


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class ApiError(PlivoRecordError):
    """Plivo answered with an error status.

    Every subclass but `ServerError` proves that the request was not executed. So does this class itself, which stands
    for a redirect and for the other statuses from 400 to 499 that refuse a request.

    Attributes:
        status: The HTTP status.
        api_id: Plivo's ID of the request, if the answer carried one. Plivo's support asks for it.
        message: The text of Plivo's error, or else the beginning of the body or the name of the status.
        body: The text of the answer.
        operation: The call, in words, such as ``start of 'standup'``.
        advice: Whether the request was executed, and what to do next.
    """

    _advice: ClassVar[str] = (
        "It was not executed. Correct the request before calling again: the same one would be refused again."
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
    """400 or 422: an argument is missing or invalid. 409: the request conflicts with the present state."""

    _advice = "It was not executed. Correct the arguments before calling again: the same ones would be refused again."

    def _advise(self) -> str:
        if self.status == HTTPStatus.CONFLICT:
            return (
                "It was not executed, because it conflicts with the present state of the conference or recording. "
                "Look at that state before calling again."
            )
        return self._advice


class AuthenticationError(ApiError):
    """401: the auth ID and the auth token do not match an account."""

    _advice = (
        "It was not executed, and every call is refused until the credentials are right. "
        "Check auth_id and auth_token (PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN)."
    )


class PermissionDeniedError(ApiError):
    """403: the account is not verified, the feature is switched off, or this IP address is not on the allow-list."""

    _advice = (
        "It was not executed, and will be refused until the account allows it. "
        "Check its verification, its features and its IP allow-list."
    )


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class NotFoundError(ApiError):
    """404: no conference of this name is live, or no recording with this ID exists.

    Attributes:
        missing: The resource that does not exist: ``conference`` or ``recording``. If None, the call named neither.
    """

    _advice = "It was not executed. Check base_url: something other than Plivo's API may be answering."

    missing: Missing | None = field(default=None, kw_only=True)

    def _advise(self) -> str:
        if self.missing == "conference":
            return (
                "It was not executed: no conference of this name is live. A conference exists only while somebody is "
                "in it, and its recordings end with it. Check the name; a start is safe to repeat once somebody has "
                "joined."
            )
        if self.missing == "recording":
            return (
                "It was not executed: the account has no recording with this id. Check the id and the account; "
                "the recording may have been deleted."
            )
        return self._advice


class MethodNotAllowedError(ApiError):
    """405: the address does not accept this HTTP method."""

    _advice = (
        "It was not executed, and would be refused again. "
        "Check base_url: something other than Plivo's API may be answering."
    )


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class RateLimitError(ApiError):
    """429: the account has used up its quota of 300 requests in 5 seconds. The request was not executed.

    https://plivo.com/docs/voice/concepts/account-limits.md

    Attributes:
        retry_after: Seconds to wait before the next call. If None, Plivo's answer does not say.
    """

    retry_after: float | None = field(default=None, kw_only=True)

    def _advise(self) -> str:
        pause = "a pause" if self.retry_after is None else f"a pause of {self.retry_after:g} s"
        return (
            f"It was refused, not executed; it is safe to call again after {pause}, during which this client holds "
            "back all its calls."
        )


class ServerError(ApiError):
    """5xx on a request that is harmless to repeat. The request may or may not have been executed.

    On a start, a 5xx raises `OutcomeUnknownError` instead.
    """

    _advice = (
        "It may or may not have been executed; repeating this request is harmless. Call again later. If the error "
        "persists, ask Plivo's support."
    )
