"""A Plivo for the tests of the tracker: an httpx transport that answers as the test says, without a network."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import httpx

from plivo_record_async import RecordClient, _clock
from tests.support.samples.recordings import NOW, SECOND

__all__ = ["AUTH_ID", "TOKEN", "Answer", "ScriptedPlivo", "accepted_response", "gated_transport", "listed"]

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
TOKEN = "the-account's-auth-token-of-forty-letters"

Answer = httpx.Response | Exception | Callable[[httpx.Request], Awaitable[httpx.Response]]


def accepted_response(api_id: str | None = None) -> httpx.Response:
    """Return the answer of Plivo to a start in asynchronous mode."""
    return httpx.Response(202, json={"api_id": api_id or str(uuid4()), "message": "async api spawned"})


class ScriptedPlivo:
    """An httpx handler that answers starts as the test says, and lookups from its rows.

    Attributes:
        answers: The answers to the next starts, one each; further starts are accepted.
        requests: The requests in the order in which they arrived.
        rows: The recordings that lists contain.
        ahead: How far its clock is ahead of the local one. If None, its answers have no date.
        live: Whether conferences are live.
        broken: Whether every lookup is answered with 500.
        deletion: The answer to a deletion, and to any request that it does not know.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = deque(answers)
        self.requests: list[httpx.Request] = []
        self.rows: list[dict[str, Any]] = []
        self.ahead: timedelta | None = None
        self.live = True
        self.broken = False
        self.deletion = httpx.Response(204)

    @property
    def deleted(self) -> list[str]:
        """The paths of the deletions, below that of the account."""
        return [request.url.path.split("/", 4)[4] for request in self.requests if request.method == "DELETE"]

    @property
    def starts(self) -> list[dict[str, Any]]:
        """The arguments of each start that was sent."""
        return [json.loads(request.content) for request in self.requests if request.method == "POST"]

    @property
    def queries(self) -> list[str]:
        """The paths of the GET requests, below that of the account."""
        return [request.url.path.split("/", 4)[4] for request in self.requests if request.method == "GET"]

    def client(self, **options: Any) -> RecordClient:
        """Return a client that sends to this Plivo."""
        given: dict[str, Any] = {
            "rate_limit": None,
            "max_retries": 0,
            "transport": httpx.MockTransport(self),
            **options,
        }
        return RecordClient(AUTH_ID, TOKEN, base_url="https://api.example", **given)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = await self._respond(request)
        if self.ahead is not None:
            response.headers["Date"] = format_datetime(_clock.now() + self.ahead, usegmt=True)
        return response

    async def _respond(self, request: httpx.Request) -> httpx.Response:
        match request.method, request.url.path.split("/")[4:]:
            case "GET", _ if self.broken:
                return httpx.Response(500, json={"error": "broken"})
            case "GET", ["Recording", *ids]:
                return self._recordings(request.url.params, *filter(None, ids))
            case "GET", ["Conference", name, ""] if self.live:
                return httpx.Response(200, json={"api_id": "a", "conference_name": name})
            case "GET", _:
                return httpx.Response(404, json={"api_id": "a", "error": "not found"})
            case "POST", _:
                return await self._answer(request)
            case _:
                return self.deletion

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers.popleft() if self.answers else accepted_response()
        if isinstance(answer, httpx.Response):
            return answer
        if isinstance(answer, Exception):
            raise answer
        return await answer(request)

    def _recordings(self, asked: Mapping[str, str], *ids: str) -> httpx.Response:
        for row in self.rows:
            if row["recording_id"] in ids:
                return httpx.Response(200, json=row | {"api_id": "a"})
        if ids:
            return httpx.Response(404, json={"api_id": "a", "error": "not found"})
        rows = [
            row for row in self.rows if row["conference_name"] == asked.get("conference_name", row["conference_name"])
        ]
        start = int(asked["offset"])
        page = rows[start : start + int(asked["limit"])]
        return httpx.Response(200, json={"api_id": "a", "meta": {"total_count": len(rows)}, "objects": page})


def listed(
    recording_id: str | None, conference_name: str = "standup", at: datetime = NOW, **more: Any
) -> dict[str, Any]:
    """Return a row of the list: a recording of 61 seconds that began at a time."""
    return {
        "recording_id": recording_id,
        "conference_name": conference_name,
        "recording_url": f"https://f/{recording_id}.mp3",
        "recording_duration_ms": "61000.00000",
        "recording_start_ms": f"{at.timestamp() * 1000:.5f}",
        "recording_end_ms": f"{(at + 61 * SECOND).timestamp() * 1000:.5f}",
        "add_time": f"{at + 62 * SECOND}",
        **more,
    }


def gated_transport(plivo: ScriptedPlivo, go: asyncio.Event) -> tuple[list[int], httpx.MockTransport]:
    """A transport that answers no request before ``go`` is set; and the number of requests that wait."""
    waiting = [0]

    async def answer(request: httpx.Request) -> httpx.Response:
        waiting[0] += 1
        await go.wait()
        return await plivo(request)

    return waiting, httpx.MockTransport(answer)
