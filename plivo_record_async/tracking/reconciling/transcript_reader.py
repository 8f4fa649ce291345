"""Asking Plivo for transcripts, and requesting a transcript that Plivo does not have."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from plivo_record_async.errors import ApiError, NotFoundError, PlivoRecordError, UnexpectedResponseError
from plivo_record_async.protocol.api.endpoints import create_transcription, get_transcription
from plivo_record_async.protocol.recording.evidence import Evidence, TranscriptMissing, TranscriptRequestBegan
from plivo_record_async.protocol.recording.lifecycle import apply
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.recording.transcripts import conclude_transcript, evidence_of_refusal, may_request
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.reconciling.reconciler import Reconciler
from plivo_record_async.tracking.tasks import BackgroundTasks

__all__ = ["TranscriptReader"]

log: logging.Logger = logging.getLogger("plivo_record_async")


class TranscriptReader:
    """Asks Plivo for the transcripts of recordings, in one event loop.

    Args:
        ledger: The records.
        reconciler: Sends the requests.
        tasks: The owner of the tasks that request transcripts. Closing the tracker waits for them.
        apply: A function that stores evidence and acts on its effects.
    """

    def __init__(
        self,
        ledger: Ledger,
        reconciler: Reconciler,
        tasks: BackgroundTasks,
        apply: Callable[[FollowedRecording, Evidence], Awaitable[FollowedRecording]],
    ) -> None:
        self._ledger = ledger
        self._reconciler = reconciler
        self._tasks = tasks
        self._apply = apply

    async def ask(self, record: FollowedRecording) -> FollowedRecording:
        """Ask Plivo for the transcript of a recording that has ended, and store the answer.

        Args:
            record: The recording. If Plivo's ID of it is not known, nothing is done.

        Returns:
            The record as it is stored afterwards.

        Raises:
            PlivoRecordError: Plivo could not be asked, or the answer could not be stored.
        """
        if record.recording_id is None:
            return record
        try:
            answer = await self._reconciler.send(get_transcription(record.recording_id))
        except NotFoundError:
            if may_request(record, self._ledger.now(), self._ledger.tracking):
                return await self._begin_request(record, record.recording_id)
            return await self._apply(record, TranscriptMissing(description="Plivo answered that it has no transcript"))
        except (ApiError, UnexpectedResponseError) as error:
            await self._apply(record, TranscriptMissing(description=str(error)))
            raise
        else:
            return await self._apply(record, conclude_transcript(record, answer))

    async def _begin_request(self, record: FollowedRecording, recording_id: str) -> FollowedRecording:
        """Store that a transcript is requested, and then request it. If several processes try, one of them does it."""
        requesting, _ = apply(record, TranscriptRequestBegan(), self._ledger.now(), self._ledger.tracking)
        if not await self._ledger.store.replace(requesting):
            return record
        self._tasks.spawn(self._request(requesting, recording_id))
        return requesting

    async def _request(self, record: FollowedRecording, recording_id: str) -> None:
        """Request a transcript. It is requested again only if this request was certainly not executed."""
        try:
            await self._reconciler.send(create_transcription(recording_id))
        except PlivoRecordError as error:
            log.exception("start %s: the request for a transcript has failed", record.start_id)
            evidence = evidence_of_refusal(record, error)
            if evidence is not None:
                await self._apply(record, evidence)
