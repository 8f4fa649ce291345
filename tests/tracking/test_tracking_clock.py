from __future__ import annotations

from plivo_record_async import _clock
from plivo_record_async.tracking.tracking_clock import SystemClock


async def test_system_clock_is_the_clock_of_this_machine() -> None:
    clock = SystemClock()
    before = _clock.read()
    await clock.sleep(0.01)
    after = clock.read()
    assert after.run == before.run
    assert after.steady - before.steady >= 0.009
    assert after.wall > before.wall
