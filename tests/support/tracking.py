"""What tests of followed recordings share: a scripted Plivo, a store that fails, callbacks, short intervals."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import attrs
import httpx

from plivo_record_async import CallbackPolicy, MemoryStore, RecordClient, StoreError, _clock
from plivo_record_async.emulator.callbacks import Callback, Scheme
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.tracking_policy import TrackingPolicy
from plivo_record_async.stores.interface import FollowedRecording, Orphan, PlivoId, Store
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.receiving.receiver import Receive, Scope, Send
from plivo_record_async.tracking.reconciler import Reconciler
from plivo_record_async.tracking.scheduler import Follower
from plivo_record_async.tracking.starter import Starter
from tests.support.recordings import last_heard_of, next_version

__all__ = [
    "AUTH_ID",
    "EPOCH",
    "PUBLIC",
    "SHORT",
    "TOKEN",
    "FlakyStore",
    "Parts",
    "ScriptedPlivo",
    "accepted",
    "call_back",
    "ended",
    "others",
    "parts",
    "until",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
TOKEN = "the-account's-auth-token-of-forty-letters"
PUBLIC = "https://me.example/plivo"

SHORT = TrackingPolicy(
    poll_interval=timedelta(milliseconds=10),
    lease=timedelta(milliseconds=200),
    confirm_within=timedelta(milliseconds=100),
    initial_backoff=timedelta(milliseconds=30),
    idle_backoff=timedelta(milliseconds=30),
    max_backoff=timedelta(milliseconds=100),
    absence_grace=timedelta(milliseconds=50),
    handler_lease=timedelta(milliseconds=100),
    give_up_after=timedelta(seconds=30),
)
"""What takes minutes, in fractions of a second."""

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = httpx.Response | Exception | Callable[[httpx.Request], Awaitable[httpx.Response]]


def accepted(api_id: str | None = None) -> httpx.Response:
    """What Plivo answers to a start in asynchronous mode."""
    return httpx.Response(202, json={"api_id": api_id or str(uuid4()), "message": "async api spawned"})


class ScriptedPlivo:
    """Plivo as a function: it answers starts as it is told to, and looks with what it has.

    Attributes:
        answers: To the next starts, one each; then they are accepted.
        requests: What it was asked, in order.
        rows: The recordings that it lists.
        ahead: By how much its clock is ahead of ours; if None, its answers have no date.
        live: Whether conferences are live.
        broken: Whether every look ends in a 500.
        deletion: What it answers to a deletion, and to whatever else it does not know.
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
        """The paths of what was to be deleted, below the account's."""
        return [request.url.path.split("/", 4)[4] for request in self.requests if request.method == "DELETE"]

    @property
    def starts(self) -> list[dict[str, Any]]:
        """The arguments of each start that was sent."""
        return [json.loads(request.content) for request in self.requests if request.method == "POST"]

    @property
    def looks(self) -> list[str]:
        """The paths of what was looked at, below the account's."""
        return [request.url.path.split("/", 4)[4] for request in self.requests if request.method == "GET"]

    def client(self, **options: Any) -> RecordClient:
        """A client of its own."""
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
        answer = self.answers.popleft() if self.answers else accepted()
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
        rows = [row for row in self.rows if row["conference_name"] == asked["conference_name"]]
        start = int(asked["offset"])
        page = rows[start : start + int(asked["limit"])]
        return httpx.Response(200, json={"api_id": "a", "meta": {"total_count": len(rows)}, "objects": page})


def ended(conference_name: str = "standup", recording_id: str = "rec-1", **more: str) -> dict[str, str]:
    """The fields of the callback that a recording has ended; Plivo's have an ``api_id`` too."""
    return {
        "record_url": f"https://media.example/{recording_id}.mp3",
        "recording_id": recording_id,
        "conference_name": conference_name,
        "recording_duration": "61",
        "recording_duration_ms": "61000",
        **more,
    }


async def call_back(
    application: Application,
    url: str,
    fields: Mapping[str, str],
    *,
    method: str = "POST",
    token: str = TOKEN,
    scheme: Scheme = "V3",
) -> httpx.Response:
    """Call a URL that was given to Plivo as Plivo does, but without a network between."""
    made = Callback(kind="recording", url=url, method=method, fields=fields, api_id="api-1").signed(
        nonce=str(uuid4().int), auth_token=token, scheme=scheme
    )
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport) as plivo:
        return await plivo.request(made.method, made.url, headers=made.headers, content=made.content)


class FlakyStore(MemoryStore):
    """A store that fails, or keeps its callers waiting, where it is told to.

    Attributes:
        broken: The verbs that raise: before anything is done; ``created`` and ``replaced`` after it was done.
        held: The verbs that wait, and for what.
        calls: The verbs that were called, in order.
        start_ids: The starts that were created, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.calls: list[str] = []
        self.start_ids: list[str] = []

    def hold(self, verb: str) -> asyncio.Event:
        """Keep callers of a verb waiting until the event is set."""
        self.held[verb] = asyncio.Event()
        return self.held[verb]

    async def prune_one(self, start_id: str) -> None:
        """Prune one record, whatever is left to do for it."""
        record = await super().get(start_id)
        assert record is not None
        await super().replace(last_heard_of(next_version(record, due_at=None), EPOCH))
        assert await super().prune(EPOCH + timedelta(seconds=1)) == 1

    async def called(self, verb: str, times: int = 1) -> None:
        """Wait until a verb was called so often."""
        async with asyncio.timeout(10):
            while self.calls.count(verb) < times:
                await asyncio.sleep(0)

    async def _enter(self, verb: str) -> None:
        self.calls.append(verb)
        if verb in self.held:
            await self.held[verb].wait()
        if verb in self.broken:
            raise StoreError(f"{verb}: the disk is full")

    async def create(self, record: FollowedRecording) -> FollowedRecording:
        await self._enter("create")
        kept = await super().create(record)
        if kept is record:
            self.start_ids.append(record.start_id)
        await self._enter("created")
        return kept

    async def get(self, start_id: str) -> FollowedRecording | None:
        await self._enter("get")
        return await super().get(start_id)

    async def replace(self, record: FollowedRecording) -> bool:
        await self._enter("replace")
        replaced = await super().replace(record)
        await self._enter("replaced")
        return replaced

    async def find(self, kind: PlivoId, value: str) -> FollowedRecording | None:
        await self._enter("find")
        return await super().find(kind, value)

    async def due(self, now: datetime, *, limit: int = 100, silent: bool | None = None) -> Sequence[FollowedRecording]:
        await self._enter("due")
        return await super().due(now, limit=limit, silent=silent)

    async def keep_orphan(self, orphan: Orphan) -> bool:
        await self._enter("keep_orphan")
        return await super().keep_orphan(orphan)


async def until(store: Store, start_id: str, *states: RecordingState) -> FollowedRecording:
    """Wait until a recording is in one of the states, but not for ever."""
    async with asyncio.timeout(60):
        record = await store.get(start_id)
        while record is not None and record.state not in states:
            record = await store.watch(start_id, version=record.version)
    assert record is not None
    return record


@attrs.frozen(kw_only=True)
class Parts:
    """What a tracker is made of, around a store that fails when it is told to."""

    store: FlakyStore
    ledger: Ledger
    follower: Follower
    starter: Starter


@asynccontextmanager
async def parts(
    plivo: ScriptedPlivo, *, tracking: TrackingPolicy = SHORT, store: FlakyStore | None = None, **options: Any
) -> AsyncGenerator[Parts]:
    """The parts, and their end; `Follower.open` is left to the test."""
    async with plivo.client(**options) as client:
        store = store or FlakyStore()
        ledger = Ledger(store=store, tracking=tracking)
        follower = Follower(ledger, Reconciler(client, store))
        starter = Starter(
            client=client,
            ledger=ledger,
            follower=follower,
            public_url=PUBLIC,
            fragment=CallbackPolicy().fragment,
            auth_token=TOKEN,
        )
        try:
            yield Parts(store=store, ledger=ledger, follower=follower, starter=starter)
        finally:
            await follower.aclose(grace=2)


def others() -> set[asyncio.Task[Any]]:
    """The tasks that are running besides the test itself."""
    return asyncio.all_tasks() - {task for task in [asyncio.current_task()] if task}
