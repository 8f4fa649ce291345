from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import attrs
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.app import EmulatorApp
from tests.support.emulator_app import app_around
from tests.support.untyped_libraries import miniaudio

AUTH_ID, TOKEN = "MAXXXXXXXXXXXXXXXXXX", "a-token"


MARKED = {"X-Plivo-Emulator": "1"}


@attrs.define
class Plivo:
    """The application without a server, and what it would have delivered."""

    app: EmulatorApp
    client: httpx.AsyncClient
    callbacks: list[Callback]

    async def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.client.request(method, f"/v1/Account/{AUTH_ID}/{path}", auth=(AUTH_ID, TOKEN), **options)

    async def control(self, path: str) -> httpx.Response:
        return await self.client.post(f"/__emulator__/{path}", headers=MARKED)

    async def recorded(self, file_format: str = "mp3") -> httpx.Response:
        """Make a recording that ended, and answer what the start was answered."""
        started = await self.api("POST", "Conference/x/Record/", json={"file_format": file_format})
        await self.api("DELETE", "Conference/x/Record/")
        return started


def plivo_world(**options: Any) -> Plivo:
    callbacks: list[Callback] = []
    world = World(auth_id=AUTH_ID, url="http://plivo.test", **options)
    app = app_around(world, callbacks, auth_token=TOKEN)
    transport = httpx.ASGITransport(app)
    return Plivo(app, httpx.AsyncClient(transport=transport, base_url="http://plivo.test"), callbacks)


@pytest.fixture
async def plivo() -> AsyncIterator[Plivo]:
    world = plivo_world()
    async with world.client:
        yield world


async def test_start_and_stop_are_executed_and_answered(plivo: Plivo) -> None:
    started = await plivo.api("POST", "Conference/My%20Conf%20Room/Record/")
    assert (started.status_code, started.headers["content-type"]) == (202, "application/json")
    assert started.json()["message"] == "conference recording started"
    stopped = await plivo.api("DELETE", "Conference/My%20Conf%20Room/Record/")
    assert (stopped.status_code, stopped.content) == (204, b"")
    assert not {"content-length", "content-type"} & set(stopped.headers)


@pytest.mark.parametrize("path", ["Conference/", "Recording/none/", "Recording/none.mp3"])
async def test_every_answer_has_a_date_header(plivo: Plivo, path: str) -> None:
    answer = await plivo.api("GET", path)
    assert abs(parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)) < timedelta(seconds=10)


async def test_every_request_has_its_own_api_id(plivo: Plivo) -> None:
    answers = [(await plivo.api("POST", "Conference/x/Record/")).json() for _ in range(3)]
    assert len({each["api_id"] for each in answers} | {each["recording_id"] for each in answers}) == 6


async def test_due_callbacks_are_delivered(plivo: Plivo) -> None:
    given_arguments = {"callback_url": "http://me/cb", "transcription_url": "http://me/text"}
    started = await plivo.api("POST", "Conference/x/Record/", json=given_arguments)
    assert started.json() == {"api_id": plivo.callbacks[0].api_id, "message": "async api spawned"}
    assert json.loads(plivo.callbacks[0].fields["response"])["api_id"] == plivo.callbacks[0].api_id
    await plivo.api("DELETE", "Conference/x/Record/?callback_url=http://me/stopped")
    assert [(each.kind, each.url) for each in plivo.callbacks] == [
        ("response", "http://me/cb"),
        ("response", "http://me/stopped"),
        ("recording", "http://me/cb"),
        ("transcription", "http://me/text"),
    ]


async def test_refusal_is_a_json_object(plivo: Plivo) -> None:
    stranger = await plivo.client.post(f"/v1/Account/{AUTH_ID}/Conference/x/Record/")
    assert stranger.status_code == 401
    assert stranger.headers["www-authenticate"] == 'Basic realm="Plivo"'
    assert stranger.json() == {"error": "authentication credentials were not provided"}
    refused = await plivo.api("PUT", "Conference/x/Record/")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST, DELETE")
    nowhere = await plivo.api("POST", "Conference/a/b/Record/")
    assert (nowhere.status_code, nowhere.json()["error"]) == (404, "not found")


async def test_dialect_may_answer_without_json() -> None:
    plivo = plivo_world(dialect=Dialect(error_shape="html"))
    refused = await plivo.api("GET", "Nothing/")
    assert refused.headers["content-type"] == "text/html; charset=utf-8"
    assert refused.text == "<html><body><h1>not found</h1></body></html>"
    await plivo.client.aclose()


@given(st.text(min_size=1).filter(lambda name: name not in {".", ".."}))
@settings(deadline=None)
async def test_any_conference_name_is_one_room(name: str) -> None:
    plivo = plivo_world()
    async with plivo.client:
        assert (await plivo.api("POST", f"Conference/{quote(name, safe='')}/Record/")).status_code == 202
        ended = await plivo.control(f"conferences/{quote(name, safe='')}/end")
        assert ended.json()["conference_name"] == name
        assert plivo.app.control.state()["conferences"] == {name: {"executed_starts": 1, "recording": False}}


async def test_state_of_a_new_emulator_is_empty(plivo: Plivo) -> None:
    state = await plivo.client.get("/__emulator__/state")
    assert state.json() == {
        "conferences": {},
        "recordings": [],
        "deliveries": [],
        "faults": [],
        "quota": None,
        "clock": {"mode": "real", "now": None},
    }


async def test_state_contains_the_recordings(plivo: Plivo) -> None:
    started = (await plivo.api("POST", "Conference/a%2Fb/Record/", json={"file_format": "wav"})).json()
    state = (await plivo.client.get("/__emulator__/state")).json()
    assert state["conferences"] == {"a/b": {"executed_starts": 1, "recording": True}}
    (recording,) = state["recordings"]
    assert recording["recording_id"] == started["recording_id"]
    assert (recording["conference_name"], recording["file_format"]) == ("a/b", "wav")
    assert (recording["ended_at"], recording["duration_ms"]) == (None, None)
    await plivo.api("DELETE", "Conference/a%2Fb/Record/")
    state = (await plivo.client.get("/__emulator__/state")).json()
    assert state["conferences"] == {"a/b": {"executed_starts": 1, "recording": False}}
    assert state["recordings"][0]["duration_ms"] >= 0


async def test_the_control_api_ends_a_conference(plivo: Plivo) -> None:
    started = await plivo.api("POST", "Conference/x/Record/", json={"transcription_url": "http://me/text"})
    ended = await plivo.control("conferences/x/end")
    assert ended.json() == {"conference_name": "x", "ended_recordings": [started.json()["recording_id"]]}
    assert [each.kind for each in plivo.callbacks] == ["transcription"]
    for ended_or_unheard in ("x", "y"):
        again = await plivo.control(f"conferences/{ended_or_unheard}/end")
        assert (again.status_code, again.json()) == (404, {"error": "not found"})


async def test_the_control_api_opens_a_conference() -> None:
    plivo = plivo_world(strict=True)
    async with plivo.client:
        assert (await plivo.api("POST", "Conference/x/Record/")).status_code == 404
        opened = await plivo.control("conferences/x")
        assert (opened.status_code, opened.json()) == (200, {"conference_name": "x"})
        assert (await plivo.api("POST", "Conference/x/Record/")).status_code == 202


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "conferences/"),
        ("POST", "conferences//end"),
        ("POST", "conferences/a/b/end"),
        ("GET", ""),
    ],
)
async def test_control_api_answers_404_for_unknown_paths(plivo: Plivo, method: str, path: str) -> None:
    refused = await plivo.client.request(method, f"/__emulator__/{path}", headers=MARKED)
    assert (refused.status_code, refused.json()) == (404, {"error": "not found"})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "state", "GET, HEAD"),
        ("OPTIONS", "state", "GET, HEAD"),
        ("PUT", "state", "GET, HEAD"),
        ("PATCH", "state", "GET, HEAD"),
        ("HEAD", "events", "GET"),
        ("GET", "conferences/x", "POST"),
        ("GET", "conferences/x/end", "POST"),
    ],
)
async def test_control_api_names_the_methods_of_a_resource(plivo: Plivo, method: str, path: str, allowed: str) -> None:
    refused = await plivo.client.request(method, f"/__emulator__/{path}", headers=MARKED)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


async def test_control_path_that_is_not_utf_8_belongs_to_the_control_api(plivo: Plivo) -> None:
    plivo.app.control.faults.on("any", times=1).status(503)
    found = await plivo.client.get("/__emulator__/deliveries/%ff")
    assert (found.status_code, found.json()) == (404, {"error": "not found"})
    foreign = await plivo.client.get("/__emulator__/deliveries/%ff", headers={"Host": "evil.test"})
    assert foreign.status_code == 403
    assert len(plivo.app.control.faults) == 1


@pytest.mark.parametrize(("file_format", "media_type"), [("mp3", "audio/mpeg"), ("wav", "audio/wav")])
async def test_file_of_an_ended_recording_needs_no_credentials(plivo: Plivo, file_format: str, media_type: str) -> None:
    url = (await plivo.recorded(file_format)).json()["url"]
    file = await plivo.client.get(url)
    assert (file.status_code, file.headers["content-type"]) == (200, media_type)
    assert miniaudio.decode(file.content).num_frames > 0
    head = await plivo.client.head(url)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(file.content)))


async def test_range_requests_return_parts_of_a_file(plivo: Plivo) -> None:
    url = (await plivo.recorded("wav")).json()["url"]
    whole = (await plivo.client.get(url)).content
    part = await plivo.client.get(url, headers={"Range": "bytes=4-11"})
    assert (part.status_code, part.content) == (206, whole[4:12])
    assert part.headers["content-range"] == f"bytes 4-11/{len(whole)}"
    tag = part.headers["etag"]
    same = await plivo.client.get(url, headers={"Range": "bytes=4-11", "If-Range": tag})
    other = await plivo.client.get(url, headers={"Range": "bytes=4-11", "If-Range": '"other"'})
    assert (same.status_code, other.status_code, other.content) == (206, 200, whole)
    beyond = await plivo.client.get(url, headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")


async def test_running_deleted_and_unknown_recordings_have_no_file(plivo: Plivo) -> None:
    running = (await plivo.api("POST", "Conference/running/Record/")).json()
    assert (await plivo.client.get(running["url"])).status_code == 404
    ended = (await plivo.recorded()).json()
    url = ended["url"]
    for wrong in (url.replace(".mp3", ".wav"), url.replace(".mp3", ""), url.replace("MAX", "MAY"), f"{url}/"):
        assert (await plivo.client.get(wrong)).status_code in {401, 404}
    assert (await plivo.api("GET", f"Recording/{ended['recording_id']}/")).json()["recording_url"] == url
    assert (await plivo.api("DELETE", f"Recording/{ended['recording_id']}/")).status_code == 204
    assert (await plivo.client.get(url)).json() == {"error": "not found"}


@pytest.mark.parametrize(
    "headers", [MARKED, {"Content-Type": "application/json"}, {"Origin": "http://plivo.test"} | MARKED]
)
async def test_programs_may_change_the_state(plivo: Plivo, headers: dict[str, str]) -> None:
    opened = await plivo.client.post("/__emulator__/conferences/x", headers=headers)
    assert (opened.status_code, list(plivo.app.control.state()["conferences"])) == (200, ["x"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        MARKED | {"Origin": "https://evil.example"},
        MARKED | {"Host": "evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["conferences/x", "conferences/x/end", "nothing"])
async def test_web_pages_may_not_change_the_state(plivo: Plivo, path: str, headers: dict[str, str]) -> None:
    refused = await plivo.client.post(f"/__emulator__/{path}", headers=headers)
    assert refused.status_code == 403
    assert list(refused.json()) == ["error"]
    assert plivo.app.control.state()["conferences"] == {}


async def test_web_pages_may_not_read_the_state(plivo: Plivo) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "null"}):
        refused = await plivo.client.get("/__emulator__/state", headers=headers)
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers
    assert (await plivo.client.head("/__emulator__/state")).status_code == 200


async def test_the_api_itself_asks_for_credentials_only(plivo: Plivo) -> None:
    headers = {"Host": "api.plivo.com", "Origin": "https://evil.example", "Content-Type": "text/plain"}
    assert (await plivo.api("POST", "Conference/x/Record/", headers=headers)).status_code == 202
    assert (await plivo.api("DELETE", "Conference/x/Record/", headers=headers)).status_code == 204
    url = (await plivo.recorded()).json()["url"]
    assert (await plivo.client.get(url, headers=headers)).status_code == 200


async def test_a_question_mark_in_a_name_begins_no_query(plivo: Plivo) -> None:
    await plivo.api("POST", "Conference/a%3Fb/Record/")
    stopped = await plivo.api("DELETE", "Conference/a%3Fb/Record/?callback_url=http://me/stopped")
    assert stopped.json()["message"] == "async api spawned"
    assert [each.url for each in plivo.callbacks] == ["http://me/stopped"]


async def test_invalid_host_header_is_answered_without_an_error(plivo: Plivo) -> None:
    assert (await plivo.api("GET", "Conference/", headers={"Host": "["})).status_code == 200


async def test_each_answer_is_one_log_line(plivo: Plivo, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "plivo_record_async.emulator")
    await plivo.api("POST", "Conference/a%0A/Record/?x=secret")
    await plivo.client.post("/__emulator__/conferences/x")
    assert caplog.messages == [
        f"POST /v1/Account/{AUTH_ID}/Conference/a%0A/Record/ 202",
        "POST /__emulator__/conferences/x 403",
    ]


async def test_request_of_a_client_that_disconnected_is_not_answered(plivo: Plivo) -> None:
    sent: list[object] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    await plivo.app({"type": "http", "method": "POST", "headers": [], "path": "/", "raw_path": b"/"}, receive, send)
    assert sent == []
