"""The parts of an emulator, connected with each other and served."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, ParamSpec

import attrs

from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.quota import Quota
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.app import EmulatorApp
from plivo_record_async.emulator.clock import clock_of
from plivo_record_async.emulator.control.control import Control
from plivo_record_async.emulator.deliveries.deliverer import Deliverer
from plivo_record_async.emulator.faults.faults import Faults
from plivo_record_async.emulator.history.history import History
from plivo_record_async.emulator.options import EmulatorOptions
from plivo_record_async.serving import open_listener, serving, url_of

__all__ = ["RunningEmulator", "run_emulator"]

P = ParamSpec("P")

_SERVER_SETTINGS: dict[str, Any] = {
    "http": "h11",
    "proxy_headers": False,
    "timeout_keep_alive": 75,
    "timeout_graceful_shutdown": 1,
}


@attrs.frozen(kw_only=True, eq=False)
class RunningEmulator:
    """An emulator that is served.

    Attributes:
        control: Everything that can be done with it.
        deliverer: What delivers its callbacks.
        loop: The event loop that it runs in.
    """

    control: Control
    deliverer: Deliverer
    loop: asyncio.AbstractEventLoop

    async def run(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call a function in the emulator's event loop, and wait in the event loop of the caller until it is over.

        Args:
            function: The function, which may be a coroutine function.
            *args: Its arguments.
            **kwargs: Its keyword arguments.
        """

        async def call() -> None:
            result = function(*args, **kwargs)
            if isinstance(result, Awaitable):
                await result

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self.loop))


@contextlib.asynccontextmanager
async def run_emulator(options: EmulatorOptions) -> AsyncGenerator[RunningEmulator]:
    """Serve an emulator inside this block.

    Args:
        options: Its options.

    Raises:
        ConfigurationError: The address cannot be listened on.
    """
    with open_listener(options.host, options.port) as listener:
        deliverer, app = _connect(options, url_of(listener))
        async with contextlib.aclosing(deliverer), serving(app, listener, **_SERVER_SETTINGS):
            try:
                yield RunningEmulator(control=app.control, deliverer=deliverer, loop=asyncio.get_running_loop())
            finally:
                await app.close()


def _connect(options: EmulatorOptions, listening_on: str) -> tuple[Deliverer, EmulatorApp]:
    """Return the parts of an emulator."""
    url = listening_on.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    history = History(options.keep)
    quota = None if options.quota is None else Quota(options.quota.limit, options.quota.per)
    dialect = options.dialect or Dialect()
    world = World(auth_id=options.auth_id, url=url, strict=options.strict, dialect=dialect, quota=quota)
    faults = Faults(seed=options.seed, publish=history.note_fault)
    clock = clock_of(options.clock)
    deliverer = Deliverer(
        auth_token=options.auth_token, history=history, dialect_of=world.dialect_of, faults=faults, clock=clock
    )
    control = Control(world=world, history=history, deliveries=deliverer, faults=faults, clock=clock)
    return deliverer, EmulatorApp(control=control, auth_token=options.auth_token, host=options.host)
