"""Hashes of the IDs of forgotten starts, by which a store recognizes orphans that it must not keep."""

from __future__ import annotations

from hashlib import blake2s

__all__ = ["hash_ids"]


def hash_ids(
    *, start_id: str | None = None, api_id: str | None = None, recording_id: str | None = None
) -> tuple[str, ...]:
    """Return one hash for each ID that is not None, in the order of the arguments.

    The hash depends on the kind of the ID, so an ``api_id`` and a ``recording_id`` with the same text have different
    hashes. IDs are long and random, so nobody can find an ID by trying all of them, and the hash needs no salt.

    Args:
        start_id: The tracker's ID of the start.
        api_id: Plivo's ID of the request.
        recording_id: Plivo's ID of the recording.

    Returns:
        Texts of 32 hexadecimal digits.
    """
    ids = {"start_id": start_id, "api_id": api_id, "recording_id": recording_id}
    return tuple([_hash(f"{kind}:{value}") for kind, value in ids.items() if value is not None])


def _hash(text: str) -> str:
    return blake2s(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
