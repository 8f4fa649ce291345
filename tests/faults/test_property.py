"""Property test: any calls, faults and cancellations in any order give each call one outcome, which is true."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from plivo_record_async import (
    ApiError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RecordingStarted,
    RecordingStopped,
    UnexpectedResponseError,
)
from tests.support.clients.calls import check_next_call, client_for, result_or_error
from tests.support.clients.routes import DIRECT, Route, on_every_route
from tests.support.servers import faults
from tests.support.servers.background_loop import BackgroundLoop
from tests.support.servers.fault_server import ConnectionFault, Fault, FaultServer, ServerRequest
from tests.support.servers.proxies import ConnectProxy

CANCELLED = "cancelled"

NOT_FOUND = faults.answers_error(404)
"""Not for stops: a 404 after a stop with an unknown outcome means that it was executed, and here it was not."""

FAULTS: list[Fault] = [
    faults.succeeds,
    faults.resets_unread,
    faults.closes_unread,
    faults.executes_and_resets,
    faults.executes_and_closes,
    faults.cuts_in_head,
    faults.cuts_in_body,
    faults.answers_duplicate_status_line,
    faults.answers_garbage,
    faults.answers_huge_header,
    faults.answers_html,
    faults.answers_204_with_declared_body,
    faults.answers_204_with_undeclared_body,
    faults.answers_twice,
    faults.answers_and_closes,
    faults.answers_400_before_the_body,
    faults.delayed(0.05),
    faults.delayed(0.05, faults.executes_and_resets),
    faults.answers_429(0.01),
    faults.answers_429(0.3),
    faults.answers_error(400),
    NOT_FOUND,
    faults.answers_error(500),
    faults.answers_error(500, executed=True),
    faults.answers_error(503),
    faults.answers_error(503, executed=True, api_id="api-of-the-error"),
]

WELCOMES: list[ConnectionFault] = [faults.resets_on_accept, faults.sends_408_on_accept]


@attrs.frozen
class Plan:
    """One call: what its requests meet, how long it may take, and when it is cancelled, if it is."""

    method: str
    faults: list[Fault]
    timeout: float
    cancelled_after: float | None


PLANS = st.builds(
    Plan,
    method=st.sampled_from(["POST", "POST", "DELETE"]),
    faults=st.lists(st.sampled_from(FAULTS), max_size=3),
    timeout=st.sampled_from([0.001, 0.02, 0.6, 0.6]),
    cancelled_after=st.sampled_from([None, None, 0.0, 0.001, 0.005, 0.03]),
)


async def stops_once(exchange: ServerRequest) -> None:
    """As Plivo's conferences: what is no longer recorded cannot be stopped."""
    server, name = exchange.server, exchange.name
    if exchange.arrival.method == "DELETE" and server.executions(name, "DELETE"):
        await faults.answers_error(404)(exchange)
    else:
        await faults.succeeds(exchange)


def machine(route: Route, server_loop: BackgroundLoop, server_tls: ssl.SSLContext) -> type[RuleBasedStateMachine]:
    """Clients and servers live in event loops of their own; rules take turns with them."""
    tls = server_tls if route.proxy == "tunnel" else None

    class Client(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.stack = ExitStack()
            self.server = self.stack.enter_context(server_loop.enter(FaultServer(tls)))
            self.proxy = self.stack.enter_context(server_loop.enter(ConnectProxy()))
            self.server.default_fault = stops_once
            self.runner = self.stack.enter_context(asyncio.Runner())
            base_url, proxy = {
                "nothing": (self.server.url, None),
                "forward": ("http://api.invalid", self.server.url),
                "tunnel": (self.server.url, self.proxy.url),
            }[route.proxy]
            self.client = client_for(self.server, base_url=base_url, max_connections=3, **route.options(proxy))
            self.ends: dict[str, tuple[Plan, object]] = {}
            self.refusing = False

        @rule(plans=st.lists(PLANS, min_size=1, max_size=8))
        def call(self, plans: list[Plan]) -> None:
            """Several calls at once: they compete for three connections."""

            async def together() -> None:
                await asyncio.gather(*(self.one(plan, f"room {len(self.ends) + n}") for n, plan in enumerate(plans)))

            self.runner.run(together())

        async def one(self, plan: Plan, name: str) -> None:
            self.server.plan(name, *(fault for fault in plan.faults if plan.method == "POST" or fault is not NOT_FOUND))
            start = self.client.start_recording if plan.method == "POST" else self.client.stop_recording
            call: asyncio.Task[Any] = asyncio.create_task(result_or_error(start(name, timeout=plan.timeout)))
            if plan.cancelled_after is not None:
                await asyncio.wait([call], timeout=plan.cancelled_after)
                call.cancel()
            try:
                end = await call
            except asyncio.CancelledError:
                end = CANCELLED
            assert name not in self.ends
            self.ends[name] = plan, end

        @rule(welcomes=st.lists(st.sampled_from(WELCOMES), min_size=1, max_size=2))
        def welcome(self, welcomes: list[ConnectionFault]) -> None:
            """The next connections end before a word was said."""
            self.server.connection_faults.extend(welcomes)

        @rule()
        def close_idle_connections(self) -> None:
            self.in_server(self.server.close_connections)

        @precondition(lambda self: not self.refusing)
        @rule()
        def refuse(self) -> None:
            self.in_server(self.server.refuse)
            self.refusing = True

        @precondition(lambda self: self.refusing)
        @rule()
        def listen(self) -> None:
            self.in_server(self.server.listen)
            self.refusing = False

        def in_server(self, verb: Callable[[], Any]) -> None:
            if tls is None:  # while the client's event loop stands still
                asyncio.run_coroutine_threadsafe(verb(), server_loop.loop).result(10)
            else:  # the end of a TLS connection has two sides
                self.runner.run(server_loop.run(verb()))

        def teardown(self) -> None:
            with self.stack:
                self.server.connection_faults.clear()
                if self.refusing:
                    self.listen()
                self.runner.run(self.finish())
            assert self.server.errors == []
            if route.proxy != "tunnel":  # the proxy closes a connection a moment later than the client
                assert self.server.most_open <= 3
            for name, (plan, end) in self.ends.items():
                check = check_start if plan.method == "POST" else check_stop
                check(end, self.server.executions(name, plan.method), f"api-{name}")

        async def finish(self) -> None:
            await server_loop.run(self.server.settle())
            await check_next_call(self.client, self.server)
            await self.client.aclose()
            assert asyncio.all_tasks() == {asyncio.current_task()}

    return Client


def check_start(end: object, executions: int, api_id: str) -> None:
    match end:
        case RecordingStarted():
            assert (executions, end.api_id) == (1, api_id)
        case UnexpectedResponseError():
            assert executions == 1
        case NotSentError() | ApiError():
            assert executions == 0
        case OutcomeUnknownError() | "cancelled":
            assert executions <= 1
        case _:
            raise AssertionError(end)


def check_stop(end: object, executions: int, _api_id: str) -> None:
    """A stop may be executed as often as it is sent; what it says is true all the same."""
    match end:
        case RecordingStopped():
            assert executions >= 1
        case NotSentError() | NotFoundError():
            assert executions == 0
        case ApiError() | OutcomeUnknownError() | UnexpectedResponseError() | "cancelled":
            pass
        case _:
            raise AssertionError(end)


@on_every_route
@pytest.mark.usefixtures("trusted_authority")
def test_every_call_has_one_outcome_that_agrees_with_the_server(
    route: Route, server_loop: BackgroundLoop, server_tls: ssl.SSLContext
) -> None:
    run_state_machine_as_test(
        machine(route, server_loop, server_tls),
        settings=settings(
            max_examples=15 if route == DIRECT else 5,
            stateful_step_count=8,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
