"""Errors of downloads; `test_root` has the rules for all errors."""

from __future__ import annotations

import pickle
from pathlib import Path

from plivo_record_async.errors import DownloadError, DownloadRefusedError


def test_data_of_a_download_error_is_in_its_attributes_also_after_pickling() -> None:
    error = DownloadError("cut", url="https://x", path=Path("r.mp3"), status=200, received=5, expected=10)
    for each in (error, pickle.loads(pickle.dumps(error))):
        assert (each.url, each.path, each.status, each.received, each.expected) == (
            *("https://x", Path("r.mp3"), 200, 5, 10),
        )
        assert str(each) == "cut"


def test_refusal_is_a_download_error() -> None:
    assert isinstance(DownloadRefusedError("no", url="https://x"), DownloadError)
    assert DownloadRefusedError("no", url="https://x").to_dict()["path"] is None
