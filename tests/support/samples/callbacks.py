"""Genuine callbacks: the fields that Plivo documents, and the signed requests that carry them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict
from urllib.parse import urlencode

from plivo_record_async.protocol.callbacks.signatures import sign_callback_v3
from plivo_record_async.protocol.callbacks.verified import VerifiedCallback
from plivo_record_async.protocol.models import CallbackEvent, UnknownCallback

TOKEN = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
URL = "https://me.example/plivo/callback?start=8f3a"
NONCE = "31627761595286130198"
V3 = "X-Plivo-Signature-V3"
MA_V3 = "X-Plivo-Signature-Ma-V3"
V3_NONCE = "X-Plivo-Signature-V3-Nonce"

# https://plivo.com/docs/voice/api/conferences
RECORDING_ENDED = {
    "api_id": "2867b6e2-58c3-11e1-86da-adf28403fe48",
    "record_url": "https://media.plivo.com/v1/Account/MAXXXXXXXXXXXXXXXXXX/Recording/93bc7c6a-3b2b-11e3.mp3",
    "recording_id": "93bc7c6a-3b2b-11e3",
    "conference_name": "My Conf Room",
    "recording_duration": "12",
    "recording_duration_ms": "12345",
    "recording_start_ms": "1407235163907",
    "recording_end_ms": "1407235176252",
}
# http://plivo.com/docs/api/conference/record/
RECORDING_ENDED_2012 = {
    "api_id": "2867b6e2-58c3-11e1-86da-adf28403fe48",
    "record_url": "http://s3.amazonaws.com/recordings_2013/93bc7c6a-3b2b-11e3.mp3",
    "conference_name": "myroom",
    "message": "record_done",
}
# https://plivo.com/docs/voice/xml/conferencing.md
RECORDING_ENDED_CAMEL_CASE = {
    "ConferenceName": "My Conf Room",
    "RecordUrl": RECORDING_ENDED["record_url"],
    "RecordingID": "93bc7c6a-3b2b-11e3",
    "RecordingDuration": "12",
    "RecordingDurationMs": "12345",
    "RecordingStartMs": "1407235163907",
    "RecordingEndMs": "1407235176252",
}
# https://docs.plivo.com/docs/voice/api/conference/record-conference/start-recording-a-conference
TRANSCRIPTION_ENDED = {
    "transcription_charge": "0.05",
    "transcription": "hello",
    "duration": "12",
    "call_uuid": "97ceeb52-58b6-11e1-86da-77300b68f8bb",
    "transcription_rate": "0.01",
    "recording_id": "93bc7c6a-3b2b-11e3",
    "error": "",
}
TRANSCRIPTION_FAILED = TRANSCRIPTION_ENDED | {
    "transcription": "",
    "error": "Recording duration too long for transcription",
}
HONEST = [
    RECORDING_ENDED,
    RECORDING_ENDED_2012,
    RECORDING_ENDED_2012 | {"message": "record done"},
    RECORDING_ENDED_CAMEL_CASE,
    TRANSCRIPTION_ENDED,
    TRANSCRIPTION_FAILED,
    {"response": '{"api_id": "2867b6e2-58c3-11e1", "message": "conference recording started"}'},
]


class Request(TypedDict):
    """The first four arguments of `parse_callback`."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def callback(
    fields: Mapping[str, str], *, method: str = "POST", url: str = URL, token: str = TOKEN, header: str = V3
) -> Request:
    """Return the signed request that carries these fields in its body, or with GET in its query."""
    if method == "GET":
        url = f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}"
        headers = {header: sign_callback_v3("GET", url, {}, NONCE, token), V3_NONCE: NONCE}
        return Request(method=method, url=url, headers=headers, body=b"")
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        header: sign_callback_v3("POST", url, fields, NONCE, token),
        V3_NONCE: NONCE,
    }
    return Request(method=method, url=url, headers=headers, body=urlencode(fields).encode())


def verified(fields: Mapping[str, str]) -> VerifiedCallback:
    """Return the verified POST with these fields, as `verify_callback` does."""
    pairs = list(fields.items())
    text = f"{URL}.{''.join(name + value for name, value in sorted(pairs))}.{NONCE}"
    return VerifiedCallback(method="POST", fields=pairs, signed_text=text, nonce=NONCE)


def reason_of(event: CallbackEvent) -> str:
    """Return the reason of an `UnknownCallback`."""
    assert isinstance(event, UnknownCallback)
    return event.reason
