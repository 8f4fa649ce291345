"""The calls of a batch that does not follow its recordings: each item is one call of the API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from plivo_record_async.cli.batch.running import Calls
from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.cli.output.outcomes import Result
from plivo_record_async.client import RecordClient
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.models import StartRequest, StopRequest
from plivo_record_async.transport.batch import run_many

__all__ = ["api_calls", "check_not_transcribed"]

RequestT = TypeVar("RequestT", StartRequest, StopRequest)


def check_not_transcribed(items: Sequence[Item[Any]]) -> None:
    """Refuse items that request a transcript from a batch that does not follow its recordings.

    Args:
        items: The items.

    Raises:
        InputError: An item requests a transcript.
    """
    numbers = [str(item.number) for item in items if item.transcribe]
    if numbers:
        raise InputError(
            f"line {numbers[0]} requests a transcript with transcribe, which a batch can do only if it follows its "
            "recordings. Use transcription_url instead. Nothing was sent"
        )


@asynccontextmanager
async def api_calls(
    client: RecordClient,
    endpoint: Callable[[RequestT], Request[Any]],
    *,
    concurrency: int,
    timeout: float | None,
) -> AsyncGenerator[Calls]:
    """Make one call for each item.

    Args:
        client: The client that makes the calls.
        endpoint: The endpoint of the calls.
        concurrency: The maximum number of calls at the same time.
        timeout: The time limit of each call, in seconds. If None, the client's own timeout.

    Yields:
        A function that makes the calls for items and yields their outcomes.
    """

    async def call(item: Item[Any]) -> Result:
        result: Result = await client.call(endpoint(item.request), timeout=timeout)
        return result

    yield lambda items: run_many(items, call, concurrency=concurrency)
