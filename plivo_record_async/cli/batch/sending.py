"""The calls of a batch that does not follow its recordings: each item is one call of the API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final

import attrs

from plivo_record_async.cli.batch.running import CallItems
from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.cli.output.outcomes import Result
from plivo_record_async.client import RecordClient
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.models import Outcome
from plivo_record_async.transport.batch import run_many

__all__ = ["ApiCalls", "check_not_transcribed"]


@attrs.frozen(kw_only=True)
class ApiCalls:
    """Makes one call of the API for each item.

    Attributes:
        client: The client that makes the calls.
        endpoint: The endpoint of the calls.
        concurrency: The maximum number of calls at the same time.
        timeout: The time limit of each call, in seconds. If None, the client's own timeout.
        following: The number of recordings that are being followed, which is 0.
    """

    client: RecordClient
    endpoint: Callable[[Any], Request[Any]]
    concurrency: int
    timeout: float | None = None
    following: Final[int] = 0

    def outcomes(self, items: CallItems) -> AsyncGenerator[Outcome[Item[Any], Result], None]:
        """Make the calls, and yield each outcome as soon as its call ends.

        Args:
            items: The items.
        """
        return run_many(items, self._call, concurrency=self.concurrency)

    def end_following(self) -> None:
        """Do nothing, because no recording is followed."""

    async def _call(self, item: Item[Any]) -> Result:
        result: Result = await self.client.call(self.endpoint(item.request), timeout=self.timeout)
        return result


def check_not_transcribed(items: Sequence[Item[Any]]) -> None:
    """Refuse items that request a transcript from a batch that does not follow its recordings.

    Args:
        items: The items.

    Raises:
        InputError: An item requests a transcript.
    """
    for item in items:
        if item.transcribe:
            raise InputError(
                f"line {item.number} requests a transcript with the field transcribe, so the batch must follow its "
                "recordings: use --store, or --wait recorded. Nothing was sent"
            )
