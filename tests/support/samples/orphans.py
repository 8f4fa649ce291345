"""Orphans with the values that a test gives, and made-up values for the rest."""

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
    """Return an orphan. If ``digest`` is None, it depends on the event alone."""
    text = f"{event!r} {event.raw!r}".encode(errors="surrogatepass")
    return Orphan(
        received_at=received_at,
        event=event,
        reason="the test said so",
        digest=sha256(text).hexdigest() if digest is None else digest,
        start_id=start_id,
    )
