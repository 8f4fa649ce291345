"""Whether the files of a database are still where they were opened.

A file that was deleted or replaced while it is open takes commits that nobody will ever read. SQLite does not notice:
https://www.sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["SameFile"]

_SMALLEST: Final = 512
"""Bytes. No database is smaller than one page: https://www.sqlite.org/fileformat2.html#pages"""


class SameFile:
    """The three files of a database in use, as they were when they were opened.

    Args:
        path: The database.

    Raises:
        OSError: One of them is missing already.
    """

    def __init__(self, path: str) -> None:
        database = Path(path)
        # The write-ahead log and its index, which lie where a link leads to: https://www.sqlite.org/tempfiles.html
        beside = [Path(f"{database.resolve()}{suffix}") for suffix in ("-wal", "-shm")]
        self._database = database
        self._opened = [(file, _identity(file.stat())) for file in (database, *beside)]
        self._size = database.stat().st_size
        self._has_shrunk = False

    def problem(self, *, is_open: bool) -> str | None:
        """Look at the files and say what became of them. If None, all of them are in their places.

        Args:
            is_open: Whether they are still open. If not, only the database is looked at: SQLite deletes the two files
                beside it when it is closed.
        """
        for file, identity in self._opened if is_open else self._opened[:1]:
            try:
                status = file.stat()
            except OSError as error:
                return f"{file} was deleted or moved while it was in use ({error.strerror})"
            if _identity(status) != identity:
                return f"{file} was replaced by another file while it was in use"
            if file is self._database:
                if status.st_size < _SMALLEST:
                    return f"{file} was emptied while it was in use"
                self._has_shrunk |= status.st_size < self._size
                self._size = status.st_size
        return None

    def has_shrunk(self) -> bool:
        """Whether the database has become smaller since this was last asked: it was truncated or vacuumed."""
        has_shrunk, self._has_shrunk = self._has_shrunk, False
        return has_shrunk


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
