"""`AttemptReport`, with which a client reports each attempt."""

from __future__ import annotations

import attrs

from plivo_record_async._value import Value
from plivo_record_async.errors import PlivoRecordError

__all__ = ["AttemptReport"]


@attrs.frozen(kw_only=True)
class AttemptReport(Value):
    """How one attempt of a call ended. The argument ``on_attempt`` of `RecordClient` receives it.

    Attributes:
        operation: The name of the client's method, such as ``start_recording``.
        conference_name: The name of the conference. If None, the call names none.
        start_id: The tracker's ID of the start. If None, the call was not made by a tracker.
        attempt: The number of the attempt within its call, starting at 1.
        status: The HTTP status of the response. If None, no response arrived.
        error: Why the attempt ended without a complete response. If None, a response arrived, whatever its status.
        api_id: Plivo's ID of the request. If None, the response contains none, or no response arrived.
        seconds: The time from the beginning of the attempt to its end, in seconds. It does not contain ``quota_wait``.
        quota_wait: The number of seconds for which the attempt waited for the quota before it began.
        may_have_been_executed: Whether Plivo may have executed the request. It is False if nothing was sent, or if the
            status proves that Plivo rejected the request.
    """

    operation: str
    conference_name: str | None = None
    start_id: str | None = None
    attempt: int
    status: int | None = None
    error: PlivoRecordError | None = None
    api_id: str | None = None
    seconds: float
    quota_wait: float = 0.0
    may_have_been_executed: bool
