"""Make callbacks that are signed as Plivo signs them, for tests that have no server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import attrs

from plivo_record_async.emulator.account.callbacks import Callback, HttpCallback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.account.transcription import transcription_callback

__all__ = ["CallbackFactory", "HttpCallback"]

_STARTED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class CallbackFactory:
    """Make signed callbacks for a receiver under test.

    Every method returns an `HttpCallback` with the attributes ``method``, ``url``, ``headers`` and ``content``, which
    fit the test clients of all web frameworks:

    .. code-block:: python

        from plivo_record_async import parse_callback
        from plivo_record_async.testing import CallbackFactory

        token = "the-auth-token-of-this-test"
        factory = CallbackFactory(auth_token=token)
        sent = factory.recording_ended("https://me.example/recorded")
        event = parse_callback(
            sent.method, sent.url, sent.headers, sent.content or b"", auth_tokens=[token]
        )

    Args:
        auth_token: The auth token with which the callbacks are signed.
        dialect: Which of Plivo's contradicting documents the callbacks follow. If None, the current ones.
    """

    auth_token: str = attrs.field(repr=False)
    dialect: Dialect = attrs.field(factory=Dialect)

    def recording_ended(
        self,
        url: str,
        *,
        method: str = "POST",
        conference_name: str = "standup",
        duration: float = 60.0,
        api_id: str | None = None,
        recording_id: str | None = None,
        file_format: str = "mp3",
    ) -> HttpCallback:
        """Return the callback that a recording has ended: https://plivo.com/docs/voice/api/conferences .

        Args:
            url: The ``callback_url`` of the start.
            method: The ``callback_method`` of the start: ``GET`` or ``POST``.
            conference_name: The name of the conference.
            duration: The length of the recording in seconds.
            api_id: The ``api_id`` of the start. If None, a new one.
            recording_id: The ID of the recording. If None, a new one.
            file_format: ``mp3`` or ``wav``.
        """
        recording = _recording(conference_name, duration, api_id, recording_id, file_format)
        [callback] = attrs.evolve(recording, callback_url=url, callback_method=method).ended_callbacks(self.dialect)
        return self._signed(callback)

    def transcription_ended(
        self,
        url: str,
        *,
        method: str = "POST",
        conference_name: str = "standup",
        duration: float = 60.0,
        recording_id: str | None = None,
        transcription: str | None = None,
    ) -> HttpCallback:
        """Return the callback with a transcript.

        https://docs.plivo.com/docs/voice/api/conference/record-conference/start-recording-a-conference

        Args:
            url: The ``transcription_url`` of the start.
            method: The ``transcription_method`` of the start: ``GET`` or ``POST``.
            conference_name: The name of the conference. It appears only in the default text.
            duration: The length of the recording in seconds.
            recording_id: The ID of the recording. If None, a new one.
            transcription: The text. If None, a sentence that names the conference.
        """
        recording = _recording(conference_name, duration, None, recording_id, "mp3")
        ended_at = recording.ended_at or _STARTED_AT
        callback = transcription_callback(recording, url, method, api_id=recording.api_id, now=ended_at)
        if transcription is not None:
            callback = attrs.evolve(callback, fields={**callback.fields, "transcription": transcription})
        return self._signed(callback)

    def response(
        self, url: str, *, method: str = "POST", api_id: str | None = None, error: str | None = None
    ) -> HttpCallback:
        """Return the asynchronous response to a start.

        https://docs.plivo.com/docs/voice/api/request/asynchronous-request

        Args:
            url: The ``callback_url`` of the start.
            method: The ``callback_method`` of the start: ``GET`` or ``POST``.
            api_id: The ``api_id`` of the start. If None, a new one.
            error: The text of the error. If None, the start was executed.
        """
        api_id = api_id or str(uuid4())
        outcome = {"message": "conference recording started"} if error is None else {"error": error}
        return self.signed(url, {"response": json.dumps({"api_id": api_id, **outcome})}, method=method)

    def signed(self, url: str, fields: Mapping[str, str], *, method: str = "POST") -> HttpCallback:
        """Return a callback with any fields.

        Args:
            url: The URL that Plivo calls.
            fields: The fields, in the order in which they are sent: in the query for ``GET``, as a form for ``POST``.
            method: ``GET`` or ``POST``.
        """
        return self._signed(Callback(kind="recording", url=url, method=method, fields=fields, api_id=""))

    def _signed(self, callback: Callback) -> HttpCallback:
        nonce = f"{uuid4().int % 10**20:020}"
        return callback.signed(nonce=nonce, auth_token=self.auth_token, scheme=self.dialect.signatures)


def _recording(
    conference_name: str, duration: float, api_id: str | None, recording_id: str | None, file_format: str
) -> Recording:
    recording_id = recording_id or str(uuid4())
    resource_uri = f"/v1/Account/MAEMULATEDACCOUNT000/Recording/{recording_id}/"
    return Recording(
        recording_id=recording_id,
        api_id=api_id or str(uuid4()),
        call_uuid=str(uuid4()),
        conference_name=conference_name,
        file_format=file_format,
        url=f"https://media.plivo.com{resource_uri.removesuffix('/')}.{file_format}",
        resource_uri=resource_uri,
        started_at=_STARTED_AT,
        ended_at=_STARTED_AT + timedelta(seconds=duration),
    )
