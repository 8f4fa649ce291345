"""The callbacks of starts that both sides know by their number: the receiver keeps the starts, the load calls back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from bench.peers import AUTH_TOKEN
from plivo_record_async import CallbackPolicy, StartRequest, sign_callback_v3
from plivo_record_async.protocol.callbacks.url_tokens import issue_url
from plivo_record_async.protocol.recording.evidence import StartAccepted
from plivo_record_async.protocol.recording.lifecycle import apply, begin_sending
from plivo_record_async.stores.interface import FollowedRecording

PUBLIC_URL = "https://recordings.example/plivo"
NONCE = "12345678901234567890"


class Callback(NamedTuple):
    """One callback as it is before it becomes a request."""

    url: str
    fields: Mapping[str, str]

    @property
    def body(self) -> bytes:
        return urlencode(self.fields).encode()

    def headers(self) -> dict[str, str]:
        return {
            "Host": urlsplit(self.url).netloc,
            "User-Agent": "Plivo",
            "Accept": "*/*",
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(self.body)),
            "X-Plivo-Signature-V3": sign_callback_v3("POST", self.url, self.fields, NONCE, AUTH_TOKEN),
            "X-Plivo-Signature-V3-Nonce": NONCE,
        }

    def request(self) -> bytes:
        """It on the wire."""
        parts = urlsplit(self.url)
        lines = [
            f"POST {parts.path}?{parts.query} HTTP/1.1",
            *(f"{name}: {value}" for name, value in self.headers().items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def start_id(number: int) -> str:
    return f"start-{number:016}"


def api_id(number: int) -> str:
    return f"2867b6e2-58c3-11e1-86da-{number:012}"


def recording_id(number: int) -> str:
    return f"93bc7c6a-3b2b-11e3-aaaa-{number:012}"


def file_url(number: int) -> str:
    return f"https://media.plivo.com/v1/Account/MAXXXXXXXXXXXXXXXXXX/Recording/{recording_id(number)}.mp3"


def issued(number: int) -> str:
    return issue_url(PUBLIC_URL, "recording", start_id(number), AUTH_TOKEN)


def answered(number: int) -> Callback:
    """The asynchronous response."""
    response = {
        "api_id": api_id(number),
        "message": "conference recording started",
        "recording_id": recording_id(number),
        "url": file_url(number),
    }
    return Callback(issued(number), {"response": json.dumps(response)})


def ended(number: int) -> Callback:
    """The end of the recording."""
    fields = {
        "api_id": api_id(number),
        "conference_name": f"room-{number}",
        "message": "record_done",
        "record_url": file_url(number),
        "recording_duration": "345",
        "recording_duration_ms": "345100",
        "recording_end_ms": "1407235509007",
        "recording_id": recording_id(number),
        "recording_start_ms": "1407235163907",
    }
    return Callback(issued(number), fields)


def requests(numbers: Iterable[int]) -> list[bytes]:
    """Two callbacks of each start: first all the asynchronous responses, then all the ends, as hours lie between."""
    numbers = tuple(numbers)
    return [kind(number).request() for kind in (answered, ended) for number in numbers]


def accepted(count: int) -> Iterator[FollowedRecording]:
    """The first so many starts, as a tracker keeps them once Plivo has accepted them."""
    policy, now = CallbackPolicy(), datetime.now(UTC)
    for number in range(count):
        request = StartRequest(f"room-{number}", file_format="wav", callback_url=policy.apply(issued(number)))
        record, _ = apply(
            begin_sending(start_id(number), request, now),
            StartAccepted(description="accepted", api_id=api_id(number)),
            now,
        )
        yield record
