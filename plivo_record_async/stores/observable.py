"""`ObservableStore`, the base class of this package's stores: ``async with``, and the observer."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from plivo_record_async.stores.interface import StoreChange, StoreObserver

__all__ = ["ObservableStore"]

log: logging.Logger = logging.getLogger("plivo_record_async")


class ObservableStore(ABC):
    """A store that supports ``async with`` and reports its changes to an observer.

    Args:
        observer: A function that is called after each change. If None, no function is called.
    """

    def __init__(self, observer: StoreObserver | None) -> None:
        self._observer = observer

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @abstractmethod
    async def open(self) -> None:
        """Accept calls again after `aclose`."""

    @abstractmethod
    async def aclose(self) -> None:
        """Release all resources."""

    @abstractmethod
    async def first_dedupe_key(self, prefix: str) -> str | None:
        """Return the smallest dedupe key that begins with a prefix in ASCII, or None if there is no such key."""

    def _report(self, change: StoreChange | None) -> None:
        """Call the observer with a change. If the observer raises an exception, log the exception.

        Args:
            change: The change. If None, the observer is not called.
        """
        if self._observer is None or change is None:
            return
        try:
            self._observer(change)
        except Exception:
            log.exception(
                "%r: the observer failed on %s; the change is stored all the same", self, type(change).__name__
            )
