"""The control API: what programs of any language can do with the emulator, under ``/__emulator__/``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl

import attrs

from plivo_record_async.emulator.account.arguments import RefusedError, integer_argument
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.account.world import Conference, Result, World
from plivo_record_async.emulator.history.entries import Delivery
from plivo_record_async.emulator.history.history import History
from plivo_record_async.emulator.history.log import Log, LogEntry, page_of

__all__ = ["Control", "ControlReply", "Deliveries"]

_MOST = 999_999_999


class Deliveries(Protocol):
    """What delivers callbacks."""

    def send_soon(self, callback: Callback) -> None:
        """Begin to deliver a callback."""
        ...

    def replay(self, delivery: Delivery) -> Delivery:
        """Begin to deliver the callback of an earlier delivery again."""
        ...

    async def drop_all(self) -> None:
        """Stop delivering all callbacks."""
        ...


@attrs.frozen
class ControlReply:
    """The answer to a control request.

    Attributes:
        body: The body, as JSON values.
        status: The HTTP status.
    """

    body: Any
    status: int = 200


@attrs.frozen(kw_only=True, eq=False)
class Control:
    """Everything that can be done with an emulator, over HTTP and in Python.

    Attributes:
        world: The account.
        history: The logs and the events.
        deliveries: What delivers the callbacks.
        now: The function that returns the time.
    """

    world: World
    history: History
    deliveries: Deliveries
    now: Callable[[], datetime]

    def apply(self, result: Result) -> Mapping[str, Any]:
        """Publish what changed, begin to deliver the callbacks, and return the body of the answer."""
        self.history.note_changes(result.changed)
        for callback in result.callbacks:
            self.deliveries.send_soon(callback)
        return result.body

    def open_conference(self, name: str) -> Mapping[str, Any]:
        """Make a conference live."""
        return self.apply(self.world.open(name, now=self.now()))

    def end_conference(self, name: str) -> Mapping[str, Any]:
        """End a conference and begin to deliver the callbacks.

        Raises:
            RefusedError: 404, no conference of this name is live.
        """
        return self.apply(self.world.end(name, now=self.now()))

    def replay(self, delivery_id: int) -> Delivery:
        """Begin to deliver the callback of an earlier delivery again.

        Raises:
            RefusedError: 404, there is no such delivery in the log.
        """
        delivery = self.history.deliveries.get(delivery_id)
        if delivery is None:
            raise RefusedError(404, f"there is no delivery {delivery_id} in the log")
        return self.deliveries.replay(delivery)

    async def reset(self) -> None:
        """Forget everything that happened: conferences, recordings, faults, and the logs. Callbacks are dropped."""
        await self.deliveries.drop_all()
        self.world.clear()
        self.history.clear()

    def state(self, limit: int | None = None) -> dict[str, Any]:
        """Return the state of the emulator as JSON values.

        Args:
            limit: How many conferences, recordings and deliveries are included, the latest ones. If None, all.
        """
        conferences = page_of(self.world.conferences.values(), lambda each: each.name, limit=limit, before=None)
        recordings = page_of(self.world.recordings.values(), lambda each: each.recording_id, limit=limit, before=None)
        finished = [each for each in self.history.deliveries.entries() if each.at]
        deliveries = page_of(finished, lambda each: str(each.id), limit=limit, before=None)
        return {
            "conferences": {
                each.name: {"executed_starts": each.executed_starts, "recording": bool(each.running)}
                for each in conferences
            },
            "recordings": [each.to_dict() for each in recordings],
            "deliveries": [each.to_dict() for each in deliveries],
        }

    async def handle(self, method: str, resource: Sequence[str], query: str) -> ControlReply:
        """Execute a control request.

        Args:
            method: The HTTP method.
            resource: The segments of the path after ``__emulator__``.
            query: The query as it was sent.

        Raises:
            RefusedError: The request cannot be executed.
        """
        match ["GET" if method == "HEAD" else method, *resource]:
            case ["GET", *what]:
                return ControlReply(self._read(what, dict(parse_qsl(query, keep_blank_values=True))))
            case ["POST", "conferences", name] if name:
                return ControlReply(self.open_conference(name))
            case ["POST", "conferences", name, "end"] if name:
                return ControlReply(self.end_conference(name))
            case ["POST", "deliveries", number, "replay"]:
                return ControlReply(self.replay(_id(number)).to_dict(), 202)
            case ["POST", "reset"]:
                await self.reset()
                return ControlReply({})
            case _:
                raise RefusedError(404, "not found")

    def _read(self, what: Sequence[str], given: Mapping[str, str]) -> Any:
        limit = None
        if "limit" in given:
            limit = integer_argument(given, "limit", at_least=0, at_most=_MOST, default=0)
        match what:
            case ["state"]:
                return self.state(limit)
            case ["requests"]:
                return _page(self.history.requests, given, limit)
            case ["deliveries"]:
                return _page(self.history.deliveries, given, limit)
            case ["conferences"]:
                return _dicts(page_of(self.world.conferences.values(), _name, limit=limit, before=given.get("before")))
            case ["recordings"]:
                return _dicts(page_of(self.world.recordings.values(), _key, limit=limit, before=given.get("before")))
            case _:
                raise RefusedError(404, "not found")


def _dicts(values: Sequence[Any]) -> list[dict[str, Any]]:
    return [each.to_dict() for each in values]


def _page(log: Log[Any], given: Mapping[str, str], limit: int | None) -> list[dict[str, Any]]:
    return _dicts(page_of(log.entries(), _number, limit=limit, before=given.get("before")))


def _number(entry: LogEntry) -> str:
    return str(entry.id)


def _name(conference: Conference) -> str:
    return conference.name


def _key(recording: Recording) -> str:
    return recording.recording_id


def _id(text: str) -> int:
    return integer_argument({"id": text}, "id", at_least=1, at_most=_MOST, default=0)
