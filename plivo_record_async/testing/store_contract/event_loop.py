"""Run each test of the contract in an event loop of its own, without a pytest plugin for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar

import pytest

from plivo_record_async.stores.interface import Store

__all__ = ["StoreTests", "run_in_event_loop"]

ClassT = TypeVar("ClassT", bound=type[Any])


class StoreTests:
    """The base class of the tests. Its fixture ``store`` returns the store."""

    @pytest.fixture
    def store(self) -> Store:
        """Return a new, empty store that has not been used in an event loop. Subclasses override this fixture."""
        raise NotImplementedError("override the fixture `store` so that it returns a new store")


def run_in_event_loop(cls: ClassT) -> ClassT:
    """Make each asynchronous test of a class run in a new event loop, and close its store at the end.

    Args:
        cls: The class.

    Returns:
        The same class, with synchronous tests.
    """
    for name, test in list(vars(cls).items()):
        if name.startswith("test_") and iscoroutinefunction(test):
            setattr(cls, name, _synchronous(test))
    return cls


def _synchronous(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Return a function that runs an asynchronous test in a new event loop."""

    @wraps(test)
    def run(self: StoreTests, store: Store, **arguments: Any) -> None:
        async def body() -> None:
            try:
                await test(self, store, **arguments)
            finally:
                await store.aclose()

        asyncio.run(body())

    return run
