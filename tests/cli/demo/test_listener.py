from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlencode

import httpx
import pytest

from plivo_record_async.cli.demo.listener import Listener
from plivo_record_async.errors import CallbackRejectedError, ConfigurationError, SignatureMissingError
from plivo_record_async.protocol.models import CallbackEvent, RecordingEnded
from plivo_record_async.protocol.signatures import sign_callback_v3

TOKEN = "token"
ENDED = {"api_id": "1", "record_url": "http://h/r.mp3", "recording_id": "2", "recording_duration_ms": "1500"}


class Ears:
    """What a listener heard and refused."""

    def __init__(self) -> None:
        self.events: list[tuple[str, CallbackEvent]] = []
        self.errors: list[CallbackRejectedError] = []

    def heard(self, room: str, event: CallbackEvent) -> None:
        self.events.append((room, event))


def signed(url: str, fields: Mapping[str, str], token: str = TOKEN) -> dict[str, str]:
    signature = sign_callback_v3("POST", url, fields, "0123", token)
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": "0123"}


async def post(url: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(url, data=dict(fields), headers=dict(headers))).status_code


async def test_a_signed_callback_is_heard_in_the_room_that_its_url_was_issued_for() -> None:
    ears, listener = Ears(), Listener(TOKEN)
    url = listener.issue("büro & 1")
    assert url == f"{listener.url}/?{urlencode({'room': 'büro & 1'})}"
    async with listener.listening(ears.heard, ears.errors.append):
        assert await post(url, ENDED, signed(url, ENDED)) == 200
    ((room, event),) = ears.events
    assert room == "büro & 1"
    assert event == RecordingEnded(api_id="1", record_url="http://h/r.mp3", recording_id="2", duration_ms=1500)
    assert ears.errors == []


async def test_the_url_that_counts_is_the_public_one() -> None:
    ears, listener = Ears(), Listener(TOKEN, public_url="https://me.example/plivo/")
    url = listener.issue("a")
    assert url == "https://me.example/plivo/?room=a"
    async with listener.listening(ears.heard, ears.errors.append):
        for path in ("/plivo/", "/"):
            local = f"{listener.url}{path}?room=a"
            assert await post(local, ENDED, signed(url, ENDED)) == 200
            assert await post(local, ENDED, signed(local, ENDED)) == 403
    assert len(ears.events) == len(ears.errors) == 2


async def test_what_is_not_signed_with_the_token_is_refused() -> None:
    ears, listener = Ears(), Listener(TOKEN)
    url = listener.issue("a")
    async with listener.listening(ears.heard, ears.errors.append):
        assert await post(url, ENDED, {}) == 403
        assert await post(url, ENDED, signed(url, ENDED, "another")) == 403
        assert await post(url, {**ENDED, "recording_id": "3"}, signed(url, ENDED)) == 403
    assert [type(error) is SignatureMissingError for error in ears.errors] == [True, False, False]
    assert ears.events == []


async def test_what_was_never_issued_is_not_found() -> None:
    ears, listener = Ears(), Listener(TOKEN)
    listener.issue("a")
    async with listener.listening(ears.heard, ears.errors.append):
        for query in ("", "?room=b"):
            url = f"{listener.url}/{query}"
            assert await post(url, ENDED, signed(url, ENDED)) == 404
    assert (ears.events, ears.errors) == ([], [])


async def test_what_is_too_long_or_no_post_is_turned_away() -> None:
    ears, listener = Ears(), Listener(TOKEN)
    url = listener.issue("a")
    long = {**ENDED, "more": "x" * 65536}
    async with listener.listening(ears.heard, ears.errors.append), httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(url, data=long, headers=signed(url, long))).status_code == 413
        assert (await client.get(url)).status_code == 405
    assert ears.events == []


async def test_it_stops_listening_whatever_happens() -> None:
    ears, listener = Ears(), Listener(TOKEN)
    with suppress(ZeroDivisionError):
        async with listener.listening(ears.heard, ears.errors.append):
            raise ZeroDivisionError
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(listener.url)


async def test_a_port_that_is_taken_is_a_wrong_configuration() -> None:
    first = Listener(TOKEN)
    port = int(first.url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=rf"cannot listen on 127\.0\.0\.1:{port}: "):
        Listener(TOKEN, port=port)
    async with first.listening(Ears().heard, Ears().errors.append):
        pass
