"""The history of one emulator: its logs and its events, which are written together."""

from __future__ import annotations

from collections.abc import Iterable

from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.account.world import Conference
from plivo_record_async.emulator.faults.fault import Fault
from plivo_record_async.emulator.history.entries import Delivery, ReceivedRequest
from plivo_record_async.emulator.history.events import EventStream
from plivo_record_async.emulator.history.log import Log

__all__ = ["DEFAULT_KEEP", "History"]

DEFAULT_KEEP = 10_000
"""How many requests, deliveries and events are kept, each."""


class History:
    """The latest requests, deliveries and events.

    Args:
        keep: How many of each are kept. If 0, nothing is.

    Attributes:
        keep: How many of each are kept.
        requests: The requests to the emulated API and for recorded files.
        deliveries: The attempts to deliver callbacks.
        events: The events.
    """

    def __init__(self, keep: int = DEFAULT_KEEP) -> None:
        self.keep = keep
        self.requests: Log[ReceivedRequest] = Log(keep)
        self.deliveries: Log[Delivery] = Log(keep)
        self.events: EventStream = EventStream(keep)

    def note_request(self, request: ReceivedRequest) -> None:
        """Add a request.

        Args:
            request: The request, with its answer.
        """
        self.requests.put(request)
        self.events.publish("request", request)

    def note_delivery(self, delivery: Delivery) -> None:
        """Add an attempt to deliver a callback, or replace it.

        Args:
            delivery: The attempt as it is now.
        """
        self.deliveries.put(delivery)
        self.events.publish("delivery", delivery)

    def note_changes(self, changed: Iterable[Conference | Recording]) -> None:
        """Publish the new state of conferences and recordings.

        Args:
            changed: The conferences and recordings as they are now.
        """
        for value in changed:
            self.events.publish("recording" if isinstance(value, Recording) else "conference", value)

    def note_fault(self, fault: Fault) -> None:
        """Publish the new state of a fault.

        Args:
            fault: The fault as it is now.
        """
        self.events.publish("fault", fault)

    def clear(self) -> None:
        """Drop all requests and deliveries, and tell all listeners to read everything again."""
        self.requests.clear()
        self.deliveries.clear()
        self.events.publish_reset("the emulator was reset")
