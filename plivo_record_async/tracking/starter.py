"""Starting what is to be followed: stored first, sent once, and its outcome stored, whoever goes away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs

from plivo_record_async import _clock
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import (
    ClosedError,
    NotSentError,
    OutcomeUnknownError,
    PlivoRecordError,
    StoreError,
    UnexpectedResponseError,
    UnknownStartError,
)
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.arguments import positive, utf8_text
from plivo_record_async.protocol.callbacks.url_tokens import Place, issue_url
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.protocol.recording.evidence import Evidence, SendingBegan, StartAccepted, StartNotSent
from plivo_record_async.protocol.recording.lifecycle import apply, begin
from plivo_record_async.protocol.recording.outcomes import Started, evidence_of_answer, evidence_of_error
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.tracking.follower import Follower
from plivo_record_async.tracking.ledger import Ledger

__all__ = ["Starter"]

_CANCELLED = StartNotSent(words="cancelled while nothing of it was under way")


@attrs.frozen(kw_only=True, eq=False)
class Starter:
    """Starts recordings.

    Attributes:
        client: What sends.
        ledger: Where the starts are kept.
        follower: Looks after them.
        public_url: Where Plivo is to call.
        fragment: How hard Plivo is to try to call, as the fragment of each issued URL says it.
        auth_token: What proves the issued URLs.
    """

    client: RecordClient
    ledger: Ledger
    follower: Follower
    public_url: str
    fragment: str
    auth_token: str = attrs.field(repr=False)

    async def start(
        self,
        request_with: Callable[..., StartRequest],
        *,
        transcribe: bool = False,
        dedupe_key: str | None = None,
        timeout: float | None = None,
    ) -> FollowedRecording:
        """Start a recording, or find the one with the same dedupe key.

        Args:
            request_with: Makes the request, given its ``callback_url`` and ``transcription_url``.
            transcribe: As with `RecordingTracker.start`, like all that follows, and the errors.
            dedupe_key: The user's key of the start.
            timeout: Seconds for the call in all.
        """
        _check(dedupe_key, timeout)
        deadline = _loop_time() + (self.client.timeout if timeout is None else timeout)
        start_id = _clock.new_id()
        request = request_with(
            callback_url=self._issue("recording", start_id),
            transcription_url=self._issue("transcription", start_id) if transcribe else None,
        )
        # One write instead of two: a crash before the sending then ends as unknown, which is safe too.
        clocks = _clock.read()
        sending = begin(
            start_id,
            request,
            clocks.wall,
            sending=self.client.plivo_clock.sending(clocks, within=deadline - _loop_time()),
            dedupe_key=dedupe_key,
            tracking=self.ledger.tracking,
        )
        record = await self._create(sending)
        if record.start_id == start_id:
            return await self._send(record, deadline)
        if record.state == "not_sent":
            return await self._send_again(record, deadline)
        return record

    def _issue(self, place: Place, start_id: str) -> str:
        return f"{issue_url(self.public_url, place, start_id, self.auth_token)}#{self.fragment}"

    async def _create(self, sending: FollowedRecording) -> FollowedRecording:
        try:
            return await self.ledger.store.create(sending)
        except asyncio.CancelledError:  # the store may have it all the same
            self.follower.spawn(self.follower.apply_with_retry(sending, _CANCELLED))
            raise
        except StoreError as error:
            raise _not_stored(sending, error) from error

    async def _send_again(self, record: FollowedRecording, deadline: float) -> FollowedRecording:
        """Send what has never left; of several who try, one does."""
        clocks = _clock.read()
        began = SendingBegan(sending=self.client.plivo_clock.sending(clocks, within=deadline - _loop_time()))
        sending, _ = apply(record, began, clocks.wall, self.ledger.tracking)
        try:
            replaced = await self.ledger.store.replace(sending)
        except asyncio.CancelledError:  # the store may have it all the same
            self.follower.spawn(self.follower.apply_with_retry(sending, _CANCELLED))
            raise
        except StoreError as error:
            raise _not_stored(sending, error) from error
        if not replaced:
            return await self.ledger.get(record.start_id)
        return await self._send(sending, deadline)

    async def _send(self, record: FollowedRecording, deadline: float) -> FollowedRecording:
        """Send a start that is stored as being sent."""
        request, late = endpoints.start_recording(record.request), list[Awaitable[Started]]()
        with self.follower.sending(record):
            try:
                seconds = deadline - _loop_time()
                if seconds <= 0:
                    raise _too_late(request.operation)
                answer = await self.client.call(request, timeout=seconds, on_abandoned=late.append)
            except asyncio.CancelledError:
                self.follower.spawn(self._finish(record, late))
                raise
            except PlivoRecordError as error:
                if isinstance(error, OutcomeUnknownError | UnexpectedResponseError):
                    error.start_id = record.start_id
                evidence = evidence_of_error(error)
                known = await self._conclude(record, evidence)
                if isinstance(evidence, StartAccepted):
                    return known
                raise
            return await self._conclude(record, evidence_of_answer(answer))

    async def _conclude(self, record: FollowedRecording, evidence: Evidence) -> FollowedRecording:
        """Store an outcome. The caller is told of it even where the store is down: it was sent."""
        try:
            return await self.follower.apply(record, evidence)
        except UnknownStartError:
            return record  # it was forgotten while it was being sent
        except (StoreError, ClosedError):
            self.follower.spawn(self.follower.apply_with_retry(record, evidence))
            return record
        except asyncio.CancelledError:
            self.follower.spawn(self.follower.apply_with_retry(record, evidence))
            raise

    async def _finish(self, record: FollowedRecording, late: list[Awaitable[Started]]) -> None:
        """Store what became of a start whose caller was cancelled."""
        evidence: Evidence = _CANCELLED
        with self.follower.sending(record):
            for answer in late:
                try:
                    evidence = evidence_of_answer(await answer)
                except PlivoRecordError as error:
                    evidence = evidence_of_error(error)
            await self.follower.apply_with_retry(record, evidence)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _too_late(operation: str) -> NotSentError:
    return NotSentError(
        operation,
        "the deadline passed before the store had written it",
        phase="queue",
        evidence="a start is stored before it is sent",
        failed_at=_clock.now(),
    )


def _not_stored(record: FollowedRecording, error: StoreError) -> StoreError:
    return StoreError(
        f"start of {record.conference_name!r}: nothing was sent, because the store could not write it first: {error}"
    )


def _check(dedupe_key: object, timeout: object) -> None:
    """Refuse what is wrong before anything is stored."""
    if dedupe_key is not None:
        utf8_text("dedupe_key", dedupe_key)
    if timeout is not None:
        positive("timeout", timeout)
