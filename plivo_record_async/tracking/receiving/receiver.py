"""The ASGI application that receives Plivo's callbacks.

A callback without a valid signature is rejected. A callback with one is acknowledged after it was stored, with its
recording or, if it cannot be applied to a recording, as an orphan with the reason. The body of a response depends only
on its status.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import cache, partial
from http import HTTPStatus
from typing import Any

import attrs

from plivo_record_async.errors import (
    CallbackRejectedError,
    ClosedError,
    ConfigurationError,
    SignatureMismatchError,
    StoreError,
    UnknownStartError,
)
from plivo_record_async.protocol.callbacks.events import read_event
from plivo_record_async.protocol.callbacks.fields import named_ids
from plivo_record_async.protocol.callbacks.parsing import decode_form, verify_fields
from plivo_record_async.protocol.callbacks.url_tokens import find_start_id, issue_url, names_start
from plivo_record_async.protocol.callbacks.verified import VerifiedCallback
from plivo_record_async.protocol.models import CallbackEvent, UnknownCallback
from plivo_record_async.protocol.recording.contradictions import contradiction
from plivo_record_async.protocol.recording.outcomes import evidence_of_event
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.interface import Orphan
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.tracking.follower import Follower
from plivo_record_async.tracking.ledger import ContradictionError, Ledger
from plivo_record_async.tracking.receiving.body_limits import BodyLimits, TooManyError, TooSlowError
from plivo_record_async.tracking.receiving.bounded_log import BoundedLog
from plivo_record_async.tracking.receiving.callback_telemetry import (
    callback_span,
    note_event,
    note_failure,
    note_orphan,
    note_rejection,
    note_start,
)
from plivo_record_async.tracking.receiving.request_head import (
    LONGEST_BODY,
    ClientDisconnectedError,
    Receive,
    RequestBody,
    RequestHead,
    Scope,
    read_head,
)

__all__ = ["LONGEST_BODY", "Receive", "Receiver", "Scope", "Send", "run_lifespan"]

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
FollowUp = Callable[[], None]
"""A function that is called after a callback was acknowledged."""

MEBIBYTE = 1024 * 1024
BODY_SECONDS = 10.0

DRAIN_SECONDS = 0.2
"""How long the rest of a rejected body is read, so that the sender receives the response before the connection closes.
"""

MAX_DRAINING = 64
"""The most rejected bodies whose rest is read at the same time."""

log: logging.Logger = logging.getLogger("plivo_record_async")


@attrs.frozen(kw_only=True, eq=False)
class Receiver:
    """Verifies callbacks and stores their events.

    If possible, a request is rejected before its body is read. The memory for the bodies of unverified requests is
    limited, separately for requests to issued URLs and for all others.

    Attributes:
        ledger: The records.
        follower: Acts on the effects of an event after its callback was acknowledged.
        public_url: The URL at which Plivo reaches this application, without a slash at its end.
        auth_tokens: The auth tokens with which callbacks may be signed and issued URLs may be proven.
        issued: The limit for the bodies of requests to issued URLs.
        others: The limit for the bodies of all other requests.
    """

    ledger: Ledger
    follower: Follower
    public_url: str
    auth_tokens: Sequence[str] = attrs.field(repr=False)
    issued: BodyLimits = attrs.field(factory=lambda: BodyLimits(max_bytes=16 * MEBIBYTE, seconds=BODY_SECONDS))
    others: BodyLimits = attrs.field(factory=lambda: BodyLimits(max_bytes=4 * MEBIBYTE, seconds=BODY_SECONDS))
    _draining: set[RequestBody] = attrs.field(factory=set[RequestBody], init=False)
    _rejection_log: BoundedLog = attrs.field(factory=lambda: BoundedLog("callbacks were rejected"), init=False)
    _orphan_log: BoundedLog = attrs.field(factory=lambda: BoundedLog("callbacks were kept as orphans"), init=False)
    _failure_log: BoundedLog = attrs.field(
        factory=lambda: BoundedLog("callbacks could not be stored", longest=500), init=False
    )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request.

        Args:
            scope: The ASGI scope of the request.
            receive: The ASGI receive function.
            send: The ASGI send function.
        """
        request_body = RequestBody(scope, receive)
        with callback_span():
            try:
                status, follow_up = await self._process(scope, request_body)
            except ClientDisconnectedError as error:
                note_rejection(error)
                return
            try:
                await _answer(send, status, closes=request_body.may_close and not request_body.is_over)
            finally:
                if follow_up is not None:
                    follow_up()

    async def _process(self, scope: Scope, request_body: RequestBody) -> tuple[HTTPStatus, FollowUp | None]:
        try:
            return HTTPStatus.OK, await self._receive(read_head(scope, self.auth_tokens), request_body)
        except CallbackRejectedError as error:
            if not isinstance(error, TooManyError | TooSlowError):  # the rest of such a body would arrive too late
                await self._drain(request_body)
            note_rejection(error)
            self._rejection_log.write(f"a callback was rejected with {error.status:d}: {error}")
            return HTTPStatus(error.status), None
        except (StoreError, ClosedError, ConfigurationError) as error:
            text = "a callback could not be stored and was answered with 503, so that Plivo delivers it again"
            note_failure(error)
            self._failure_log.write(f"{text}: {error}", level=logging.ERROR)
            return HTTPStatus.SERVICE_UNAVAILABLE, None

    async def _receive(self, head: RequestHead, request_body: RequestBody) -> FollowUp | None:
        limits = self.others if head.start_id is None else self.issued
        async with limits.body(request_body, head.start_id) as body:
            record = None if head.start_id is None else await self.ledger.store.get(head.start_id)
            if record is not None:
                note_start(record)
            callback = self._verified(head, record, body)
        event = read_event(callback, conference_name=None if record is None else record.conference_name)
        return await self._store(head, record, callback, event)

    def _verified(self, head: RequestHead, record: FollowedRecording | None, body: bytes) -> VerifiedCallback:
        """Verify a callback against the URL that was passed to Plivo. A proxy may have changed the received URL."""
        form = decode_form(body)
        for url in self._expected_urls(head, record):
            with suppress(SignatureMismatchError):
                return verify_fields(
                    "POST",
                    url,
                    head.signature_headers,
                    form,
                    auth_tokens=self.auth_tokens,
                    url_is_pinned=head.start_id is not None,
                )
        raise SignatureMismatchError(
            "none of its signatures matches the URL that was passed to Plivo and the fields that were received; either "
            "Plivo did not send it, or auth_tokens does not contain the account's auth token"
        )

    def _expected_urls(self, head: RequestHead, record: FollowedRecording | None) -> Iterator[str]:
        """Yield the URLs for which Plivo may have signed the callback."""
        if head.start_id is None:
            url = f"{self.public_url}/{head.path}"
            yield f"{url}?{head.query}" if head.query else url
            return
        if record is not None:
            request = record.request
            issued = request.callback_url if head.path == "recording" else request.transcription_url
            if issued is not None:
                yield issued.partition("#")[0]
                return
        for auth_token in self.auth_tokens:
            yield issue_url(self.public_url, head.path, head.start_id, auth_token)

    # Storing verified callbacks

    async def _store(
        self, head: RequestHead, record: FollowedRecording | None, callback: VerifiedCallback, event: CallbackEvent
    ) -> FollowUp | None:
        """Store the event of a callback with its recording or, if it cannot be applied to a recording, as an orphan."""
        start_id, reason = head.start_id, event.reason if isinstance(event, UnknownCallback) else ""
        if start_id is None:
            start_id = find_start_id(head.path, callback.signed_text, self.auth_tokens)
            reason = "; ".join(filter(None, (_why_no_start(head.query), reason)))
        elif record is None:
            reason = self._why_not_stored()
        elif not isinstance(event, UnknownCallback):
            latest = record

            def contradiction_of(record: FollowedRecording) -> str | None:
                nonlocal latest
                latest = record
                return contradiction(record, event)

            try:
                changed = await self.ledger.apply(record, evidence_of_event(event), contradiction=contradiction_of)
            except ContradictionError as error:
                reason = str(error)
            except UnknownStartError:
                reason = "its start was pruned or forgotten while it was received"
            else:
                note_event(latest, changed[0], event, changed[0].updated_at)
                return partial(self.follower.act, *changed)
        orphan = Orphan(
            received_at=self.ledger.now(), event=event, reason=reason, digest=callback.digest, start_id=start_id
        )
        return await self._keep_orphan(orphan, names_start=names_start(head.query))

    async def _keep_orphan(self, orphan: Orphan, *, names_start: bool) -> FollowUp | None:
        """Store an orphan.

        Args:
            orphan: The orphan.
            names_start: Whether the URL of the callback names a start, with or without a valid proof.

        Returns:
            A function that reconciles the recordings to which the orphan may belong. If None, the orphan was not
            stored.
        """
        store = self.ledger.store
        is_new = await store.keep_orphan(orphan)
        note_orphan(orphan, is_new=is_new)
        if not is_new:
            return None  # it is stored already, or its start was forgotten
        records = [await store.find(kind, value) for kind, value in named_ids(orphan.event.raw).items()]
        if orphan.start_id is not None:
            records.append(await store.get(orphan.start_id))
        start_ids = {record.start_id for record in records if record is not None}
        is_suspect = names_start or start_ids or orphan.start_id or isinstance(orphan.event, UnknownCallback)
        self._log_orphan(orphan, is_suspect=bool(is_suspect))
        return partial(self._request_reconciliation, start_ids)

    def _log_orphan(self, orphan: Orphan, *, is_suspect: bool) -> None:
        """Log an orphan: as a warning, unless it merely reports a recording that another program has started."""
        start = "" if orphan.start_id is None else f"start {orphan.start_id:.40}: "
        text = f"{start}a callback was kept as an orphan: {_without_values(orphan.reason)}"
        if is_suspect:
            self._orphan_log.write(text)
        else:
            log.info(text)

    def _request_reconciliation(self, start_ids: set[str]) -> None:
        for start_id in start_ids:
            self.follower.request_reconciliation(start_id)

    def _why_not_stored(self) -> str:
        """Return why the store may not have the start that an issued URL names."""
        if isinstance(self.ledger.store, MemoryStore):
            return (
                "its start is not in this MemoryStore; if another process or an earlier run made the start, share an "
                "SQLiteStore"
            )
        return "its start is not in this store; it was pruned, or another store has it"

    async def _drain(self, request_body: RequestBody) -> None:
        """Read the rest of a rejected body, if it arrives at once."""
        if request_body.is_over or len(self._draining) >= MAX_DRAINING:
            return
        self._draining.add(request_body)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await request_body.discard()
        finally:
            self._draining.discard(request_body)


async def run_lifespan(receive: Receive, send: Send, running: AbstractAsyncContextManager[Any]) -> None:
    """Serve the lifespan of an application that is not mounted in another one.

    Args:
        receive: The ASGI receive function.
        send: The ASGI send function.
        running: The context manager to enter at startup and to leave at shutdown.
    """
    phase = "startup"
    try:
        await receive()
        async with running:
            await send({"type": "lifespan.startup.complete"})
            phase = "shutdown"
            await receive()
    except Exception as error:
        await send({"type": f"lifespan.{phase}.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.shutdown.complete"})


def _why_no_start(query: str) -> str:
    """Return why the URL of a callback belongs to no start."""
    if not names_start(query):
        return "its URL names no start"
    return (
        "its URL names a start, but the proof in it was made with none of auth_tokens; "
        "keep a replaced auth token among them for as long as callbacks may arrive"
    )


def _without_values(reason: str) -> str:
    """Return a reason up to its first quotation, which may be a URL or a text that an outsider has chosen."""
    return re.split("[\"']", reason, maxsplit=1)[0].rstrip(" :,(") or "its fields may have been split differently"


async def _answer(send: Send, status: HTTPStatus, *, closes: bool) -> None:
    headers, body = _response_of(status, closes=closes)
    await send({"type": "http.response.start", "status": int(status), "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


@cache
def _response_of(status: HTTPStatus, *, closes: bool) -> tuple[Sequence[tuple[bytes, bytes]], bytes]:
    body = f"{status.phrase}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"POST"))
    if closes:
        headers.append((b"connection", b"close"))
    return headers, body
