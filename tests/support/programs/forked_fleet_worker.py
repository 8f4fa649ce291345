"""A process that is one worker of a fleet, until SIGTERM ends it in good order or it is killed.

It is forked from a process that has imported the package and DBOS already, because this takes longer than a second.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Mapping
from datetime import timedelta
from multiprocessing.process import BaseProcess
from typing import Final

import attrs

from plivo_record_async import RateLimit, RecordClient, RecordingTracker, TrackingPolicy
from plivo_record_async.fleet import Fleet
from plivo_record_async.stores import PostgresRateLimit, PostgresStore

__all__ = ["ForkedFleetWorker"]

_FORKING: Final = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([__name__])


@attrs.frozen(kw_only=True)
class ForkedFleetWorker:
    """What a worker is given.

    Attributes:
        database: The address of the database of the fleet, of the store and of the quota.
        account: The variables of the environment with the account and the URL of the API.
        quota: The quota of all workers together. If None, there is none.
        concurrency: How many starts it has in progress at most.
        lease: After how many seconds the outcome of a start of a killed worker is unknown.
    """

    database: str
    account: Mapping[str, str]
    quota: RateLimit | None
    concurrency: int
    lease: float

    def start(self, name: str) -> BaseProcess:
        """Start the process.

        Args:
            name: The name of the worker.
        """
        process = _FORKING.Process(target=self._run, args=(name,), name=name)
        process.start()
        return process

    def _run(self, name: str) -> None:
        os.environ.update(self.account)
        asyncio.run(self._work(name))

    async def _work(self, name: str) -> None:
        terminated = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
        rate = self.quota
        client = RecordClient(
            rate_limit=None if rate is None else PostgresRateLimit(self.database, rate.limit, per=rate.per),
            timeout=60.0,
        )
        lease = timedelta(seconds=self.lease)
        store, tracking = PostgresStore(self.database), TrackingPolicy(lease=lease)
        tracker = RecordingTracker(client, store=store, tracking=tracking)
        async with client, tracker, Fleet(tracker, self.database, worker=name, concurrency=self.concurrency):
            await terminated.wait()
