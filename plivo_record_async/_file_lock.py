"""Locking a file, so that only one process at a time uses it."""

from __future__ import annotations

import sys
from typing import BinaryIO

__all__ = ["lock_file"]

if sys.platform == "win32":
    import msvcrt

    def lock_file(file: BinaryIO) -> None:
        """Lock an open file until it is closed or the process ends.

        Args:
            file: The file.

        Raises:
            OSError: Another process has locked it.
        """
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def lock_file(file: BinaryIO) -> None:
        """Lock an open file until it is closed or the process ends.

        Args:
            file: The file.

        Raises:
            OSError: Another process has locked it.
        """
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
