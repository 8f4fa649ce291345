"""Records of starts as they are while they are sent, and after."""

from __future__ import annotations

from datetime import timedelta

import attrs

from plivo_record_async import _clock
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.protocol.recording.evidence import SendingBegan, StartAccepted, StartOutcomeUnknown
from plivo_record_async.protocol.recording.lifecycle import apply, plan
from plivo_record_async.protocol.tracking_policy import TrackingPolicy
from plivo_record_async.stores.interface import FollowedRecording
from tests.support.samples.recordings import ENDED
from tests.support.tracker.parts import SHORT_INTERVALS

__all__ = ["ANSWERED", "PATIENT", "sending", "unhandled", "unknown"]

ANSWERED = StartAccepted(description="202", api_id="api-1")

PATIENT = attrs.evolve(SHORT_INTERVALS, initial_backoff=timedelta(hours=1), idle_backoff=timedelta(hours=1))
"""Intervals with which Plivo is not asked about any recording during a test."""


def sending(start_id: str = "start-1", *, tracking: TrackingPolicy = SHORT_INTERVALS) -> FollowedRecording:
    record = plan(
        start_id, StartRequest("standup", callback_url="https://me.example/"), _clock.now(), tracking=tracking
    )
    return apply(record, SendingBegan(), _clock.now(), tracking)[0]


def unknown(start_id: str = "start-1", *, tracking: TrackingPolicy = SHORT_INTERVALS) -> FollowedRecording:
    return apply(
        sending(start_id, tracking=tracking), StartOutcomeUnknown(description="read timeout"), _clock.now(), tracking
    )[0]


def unhandled(start_id: str = "start-1", *, tracking: TrackingPolicy = SHORT_INTERVALS) -> FollowedRecording:
    """A record whose handlers for its end have not run."""
    return apply(
        sending(start_id, tracking=tracking), ENDED, _clock.now(), tracking, events_with_handlers={"RecordingEnded"}
    )[0]
