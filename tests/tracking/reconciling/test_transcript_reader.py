"""Asking for transcripts: which requests are sent, and what is stored of the answers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import attrs
import httpx
import pytest

from plivo_record_async import ServerError, _clock
from plivo_record_async.protocol.recording.lifecycle import Reconcile, apply
from plivo_record_async.stores.interface import FollowedRecording
from tests.support.samples.recordings import ENDED, with_last_step_at
from tests.support.tracker.parts import TrackerParts, other_tasks, tracker_parts
from tests.support.tracker.records import PATIENT, sending
from tests.support.tracker.scripted_plivo import ScriptedPlivo

NONE = httpx.Response(404, json={"api_id": "a", "error": "not found"})
TRANSCRIPT = httpx.Response(200, json={"api_id": "a", "status": "success", "transcription": "good morning"})
REQUESTED = httpx.Response(202, json={"api_id": "a", "message": "transcription in progress"})


class TranscribingPlivo(ScriptedPlivo):
    """A Plivo that answers requests for transcripts: ``GET`` with ``found``, ``POST`` with ``requested``."""

    def __init__(self, found: httpx.Response, requested: httpx.Response | Exception = REQUESTED) -> None:
        super().__init__()
        self.found, self.requested = found, requested

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if "/Transcription/" not in request.url.path:
            return await super().__call__(request)
        self.requests.append(request)
        response = self.found if request.method == "GET" else self.requested
        if isinstance(response, Exception):
            raise response
        return response

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]


async def ended(
    its: TrackerParts, start_id: str = "start-1", *, late: bool = True, **changes: Any
) -> FollowedRecording:
    """Keep a recording that has ended and has no transcript; if it is late, a transcript may be requested."""
    record = apply(sending(start_id, tracking=PATIENT), ENDED, _clock.now(), PATIENT)[0]
    record = with_last_step_at(record, _clock.now() - (PATIENT.max_backoff if late else timedelta()))
    return await its.store.create(attrs.evolve(record, **{"transcribe": True, **changes}))


async def asked(its: TrackerParts, record: FollowedRecording) -> FollowedRecording:
    """Ask for the transcript, and return the record afterwards."""
    its.follower.act(record, [Reconcile()])
    while other_tasks():
        await asyncio.wait(other_tasks())
    return await its.ledger.get(record.start_id)


async def test_transcript_is_stored() -> None:
    plivo = TranscribingPlivo(TRANSCRIPT)
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        record = await asked(its, await ended(its, transcribe=False, request=sending().request, late=False))
        assert record.transcription is None
        assert plivo.methods == []
        record = await asked(its, await ended(its, "start-2", late=False))
    assert record.transcription is not None
    assert (record.state, record.transcription.transcription) == ("transcribed", "good morning")


async def test_transcript_is_requested_after_plivo_has_answered_that_there_is_none() -> None:
    plivo = TranscribingPlivo(NONE)
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        record = await asked(its, await ended(its, late=False))
        assert (record.transcript_requested_at, plivo.methods) == (None, ["GET"])
        record = await asked(its, await ended(its, "start-2"))
        assert record.transcript_requested_at is not None
        assert plivo.methods == ["GET", "GET", "POST"]
        await asked(its, record)
        assert plivo.methods == ["GET", "GET", "POST", "GET"]


async def test_transcript_of_a_recording_without_an_id_is_not_asked_for() -> None:
    plivo = TranscribingPlivo(TRANSCRIPT)
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        record = await ended(its, ended=attrs.evolve(ENDED, recording_id=None))
        assert (await asked(its, record)).transcription is None
    assert plivo.methods == []


async def test_one_of_several_processes_requests_the_transcript() -> None:
    plivo = TranscribingPlivo(NONE)
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        record = await ended(its)
        hold = its.store.hold("replace")
        its.follower.act(record, [Reconcile()])
        await its.store.called("replace")
        assert await super(type(its.store), its.store).replace(attrs.evolve(record, version=record.version + 1))
        hold.set()
        while other_tasks():
            await asyncio.wait(other_tasks())
    assert plivo.methods == ["GET"]


@pytest.mark.parametrize(
    ("answer", "may_be_repeated", "fails"),
    [
        (httpx.ConnectError("refused"), True, False),
        (httpx.Response(429, json={"error": "slow down"}), True, False),
        (httpx.Response(400, json={"error": "Recording duration too long for transcription"}), False, True),
        (httpx.ReadTimeout("no answer"), False, False),
        (httpx.Response(500, json={"error": "broken"}), False, False),
    ],
)
async def test_outcome_of_the_request_is_stored(
    answer: httpx.Response | Exception, may_be_repeated: bool, fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    plivo = TranscribingPlivo(NONE, answer)
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        record = await asked(its, await ended(its))
        assert (record.transcript_requested_at is None) == may_be_repeated
        assert (record.error is not None) == fails
        await asked(its, record)
    assert plivo.methods.count("POST") == (2 if may_be_repeated else 1)
    assert "start start-1: the request for a transcript has failed" in caplog.text


async def test_error_of_plivo_is_logged_and_gives_the_transcript_up_only_after_the_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plivo = TranscribingPlivo(httpx.Response(500, json={"error": "broken"}))
    async with tracker_parts(plivo, tracking=PATIENT) as its:
        record = await asked(its, await ended(its))
        assert record.transcription is None
        old = await ended(its, "start-2")
        old = with_last_step_at(old, _clock.now() - PATIENT.give_up_after)
        assert await its.store.replace(attrs.evolve(old, version=old.version + 1))
        assert "no transcript was received" in str((await asked(its, old)).error)
    assert ServerError.__name__ in caplog.text
