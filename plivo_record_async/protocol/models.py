"""The values that users hold: frozen, slotted, in Plivo's own words.

Every answer and event keeps the whole message as it came in ``raw``, so a field that Plivo adds tomorrow is
not lost today; ``raw`` takes no part in comparison. How the values look on the wire is `wire`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, NoReturn, TypeAlias, TypeVar

import attrs
from attrs import field

from plivo_record_async._value import Value
from plivo_record_async.protocol.arguments import conference_name, one_of, optional, positive, text, web_address, whole

__all__ = [
    "ApiResponse",
    "CallbackEvent",
    "Conference",
    "Failed",
    "FileFormat",
    "HttpMethod",
    "Outcome",
    "PendingResponse",
    "RateLimit",
    "Recording",
    "RecordingEnded",
    "RecordingStarted",
    "RecordingState",
    "RecordingStatus",
    "RecordingStopped",
    "StartRequest",
    "StopRequest",
    "Succeeded",
    "TranscriptionEnded",
    "UnknownCallback",
]

FileFormat = Literal["mp3", "wav"]
"""The format of the recording's file; Plivo's default is ``mp3``."""

HttpMethod = Literal["GET", "POST"]
"""The method Plivo calls an address with; Plivo's default is ``POST``."""

RecordingState = Literal[
    "planned",
    "sending",
    "accepted",
    "started",
    "recorded",
    "transcribed",
    "not_sent",
    "rejected",
    "unknown",
    "absent",
    "failed",
    "unconfirmed",
]
"""Where a followed recording stands."""

RequestT_co = TypeVar("RequestT_co", covariant=True)
ResultT_co = TypeVar("ResultT_co", covariant=True)


def _raw() -> Any:
    return field(factory=dict[str, Any], eq=False, repr=False)


def _check_callback_method(request: StartRequest | StopRequest) -> None:
    if request.callback_method is not None and request.callback_url is None:
        raise ValueError("callback_method was given without callback_url: there is no address to call with it")
    if request.callback_method == "GET" and not {"&", "="}.isdisjoint(request.conference_name):
        raise ValueError(
            f"callback_method must not be GET for the conference {request.conference_name!r}: in the signature of a "
            "GET nothing tells the '&' and '=' of a name from those between its fields, so another callback could be "
            "made of it. Use POST, the default, which is safe"
        )


# What users ask for


@attrs.frozen
class StartRequest(Value):
    """One recording to start. What is ``None`` is not sent, so Plivo's own default applies.

    https://plivo.com/docs/voice/api/conferences

    Attributes:
        conference_name: The conference's name as it was given when it was created; any text.
        file_format: ``mp3`` or ``wav``.
        transcription_type: Passed on as given; Plivo's documents name ``auto`` and, in older states, ``hybrid``.
        transcription_url: Where Plivo sends the transcript.
        transcription_method: ``GET`` or ``POST``.
        callback_url: Switches to asynchronous mode and is told when the recording ends. Sent byte for byte,
            with its fragment, which holds Plivo's delivery options.
        callback_method: ``GET`` or ``POST``; needs ``callback_url``. ``GET`` cannot be had for a name that holds
            ``&`` or ``=``, which a signature does not tell from those between the fields of a GET.

    Raises:
        TypeError: An argument of the wrong type.
        ValueError: An argument that Plivo could not act on.
    """

    conference_name: str = field(validator=conference_name)
    file_format: FileFormat | None = field(default=None, validator=optional(one_of("mp3", "wav")), kw_only=True)
    transcription_type: str | None = field(default=None, validator=optional(text), kw_only=True)
    transcription_url: str | None = field(default=None, validator=optional(web_address), kw_only=True)
    transcription_method: HttpMethod | None = field(
        default=None, validator=optional(one_of("GET", "POST")), kw_only=True
    )
    callback_url: str | None = field(default=None, validator=optional(web_address), kw_only=True)
    callback_method: HttpMethod | None = field(default=None, validator=optional(one_of("GET", "POST")), kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_callback_method(self)


@attrs.frozen
class StopRequest(Value):
    """One conference whose recording is to be stopped; the attributes are those of `StartRequest`.

    https://plivo.com/docs/voice/api/conferences

    Raises:
        TypeError: An argument of the wrong type.
        ValueError: An argument that Plivo could not act on.
    """

    conference_name: str = field(validator=conference_name)
    callback_url: str | None = field(default=None, validator=optional(web_address), kw_only=True)
    callback_method: HttpMethod | None = field(default=None, validator=optional(one_of("GET", "POST")), kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_callback_method(self)


@attrs.frozen
class RateLimit(Value):
    """At most ``limit`` requests in any ``per`` seconds.

    Plivo grants an account 300 in 5 seconds: https://plivo.com/docs/voice/concepts/account-limits.md
    """

    limit: int
    per: float = field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        whole("limit", self.limit, least=1)
        positive("per", self.per)


# What Plivo answers


@attrs.frozen(kw_only=True)
class RecordingStarted(Value):
    """Plivo has started to record.

    Attributes:
        api_id: Plivo's id of the request.
        message: Plivo's words, usually "conference recording started".
        url: Where the file will be once the recording has ended; opaque.
        recording_id: Plivo's id of the recording; opaque, not always a UUID, absent from older answers.
        raw: The whole answer.
    """

    api_id: str
    message: str | None = None
    url: str | None = None
    recording_id: str | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen(kw_only=True)
class RecordingStopped(Value):
    """Plivo has stopped recording. Both fields are ``None`` where the 204 had no body, as it usually has not.

    Attributes:
        api_id: Plivo's id of the request.
        message: Plivo's words.
        raw: The whole answer.
    """

    api_id: str | None = None
    message: str | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class PendingResponse(Value):
    """Plivo has taken the request; the rest arrives at ``callback_url`` under this ``api_id``.

    https://docs.plivo.com/docs/voice/api/request/asynchronous-request
    """

    api_id: str


@attrs.frozen
class Succeeded(Value, Generic[RequestT_co, ResultT_co]):
    """An item of a batch whose call succeeded.

    Attributes:
        request: The item, the very object that was given.
        result: What the single call would have returned.
        ok: ``True``.
        error: ``None``.
    """

    request: RequestT_co
    result: ResultT_co
    ok: ClassVar[Literal[True]] = True
    error: ClassVar[None] = None

    def unwrap(self) -> ResultT_co:
        """Return the result."""
        return self.result

    def to_dict(self) -> dict[str, Any]:
        """Return ``request``, ``result``, ``ok`` and ``error`` as `Value.to_dict` does."""
        return super().to_dict() | {"ok": self.ok, "error": self.error}


@attrs.frozen
class Failed(Value, Generic[RequestT_co]):
    """An item of a batch whose call failed.

    Attributes:
        request: The item, the very object that was given.
        error: What the single call would have raised.
        ok: ``False``.
        result: ``None``.
    """

    request: RequestT_co
    error: Exception
    ok: ClassVar[Literal[False]] = False
    result: ClassVar[None] = None

    def unwrap(self) -> NoReturn:
        """Raise the error."""
        raise self.error

    def to_dict(self) -> dict[str, Any]:
        """Return ``request``, ``error``, ``ok`` and ``result`` as `Value.to_dict` does."""
        return super().to_dict() | {"ok": self.ok, "result": self.result}


Outcome: TypeAlias = Succeeded[RequestT_co, ResultT_co] | Failed[RequestT_co]
"""What became of one item of a batch: `Succeeded` or `Failed`, both with ``request``, ``result``, ``error``, ``ok`` and
``unwrap()``. ``if outcome.error is None``, ``if outcome.ok is True`` and ``match`` tell type checkers which it is."""


@attrs.frozen(kw_only=True)
class Recording(Value):
    """A recording that Plivo keeps.

    What Plivo says in a way that cannot be read is None, and in ``raw`` as it came. A recording that is still running
    has neither a length nor an end. https://plivo.com/docs/voice/api/recordings.md

    Attributes:
        recording_id: Plivo's id of the recording; opaque. None only in a listing, if its row has none that can be read.
        conference_name: The conference's name, if it was one.
        recording_url: Where the file is.
        recording_format: ``mp3`` or ``wav``.
        recording_type: ``conference`` for those made here.
        duration_ms: Length in milliseconds.
        started_at: When it started (aware, UTC).
        ended_at: When it ended (aware, UTC).
        added_at: When Plivo added it to the list (aware, UTC).
        api_id: Plivo's id of the request that brought this answer.
        call_uuid: Plivo's id of the call, if it was one.
        raw: The whole answer.
    """

    recording_id: str | None = None
    conference_name: str | None = None
    recording_url: str | None = None
    recording_format: str | None = None
    recording_type: str | None = None
    duration_ms: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    added_at: datetime | None = None
    api_id: str | None = None
    call_uuid: str | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen(kw_only=True)
class Conference(Value):
    """A conference that is live now.

    https://plivo.com/docs/voice/api/conferences

    Attributes:
        conference_name: Its name.
        run_time_s: For how many seconds it has been live.
        member_count: How many members it has.
        members: What Plivo says of each of them, as it came.
        api_id: Plivo's id of the request that brought this answer.
        raw: The whole answer.
    """

    conference_name: str
    run_time_s: int | None = None
    member_count: int | None = None
    members: tuple[Mapping[str, Any], ...] = ()
    api_id: str | None = None
    raw: Mapping[str, Any] = _raw()


# What Plivo calls back with


@attrs.frozen(kw_only=True)
class ApiResponse(Value):
    """The answer to a request in asynchronous mode, delivered in the ``response`` field.

    Attributes:
        api_id: Plivo's id of the request.
        message: Plivo's words, if the request succeeded.
        error: Plivo's words, if it failed.
        answer: The whole answer, decoded: after a start it also holds ``recording_id`` and ``url``.
        raw: Every field as it was sent.
    """

    api_id: str
    message: str | None = None
    error: str | None = None
    answer: Mapping[str, Any] = _raw()
    raw: Mapping[str, Any] = _raw()


@attrs.frozen(kw_only=True)
class RecordingEnded(Value):
    """A recording has ended and its file is there.

    Attributes:
        api_id: Plivo's id of the request that started it.
        conference_name: The conference's name.
        record_url: Where the file is.
        recording_id: Plivo's id of the recording; opaque.
        duration_ms: Length in milliseconds.
        started_at: When it started (aware, UTC).
        ended_at: When it ended (aware, UTC).
        raw: Every field as it was sent.
    """

    api_id: str | None = None
    conference_name: str | None = None
    record_url: str
    recording_id: str | None = None
    duration_ms: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen(kw_only=True)
class TranscriptionEnded(Value):
    """A transcription has ended, with a text or with an error.

    Attributes:
        recording_id: Plivo's id of the recording; opaque.
        transcription: The text.
        duration_s: Length of what was transcribed, in seconds.
        charge: What it cost, in the account's currency.
        rate: Price of a minute, in the account's currency.
        call_uuid: Plivo's id of the call.
        error: Plivo's words, if it failed.
        raw: Every field as it was sent.
    """

    recording_id: str
    transcription: str | None = None
    duration_s: int | None = None
    charge: float | None = None
    rate: float | None = None
    call_uuid: str | None = None
    error: str | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen(kw_only=True)
class UnknownCallback(Value):
    """A callback with a good signature that is no event which can be believed.

    Attributes:
        raw: Every field as it was sent, the list of its values where a name is repeated; here it takes part in
            comparison, as there is nothing else to compare.
        reason: Why it is not believed, in words for people; it takes no part in comparison.
    """

    raw: Mapping[str, Any] = field(factory=dict[str, Any], hash=False, repr=False)
    reason: str = field(default="", eq=False)


CallbackEvent = ApiResponse | RecordingEnded | TranscriptionEnded | UnknownCallback
"""Whatever a verified callback can be."""


# What the tracker knows


@attrs.frozen(kw_only=True)
class RecordingStatus(Value):
    """What is known of one followed recording.

    Attributes:
        start_id: Our id of the start, made before anything was sent.
        conference_name: The conference's name.
        state: Where it stands.
        api_id: Plivo's id of the request that started it.
        recording_id: Plivo's id of the recording; opaque.
        record_url: Where the file is, or will be.
        error: What went wrong, in words.
        updated_at: When the last of this was learned (aware, UTC).
        handler_error: Which handlers of yours have failed and when they run again, or that they were given up, in
            words. None if none has, or each has run to its end since.
    """

    start_id: str
    conference_name: str
    state: RecordingState
    api_id: str | None = None
    recording_id: str | None = None
    record_url: str | None = None
    error: str | None = None
    updated_at: datetime
    handler_error: str | None = None
