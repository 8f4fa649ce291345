"""Serve an application under test where the emulator can reach it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import httpx

from plivo_record_async.client import RecordClient
from plivo_record_async.serving import StartupFailedError, open_listener, serving, url_of
from plivo_record_async.stores import MemoryStore
from plivo_record_async.stores.interface import Store
from plivo_record_async.tracker import RecordingTracker
from plivo_record_async.tracking.tracking_clock import TrackingClock

if TYPE_CHECKING:
    from plivo_record_async.emulator import Emulator

__all__ = ["AppServer", "StartupFailedError", "tracking_clock"]


def tracking_clock(plivo: Emulator) -> TrackingClock | None:
    """Return the clock of a tracker that follows the recordings of this emulator. If None, the time of day.

    Args:
        plivo: The local Plivo.
    """
    return plivo.clock if plivo.clock.mode == "virtual" else None


@attrs.frozen
class AppServer:
    """Serve an ASGI application that receives callbacks, inside an ``async with`` block.

    .. code-block:: python

        from plivo_record_async import RecordClient, RecordingTracker
        from plivo_record_async.testing import AppServer


        def create_app(client: RecordClient, tracker: RecordingTracker) -> RecordingTracker:
            return tracker  # or an application that has mounted it


        async def test_health(plivo_serve: AppServer) -> None:
            async with plivo_serve(create_app, path="") as user:
                response = await user.get("/health")
            assert response.status_code == 404

    Args:
        plivo: The local Plivo that the application calls, and that calls the application back.
    """

    plivo: Emulator

    @asynccontextmanager
    async def __call__(
        self,
        create_app: Callable[[RecordClient, RecordingTracker], Any],
        *,
        path: str = "/plivo",
        store: Store | None = None,
    ) -> AsyncGenerator[httpx.AsyncClient]:
        """Create the application, run its lifespan, and serve it on a free port of this machine.

        Args:
            create_app: The function that returns the application. It is called with a client of the local Plivo and a
                tracker, which the application enters in its lifespan. If the clock of the local Plivo is virtual, the
                tracker uses it too.
            path: Where the application mounts the tracker.
            store: The store of the tracker. If None, a `plivo_record_async.MemoryStore`.

        Returns:
            A client of the application; its requests take paths such as ``/rooms/standup``.

        Raises:
            StartupFailedError: The application's lifespan failed to start; the log says why.
        """
        with open_listener("127.0.0.1", 0) as listener:
            url = url_of(listener)
            client = RecordClient(self.plivo.auth_id, self.plivo.auth_token, base_url=self.plivo.url)
            tracker = RecordingTracker(
                client,
                public_url=url + path,
                store=MemoryStore() if store is None else store,
                clock=tracking_clock(self.plivo),
            )
            app = create_app(client, tracker)
            async with (
                serving(app, listener, lifespan="on"),
                httpx.AsyncClient(base_url=url, trust_env=False) as user,
            ):
                yield user
