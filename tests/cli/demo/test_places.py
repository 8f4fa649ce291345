from __future__ import annotations

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


async def test_the_local_place_has_both_modes_and_ends_some() -> None:
    async with local_place(25, seconds=1.5) as (client, plan, _):
        modes = [room.mode for room in plan.rooms]
        assert modes[:5] == ["async", "sync", "async", "sync", "async"]
        assert (modes.count("async"), modes.count("sync"), len(plan.ending)) == (15, 10, 8)
        assert set(plan.ending) < {room.name for room in plan.rooms if room.mode == "async"}
        assert plan.seconds == 1.5
        assert plan.answers
        assert plan.listener is not None
        assert all(room.callback_url is None or room.callback_url.startswith(plan.listener) for room in plan.rooms)
        assert plan.executions is not None
        assert plan.end_conference is not None
        await client.start_recording("room-01")
        assert (plan.executions("room-01"), plan.executions("room-02")) == (1, 0)
        await plan.end_conference("room-01")
        with pytest.raises(NotFoundError):
            await client.stop_recording("room-01")
    async with httpx.AsyncClient(trust_env=False) as http:
        for url in (plan.plivo, plan.listener):
            with pytest.raises(httpx.ConnectError):
                await http.get(url)


@pytest.mark.usefixtures("credentials")
async def test_without_a_public_url_the_real_place_is_synchronous() -> None:
    async with live_place(["a", "b"], public_url=None, port=1, seconds=5) as (_, plan, listening):
        assert plan.plivo == "http://127.0.0.1:9"
        assert plan.listener is None
        assert [(room.name, room.callback_url) for room in plan.rooms] == [("a", None), ("b", None)]
        assert (plan.ending, plan.end_conference, plan.executions, plan.answers) == ((), None, None, False)
        async with listening(print, print):
            pass


@pytest.mark.usefixtures("credentials")
async def test_with_a_public_url_some_rooms_of_the_real_place_are_asynchronous(unused_tcp_port: int) -> None:
    place = live_place(["a b", "c"], public_url="https://me.example/x", port=unused_tcp_port, seconds=5)
    async with place as (_, plan, listening):
        assert plan.listener is not None
        assert plan.listener == f"http://127.0.0.1:{unused_tcp_port}"
        assert [room.callback_url for room in plan.rooms] == ["https://me.example/x/?room=a+b", None]
        async with listening(print, print), httpx.AsyncClient(trust_env=False) as http:
            assert (await http.post(plan.listener)).status_code == 404


@pytest.mark.usefixtures("credentials")
async def test_the_real_place_needs_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLIVO_AUTH_TOKEN")
    with pytest.raises(ConfigurationError, match="PLIVO_AUTH_TOKEN"):
        async with live_place(["a"], public_url=None, port=1, seconds=5):
            pass
