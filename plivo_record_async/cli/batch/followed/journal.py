"""The store as the journal of a batch: the dedupe keys of its starts say what was begun.

The key of an item consists of the name of the batch, the hash of the whole input, and the number of the item's line. So
an item is started once, however often the batch is resumed, and a changed input is noticed. The items are begun in
their order, so the smallest key of a batch is that of its first item, unless that recording was deleted from the store.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from plivo_record_async.cli.input.items import Items
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.errors import ConfigurationError
from plivo_record_async.stores.observable import ObservableStore

__all__ = ["MAX_NAME", "begin_batch"]

MAX_NAME = 100
"""The most characters in the name of a batch."""


async def begin_batch(
    store: ObservableStore, name: str, content: bytes, items: Items[Any], *, resume: bool
) -> Callable[[Item[Any]], str]:
    """Check that a batch may begin or be resumed, and return the function that returns the dedupe key of an item.

    Args:
        store: The store.
        name: The name of the batch.
        content: The content of the input.
        items: The items of the input.
        resume: Whether the batch is to be resumed.

    Raises:
        ConfigurationError: The batch exists and is not to be resumed, or it cannot be resumed. Nothing was sent.
        StoreError: The store cannot be read.
    """
    prefix = f"batch {quote(name, safe='')} "
    key = f"{prefix}{sha256(content).hexdigest()} "

    def key_of(item: Item[Any]) -> str:
        return f"{key}{item.number:09d}"

    first = await store.first_dedupe_key(prefix)
    if problem := _problem(first, key, items, key_of, resume=resume):
        raise ConfigurationError(f"the batch {name!r} {problem}. Nothing was sent")
    return key_of


def _problem(
    first: str | None, key: str, items: Items[Any], key_of: Callable[[Item[Any]], str], *, resume: bool
) -> str | None:
    if first is None:
        return "is not in the store, so it cannot be resumed. Begin it without --resume" if resume else None
    if not resume:
        return "exists in the store already. Continue it with --resume, or choose another name"
    if not first.startswith(key):
        return "was begun with another content of the file. Resume it with the unchanged file"
    if first != key_of(items.valid[0]):
        return "cannot be resumed, because recordings of it were deleted from the store, and would be started again"
    return None
