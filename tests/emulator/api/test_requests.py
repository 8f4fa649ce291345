from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.quota import Quota
from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.account.world import Conference, World
from plivo_record_async.emulator.api.endpoints import ApiRequest
from plivo_record_async.emulator.api.paths import segments
from plivo_record_async.emulator.api.requests import ApiReply, answer_error, handle_request

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)
AUTH_ID, TOKEN = "MAXXXXXXXXXXXXXXXXXX", "a-token"


class Account:
    """A world, asked as over HTTP; the id of each request is its number. What changed is kept beside the replies."""

    def __init__(self, **options: Any) -> None:
        self.world = World(auth_id=AUTH_ID, url="http://127.0.0.1:1", **options)
        self.now = NOW
        self.count = 0
        self.changed: tuple[Conference | Recording, ...] = ()
        self.executed = False

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: str = "",
        account: str = AUTH_ID,
        credentials: str | None = f"{AUTH_ID}:{TOKEN}",
    ) -> ApiReply:
        self.count += 1
        request = ApiRequest(
            method=method,
            path=segments(f"/v1/Account/{account}/{path}".encode()),
            query=query,
            body=b"" if body is None else json.dumps(body).encode(),
            authorization=credentials and f"Basic {base64.b64encode(credentials.encode()).decode()}",
            now=self.now,
            api_id=str(self.count),
            recording_id=f"rec-{self.count}",
        )
        reply = handle_request(self.world, request, auth_token=TOKEN)
        self.changed, self.executed = reply.changed, reply.executed
        return attrs.evolve(reply, changed=(), executed=False)


def error(status: int, text: str, *, number: int = 1) -> ApiReply:
    return ApiReply(status=status, body={"api_id": str(number), "error": text})


def test_start_and_stop_are_executed_and_answered() -> None:
    plivo = Account()
    started = plivo.ask("POST", "Conference/My%20Conf%20Room/Record/")
    assert started.status == 202
    assert isinstance(started.body, dict)
    assert (started.body["api_id"], started.body["recording_id"]) == ("1", "rec-1")
    assert plivo.ask("DELETE", "Conference/My%20Conf%20Room/Record/") == ApiReply(status=204, body=None)
    assert plivo.world.executions("My Conf Room") == 1


def test_an_argument_is_refused_at_once_in_both_modes() -> None:
    wanted = "file_format parameter is invalid, it must be one of mp3, wav"
    assert Account().ask("POST", "Conference/x/Record/", {"file_format": "ogg"}) == error(400, wanted)
    given = {"file_format": "ogg", "callback_url": "http://me/cb"}
    assert Account().ask("POST", "Conference/x/Record/", given) == error(400, wanted)


def test_malformed_json_is_refused() -> None:
    assert Account().ask("POST", "Conference/x/Record/", []) == error(400, "invalid JSON: an object is wanted")


def test_with_a_callback_url_the_answer_comes_by_callback() -> None:
    plivo = Account()
    given = {"callback_url": "http://me/cb#rc=3", "callback_method": "GET", "file_format": "wav"}
    spawned = plivo.ask("POST", "Conference/x/Record/", given)
    assert (spawned.status, spawned.body) == (202, {"api_id": "1", "message": "async api spawned"})
    (response,) = spawned.callbacks
    assert (response.kind, response.url, response.method) == ("response", "http://me/cb#rc=3", "GET")
    assert list(response.fields) == ["response"]
    assert json.loads(response.fields["response"]) == {
        "api_id": "1",
        "message": "conference recording started",
        "recording_id": "rec-1",
        "url": f"http://127.0.0.1:1/v1/Account/{AUTH_ID}/Recording/rec-1.wav",
    }


@pytest.mark.parametrize("where", ["query", "body"])
def test_stop_in_asynchronous_mode_calls_back_for_itself_and_each_recording(where: str) -> None:
    plivo = Account()
    plivo.ask("POST", "Conference/x/Record/", {"callback_url": "http://me/ended"})
    if where == "query":
        stopped = plivo.ask("DELETE", "Conference/x/Record/", query="callback_url=http%3A%2F%2Fme%2Fstopped")
    else:
        given = {"conference_name": "x", "callback_url": "http://me/stopped"}
        stopped = plivo.ask("DELETE", "Conference/x/Record/", given)
    assert (stopped.status, stopped.body) == (202, {"api_id": "2", "message": "async api spawned"})
    assert [(each.kind, each.url) for each in stopped.callbacks] == [
        ("response", "http://me/stopped"),
        ("recording", "http://me/ended"),
    ]
    response = json.loads(stopped.callbacks[0].fields["response"])
    assert response == {"api_id": "2", "message": "conference recording stopped"}


def test_failed_start_in_asynchronous_mode_calls_back_with_the_error() -> None:
    plivo = Account(strict=True)
    spawned = plivo.ask("POST", "Conference/x/Record/", {"callback_url": "http://me/cb"})
    assert spawned.status == 202
    assert json.loads(spawned.callbacks[0].fields["response"]) == {"api_id": "1", "error": "not found"}
    assert plivo.ask("POST", "Conference/x/Record/") == error(404, "not found", number=2)


@pytest.mark.parametrize(
    ("account", "credentials"),
    [
        (AUTH_ID, None),
        (AUTH_ID, ""),
        (AUTH_ID, f"{AUTH_ID}:another"),
        (AUTH_ID, f"{AUTH_ID}:"),
        (AUTH_ID, AUTH_ID),
        (AUTH_ID, f"MAYYYYYYYYYYYYYYYYYY:{TOKEN}"),
        ("MAYYYYYYYYYYYYYYYYYY", f"{AUTH_ID}:{TOKEN}"),
        ("MAYYYYYYYYYYYYYYYYYY", f"MAYYYYYYYYYYYYYYYYYY:{TOKEN}"),
    ],
)
def test_request_without_valid_credentials_is_refused_first(account: str, credentials: str | None) -> None:
    plivo = Account()
    for path in ("Conference/x/Record/", "Nothing/"):
        refused = plivo.ask("POST", path, [], account=account, credentials=credentials)
        assert refused.status == 401
        assert refused.body == {"error": "authentication credentials were not provided"}
        assert refused.headers == {"WWW-Authenticate": 'Basic realm="Plivo"'}
    assert plivo.world.conferences == {}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "Nothing/",
        "Conference//Record/",
        "Conference/x/Record",
        "Conference/a/b/Record/",
        "Conference/x/record/",
        "Conference/x/Record/y/",
        "Conference/x",
        "Conference",
        "Conference/%FF/Record/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_request_for_another_account_is_answered_404(method: str, path: str) -> None:
    assert Account().ask(method, path) == error(404, "not found")


def test_other_roots_are_not_found() -> None:
    plivo = Account()
    for path in (b"", b"/", b"/v1/", b"/v2/Account/" + AUTH_ID.encode() + b"/Conference/", b"/v1/account/x/"):
        request = ApiRequest(method="GET", path=segments(path), now=NOW, api_id="1", recording_id="r")
        assert handle_request(plivo.world, request, auth_token=TOKEN) == error(404, "not found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "Conference/x/Record/", "POST, DELETE"),
        ("PUT", "Conference/x/Record/", "POST, DELETE"),
        ("POST", "Conference/x/", "GET"),
        ("DELETE", "Conference/", "GET"),
        ("POST", "Recording/", "GET"),
        ("POST", "Recording/x/", "GET, DELETE"),
    ],
)
def test_other_methods_are_not_allowed(method: str, path: str, allowed: str) -> None:
    refused = Account().ask(method, path)
    assert (refused.status, refused.headers) == (405, {"Allow": allowed})
    assert refused.body == {"api_id": "1", "error": "method not allowed"}


@given(st.text(min_size=1))
def test_any_name_is_one_path_segment(name: str) -> None:
    plivo = Account()
    assert plivo.ask("POST", f"Conference/{quote(name, safe='')}/Record/").status == 202
    assert plivo.world.executions(name) == 1


def test_conference_is_returned_while_it_is_live() -> None:
    plivo = Account()
    assert plivo.ask("GET", "Conference/").body == {"api_id": "1", "conferences": []}
    plivo.ask("POST", "Conference/My%20Conf%20Room/Record/")
    plivo.world.open("another", now=NOW)
    plivo.world.end("another", now=NOW)
    plivo.now += timedelta(seconds=590.9)
    assert plivo.ask("GET", "Conference/").body == {"api_id": "3", "conferences": ["My Conf Room"]}
    shown = plivo.ask("GET", "Conference/My%20Conf%20Room/")
    assert shown.status == 200
    assert isinstance(shown.body, dict)
    assert shown.body["conference_name"] == "My Conf Room"
    assert (shown.body["conference_run_time"], shown.body["conference_member_count"]) == ("590", "1")
    assert [member["call_uuid"] for member in shown.body["members"]] == [plivo.world.call_uuid("My Conf Room")]
    assert plivo.ask("GET", "Conference/another/") == error(404, "not found", number=5)


def test_get_of_a_conference_does_not_create_it() -> None:
    plivo = Account()
    assert plivo.ask("GET", "Conference/x/").status == 200
    assert plivo.world.conferences == {}


def test_recordings_are_listed_returned_and_deleted() -> None:
    plivo = Account()
    plivo.ask("POST", "Conference/x/Record/")
    assert plivo.ask("GET", "Recording/rec-1/") == error(404, "not found", number=2)
    assert plivo.ask("DELETE", "Recording/rec-1/") == error(404, "not found", number=3)
    plivo.ask("DELETE", "Conference/x/Record/")
    shown = plivo.ask("GET", "Recording/rec-1/")
    assert isinstance(shown.body, dict)
    assert (shown.status, shown.body["recording_id"], shown.body["api_id"]) == (200, "rec-1", "5")
    listed = plivo.ask("GET", "Recording/", query="conference_name=x&limit=1")
    assert isinstance(listed.body, dict)
    assert listed.body["api_id"] == "6"
    assert [each["recording_id"] for each in listed.body["objects"]] == ["rec-1"]
    assert listed.body["objects"][0]["api_id"] == "1"
    assert plivo.ask("DELETE", "Recording/rec-1/") == ApiReply(status=204, body=None)
    assert plivo.ask("GET", "Recording/rec-1/") == error(404, "not found", number=8)
    assert plivo.world.executions("x") == 1


def test_dialect_decides_where_plivos_documents_contradict_each_other() -> None:
    plivo = Account(dialect=Dialect(async_status=200, stop_status=200, error_shape="html"))
    assert plivo.ask("POST", "Conference/x/Record/", {"callback_url": "http://me/cb"}).status == 200
    stopped = plivo.ask("DELETE", "Conference/x/Record/")
    assert (stopped.status, stopped.body) == (200, {"api_id": "2", "message": "conference recording stopped"})
    assert plivo.ask("GET", "Nothing/").body == "<html><body><h1>not found</h1></body></html>"


@pytest.mark.parametrize("executed", [False, True])
def test_error_replaces_the_answer(executed: bool) -> None:
    plivo = Account()
    request = ApiRequest(method="GET", path=[], now=NOW, api_id="1", recording_id="r")
    done = ApiReply(status=202, body={}, headers={"A": "b"}, executed=True) if executed else None
    reply = answer_error(plivo.world, request, 503, "service unavailable", done=done)
    body = {"api_id": "1", "error": "service unavailable"}
    assert reply == ApiReply(status=503, body=body, executed=executed)


@pytest.mark.parametrize("retry_after", [False, True])
def test_requests_over_the_quota_are_refused(retry_after: bool) -> None:
    plivo = Account(quota=Quota(2, 5.0), dialect=Dialect(retry_after=retry_after))
    assert [plivo.ask("GET", "Conference/").status for _ in range(3)] == [200, 200, 429]
    refused = plivo.ask("GET", "Conference/")
    assert refused.headers == ({"Retry-After": "5"} if retry_after else {})
    assert isinstance(refused.body, dict)
    assert refused.body["error"] == "too many requests"
    assert plivo.ask("GET", "Conference/", credentials=None).status == 401
    plivo.now += timedelta(seconds=5)
    assert plivo.ask("GET", "Conference/").status == 200


def test_each_conference_may_have_its_own_dialect() -> None:
    plivo = Account(dialects={"x": Dialect(start_status=201, error_shape="empty")})
    assert plivo.ask("POST", "Conference/x/Record/").status == 201
    assert plivo.ask("POST", "Conference/y/Record/").status == 202
    assert plivo.ask("PUT", "Conference/x/Record/").body != {}
    assert plivo.ask("POST", "Conference/x/Record/", {"file_format": "ogg"}).body == {}


def test_result_may_be_answered_at_once_in_spite_of_a_callback_url() -> None:
    plivo = Account(dialect=Dialect(async_reply="full"))
    started = plivo.ask("POST", "Conference/x/Record/", {"callback_url": "http://me/cb"})
    assert isinstance(started.body, dict)
    assert (started.body["recording_id"], started.callbacks) == ("rec-1", ())


@pytest.mark.parametrize(("shape", "body"), [("html", "<html><body><h1>ok</h1></body></html>"), ("empty", {})])
def test_success_may_have_a_senseless_body(shape: Any, body: object) -> None:
    plivo = Account(dialect=Dialect(success_shape=shape))
    assert plivo.ask("POST", "Conference/x/Record/").body == body
    assert plivo.ask("POST", "Conference/x/Record/", {"callback_url": "http://me/cb"}).body == body
    assert isinstance(plivo.ask("GET", "Conference/").body, dict)
    assert plivo.world.executions("x") == 2


def test_body_may_follow_a_204() -> None:
    plivo = Account(dialect=Dialect(stop_body="message"))
    plivo.ask("POST", "Conference/x/Record/")
    stopped = plivo.ask("DELETE", "Conference/x/Record/")
    assert (stopped.status, stopped.body) == (204, None)
    assert json.loads(stopped.trailing) == {"api_id": "2", "message": "conference recording stopped"}
    assert stopped.headers["Content-Length"] == str(len(stopped.trailing))


def test_reply_says_what_was_executed_and_what_changed() -> None:
    plivo = Account()
    plivo.ask("POST", "Conference/x/Record/")
    assert plivo.executed
    assert plivo.changed == (plivo.world.conferences["x"], plivo.world.recordings["rec-1"])
    plivo.ask("DELETE", "Conference/x/Record/")
    assert plivo.changed == (plivo.world.conferences["x"], plivo.world.recordings["rec-1"])
    plivo.ask("DELETE", "Recording/rec-1/")
    assert [each.to_dict()["deleted"] for each in plivo.changed] == [True]
    plivo.ask("DELETE", "Recording/rec-1/")
    assert (plivo.executed, len(plivo.changed)) == (False, 0)
