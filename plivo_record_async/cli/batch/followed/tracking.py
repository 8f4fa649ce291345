"""The options of a batch that follows its recordings, and the tracker that it uses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from plivo_record_async.cli.batch.followed.calls import FollowedCalls
from plivo_record_async.cli.batch.followed.downloads import FileDownloads
from plivo_record_async.cli.batch.followed.journal import begin_batch
from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.items import Items
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.cli.input.store import open_store, usable_store
from plivo_record_async.client import RecordClient
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.protocol.recording.record import Stage
from plivo_record_async.protocol.tracking_policy import TrackingPolicy
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.tracker import RecordingTracker

__all__ = ["Address", "Following", "check_followable", "listening_address"]

Address = tuple[str, int]
"""A host and a port."""

DEFAULT_ADDRESS: Address = ("127.0.0.1", 8766)

_TRACKING = TrackingPolicy(list_interval=timedelta(seconds=10))
"""How recordings are followed. The end of a recording is noticed sooner than by default, because the user waits."""

_ISSUED = ("transcription_url", "transcription_method", "callback_url", "callback_method")


@attrs.frozen(kw_only=True)
class Following:
    """The options of a batch that follows its recordings.

    Attributes:
        store: The value of ``--store``. If None, the recordings are kept in memory.
        batch: The name of the batch in the store. It is None if there is no store.
        resume: Whether the batch is resumed.
        stage: The stage to wait for.
        directory: The directory for the files. If None, nothing is downloaded.
        public_url: The URL at which Plivo reaches this command. If None, Plivo is asked about the recordings.
        address: The address on which callbacks are received. If None, none are received.
        concurrency: The maximum number of starts at the same time.
        timeout: The time limit of each start, in seconds. If None, the client's own timeout.
    """

    store: str | None
    batch: str | None
    resume: bool
    stage: Stage
    directory: Path | None
    public_url: str | None
    address: Address | None
    concurrency: int
    timeout: float | None

    @asynccontextmanager
    async def open(
        self, client: RecordClient, content: bytes, items: Items[StartRequest]
    ) -> AsyncGenerator[FollowedCalls]:
        """Open the store, the tracker and the listener.

        Args:
            client: The client that makes the calls. It must be entered.
            content: The content of the input.
            items: The items of the input.

        Yields:
            What makes the calls.

        Raises:
            ConfigurationError: An option cannot be used, or the batch cannot begin or be resumed. Nothing was sent.
        """
        downloads = None if self.directory is None else FileDownloads(client, self.directory)
        store = MemoryStore() if self.store is None else open_store(self.store)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(aclosing(store))
            key_of: Callable[[Item[Any]], str] | None = None
            if self.batch is not None:
                with usable_store():
                    key_of = await begin_batch(store, self.batch, content, items, resume=self.resume)
            tracker = RecordingTracker(client, public_url=self.public_url, store=store, tracking=_TRACKING)
            await stack.enter_async_context(tracker)
            if self.address is not None:
                with needed_extra("emulator"):
                    from plivo_record_async.serving import open_listener, serving  # noqa: PLC0415 - the extra
                listening = stack.enter_context(closing(open_listener(*self.address)))
                await stack.enter_async_context(serving(tracker, listening))
            yield FollowedCalls(
                tracker=tracker,
                store=store,
                stage=self.stage,
                downloads=downloads,
                dedupe_key=key_of,
                concurrency=self.concurrency,
                timeout=self.timeout,
            )


def check_followable(items: Items[StartRequest]) -> None:
    """Refuse items that say where Plivo sends its callbacks.

    Args:
        items: The items.

    Raises:
        InputError: An item has a URL or a method of callbacks.
    """
    for item in items.valid:
        for name in _ISSUED:
            if getattr(item.request, name) is not None:
                raise InputError(
                    f"line {item.number} has a {name}, which is not possible in a batch that follows its recordings: "
                    "it receives the callbacks itself, or asks Plivo. To request a transcript, use the field "
                    "transcribe. Nothing was sent"
                )


def listening_address(public_url: str) -> Address:
    """Return the address on which callbacks are received if ``--listen`` is not given.

    Args:
        public_url: The URL that Plivo calls.

    Returns:
        The host and the port of the URL if it is a loopback address, otherwise the default of the command ``listen``.
    """
    parts = urlsplit(public_url)
    if parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"} and parts.port:
        return parts.hostname, parts.port
    return DEFAULT_ADDRESS
