"""`FileMonitor`, which checks whether the path of an open database still leads to the files that were opened.

If a file is deleted or replaced while it is open, SQLite does not notice it, and commits go to a file that nobody can
open again. https://www.sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Final

from plivo_record_async.stores.sqlite.connection import describe_truncation

__all__ = ["FileMonitor", "OpenFiles"]

_SMALLEST: Final = 512
"""The size of the smallest database in bytes: one page. https://www.sqlite.org/fileformat2.html#pages"""

log: logging.Logger = logging.getLogger("plivo_record_async")


class OpenFiles:
    """The database file, its write-ahead log and the log's index, as they were when the database was opened.

    Args:
        path: The path of the database file.

    Raises:
        OSError: One of the files is missing.
    """

    def __init__(self, path: str) -> None:
        database = Path(path)
        # If the path is a link, the log and its index are beside the target: https://www.sqlite.org/tempfiles.html
        beside = [Path(f"{database.resolve()}{suffix}") for suffix in ("-wal", "-shm")]
        self._database = database
        self._opened = [(file, _identity(file.stat())) for file in (database, *beside)]
        self._size = database.stat().st_size
        self._has_shrunk = False

    def problem(self, *, is_open: bool) -> str | None:
        """Check the files.

        Args:
            is_open: Whether the database is still open. If False, only the database file is checked, because SQLite
                deletes the two other files when a database is closed.

        Returns:
            What happened to one of the files. If None, they are still the files that were opened.
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
        """Return whether `problem` found the database file smaller (truncated or vacuumed) since the last such call."""
        has_shrunk, self._has_shrunk = self._has_shrunk, False
        return has_shrunk


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


class FileMonitor:
    """Checks at intervals whether the path of a database still leads to the files that were opened.

    It logs an ERROR when the path no longer leads to them, and a WARNING when it leads to them again.

    Args:
        path: The path of the database file.
        interval: The time from a check to the next one, in seconds.

    Attributes:
        problem: What is wrong with the files, and what to do about it. If None, nothing is wrong.
    """

    def __init__(self, path: str, *, interval: float) -> None:
        self._path = path
        self._interval = interval
        self._files: OpenFiles | None = None
        self._truncation: str | None = None
        self._next_check = 0.0
        self.problem: str | None = None

    @property
    def is_due(self) -> bool:
        """Whether the next check is due."""
        return time.monotonic() >= self._next_check

    def start(self) -> None:
        """Begin to monitor the files as they are now.

        Raises:
            OSError: One of them is missing.
        """
        self._files = OpenFiles(self._path)

    def reset(self) -> None:
        """Monitor no files any more, and delete the problem."""
        self._files = self._truncation = self.problem = None

    def check(self, *, is_open: bool) -> None:
        """Check the files and update `problem`.

        Args:
            is_open: Whether the database is open.
        """
        self._next_check = time.monotonic() + self._interval
        found = self._found(is_open=is_open)
        if found and not self.problem:
            self.problem = (
                f"{found}. Nothing is read or stored until that file is back, so that no data is lost unnoticed. "
                "To use the file that is there now instead, close the store and enter it again, or restart the program"
            )
            log.error(self.problem)
        elif self.problem and not found:
            self.problem = None
            log.warning("%s is back where it was opened and is used again", self._path)

    def _found(self, *, is_open: bool) -> str | None:
        if self._files is None or self._truncation:
            return self._truncation
        found = self._files.problem(is_open=is_open)
        if found is None and self._files.has_shrunk():
            self._truncation = found = describe_truncation(self._path)
        return found
