"""Background tasks: which of them closing waits for, and which it cancels."""

from __future__ import annotations

import asyncio

from plivo_record_async.tracking.tasks import BackgroundTasks


async def test_tasks_are_owned_while_they_run() -> None:
    tasks, release = BackgroundTasks(), asyncio.Event()

    async def wait() -> None:
        await release.wait()

    required = tasks.spawn(wait())
    droppable = tasks.spawn(wait(), droppable=True)
    assert tasks.required == {required}
    assert tasks.required_count == 1
    release.set()
    await asyncio.wait([required, droppable])
    assert tasks.required_count == 0


async def test_droppable_and_required_tasks_are_cancelled_separately() -> None:
    tasks = BackgroundTasks()
    required = tasks.spawn(asyncio.sleep(10))
    droppable = tasks.spawn(asyncio.sleep(10), droppable=True)
    await tasks.cancel_droppable()
    assert droppable.cancelled()
    assert not required.done()
    await tasks.cancel_required()
    assert required.cancelled()


async def test_task_that_cancels_the_others_goes_on_itself() -> None:
    tasks = BackgroundTasks()
    seen: list[object] = []

    async def close() -> None:
        seen.append(tasks.required)
        await tasks.cancel_required()
        seen.append("ended")

    await tasks.spawn(close())
    assert seen == [set(), "ended"]
