"""The pytest plugin that comes with the package: the fixture ``plivo_emulator``.

.. code-block:: python

    from plivo_record_async import RecordClient
    from plivo_record_async.emulator import Emulator

    async def test_standup(plivo_emulator: Emulator) -> None:
        client = RecordClient(plivo_emulator.auth_id, plivo_emulator.auth_token, base_url=plivo_emulator.url)
        await client.start_recording("standup")
        assert plivo_emulator.executions("standup") == 1
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plivo_record_async.emulator import Emulator

__all__ = ["plivo_emulator"]


@pytest.fixture
def plivo_emulator() -> Iterator[Emulator]:
    """A fake Plivo, new for each test, on a free port of this machine.

    It runs in an event loop and thread of its own, so it serves tests with and without an event loop, whatever
    plugin runs them. In a test without one: ``asyncio.run(plivo_emulator.end_conference("standup"))``.

    Raises:
        ConfigurationError: The extra ``emulator`` is not installed.
    """
    # Pytest imports this module in every project that has the package installed: what is not used costs nothing.
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415

    from plivo_record_async.emulator import Emulator  # noqa: PLC0415

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Emulator()) as plivo:
        yield plivo
