"""Turns a response into its result, or raises the error that its status and body call for.

The field ``error`` of a body may be a string, an object or a list, or may be missing. A body may also be HTML, empty or
incomplete. A success status with an ``error`` in the body is not a success. The statuses that Plivo uses are listed in
https://plivo.com/docs/account/api/overview.md
"""

from __future__ import annotations

import contextlib
import reprlib
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

from plivo_record_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    MethodNotAllowedError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnexpectedResponseError,
)
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response

__all__ = ["proves_rejection", "result_of"]

T = TypeVar("T")

# 409 and 422 say, like 400, that this request cannot be executed as it is.
_REJECTIONS: Final[dict[int, type[ApiError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    405: MethodNotAllowedError,
    409: BadRequestError,
    422: BadRequestError,
}

_REDIRECTS: Final = frozenset({301, 302, 307, 308})
"""The statuses of a server that did not execute the request, because the resource has another URL. A 303 is not among
them, because it may lead to the result of an executed request: https://www.rfc-editor.org/rfc/rfc9110#section-15.4"""

_STANDARD: Final = frozenset(HTTPStatus)
"""The statuses that this version of Python knows. Every version knows those that Plivo documents."""


def result_of(
    request: Request[T],
    response: Response,
    *,
    may_be_already_executed: bool = False,
    called_at: datetime | None = None,
    failed_at: datetime | None = None,
    attempts: int = 1,
) -> T:
    """Return the result of a response, or raise its error.

    Args:
        request: The request.
        response: The response.
        may_be_already_executed: Whether an earlier attempt of the same call may have been executed. If so, a 404 may
            mean that it was.
        called_at: The time at which the call was made (aware, UTC), for errors. If None, it is not known.
        failed_at: The time at which the call failed, if it did (aware, UTC), for errors. If None, it is not known.
        attempts: The number of attempts so far.

    Returns:
        The result that the request reads from the response.

    Raises:
        UnexpectedResponseError: The status is 2xx, but the body cannot be read or contains an error.
        ApiError: The status is an error. It decides which subclass is raised.
        OutcomeUnknownError: The status does not prove that the request was rejected, so it may have been executed. For
            a repeatable request, a 5xx status raises `ServerError` instead.
    """
    if (
        may_be_already_executed
        and response.status == HTTPStatus.NOT_FOUND
        and request.read_already_executed is not None
    ):
        with contextlib.suppress(ValueError):
            return request.read_already_executed(response)
    if not response.is_success:
        if (error := _error_for_status(request, response)) is not None:
            raise error
        raise OutcomeUnknownError(
            request.operation,
            f"Plivo answered {response.status} ({_message(response)})",
            phase="answer",
            evidence="a server error does not say whether the request was executed before the error"
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            else "this status does not say whether the request was executed",
            status=response.status,
            api_id=response.api_id,
            body=response.text,
            called_at=called_at,
            sent_at=response.sent_at,
            failed_at=failed_at,
            attempts=attempts,
            repeatable=request.repeatable,
            warning=request.warning,
            start_id=request.start_id,
        )
    if message := _error_text(response.data.get("error")):
        raise _unexpected(request, response, f"the response contains an error: {message}", message=message)
    try:
        return request.read(response)
    except ValueError as error:
        raise _unexpected(request, response, str(error)) from error


def _unexpected(
    request: Request[Any], response: Response, reason: str, *, message: str | None = None
) -> UnexpectedResponseError:
    return UnexpectedResponseError(
        response.status,
        response.text,
        reason,
        operation=request.operation,
        repeatable=request.repeatable,
        warning=request.warning,
        message=message,
        api_id=response.api_id,
        recording_id=response.text_field("recording_id"),
        url=response.text_field("url"),
        start_id=request.start_id,
    )


def _error_for_status(request: Request[Any], response: Response) -> ApiError | None:
    """Return the error that the status means, or None if the outcome is unknown."""
    status, operation = response.status, request.operation
    about = (status, response.api_id, _message(response), response.text)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitError(*about, operation=operation, retry_after=response.retry_after)
    if status == HTTPStatus.NOT_FOUND:
        return NotFoundError(*about, operation=operation, missing=request.missing)
    if status in _REDIRECTS:
        return ApiError(*about, operation=operation, advice=_advice_on_redirect(response))
    if _is_rejection(status):
        return _REJECTIONS.get(status, ApiError)(*about, operation=operation)
    if request.repeatable and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError(*about, operation=operation)
    return None


def proves_rejection(status: int) -> bool:
    """Return whether a status proves that the request was not executed.

    Args:
        status: The HTTP status of a response.
    """
    return _is_rejection(status) or status in _REDIRECTS


def _is_rejection(status: int) -> bool:
    """Return whether a status is an error which proves that the request was not executed.

    The standard statuses of client errors prove it, except 408, which gateways also send after a request that they have
    forwarded. The other statuses are inventions of gateways, and some of them, such as
    nginx's 499 and Amazon's 460, only say that the client stopped waiting.
    """
    is_client_error = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return is_client_error and status != HTTPStatus.REQUEST_TIMEOUT and status in _STANDARD


def _advice_on_redirect(response: Response) -> str:
    """Return what to do about a redirect. It is never followed, because it could send the credentials anywhere."""
    advice = "It was not executed. Correct base_url (PLIVO_BASE_URL)"
    target = _without_secrets(response.headers.get("location", ""))
    base_url, path, _ = target.partition("/v1/Account/")
    if path and base_url.startswith(("https://", "http://")):
        return f"{advice} to {base_url!r:.200}, to which the request was redirected."
    if target:
        return f"{advice}: requests are redirected to {target!r:.200}."
    return f"{advice}: something other than Plivo's API may be answering."


def _without_secrets(url: str) -> str:
    """Return a URL without user, password, query and fragment, or an empty string if it cannot be read."""
    try:
        scheme, authority, path, _, _ = urlsplit(url.strip())
    except ValueError:
        return ""
    return urlunsplit((scheme, authority.rpartition("@")[2], path, "", ""))


def _message(response: Response) -> str:
    """Return the text of ``error`` or ``message``, or if there is none, the body or the name of the status."""
    text = _error_text(response.data.get("error")) or _error_text(response.data.get("message"))
    if text:
        return text
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "no reason given"
    return response.text.strip()[:200] if response.text.strip() not in {"", "{}"} and not response.data else phrase


def _error_text(value: Any, depth: int = 4) -> str:
    """Return the text of an error, which may be a string, an object that contains one, or a list of them."""
    if not value:  # null, false, 0, {} and [] mean that there is no error
        return ""
    match value:
        case str():
            return value.strip()
        case [*items] if depth:
            return "; ".join(filter(None, (_error_text(item, depth - 1) for item in items)))
        case {"error": inner} | {"message": inner} if depth:
            return _error_text(inner, depth - 1)
        case _:
            return reprlib.repr(value)  # limited, so that a thousand nested lists cause no RecursionError
