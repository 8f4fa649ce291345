"""The pytest plugin that comes with the package: fixtures and the marker ``plivo``.

.. code-block:: python

    import pytest
    from plivo_record_async import RecordingTracker
    from plivo_record_async.emulator import Emulator

    @pytest.mark.plivo(strict=True)
    async def test_standup(plivo_emulator: Emulator, plivo_tracker: RecordingTracker) -> None:
        await plivo_emulator.open_conference("standup")
        recording = await plivo_tracker.start("standup", transcribe=True)
        await plivo_emulator.end_conference("standup")
        assert (await recording.transcribed(timeout=5)).transcription
        assert plivo_emulator.executions("standup") == 1

pytest imports this module in every project that has the package installed, so everything else is imported by the
fixtures that need it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from plivo_record_async import RecordClient, RecordingTracker
    from plivo_record_async.emulator import Emulator
    from plivo_record_async.testing.app import AppServer
    from plivo_record_async.testing.callbacks import CallbackFactory

__all__ = ["plivo_callback", "plivo_client", "plivo_emulator", "plivo_serve", "plivo_tracker"]


def _async_fixture(function: Callable[..., AsyncIterator[Any]]) -> Any:
    """Return an async fixture for pytest-asyncio if it is installed. AnyIO's plugin takes any async fixture."""
    if importlib.util.find_spec("pytest_asyncio") is None:
        return pytest.fixture(function)
    from pytest_asyncio import fixture  # noqa: PLC0415

    return fixture(function)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "plivo(**options): start plivo_emulator with these arguments of Emulator, such as strict=True or seed=7",
    )


@pytest.fixture
def plivo_emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Start a local Plivo, new for each test, on a free port of this machine.

    The arguments of the marker ``plivo`` become the arguments of `plivo_record_async.emulator.Emulator`:
    ``@pytest.mark.plivo(strict=True, clock="virtual")``. If a class or a module has the marker too, the arguments of
    the closest one win.

    The emulator runs in an event loop and thread of its own, so it serves tests with and without an event loop,
    whatever plugin runs them. In a test without one: ``asyncio.run(plivo_emulator.end_conference("standup"))``.

    Raises:
        ConfigurationError: The extra ``emulator`` is not installed.
    """
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415

    from plivo_record_async.emulator import Emulator  # noqa: PLC0415

    options = _options(request)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Emulator(**options)) as plivo:
        yield plivo


@_async_fixture
async def plivo_client(plivo_emulator: Emulator) -> AsyncIterator[RecordClient]:
    """Return a `plivo_record_async.RecordClient` that calls `plivo_emulator`. It is closed after the test.

    The fixture is async: pytest-asyncio or AnyIO's plugin has to run the test.
    """
    from plivo_record_async import RecordClient  # noqa: PLC0415

    async with RecordClient(plivo_emulator.auth_id, plivo_emulator.auth_token, base_url=plivo_emulator.url) as client:
        yield client


@_async_fixture
async def plivo_tracker(plivo_emulator: Emulator, plivo_client: RecordClient) -> AsyncIterator[RecordingTracker]:
    """Return a `plivo_record_async.RecordingTracker` that uses `plivo_client` and receives callbacks on a free port.

    It keeps its recordings in memory. If the clock of `plivo_emulator` is virtual, the tracker uses it too, so that
    ``await plivo_emulator.advance(3600)`` moves both.

    The fixture is async: pytest-asyncio or AnyIO's plugin has to run the test.
    """
    from plivo_record_async import RecordingTracker  # noqa: PLC0415
    from plivo_record_async.serving import open_listener, serving, url_of  # noqa: PLC0415
    from plivo_record_async.testing.app import tracking_clock  # noqa: PLC0415

    with open_listener("127.0.0.1", 0) as listener:
        tracker = RecordingTracker(plivo_client, public_url=url_of(listener), clock=tracking_clock(plivo_emulator))
        async with tracker, serving(tracker, listener):
            yield tracker


@pytest.fixture
def plivo_serve(plivo_emulator: Emulator) -> AppServer:
    """Return what serves an application of yours on a free port, where `plivo_emulator` can reach it.

    See `plivo_record_async.testing.AppServer`.
    """
    from plivo_record_async.testing.app import AppServer  # noqa: PLC0415

    return AppServer(plivo_emulator)


@pytest.fixture
def plivo_callback(plivo_emulator: Emulator) -> CallbackFactory:
    """Return a factory of callbacks that are signed with the auth token of `plivo_emulator`.

    See `plivo_record_async.testing.CallbackFactory`.
    """
    from plivo_record_async.testing.callbacks import CallbackFactory  # noqa: PLC0415

    return CallbackFactory(auth_token=plivo_emulator.auth_token)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the arguments of the marker ``plivo``. The marker that is closest to the test wins.

    Raises:
        TypeError: The marker has positional arguments.
    """
    options: dict[str, Any] = {}
    for marker in reversed([*request.node.iter_markers("plivo")]):
        if marker.args:
            raise TypeError(
                f"pytest.mark.plivo takes the keyword arguments of Emulator, such as strict=True, not {marker.args!r}"
            )
        options |= marker.kwargs
    return options
