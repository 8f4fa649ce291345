from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore
from plivo_record_async.emulator import Emulator
from plivo_record_async.testing import AppServer, StartupFailedError


def create_app(client: RecordClient, tracker: RecordingTracker, *, path: str = "/plivo") -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with client, tracker:
            yield

    async def record(request: Request) -> JSONResponse:
        recording = await tracker.start(request.path_params["room"], transcribe=True)
        return JSONResponse(recording.start_id)

    async def transcript(request: Request) -> JSONResponse:
        recording = await tracker.get(request.path_params["start_id"])
        return JSONResponse((await recording.transcribed(timeout=10)).transcription)

    routes = [Route("/rooms/{room}", record, methods=["POST"]), Route("/transcripts/{start_id}", transcript)]
    return Starlette(routes=[*routes, Mount(path, tracker)], lifespan=lifespan)


async def test_served_application_receives_its_callbacks(plivo_emulator: Emulator, plivo_serve: AppServer) -> None:
    async with plivo_serve(create_app) as user:
        start_id = (await user.post("/rooms/standup")).json()
        await plivo_emulator.end_conference("standup")
        said = await user.get(f"/transcripts/{start_id}")
    assert said.json() == "This is what was said in standup."


async def test_application_may_have_another_path_and_store(
    plivo_emulator: Emulator, plivo_serve: AppServer, tmp_path: Path
) -> None:
    def at_callbacks(client: RecordClient, tracker: RecordingTracker) -> Starlette:
        return create_app(client, tracker, path="/callbacks")

    store = SQLiteStore(tmp_path / "recordings.db")
    async with plivo_serve(at_callbacks, path="/callbacks", store=store) as user:
        start_id = (await user.post("/rooms/standup")).json()
        await plivo_emulator.end_conference("standup")
        assert (await user.get(f"/transcripts/{start_id}")).is_success
    assert await anyio.Path(tmp_path, "recordings.db").exists()


async def test_lifespan_that_fails_fails_the_test(plivo_serve: AppServer, tmp_path: Path) -> None:
    def broken(_client: RecordClient, _tracker: RecordingTracker) -> Starlette:
        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncGenerator[None]:
            (tmp_path / "no folder" / "database").touch()
            yield

        return Starlette(lifespan=lifespan)

    with pytest.raises(StartupFailedError):
        async with plivo_serve(broken):
            pass


@pytest.mark.plivo(clock="virtual")
async def test_application_follows_by_the_virtual_clock(plivo_emulator: Emulator, plivo_serve: AppServer) -> None:
    async with plivo_serve(create_app) as user:
        start_id = (await user.post("/rooms/standup")).json()
        await plivo_emulator.advance(3600)
        await plivo_emulator.end_conference("standup")
        assert (await user.get(f"/transcripts/{start_id}")).json() == "This is what was said in standup."
    assert [each["duration_ms"] for each in plivo_emulator.state()["recordings"]] == [3_600_000]
