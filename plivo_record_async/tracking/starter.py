"""Starting recordings: each start is stored, then sent once, and then its outcome is stored.

The outcome is stored even if the caller is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import attrs

from plivo_record_async import _clock
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import ClosedError, NotSentError, PlivoRecordError, StoreError, UnknownStartError
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.arguments import positive_number, utf8_text
from plivo_record_async.protocol.callbacks.url_tokens import CallbackPath, issue_url
from plivo_record_async.protocol.clocks import PlivoClock
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.protocol.recording.evidence import (
    Evidence,
    SendingBegan,
    StartAccepted,
    StartNotSent,
    StartOutcomeUnknown,
    StartRejected,
)
from plivo_record_async.protocol.recording.lifecycle import apply, begin_sending
from plivo_record_async.protocol.recording.outcomes import Started, evidence_of_error, evidence_of_response
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.telemetry.interface import Attributes, Span
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.telemetry.names import Attribute
from plivo_record_async.tracking.follower import Follower
from plivo_record_async.tracking.ledger import Ledger

__all__ = ["Starter", "request_of"]

T = TypeVar("T")

_DEFAULT_TRANSCRIPTION = "auto"
"""The transcription type that requests a transcript without a URL: https://plivo.com/docs/voice/api/conferences ."""

_CANCELLED = StartNotSent(description="the caller was cancelled before anything was sent")


@attrs.frozen(kw_only=True, eq=False)
class Starter:
    """Stores and sends starts.

    Attributes:
        client: The client that sends the starts.
        ledger: The records.
        follower: Stores the outcomes and renews the leases.
        public_url: The URL at which Plivo reaches the tracker. If None, starts are sent without callback URLs.
        fragment: The delivery options, which become the fragment of each issued URL.
        auth_token: The auth token that proves the issued URLs.
        plivo_clock: The estimate of Plivo's time.
    """

    client: RecordClient
    ledger: Ledger
    follower: Follower
    public_url: str | None
    fragment: str
    auth_token: str = attrs.field(repr=False)
    plivo_clock: PlivoClock = attrs.field(repr=False)

    async def start(
        self,
        request: StartRequest,
        *,
        transcribe: bool = False,
        dedupe_key: str | None = None,
        timeout: float | None = None,
    ) -> FollowedRecording:
        """Start a recording, or return the record of the first start with the same dedupe key.

        Args:
            request: The request, without ``callback_url`` and ``transcription_url``, which are issued here.
            transcribe: Whether to request a transcript.
            dedupe_key: The user's key of the start. If None, the start is a new one.
            timeout: The time limit of the whole call, in seconds. If None, the client's own timeout.

        Returns:
            The record. Plivo has accepted the start, unless it is an earlier one with the same dedupe key.

        Raises:
            TypeError: An argument has the wrong type. Nothing was stored or sent.
            ValueError: An argument has an invalid value. Nothing was stored or sent.
            StoreError: The start could not be stored, so nothing was sent.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: The start was sent and may have been executed.
            UnexpectedResponseError: Plivo's response has a success status but contains an error. The start may have
                been executed.
            ApiError: Plivo rejected the start.
            UnknownStartError: The earlier start was pruned or forgotten during this call.
        """
        _check(dedupe_key, timeout)
        deadline = _loop_time() + (self.client.timeout if timeout is None else timeout)
        start_id = _clock.new_id()
        request = self._addressed(request, start_id, transcribe=transcribe)
        attributes = {Attribute.START_ID: start_id, Attribute.CONFERENCE_NAME: request.conference_name}
        with telemetry().span("plivo.recording.start", attributes) as span:
            # One write stores both that the start is planned and that sending begins. If the process dies before it
            # sends, the outcome of the start is unknown, which is safe.
            clocks = self.ledger.read()
            sending = begin_sending(
                start_id,
                request,
                clocks.wall,
                sending=self.plivo_clock.sending(clocks, within=deadline - _loop_time()),
                traceparent=span.traceparent,
                dedupe_key=dedupe_key,
                auth_id=self.client.settings.auth_id,
                transcribe=transcribe and request.transcription_url is None,
                tracking=self.ledger.tracking,
            )
            record = await self._write(sending, self.ledger.store.create(sending))
            if record.start_id == start_id:
                return await self._send(record, deadline, span)
            span.set({Attribute.START_ID: record.start_id, Attribute.ATTEMPTS: 0})
            span.link(record.traceparent)
            if record.state == "not_sent":
                return await self._send_again(record, deadline, span)
            return record

    def _addressed(self, request: StartRequest, start_id: str, *, transcribe: bool) -> StartRequest:
        """Return a request with the URLs for its callbacks, if Plivo can reach the tracker."""
        if self.public_url is None:
            requested_type = (request.transcription_type or _DEFAULT_TRANSCRIPTION) if transcribe else None
            return attrs.evolve(request, transcription_type=requested_type)
        return attrs.evolve(
            request,
            callback_url=self._issue(self.public_url, "recording", start_id),
            transcription_url=self._issue(self.public_url, "transcription", start_id) if transcribe else None,
        )

    def _issue(self, public_url: str, path: CallbackPath, start_id: str) -> str:
        return f"{issue_url(public_url, path, start_id, self.auth_token)}#{self.fragment}"

    async def _write(self, sending: FollowedRecording, write: Awaitable[T]) -> T:
        """Store a start that is about to be sent."""
        try:
            return await write
        except asyncio.CancelledError:  # the store may nevertheless have written the start
            self._apply_in_background(sending, _CANCELLED)
            raise
        except StoreError as error:
            raise StoreError(
                f"start of {sending.conference_name!r}: the store could not write the start, so nothing was sent: "
                f"{error}"
            ) from error

    async def _send_again(self, record: FollowedRecording, deadline: float, span: Span) -> FollowedRecording:
        """Send a start of which nothing was sent before. If several callers try, one of them sends it."""
        clocks = self.ledger.read()
        began = SendingBegan(
            sending=self.plivo_clock.sending(clocks, within=deadline - _loop_time()), traceparent=span.traceparent
        )
        sending, _ = apply(record, began, clocks.wall, self.ledger.tracking)
        if not await self._write(sending, self.ledger.store.replace(sending)):
            return await self.ledger.get(record.start_id)
        return await self._send(sending, deadline, span)

    async def _send(self, record: FollowedRecording, deadline: float, span: Span) -> FollowedRecording:
        """Send a start whose record is stored, and store its outcome.

        Args:
            record: The record of the start.
            deadline: The time by which the call ends, by the event loop's clock.
            span: The span of the start. It stays open until the outcome is known, even if the caller is cancelled.
        """
        request = endpoints.start_recording(record.request, start_id=record.start_id)
        pending: list[Awaitable[Started]] = []
        with self.follower.sending(record):
            try:
                seconds = deadline - _loop_time()
                if seconds <= 0:
                    raise _too_late(request.operation)
                response = await self.client.call(request, timeout=seconds, on_caller_cancelled=pending.append)
            except asyncio.CancelledError:
                self.follower.spawn(self._store_later(record, pending, span.keep_open()))
                raise
            except PlivoRecordError as error:
                evidence = evidence_of_error(error)
                span.set(_outcome_of(evidence))
                latest = await self._store_outcome(record, evidence)
                if isinstance(evidence, StartAccepted):
                    return latest
                raise
            accepted = _evidence_of(record, response)
            span.set(_outcome_of(accepted))
            return await self._store_outcome(record, accepted)

    async def _store_outcome(self, record: FollowedRecording, evidence: Evidence) -> FollowedRecording:
        """Store the outcome of a start that was sent. If the store cannot write it, this is retried in the background.

        Returns:
            The record as it is stored now, or ``record`` if the outcome is not stored yet.
        """
        try:
            return await self.follower.apply(record, evidence)
        except UnknownStartError:
            return record  # the start was forgotten while it was being sent
        except (StoreError, ClosedError):
            self._apply_in_background(record, evidence)
            return record
        except asyncio.CancelledError:
            self._apply_in_background(record, evidence)
            raise

    async def _store_later(self, record: FollowedRecording, pending: list[Awaitable[Started]], span: Span) -> None:
        """Store the outcome of a start whose caller was cancelled.

        Args:
            record: The record of the start.
            pending: The response, if the start was being sent when the caller was cancelled, else nothing.
            span: The span of the start, which ends when the outcome is known.
        """
        evidence: Evidence = _CANCELLED
        with self.follower.sending(record):
            try:
                for response in pending:
                    evidence = _evidence_of(record, await response)
            except PlivoRecordError as error:
                evidence = evidence_of_error(error)
                span.fail(error)
            except asyncio.CancelledError as error:  # the tracker was closed before the outcome was known
                span.set({Attribute.OUTCOME: "unknown"})
                span.fail(error)
                span.end()
                raise
            span.set(_outcome_of(evidence))
            span.end()
            await self.follower.apply_with_retry(record, evidence)

    def _apply_in_background(self, record: FollowedRecording, evidence: Evidence) -> None:
        self.follower.spawn(self.follower.apply_with_retry(record, evidence))


def _evidence_of(record: FollowedRecording, response: Started) -> StartAccepted:
    return evidence_of_response(response, has_callback=not record.is_polled)


def _outcome_of(evidence: Evidence) -> Attributes:
    """Return the outcome of a start as attributes of its span."""
    match evidence:
        case StartAccepted(api_id=api_id, recording_id=recording_id):
            return {Attribute.OUTCOME: "succeeded", Attribute.API_ID: api_id, Attribute.RECORDING_ID: recording_id}
        case StartRejected(api_id=api_id):
            return {Attribute.OUTCOME: "rejected", Attribute.API_ID: api_id}
        case StartOutcomeUnknown(api_id=api_id):
            return {Attribute.OUTCOME: "unknown", Attribute.API_ID: api_id}
        case _:
            return {Attribute.OUTCOME: "not_sent"}


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _too_late(operation: str) -> NotSentError:
    return NotSentError(
        operation,
        "the deadline passed before the store had written the start",
        phase="queue",
        evidence="a start is stored before it is sent",
        failed_at=_clock.now(),
    )


def _check(dedupe_key: object, timeout: object) -> None:
    """Raise an error for invalid arguments before anything is stored."""
    if dedupe_key is not None:
        utf8_text("dedupe_key", dedupe_key)
    if timeout is not None:
        positive_number("timeout", timeout)


def request_of(item: str | StartRequest) -> StartRequest:
    """Return the request of an item of a batch.

    Args:
        item: The name of a conference, or a request.

    Raises:
        TypeError: The item is neither of them.
        ValueError: The name is not valid, or the request has a URL that the tracker issues.
    """
    if not isinstance(item, StartRequest):
        return StartRequest(item)
    if item.callback_url is not None or item.transcription_url is not None:
        raise ValueError(
            f"the StartRequest of {item.conference_name!r} must have neither callback_url nor transcription_url: "
            "the tracker issues them; use transcribe=True to request a transcript"
        )
    return item
