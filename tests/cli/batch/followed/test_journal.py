from __future__ import annotations

import pytest

from plivo_record_async import ConfigurationError, MemoryStore
from plivo_record_async.cli.batch.followed.journal import begin_batch
from plivo_record_async.cli.input.items import read_items
from plivo_record_async.protocol.models import StartRequest
from tests.support.samples.recordings import NOW, planned

CONTENT = b"a\n\nb\na\n"
ITEMS = read_items(StartRequest, CONTENT)


async def begun(
    store: MemoryStore, name: str = "monday", *, resume: bool = False, content: bytes = CONTENT
) -> list[str]:
    """Return the keys of the items, in their order."""
    items = read_items(StartRequest, content)
    key_of = await begin_batch(store, name, content, items, resume=resume)
    return [key_of(item) for item in items.valid]


async def test_each_item_has_a_key_of_its_own_and_keeps_it() -> None:
    store = MemoryStore()
    keys = await begun(store)
    assert len(set(keys)) == 3
    assert sorted(keys) == keys
    await store.create(planned(dedupe_key=keys[0]))
    assert await begun(store, resume=True) == keys


async def test_batch_that_exists_is_refused_without_resume() -> None:
    store = MemoryStore()
    await store.create(planned(dedupe_key=(await begun(store))[0]))
    with pytest.raises(ConfigurationError, match=r"the batch 'monday' exists in the store already.*Nothing was sent"):
        await begun(store)
    await begun(store, "mon")
    await begun(store, "monday evening")


async def test_batch_that_does_not_exist_is_not_resumed() -> None:
    with pytest.raises(ConfigurationError, match="'mondya' is not in the store, so it cannot be resumed"):
        await begun(MemoryStore(), "mondya", resume=True)


@pytest.mark.parametrize("content", [b"a\n\nb\n", b"a\n\nb\nc\n", b"a\r\n\nb\na\n"])
async def test_changed_file_is_refused(content: bytes) -> None:
    store = MemoryStore()
    for number, key in enumerate(await begun(store)):
        await store.create(planned(f"start-{number}", dedupe_key=key))
    with pytest.raises(ConfigurationError, match="begun with another content of the file"):
        await begun(store, resume=True, content=content)


async def test_batch_whose_first_recording_was_deleted_is_not_resumed() -> None:
    store = MemoryStore()
    for number, key in enumerate(await begun(store)):
        await store.create(planned(f"start-{number}", dedupe_key=key))
    await store.forget("start-0", now=NOW)
    with pytest.raises(ConfigurationError, match="were deleted from the store, and would be started again"):
        await begun(store, resume=True)


async def test_any_name_is_a_name_of_a_batch() -> None:
    store = MemoryStore()
    for number, name in enumerate(["a b", "a", 'a"b', "会议", "a%20b", "\U0001f600"]):
        keys = await begun(store, name)
        await store.create(planned(f"start-{number}", dedupe_key=keys[0]))
        assert await begun(store, name, resume=True) == keys
