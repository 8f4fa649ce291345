"""The rows of Plivo's list that were processed last."""

from __future__ import annotations

__all__ = ["RecentIds"]


class RecentIds:
    """The IDs that were added last, each with a text about it.

    Args:
        limit: The number of IDs that are remembered.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._texts: dict[str, str] = {}

    def __contains__(self, recording_id: str) -> bool:
        """Return whether an ID is remembered."""
        return recording_id in self._texts

    def add(self, recording_id: str, text: str = "") -> str:
        """Remember an ID, unless it is remembered already.

        Args:
            recording_id: The ID.
            text: A text about it.

        Returns:
            The text that is remembered.
        """
        kept = self._texts.setdefault(recording_id, text)
        if len(self._texts) > self._limit:
            del self._texts[next(iter(self._texts))]
        return kept
