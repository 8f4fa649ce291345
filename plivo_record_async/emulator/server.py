"""The emulator as a server inside the event loop of its user."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any, Self

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.clock import ClockMode, RealClock, VirtualClock
from plivo_record_async.emulator.control.control import Control
from plivo_record_async.emulator.faults.faults import Faults
from plivo_record_async.emulator.history.entries import Delivery, ReceivedRequest
from plivo_record_async.emulator.history.history import DEFAULT_KEEP
from plivo_record_async.emulator.history.story import explain_executions
from plivo_record_async.emulator.options import EmulatorOptions, RateLimitLike
from plivo_record_async.emulator.running import RunningEmulator, run_emulator

__all__ = ["Emulator"]

DEFAULT_AUTH_ID = "MAEMULATEDACCOUNT000"
DEFAULT_AUTH_TOKEN = "emulated-auth-token-not-a-secret-0000000"  # noqa: S105 - it opens nothing but the emulator
_NOT_RUNNING = "the emulator is not running: use it inside 'async with'"


class Emulator:
    """A local Plivo: an HTTP server on this machine that executes starts and stops and sends callbacks as Plivo does.

    .. code-block:: python

        from plivo_record_async import RecordClient

        async with Emulator() as plivo:
            async with RecordClient(
                plivo.auth_id, plivo.auth_token, base_url=plivo.url
            ) as client:
                callback_url = "http://127.0.0.1:8000/recorded"
                await client.start_recording("standup", callback_url=callback_url)
            await plivo.end_conference("standup")
            await plivo.callbacks_settled()

    The methods may be called from any thread and any asyncio event loop while the emulator is running in one.

    Args:
        host: The address to listen on.
        port: The port to listen on. If 0, a free port is used.
        auth_id: The auth ID of the only account.
        auth_token: The auth token of the account, which also signs the callbacks.
        strict: Whether only conferences that were opened are live. If False, every name is live until it is ended.
        dialect: Which of Plivo's contradicting documents to follow. If None, the current ones.
        clock: ``real``: the time of day. ``squeezed``: the same, but with a tenth of the pauses between deliveries.
            ``virtual``: time moves only by `advance`.
        seed: The seed of random faults.
        quota: How many requests are admitted in which period, such as ``RateLimit(300, per=5.0)``. More requests are
            answered 429. If None, there is no limit.
        keep: How many requests, deliveries and events are kept, each: the latest ones. If 0, none is.

    Raises:
        ConfigurationError: At once: ``auth_id``, ``auth_token``, ``host`` or ``port`` is invalid. On entering: the
            address cannot be listened on.

    Attributes:
        auth_id: The auth ID of the account.
        auth_token: Its auth token.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        auth_id: str = DEFAULT_AUTH_ID,
        auth_token: str = DEFAULT_AUTH_TOKEN,
        strict: bool = False,
        dialect: Dialect | None = None,
        clock: ClockMode = "real",
        seed: int = 0,
        quota: RateLimitLike | None = None,
        keep: int = DEFAULT_KEEP,
    ) -> None:
        self._options = EmulatorOptions(
            host=host,
            port=port,
            auth_id=auth_id,
            auth_token=auth_token,
            strict=strict,
            dialect=dialect,
            clock=clock,
            seed=seed,
            quota=quota,
            keep=keep,
        )
        self.auth_id = auth_id
        self.auth_token = auth_token
        self._exits = contextlib.AsyncExitStack()
        self._latest: RunningEmulator | None = None
        self._is_running = False

    @property
    def url(self) -> str:
        """The address of the emulator, without a slash at its end. It is the ``base_url`` of a client."""
        return self._control.world.url

    def executions(self, conference_name: str) -> int:
        """Return how many starts in this conference were executed."""
        return self._control.world.executions(conference_name)

    def executed_transcriptions(self, recording_id: str) -> int:
        """Return how many requests for a transcript of this recording were executed.

        A transcript that the start of the recording requested does not count, and the count ends with the recording.
        """
        known = self._control.world.recordings.get(recording_id)
        return known.executed_transcriptions if known else 0

    @property
    def clock(self) -> RealClock | VirtualClock:
        """The clock of the emulator.

        A `plivo_record_async.RecordingTracker` takes it as ``clock``, so that both have the same time.
        """
        return self._control.clock

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose, with requests and with callbacks."""
        return self._control.faults

    @property
    def dialects(self) -> dict[str, Dialect]:
        """The dialects of single conferences by name, such as ``{"standup": Dialect(stop_status=200)}``."""
        return self._control.world.dialects

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The latest requests to the API and for recorded files, with their answers, the oldest first."""
        return self._control.history.requests.entries()

    @property
    def deliveries(self) -> list[Delivery]:
        """The latest attempts to deliver callbacks, also those that are not over, the oldest first."""
        return self._control.history.deliveries.entries()

    def assert_executed_once(self, conference_name: str) -> None:
        """Check that exactly one start was executed in a conference.

        Args:
            conference_name: The name of the conference.

        Raises:
            AssertionError: None was, or more than one. The message shows every request and delivery of the conference
                that is kept, in order.
        """
        count = self.executions(conference_name)
        if count != 1:
            raise AssertionError(f"{self._story(conference_name, count)}\n  exactly 1 was expected")

    def assert_no_duplicate_starts(self) -> None:
        """Check that no conference had more than one start executed.

        Raises:
            AssertionError: A conference had. The message shows every request and delivery of such conferences that is
                kept, in order.
        """
        executed = {name: self.executions(name) for name in tuple(self._control.world.conferences)}
        stories = [self._story(name, count) for name, count in executed.items() if count > 1]
        if stories:
            raise AssertionError("\n".join([*stories, "  at most 1 in each conference was expected"]))

    def state(self) -> dict[str, Any]:
        """Return what ``GET /__emulator__/state`` answers: conferences, recordings and delivery attempts."""
        return self._control.state()

    async def open_conference(self, name: str) -> None:
        """Make a conference live, as if somebody had joined it. Only a strict emulator needs this.

        Args:
            name: The name of the conference.

        Raises:
            ValueError: UTF-8 cannot encode the name.
        """
        name.encode()
        await self._running.run(self._control.open_conference, name)

    async def end_conference(self, name: str) -> None:
        """End a conference and its recordings, and begin to deliver the callbacks.

        Args:
            name: The name of the conference.

        Raises:
            LookupError: No conference of this name is live: it was not opened and no recording was started in it, or it
                has ended.
        """
        try:
            await self._running.run(self._control.end_conference, name)
        except RefusedError as refusal:
            raise LookupError(
                f"there is no live conference {name!r}: no recording was started in it and it was not opened, "
                "or it has ended"
            ) from refusal

    async def replay(self, delivery_id: int) -> None:
        """Begin to deliver the callback of an earlier delivery again. It is signed again.

        Args:
            delivery_id: The ID of the delivery.

        Raises:
            LookupError: There is no such delivery in the log.
        """
        try:
            await self._running.run(self._control.replay, delivery_id)
        except RefusedError as refusal:
            raise LookupError(refusal.error) from refusal

    async def advance(self, seconds: float) -> None:
        """Move the virtual clock on. Whatever waits is woken up in the order of its times.

        Args:
            seconds: By how much.

        Raises:
            ValueError: The clock is not virtual, the time is negative, or the clock would go beyond the year 8999.
        """
        await self._running.run(self._control.advance, seconds)

    async def reset(self) -> None:
        """Forget everything that happened: conferences, recordings, faults, and the logs.

        Callbacks that were not delivered are dropped.
        """
        await self._running.run(self._control.reset)

    def fail_next(self, status: int, *, executed: bool = False, retry_after: str | None = None, times: int = 1) -> None:
        """Answer the next requests to the API with an error.

        Args:
            status: The HTTP status, such as 429 or 503.
            executed: Whether the requests are executed although they are answered with an error.
            retry_after: The header ``Retry-After``: seconds, or an HTTP date.
            times: How many requests are answered with the error.

        Raises:
            ValueError: The status cannot stand for an error with a body, or the header cannot be sent.
        """
        on = self.faults.on("api", times=times)
        on.status(status, executed=executed, retry_after=retry_after)

    async def callbacks_settled(self) -> None:
        """Wait until every callback was delivered, or given up after its last retry."""
        running = self._running
        await running.run(running.deliverer.settled)

    async def __aenter__(self) -> Self:
        if self._is_running:
            raise RuntimeError("this emulator is running already")
        self._latest = await self._exits.enter_async_context(run_emulator(self._options))
        self._is_running = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_running = False
        await self._exits.aclose()

    def __repr__(self) -> str:
        where = self._latest.control.world.url if self._latest else "not running"
        return f"<Emulator {where} auth_id={self.auth_id}>"

    @property
    def _control(self) -> Control:
        """What the emulator does. After it has stopped, its state can still be read."""
        if self._latest is None:
            raise RuntimeError(_NOT_RUNNING)
        return self._latest.control

    @property
    def _running(self) -> RunningEmulator:
        if self._latest is None or not self._is_running:
            raise RuntimeError(_NOT_RUNNING)
        return self._latest

    def _story(self, conference_name: str, count: int) -> str:
        return explain_executions(conference_name, count, self.requests, self.deliveries)
