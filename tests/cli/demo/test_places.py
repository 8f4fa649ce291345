from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from plivo_record_async.cli.demo.places import live_place, local_place
from plivo_record_async.errors import ConfigurationError, NotFoundError

TOKEN = "a-token-of-somebody"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_AUTH_ID", "MA" + "A" * 18)
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("PLIVO_BASE_URL", "http://127.0.0.1:9/")


async def test_the_local_place_has_both_modes_and_ends_some(tmp_path: Path) -> None:
    async with local_place(25, seconds=1.5, db=tmp_path / "db") as plan:
        modes = [room.mode for room in plan.rooms]
        assert modes[:5] == ["async", "sync", "async", "sync", "async"]
        assert (modes.count("async"), modes.count("sync"), len(plan.ending)) == (15, 10, 8)
        assert set(plan.ending) < {room.name for room in plan.rooms if room.mode == "async"}
        assert plan.seconds == 1.5
        assert [room.name for room in plan.rooms if room.transcribe] == [f"room-{n:02}" for n in range(1, 26, 5)]
        assert plan.executions is not None
        assert plan.end_conference is not None
        await plan.client.start_recording("room-01")
        assert (plan.executions("room-01"), plan.executions("room-02")) == (1, 0)
        await plan.end_conference("room-01")
        with pytest.raises(NotFoundError):
            await plan.client.stop_recording("room-01")
    assert plan.followed is not None
    async with httpx.AsyncClient(trust_env=False) as http:
        for url in (plan.client.settings.base_url, plan.followed.url):
            with pytest.raises(httpx.ConnectError):
                await http.get(url)


@pytest.mark.usefixtures("credentials")
async def test_without_a_public_url_the_real_place_is_synchronous(tmp_path: Path) -> None:
    async with live_place(["a", "b"], public_url=None, port=1, seconds=5, db=tmp_path / "db") as plan:
        assert plan.client.settings.base_url == "http://127.0.0.1:9"
        assert plan.followed is None
        assert [(room.name, room.mode) for room in plan.rooms] == [("a", "sync"), ("b", "sync")]
        assert (plan.ending, plan.end_conference, plan.executions, plan.callbacks_settled) == ((), None, None, None)


@pytest.mark.usefixtures("credentials")
async def test_with_a_public_url_some_rooms_of_the_real_place_are_asynchronous(
    unused_tcp_port: int, tmp_path: Path
) -> None:
    url = "https://me.example/x"
    async with live_place(["a b", "c"], public_url=url, port=unused_tcp_port, seconds=5, db=tmp_path / "db") as plan:
        assert plan.followed is not None
        assert plan.followed.url == f"http://127.0.0.1:{unused_tcp_port}"
        assert url in repr(plan.followed.tracker)
        assert [(room.mode, room.transcribe) for room in plan.rooms] == [("async", False), ("sync", False)]
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.post(plan.followed.url)).status_code == 404
            assert (await http.post(f"{plan.followed.url}/recording")).status_code == 403


@pytest.mark.usefixtures("credentials")
async def test_the_real_place_needs_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PLIVO_AUTH_TOKEN")
    with pytest.raises(ConfigurationError, match="PLIVO_AUTH_TOKEN"):
        async with live_place(["a"], public_url=None, port=1, seconds=5, db=tmp_path / "db"):
            pass
