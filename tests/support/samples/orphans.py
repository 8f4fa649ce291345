"""Orphans for tests: what matters is given, the rest is made up."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from plivo_record_async.protocol.models import CallbackEvent
from plivo_record_async.stores.interface import Orphan
from tests.support.samples.recordings import NOW

__all__ = ["orphan"]


def orphan(
    event: CallbackEvent, *, received_at: datetime = NOW, start_id: str | None = None, digest: str | None = None
) -> Orphan:
    """An orphan whose digest depends on the event alone, unless it is given."""
    told = f"{event!r} {event.raw!r}".encode(errors="surrogatepass")
    return Orphan(
        received_at=received_at,
        event=event,
        reason="the test said so",
        digest=sha256(told).hexdigest() if digest is None else digest,
        start_id=start_id,
    )
