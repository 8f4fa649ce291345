"""The client and the official ``plivo`` package get the same facts from one emulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import attrs
import pytest

from plivo_record_async import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    MethodNotAllowedError,
    NotFoundError,
    OutcomeUnknownError,
    PendingResponse,
    PermissionDeniedError,
    PlivoRecordError,
    RecordClient,
    RecordingStarted,
    ServerError,
)
from plivo_record_async.emulator import Dialect, Emulator
from tests.support.official_sdk import official_client
from tests.support.untyped_libraries import plivo_exceptions


@attrs.frozen
class Witnesses:
    """The emulator, and the two who look at it."""

    emulator: Emulator
    ours: RecordClient
    official: Any

    async def theirs(self, resource: str, verb: str, *arguments: Any, **options: Any) -> Any:
        """What the official package brings, as plain data."""
        call = getattr(getattr(self.official, resource), verb)
        answer = await asyncio.to_thread(call, *arguments, **options)
        facts: dict[str, Any] = getattr(answer, "__dict__", {})
        return {name: fact for name, fact in facts.items() if name != "client"}


async def witnesses_of(dialect: Dialect) -> AsyncIterator[Witnesses]:
    async with (
        Emulator(dialect=dialect) as emulator,
        RecordClient(emulator.auth_id, emulator.auth_token, base_url=emulator.url, max_retries=0) as ours,
    ):
        official = official_client(emulator.url, emulator.auth_id, emulator.auth_token)
        yield Witnesses(emulator, ours, official)
        official.session.close()


@pytest.fixture
async def witnesses() -> AsyncIterator[Witnesses]:
    async for each in witnesses_of(Dialect()):
        yield each


@pytest.mark.parametrize("start_status", [200, 201, 202])
@pytest.mark.parametrize("stop_status", [200, 202, 204])
async def test_both_clients_start_and_stop_whatever_the_statuses(start_status: int, stop_status: int) -> None:
    async for witnesses in witnesses_of(Dialect(start_status=start_status, stop_status=stop_status)):
        ours = await witnesses.ours.start_recording("My Conf Room", file_format="wav")
        theirs = await witnesses.theirs("conferences", "record", "My Conf Room", file_format="wav")
        assert isinstance(ours, RecordingStarted)
        assert ours.raw.keys() == theirs.keys()
        assert ours.message == theirs["message"]
        assert witnesses.emulator.executions("My Conf Room") == 2
        stopped = await witnesses.ours.stop_recording("My Conf Room")
        await witnesses.ours.start_recording("My Conf Room")
        theirs = await witnesses.theirs("conferences", "record_stop", "My Conf Room")
        assert stopped.raw.keys() == theirs.keys()
        assert stopped.message == theirs.get("message")


@pytest.mark.parametrize("async_status", [200, 201, 202])
async def test_both_clients_get_only_the_api_id_in_asynchronous_mode(async_status: int) -> None:
    callback = "http://127.0.0.1:9/#rc=0"
    async for witnesses in witnesses_of(Dialect(async_status=async_status)):
        ours = await witnesses.ours.start_recording("standup", callback_url=callback)
        theirs = await witnesses.theirs("conferences", "record", "standup", callback_url=callback)
        assert ours == PendingResponse(ours.api_id)
        assert theirs == {"api_id": theirs["api_id"], "message": "async api spawned"}
        assert witnesses.emulator.executions("standup") == 2


async def test_both_clients_return_the_same_recording(witnesses: Witnesses) -> None:
    started = await witnesses.ours.start_recording("My Conf Room", file_format="wav")
    assert started.recording_id is not None
    await witnesses.ours.stop_recording("My Conf Room")
    ours = await witnesses.ours.get_recording(started.recording_id)
    theirs = await witnesses.theirs("recordings", "get", started.recording_id)
    assert ours.recording_id == theirs["recording_id"]
    assert ours.conference_name == theirs["conference_name"] == "My Conf Room"
    assert ours.recording_url == theirs["recording_url"] == started.url
    assert (ours.recording_format, ours.recording_type) == (theirs["recording_format"], theirs["recording_type"])
    assert ours.duration_ms == round(float(theirs["recording_duration_ms"]))
    assert ours.started_at is not None
    assert ours.ended_at is not None
    assert round(ours.started_at.timestamp() * 1000) == round(float(theirs["recording_start_ms"]))
    assert round(ours.ended_at.timestamp() * 1000) == round(float(theirs["recording_end_ms"]))
    assert ours.added_at == datetime.fromisoformat(theirs["add_time"])
    assert ours.raw.keys() - {"api_id"} == {name for name in theirs if name not in {"api_id", "id"} and name[0] != "_"}


async def test_both_clients_list_the_same_recordings(witnesses: Witnesses) -> None:
    for number in range(45):
        await witnesses.ours.start_recording(f"room {number % 2}")
    for name in ("room 0", "room 1"):
        await witnesses.ours.stop_recording(name)
    for conference in (None, "room 0", "room 2"):
        filters: dict[str, Any] = {} if conference is None else {"conference_name": conference}
        ours = [each.recording_id async for each in witnesses.ours.list_recordings(**filters)]
        theirs = list[str]()
        for offset in (0, 20, 40):
            page = await asyncio.to_thread(witnesses.official.recordings.list, limit=20, offset=offset, **filters)
            theirs += [each.recording_id for each in page]
        assert ours == theirs
        assert len(ours) == {None: 45, "room 0": 23, "room 2": 0}[conference]


async def test_both_clients_delete_recordings(witnesses: Witnesses) -> None:
    ids = [(await witnesses.ours.start_recording("standup")).recording_id or "" for _ in range(2)]
    await witnesses.ours.stop_recording("standup")
    await witnesses.ours.delete_recording(ids[0])
    await asyncio.to_thread(witnesses.official.recordings.delete, ids[1])
    for recording_id in ids:
        with pytest.raises(NotFoundError):
            await witnesses.ours.get_recording(recording_id)
        with pytest.raises(plivo_exceptions.ResourceNotFoundError):
            await witnesses.theirs("recordings", "get", recording_id)


async def test_both_clients_return_the_same_conferences(witnesses: Witnesses) -> None:
    await witnesses.ours.start_recording("My Conf Room")
    await witnesses.theirs("conferences", "record", "über")
    names = await witnesses.ours.list_conferences()
    assert sorted(names) == sorted((await witnesses.theirs("conferences", "list"))["conferences"])
    for name in names:
        ours = await witnesses.ours.get_conference(name)
        theirs = await witnesses.theirs("conferences", "get", name)
        assert ours.conference_name == theirs["conference_name"] == name
        assert ours.member_count == int(theirs["conference_member_count"])
        assert ours.run_time_s is not None
        assert abs(ours.run_time_s - int(theirs["conference_run_time"])) <= 5
        assert len(ours.members) == len(theirs["members"])


# Status: our error, theirs. Where theirs has no type for it, it raises its general one.
REFUSALS: list[tuple[int, type[PlivoRecordError], str]] = [
    (400, BadRequestError, "ValidationError"),
    (401, AuthenticationError, "AuthenticationError"),
    (403, PermissionDeniedError, "ForbiddenError"),
    (404, NotFoundError, "ResourceNotFoundError"),
    (405, MethodNotAllowedError, "InvalidRequestError"),
    (409, BadRequestError, "InvalidRequestError"),
    (422, BadRequestError, "InvalidRequestError"),
    (500, ServerError, "PlivoServerError"),
    (503, ServerError, "PlivoRestError"),
]


@pytest.mark.parametrize("shape", ["text", "object", "empty", "html"])
@pytest.mark.parametrize(("status", "our_error", "their_error"), REFUSALS)
async def test_both_clients_get_the_same_refusals(
    shape: Any, status: int, our_error: type[ApiError], their_error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async for witnesses in witnesses_of(Dialect(error_shape=shape)):
        witnesses.emulator.fail_next(status)
        with pytest.raises(our_error) as ours:
            await witnesses.ours.stop_recording("standup")
        witnesses.emulator.fail_next(status, times=1 if status < 500 else 3)  # theirs sends three times on a 5xx
        with pytest.raises(getattr(plivo_exceptions, their_error)) as theirs:
            await witnesses.theirs("conferences", "record_stop", "standup")
        if shape == "text" and status != 503:
            assert ours.value.message == str(theirs.value)


async def test_one_failure_after_execution_starts_once_here_and_several_times_in_the_official_sdk(
    witnesses: Witnesses, capsys: pytest.CaptureFixture[str]
) -> None:
    witnesses.emulator.fail_next(503, executed=True)
    with pytest.raises(OutcomeUnknownError):
        await witnesses.ours.start_recording("ours")
    witnesses.emulator.fail_next(503, executed=True)
    await witnesses.theirs("conferences", "record", "theirs")
    assert witnesses.emulator.executions("ours") == 1
    assert witnesses.emulator.executions("theirs") == 2


@pytest.mark.parametrize("name", ["a/b", "x?y#z", "a%2Fb"])
async def test_name_that_the_official_sdk_cannot_send_is_one_room_here(witnesses: Witnesses, name: str) -> None:
    await witnesses.ours.start_recording(name)
    assert witnesses.emulator.executions(name) == 1
    assert await witnesses.ours.list_conferences() == [name]
    assert (await witnesses.ours.get_conference(name)).conference_name == name
    await witnesses.ours.stop_recording(name)
    assert witnesses.emulator.state()["conferences"][name]["recording"] is False
