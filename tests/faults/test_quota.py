"""The account's quota, as the server sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import pairwise

from plivo_record_async import NotSentError, RateLimit, RecordingStarted
from tests.support.clients.calls import MakeClient, result_or_error
from tests.support.clients.routes import on_every_route
from tests.support.servers import faults
from tests.support.servers.fault_server import Fault, FaultServer, ServerRequest

LIMIT, PER = 100, 0.5
"""Plivo's 300 in 5 seconds, made smaller and quicker."""


def shortest_span(times: list[float], count: int) -> float:
    """The least time in which ``count`` of these times lie."""
    return min(last - first for first, last in zip(times, times[count - 1 :], strict=False))


@on_every_route
async def test_no_window_exceeds_the_quota(server: FaultServer, make_client: MakeClient) -> None:
    client = make_client(rate_limit=RateLimit(LIMIT, per=PER))
    names = [f"room {number}" for number in range(4 * LIMIT)]
    outcomes = [outcome async for outcome in client.start_many(names, concurrency=64, timeout=60)]
    assert all(outcome.ok for outcome in outcomes)
    arrivals = [arrival.at for arrival in server.arrivals]
    assert len(arrivals) == len(names)
    assert shortest_span(arrivals, LIMIT + 1) > PER


@on_every_route
async def test_failed_requests_count_against_the_quota(server: FaultServer, make_client: MakeClient) -> None:
    """What is sent again needs a place in the window again."""
    client = make_client(rate_limit=RateLimit(LIMIT, per=PER), max_retries=3)
    for number in range(3 * LIMIT):
        server.plan(
            f"room {number}",
            *[faults.answers_429(0), faults.resets_unread, faults.answers_error(503), faults.succeeds][number % 4 :],
        )
    names = [f"room {number}" for number in range(3 * LIMIT)]
    outcomes = [outcome async for outcome in client.stop_many(names, concurrency=64, timeout=60)]
    assert len(outcomes) == len(names)
    arrivals = [arrival.at for arrival in server.arrivals]
    assert len(arrivals) > len(names)
    assert shortest_span(arrivals, LIMIT + 1) > PER


def shared(limit: int, per: float) -> Fault:
    """The server's own count: somebody else has used the rest of the account's quota."""
    taken: deque[float] = deque()

    async def count(exchange: ServerRequest) -> None:
        while taken and taken[0] <= exchange.arrival.at - per:
            taken.popleft()
        if len(taken) < limit:
            taken.append(exchange.arrival.at)
            await faults.succeeds(exchange)
        else:
            await faults.answers_429(per)(exchange)

    return count


@on_every_route
async def test_quota_shared_with_other_clients_is_respected_after_429(
    server: FaultServer, make_client: MakeClient
) -> None:
    """A 429 holds all calls back; in the end each one has been executed, once."""
    server.default_fault = shared(60, PER)
    client = make_client(rate_limit=RateLimit(LIMIT, per=PER), max_connections=8, max_retries=50)
    names = [f"room {number}" for number in range(3 * LIMIT)]
    outcomes = [outcome async for outcome in client.start_many(names, concurrency=64, timeout=60)]
    assert all(isinstance(outcome.result, RecordingStarted) for outcome in outcomes)

    executed = [arrival.at for arrival in server.arrivals if arrival.executed]
    refused = [arrival.at for arrival in server.arrivals if not arrival.executed]
    assert sorted(arrival.name for arrival in server.arrivals if arrival.executed) == sorted(names)
    assert refused
    assert shortest_span([arrival.at for arrival in server.arrivals], LIMIT + 1) > PER
    assert shortest_span(executed, 60 + 1) > PER
    # Only what was under way when a 429 came is refused after it; the next to arrive has waited.
    bursts = sum(later - earlier >= PER / 2 for earlier, later in pairwise(refused)) + 1
    assert len(refused) <= bursts * 2 * 8


@on_every_route
async def test_call_that_waits_too_long_for_the_quota_is_not_sent(server: FaultServer, make_client: MakeClient) -> None:
    client = make_client(rate_limit=RateLimit(50, per=60.0))
    used_up = await asyncio.gather(*(client.start_recording(f"room {n}") for n in range(50)))
    assert all(isinstance(each, RecordingStarted) for each in used_up)
    waited = (result_or_error(client.start_recording(f"room {n}", timeout=0.5)) for n in range(50, 300))
    not_sent = [end for end in await asyncio.gather(*waited) if isinstance(end, NotSentError)]
    assert len(not_sent) == 250
    assert {end.phase for end in not_sent} <= {"queue", "quota"}
    assert {arrival.name for arrival in server.arrivals} == {f"room {number}" for number in range(50)}
    assert len(server.arrivals) == 50
