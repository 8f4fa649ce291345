"""Calls: the types of their results, and arguments that are errors."""

# pyright: strict

from __future__ import annotations

from datetime import timedelta
from typing import Literal, assert_type

import httpx

from plivo_record_async import (
    CallbackPolicy,
    FileFormat,
    HttpMethod,
    PendingResponse,
    RateLimit,
    RecordClient,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
    Transcription,
    TranscriptionRequested,
    parse_callback,
)

CALLBACK = "https://me.example/plivo"


async def starts(client: RecordClient, url: str | None, file_format: FileFormat, method: HttpMethod) -> None:
    started = await client.start_recording("room", file_format=file_format)
    assert_type(started, RecordingStarted)
    assert_type(await client.start_recording("room", callback_url=None), RecordingStarted)
    pending = await client.start_recording("room", callback_url=CALLBACK, callback_method=method)
    assert_type(pending, PendingResponse)
    assert_type(await client.start_recording("room", callback_url=url), RecordingStarted | PendingResponse)

    started.recording_id.upper()  # error: union-attr, reportOptionalMemberAccess
    str(pending.recording_id)  # error: attr-defined, reportAttributeAccessIssue
    started.api_id = "other"  # error: misc, reportAttributeAccessIssue


async def wrong_starts(client: RecordClient, file_format: str) -> None:
    await client.start_recording("room", file_format="ogg")  # error: call-overload, reportArgumentType
    await client.start_recording("room", file_format=file_format)  # error: call-overload, reportArgumentType
    await client.start_recording("room", "wav")  # error: call-overload, reportCallIssue
    await client.start_recording(7)  # error: call-overload, reportArgumentType
    await client.start_recording("room", callback_method="GET")  # error: call-overload, reportArgumentType
    await client.start_recording("room", transcribe=True)  # error: call-overload, reportCallIssue
    await client.start_recording("a", timeout=timedelta(1))  # error: call-overload, reportArgumentType


async def stops(client: RecordClient, url: str | None) -> None:
    assert_type(await client.stop_recording("room"), RecordingStopped)
    assert_type(await client.stop_recording("room", callback_url=CALLBACK), PendingResponse)
    assert_type(await client.stop_recording("room", callback_url=url), RecordingStopped | PendingResponse)
    await client.stop_recording("room", callback_method="GET")  # error: call-overload, reportArgumentType
    await client.stop_recording("room", file_format="wav")  # error: call-overload, reportCallIssue


async def transcripts(client: RecordClient) -> None:
    assert_type(await client.create_transcription("r", callback_url=CALLBACK), TranscriptionRequested)
    transcription = await client.get_transcription("r")
    assert_type(transcription, Transcription)
    assert_type(transcription.cost, float | None)
    transcription.transcription.upper()  # error: union-attr, reportOptionalMemberAccess
    await client.get_transcription(7)  # error: arg-type, reportArgumentType
    client.list_recordings(limit="5")  # error: arg-type, reportArgumentType


def values(method: Literal["GET", "POST"]) -> None:
    StartRequest("room", file_format="mp3", callback_url=CALLBACK, callback_method=method)
    StartRequest("room", file_format="ogg")  # error: arg-type, reportArgumentType
    StartRequest("room", "wav")  # error: call-arg, reportCallIssue
    StopRequest("room", callback_url=CALLBACK, callback_method="PUT")  # error: arg-type, reportArgumentType
    RateLimit(300, 5.0)  # error: call-arg, reportCallIssue
    CallbackPolicy(retries=3, retry_on=["ct", "all"])
    CallbackPolicy(retry_on=["404"])  # error: list-item, reportArgumentType
    CallbackPolicy(region="moon")  # error: arg-type, reportArgumentType


def headers(request: httpx.Request, body: bytes) -> None:
    parse_callback("POST", CALLBACK, request.headers, body, auth_tokens="token")
    parse_callback("POST", CALLBACK, {"X-Plivo-Signature-V3": "s"}, body, auth_tokens=["new", "old"])
    parse_callback("POST", CALLBACK, {}, "a=b", auth_tokens="token")  # error: arg-type, reportArgumentType
    parse_callback("POST", CALLBACK, {}, body)  # error: call-arg, reportCallIssue
    parse_callback("POST", CALLBACK, [("a", "b")], body, auth_tokens="token")  # error: arg-type, reportArgumentType
