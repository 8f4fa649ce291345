"""`PostgresRateLimit` with a client: its arguments, sharing, event loops, and a database that is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from plivo_record_async import NotSentError, RateLimitError, RecordClient
from plivo_record_async.stores import PostgresRateLimit
from plivo_record_async.stores.postgres.schema import quoted
from tests.support.servers.postgres_server import PostgresServer

CONNINFO = "postgresql://me:s3cret@db.example/plivo"


async def accept(request: httpx.Request) -> httpx.Response:
    return httpx.Response(202, json={"api_id": "a", "message": "started"})


def client(rate_limit: PostgresRateLimit, *, auth_id: str = "MAXXXXXXXXXXXXXXXXXX", **options: Any) -> RecordClient:
    options = {"transport": httpx.MockTransport(accept), **options}
    return RecordClient(auth_id, "token", base_url="http://h", rate_limit=rate_limit, **options)


# The arguments


def test_defaults_are_plivos_quota() -> None:
    rate_limit = PostgresRateLimit(CONNINFO)
    assert (rate_limit.limit, rate_limit.per) == (300, 5.0)
    assert client(rate_limit).rate_limit is rate_limit


def test_description_contains_no_password() -> None:
    assert repr(PostgresRateLimit(CONNINFO, 10, per=1.0, account="a", schema="s")) == (
        "PostgresRateLimit('postgresql://me@db.example/plivo', 10, per=1.0, account='a', schema='s')"
    )
    assert repr(PostgresRateLimit(CONNINFO)) == (
        "PostgresRateLimit('postgresql://me@db.example/plivo', 300, per=5.0, schema='plivo_record')"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("http://h",), ValueError, "conninfo must be a postgresql:// URL"),
        ((CONNINFO, 0), ValueError, "limit must be"),
        ((CONNINFO, 1.5), TypeError, "limit must be"),
    ],
)
def test_invalid_arguments(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PostgresRateLimit(*arguments)


@pytest.mark.parametrize("named", [{"per": 0.0}, {"account": ""}, {"schema": ""}])
def test_invalid_named_arguments(named: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(named))} must"):
        PostgresRateLimit(CONNINFO, **named)


def test_clients_of_one_account_share_a_quota() -> None:
    rate_limit = PostgresRateLimit(CONNINFO)
    assert rate_limit.quota_of("MA1") is rate_limit.quota_of("MA1")
    assert rate_limit.quota_of("MA1") is not rate_limit.quota_of("MA2")


def test_account_that_is_named_replaces_the_auth_id() -> None:
    rate_limit = PostgresRateLimit(CONNINFO, account="all")
    assert rate_limit.quota_of("MA1") is rate_limit.quota_of("MA2")


# With a server


async def seconds_for(calls: RecordClient, count: int) -> float:
    before = time.monotonic()
    await asyncio.gather(*(calls.start_recording("standup") for _ in range(count)))
    return time.monotonic() - before


async def test_two_objects_share_one_quota(postgres: PostgresServer, schema: str) -> None:
    def rate_limit() -> PostgresRateLimit:
        return PostgresRateLimit(postgres.url(), 4, per=1.0, schema=schema)

    async with client(rate_limit()) as one, client(rate_limit()) as two:
        seconds = await asyncio.gather(seconds_for(one, 4), seconds_for(two, 4))
    assert max(seconds) > 1.0


async def test_clients_of_one_object_share_one_connection(postgres: PostgresServer, schema: str, admin: Any) -> None:
    rate_limit = PostgresRateLimit(postgres.url(), 4, per=60.0, schema=schema)
    async with client(rate_limit) as one, client(rate_limit) as two:
        await seconds_for(one, 2)
        await seconds_for(two, 2)
        with pytest.raises(NotSentError, match=r"while waiting for the account's quota\. Nothing"):
            await one.start_recording("standup", timeout=0.3)
        rows = admin.execute(f"SELECT account FROM {quoted(schema)}.quota_holder".encode()).fetchall()
        assert rows == [("MAXXXXXXXXXXXXXXXXXX",)]


def test_one_event_loop_after_another(postgres: PostgresServer, schema: str) -> None:
    rate_limit = PostgresRateLimit(postgres.url(), 4, per=0.1, schema=schema)
    calls = client(rate_limit)

    async def main() -> None:
        async with calls:
            await calls.start_recording("standup")

    async def main_without_closing() -> None:
        await calls.start_recording("standup")

    asyncio.run(main_without_closing())
    asyncio.run(main_without_closing())
    asyncio.run(main())
    asyncio.run(main())


async def test_429_of_one_process_pauses_the_others(postgres: PostgresServer, schema: str) -> None:
    async def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "2"})

    def rate_limit() -> PostgresRateLimit:
        return PostgresRateLimit(postgres.url(), 100, per=1.0, schema=schema)

    refused = client(rate_limit(), transport=httpx.MockTransport(refuse), max_retries=0)
    async with refused, client(rate_limit()) as other:
        await other.start_recording("standup")
        with pytest.raises(RateLimitError):
            await refused.start_recording("standup")
        end_of_pause = time.monotonic() + 2.0
        while await seconds_for(other, 1) < 0.4:  # the other process learns of the pause within a second and a half
            assert time.monotonic() < end_of_pause


@pytest.fixture
def stoppable(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The server, which runs again after the test."""
    yield postgres
    if not postgres.is_running:
        postgres.start()


async def test_calls_wait_while_the_database_is_gone_and_succeed_when_it_is_back(
    stoppable: PostgresServer, schema: str
) -> None:
    async with client(PostgresRateLimit(stoppable.url(), 100, per=0.5, schema=schema)) as calls:
        await calls.start_recording("standup")
        stoppable.stop()
        await calls.start_recording("standup")  # the lease lasts

        async def start_until_it_fails() -> None:
            while True:
                await calls.start_recording("standup", timeout=1.0)

        with pytest.raises(NotSentError) as caught:
            await start_until_it_fails()
        assert caught.value.phase == "quota"
        assert caught.value.reason.startswith(
            "the deadline passed while waiting for the account's quota (postgresql://postgres@"
        )
        waiting = asyncio.create_task(calls.start_recording("standup", timeout=30.0))
        await asyncio.to_thread(stoppable.start)
        await waiting
