from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from plivo_record_async import RecordClient
from plivo_record_async.cli.batch.sending import ApiCalls, check_not_transcribed
from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.emulator import Emulator
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.models import StartRequest


async def test_each_item_is_one_call(plivo: Emulator) -> None:
    async def items() -> AsyncGenerator[Item[StartRequest], None]:
        for number, name in enumerate("ab", 1):
            yield Item(number=number, request=StartRequest(name))

    async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
        calls = ApiCalls(client=client, endpoint=endpoints.start_recording, concurrency=2)
        outcomes = [outcome async for outcome in calls.outcomes(items())]
        calls.end_following()
    assert sorted((outcome.request.number, outcome.ok) for outcome in outcomes) == [(1, True), (2, True)]
    assert (plivo.executions("a"), plivo.executions("b"), calls.following) == (1, 1, 0)


def test_transcript_is_not_requested_without_following() -> None:
    items = [Item(number=3, request=StartRequest("a"), transcribe=False)]
    check_not_transcribed(items)
    with pytest.raises(InputError, match="line 4 requests a transcript"):
        check_not_transcribed([*items, Item(number=4, request=StartRequest("a"), transcribe=True)])
