"""Everything this package raises at its users, in one tree.

::

    PlivoRecordError
    ├── ConfigurationError          a credential, address or option is missing or misshapen
    ├── NotSentError                nothing left this machine: safe to call again
    ├── OutcomeUnknownError         it was sent and no usable answer came: it may have been executed
    ├── ApiError                    Plivo answered, and said no
    │   ├── BadRequestError             400, 409, 422
    │   ├── AuthenticationError         401
    │   ├── PermissionDeniedError       403
    │   ├── NotFoundError               404
    │   ├── MethodNotAllowedError       405
    │   ├── RateLimitError              429, with ``retry_after``
    │   └── ServerError                 5xx
    ├── UnexpectedResponseError     a success status with a body that cannot be read, or that carries an error
    ├── CallbackRejectedError       a callback that must not be believed; ``status`` is what to answer
    │   ├── SignatureMissingError       403
    │   ├── SignatureMismatchError      403
    │   └── MalformedCallbackError      400
    ├── ClosedError                 a call on a client, tracker or store that is closed
    ├── RecordingFailedError        the stage that was awaited can no longer come
    ├── WaitTimeoutError            the wait timed out (also a ``TimeoutError``)
    ├── UnknownStartError           the store has no start with this id (also a ``LookupError``)
    └── StoreError                  the store of followed recordings could not do its work

A mistake in an argument is a plain ``ValueError`` or ``TypeError`` and is raised before anything is sent.
``str()`` of each error says what happened, whether it was sent, whether it is safe to repeat, and what to do
next; the data is in attributes; all of them pickle. The exception of the HTTP library, where there was one,
is the ``__cause__``.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from plivo_record_async._value import Value, json_ready

if TYPE_CHECKING:
    from datetime import datetime

    from plivo_record_async.protocol.models import RecordingStatus

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "CallbackRejectedError",
    "ClosedError",
    "ConfigurationError",
    "MalformedCallbackError",
    "MethodNotAllowedError",
    "Missing",
    "NotFoundError",
    "NotSentError",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "Phase",
    "PlivoRecordError",
    "RateLimitError",
    "RecordingFailedError",
    "ServerError",
    "SignatureMismatchError",
    "SignatureMissingError",
    "StoreError",
    "UnexpectedResponseError",
    "UnknownStartError",
    "WaitTimeoutError",
]

Phase = Literal["queue", "quota", "connect", "send", "answer"]
"""How far a call came: waiting for a connection, waiting for the account's quota, connecting, sending the
request, waiting for or reading the answer."""

Missing = Literal["conference", "recording"]
"""What there is none of, if Plivo answers 404."""


class PlivoRecordError(Value, Exception):
    """The root: catch this to catch everything that this package raises of its own."""

    def __init__(self, message: str) -> None:
        super().__init__(message)

    def to_dict(self) -> dict[str, Any]:
        """Return ``type``, the name of the class; ``error``, the words of ``str()``; and the error's attributes.

        They are written as `Value.to_dict` writes them.
        """
        facts: dict[str, Any] = {"type": type(self).__name__, "error": str(self)}
        if (status := getattr(self, "status", None)) is not None:  # of some it is an attribute of the class
            facts["status"] = status
        facts |= {name: value for name, value in vars(self).items() if not name.startswith("_")}
        attributes: dict[str, Any] = json_ready(facts)
        return attributes

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from ``args`` and attributes, so that keyword-only constructors pickle too."""
        return _rebuild, (type(self), self.args), self.__dict__


def _rebuild(cls: type[PlivoRecordError], args: tuple[Any, ...]) -> PlivoRecordError:
    error = cls.__new__(cls)
    error.args = args  # set by hand, because the __new__ of a TimeoutError forgets them
    return error


class ConfigurationError(PlivoRecordError):
    """A credential, address or option is missing or misshapen; the message names it and where it is read."""


class NotSentError(PlivoRecordError):
    """No byte of the request left this machine: calling again cannot execute anything twice.

    Attributes:
        operation: What was being done, in words.
        phase: How far it came: ``queue``, ``quota``, ``connect`` or ``send``.
        evidence: Why it is certain that nothing was sent.
        called_at: When the call was made (aware, UTC).
        failed_at: When it was given up (aware, UTC).
        attempts: How many times sending was tried.
    """

    status: None = None
    api_id: None = None

    def __init__(
        self,
        operation: str,
        reason: str,
        *,
        phase: Phase,
        evidence: str,
        called_at: datetime | None = None,
        failed_at: datetime | None = None,
        attempts: int = 0,
    ) -> None:
        super().__init__(
            f"{operation}: {reason}. Nothing was sent ({evidence}); it is safe to call again. {_REMEDIES[phase]}"
        )
        self.operation = operation
        self.reason = reason
        self.phase: Phase = phase
        self.evidence = evidence
        self.called_at = called_at
        self.failed_at = failed_at
        self.attempts = attempts


_REMEDIES: dict[Phase, str] = {
    "queue": "If this happens often, raise timeout or max_connections, or make fewer calls at once.",
    "quota": "If this happens often, raise timeout or make fewer calls: the account's quota is used up.",
    "connect": "Check the network, base_url and the proxy, if there is one.",
    "send": "Check the network.",
    "answer": "Check the network.",
}
"""What to do about it, by how far the call came."""


class OutcomeUnknownError(PlivoRecordError):
    """The request was sent, or may have been, and no answer says whether it was executed.

    A start is never repeated after this: Plivo would record, and bill, twice.

    Attributes:
        operation: What was being done, in words.
        phase: How far it came, as far as the transport tells.
        evidence: Why the outcome is unknown.
        status: HTTP status, if one came that does not tell: 303, 408, 499, 5xx.
        api_id: Plivo's id of the request, if the answer carried one.
        body: The answer's text, as far as it came.
        called_at: When the call was made (aware, UTC).
        sent_at: When sending began (aware, UTC).
        failed_at: When the answer was given up (aware, UTC).
        attempts: How many times the request was sent or tried.
        repeatable: Whether repeating is harmless all the same (a stop, a read).
        start_id: The tracker's id of the start, when a tracker made it: ``tracker.get(start_id)`` follows on.
    """

    def __init__(
        self,
        operation: str,
        reason: str,
        *,
        phase: Phase,
        evidence: str,
        status: int | None = None,
        api_id: str | None = None,
        body: str = "",
        called_at: datetime | None = None,
        sent_at: datetime | None = None,
        failed_at: datetime | None = None,
        attempts: int = 1,
        repeatable: bool = False,
    ) -> None:
        super().__init__(f"{operation}: {reason}")
        self.operation = operation
        self.reason = reason
        self.phase: Phase = phase
        self.evidence = evidence
        self.status = status
        self.api_id = api_id
        self.body = body
        self.called_at = called_at
        self.sent_at = sent_at
        self.failed_at = failed_at
        self.attempts = attempts
        self.repeatable = repeatable
        self.start_id: str | None = None

    def __str__(self) -> str:
        was_sent = self.sent_at is not None or self.status is not None
        what = "It was sent and may have been executed" if was_sent else "It may have been sent and executed"
        named = f", api_id {self.api_id}" if self.api_id else ""
        return f"{self.args[0]}{named}. {what} ({self.evidence}). {self._advise()}"

    def _advise(self) -> str:
        if self.repeatable:
            return "It is safe to repeat: call again."
        return f"Do not repeat it: a second start records, and is billed, twice. {_find_out(self.start_id)}"


def _find_out(start_id: str | None) -> str:
    if start_id is not None:
        return f"The tracker goes on following it: await tracker.get({start_id!r})."
    return "Wait for its callback, or look for the recording first: client.list_recordings(conference_name=…)."


class ApiError(PlivoRecordError):
    """Plivo answered with an error. The request was not executed, unless it is a `ServerError`.

    Status meanings: https://plivo.com/docs/account/api/overview.md

    Attributes:
        status: HTTP status.
        api_id: Plivo's id of the request, if the answer carried one; quote it to Plivo's support.
        message: Plivo's own words, or what could be made of the answer.
        body: The answer's text as it came.
        operation: What was being done, in words.
        advice: Whether it was executed, and what to do.
    """

    _advice: ClassVar[str] = (
        "It was not executed. Correct the request before calling again: the same one would be refused again."
    )

    def __init__(
        self,
        status: int,
        api_id: str | None,
        message: str,
        body: str,
        *,
        operation: str = "the request",
        advice: str | None = None,
    ) -> None:
        self.status = status
        self.api_id = api_id
        self.message = message
        self.body = body
        self.operation = operation
        named = f", api_id {api_id}" if api_id else ""
        self.advice = advice or self._advise()
        super().__init__(f"{operation}: Plivo answered {status} ({message}){named}. {self.advice}")

    def _advise(self) -> str:
        return self._advice


class BadRequestError(ApiError):
    """400 or 422: an argument is missing or invalid. 409: it conflicts with the present state."""

    _advice = "It was not executed. Correct the arguments before calling again: the same ones would be refused again."

    def _advise(self) -> str:
        if self.status == HTTPStatus.CONFLICT:
            return (
                "It was not executed, because it conflicts with the present state of the conference or recording. "
                "Look at that state before calling again."
            )
        return self._advice


class AuthenticationError(ApiError):
    """401: the auth id and the auth token do not match an account."""

    _advice = (
        "It was not executed, and every call is refused until the credentials are right. "
        "Check auth_id and auth_token (PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN)."
    )


class PermissionDeniedError(ApiError):
    """403: account not verified, feature switched off, or this machine's address not on the allow-list."""

    _advice = (
        "It was not executed, and will be refused until the account allows it. "
        "Check its verification, its features and its IP allow-list."
    )


class NotFoundError(ApiError):
    """404: no such conference is live, or no such recording exists.

    Attributes:
        missing: What there is none of: ``conference``, ``recording``, or ``None`` if the call named neither.
    """

    _advice = "It was not executed. Check base_url: something other than Plivo's API may be answering."

    def __init__(
        self,
        status: int,
        api_id: str | None,
        message: str,
        body: str,
        *,
        operation: str = "the request",
        missing: Missing | None = None,
    ) -> None:
        self.missing = missing
        super().__init__(status, api_id, message, body, operation=operation)

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
    """405: the address does not take this method."""

    _advice = (
        "It was not executed, and would be refused again. "
        "Check base_url: something other than Plivo's API may be answering."
    )


class RateLimitError(ApiError):
    """429: the account sent more than its quota (300 requests in 5 seconds).

    https://plivo.com/docs/voice/concepts/account-limits.md

    Attributes:
        retry_after: Seconds to wait before the next call, if Plivo named them.
    """

    def __init__(
        self,
        status: int,
        api_id: str | None,
        message: str,
        body: str,
        *,
        operation: str = "the request",
        retry_after: float | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(status, api_id, message, body, operation=operation)

    def _advise(self) -> str:
        pause = "a pause" if self.retry_after is None else f"a pause of {self.retry_after:g} s"
        return (
            f"It was refused, not executed; it is safe to call again after {pause}, during which this client holds "
            "back all its calls."
        )


class ServerError(ApiError):
    """5xx on a request that is harmless to repeat; on a start it is an `OutcomeUnknownError` instead."""

    _advice = (
        "It may or may not have been executed; repeating this request is harmless. Call again later; if it goes on, "
        "ask Plivo's support."
    )


class UnexpectedResponseError(PlivoRecordError):
    """A success status with a body that cannot be read, or that carries an error.

    A start whose answer cannot be read counts as accepted. One whose answer carries an error may or may not have been
    executed.

    Attributes:
        status: HTTP status, 2xx.
        body: The answer's text, as far as it came.
        reason: What is wrong with the answer.
        operation: What was being done, in words.
        repeatable: Whether repeating is harmless.
        message: Plivo's own words, if the answer carries an error.
        api_id: Plivo's id of the request, if it could be read.
        recording_id: Plivo's id of the recording, if it could be read.
        url: Where the file will be, if it could be read.
        start_id: The tracker's id of the start, if a tracker made it: ``tracker.get(start_id)`` follows it.
    """

    def __init__(
        self,
        status: int,
        body: str,
        reason: str,
        *,
        operation: str = "the request",
        repeatable: bool = False,
        message: str | None = None,
        api_id: str | None = None,
        recording_id: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(f"{operation}: Plivo answered {status}, but {reason}")
        self.status = status
        self.body = body
        self.reason = reason
        self.operation = operation
        self.repeatable = repeatable
        self.message = message
        self.api_id = api_id
        self.recording_id = recording_id
        self.url = url
        self.start_id: str | None = None

    def __str__(self) -> str:
        named = f", api_id {self.api_id}" if self.api_id else ""
        return f"{self.args[0]}{named}. {self._advise()}"

    def _advise(self) -> str:
        if self.repeatable:
            return "It is safe to repeat: call again."
        executed = "it counts as executed" if self.message is None else "it may have been executed all the same"
        return (
            f"Do not repeat it: {executed}, and a second start records, and is billed, twice. "
            f"{_find_out(self.start_id)}"
        )


class CallbackRejectedError(PlivoRecordError):
    """A callback that must not be believed.

    Attributes:
        status: The HTTP status to answer with.
    """

    status: ClassVar[int] = 403


class SignatureMissingError(CallbackRejectedError):
    """The request carries no signature of an accepted version (V3 or Ma-V3)."""


class SignatureMismatchError(CallbackRejectedError):
    """None of the signatures fits the URL, the parameters and the tokens."""


class MalformedCallbackError(CallbackRejectedError):
    """The request cannot be a callback of Plivo's as its documents describe them."""

    status: ClassVar[int] = 400


class ClosedError(PlivoRecordError):
    """A call on a client, a tracker or a store that is closed: nothing was sent or stored, and nothing will be.

    To go on, enter it again (``async with``) or make a new one.
    """


class _AboutRecordingError(PlivoRecordError):
    def __init__(self, message: str, *, recording: RecordingStatus) -> None:
        super().__init__(message)
        self.recording = recording


class RecordingFailedError(_AboutRecordingError):
    """The stage that was awaited can no longer come: the start was refused, or the recording failed.

    Attributes:
        recording: What is known about the recording.
    """


class WaitTimeoutError(_AboutRecordingError, TimeoutError):
    """The wait timed out. The tracker goes on following the recording; waiting again is harmless.

    Attributes:
        recording: What was known about the recording when the wait ended.
    """


class UnknownStartError(PlivoRecordError, LookupError):
    """The tracker's store has no start with this id.

    Attributes:
        start_id: The id that was asked for.
    """

    def __init__(self, start_id: str) -> None:
        super().__init__(
            f"The store has no start with the id {start_id!r}. Either the id is wrong, or the recording was deleted "
            "by prune() or forget(), or another store has it: a MemoryStore loses everything when its process ends and "
            "shares nothing with other processes. Nothing was sent."
        )
        self.start_id = start_id


class StoreError(PlivoRecordError):
    """The store could not read or write; what it had acknowledged before is not affected."""
