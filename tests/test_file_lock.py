"""The lock of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from plivo_record_async._file_lock import lock_file


def test_file_is_locked_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("a+b") as one, path.open("a+b") as two:
        lock_file(one)
        with pytest.raises(OSError, match=r"temporarily unavailable|denied"):
            lock_file(two)
        one.close()
        lock_file(two)
