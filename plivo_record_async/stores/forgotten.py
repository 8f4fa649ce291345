"""What a store remembers of a start that it has forgotten: marks that tell nothing, but are known again."""

from __future__ import annotations

from hashlib import blake2s

__all__ = ["marks"]


def marks(*, start_id: str | None, api_id: str | None, recording_id: str | None) -> tuple[str, ...]:
    """Return one mark for each id, from which nobody can find the id.

    The ids are long and random, so a plain hash is enough.
    """
    ids = {"start_id": start_id, "api_id": api_id, "recording_id": recording_id}
    return tuple([_mark(f"{kind}:{value}") for kind, value in ids.items() if value is not None])


def _mark(text: str) -> str:
    return blake2s(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
