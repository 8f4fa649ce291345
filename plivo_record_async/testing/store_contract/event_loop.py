"""How the tests of the contract run: each in an event loop of its own, without a pytest plugin for asyncio."""

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
    """Tests of a store, which the fixture ``store`` returns."""

    @pytest.fixture
    def store(self) -> Store:
        """Return a new, empty store that has not been used in an event loop. Subclasses override this fixture."""
        raise NotImplementedError("override the fixture `store`, so that it returns a new store")


def run_in_event_loop(cls: ClassT) -> ClassT:
    """Let each asynchronous test of a class run in a new event loop, and close its store at the end."""
    for name, test in list(vars(cls).items()):
        if name.startswith("test_") and iscoroutinefunction(test):
            setattr(cls, name, _synchronous(test))
    return cls


def _synchronous(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @wraps(test)
    def run(self: StoreTests, store: Store, **arguments: Any) -> None:
        async def body() -> None:
            try:
                await test(self, store, **arguments)
            finally:
                await store.aclose()

        asyncio.run(body())

    return run
