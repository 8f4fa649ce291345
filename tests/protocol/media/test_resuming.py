from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.protocol.media.resuming import RemoteFile, read_response

KNOWN = RemoteFile(etag='"v1"', length=100)


@pytest.mark.parametrize(
    ("remote", "validator"),
    [
        (RemoteFile(etag='"v1"'), '"v1"'),
        (RemoteFile(last_modified="yesterday", length=5), "yesterday"),
        (RemoteFile(last_modified="yesterday"), None),
        (RemoteFile(length=5), None),
    ],
)
def test_validator_proves_that_a_file_is_the_same(remote: RemoteFile, validator: str | None) -> None:
    assert remote.validator == validator


@pytest.mark.parametrize("header", ["", '"\xe9"', '"a\r\nX: y"', 5, True, ["v1"], {}])
def test_header_that_cannot_be_sent_back_identifies_nothing(header: Any) -> None:
    assert RemoteFile(etag=header, length=5).validator is None
    assert RemoteFile(last_modified=header, length=5).validator is None
    assert not RemoteFile(etag=header, length=5).is_same(RemoteFile(etag=header, length=5))


@pytest.mark.parametrize("length", [-1, True, "5", 5.0, [5]])
def test_length_that_is_no_length_is_unknown(length: Any) -> None:
    assert RemoteFile(length=length).length is None


def test_whole_file_restarts_the_part() -> None:
    headers = {"content-length": "100", "etag": '"v2"', "last-modified": "today", "content-type": "audio/mpeg"}
    progress = read_response(200, headers, received=50, known=KNOWN)
    assert progress.action == "restart"
    assert progress.file == RemoteFile(etag='"v2"', last_modified="today", length=100, media_type="audio/mpeg")


@pytest.mark.parametrize("etag", ['W/"v1"', None])
def test_weak_entity_tag_is_not_kept(etag: str | None) -> None:
    headers = {} if etag is None else {"etag": etag}
    assert read_response(200, headers, received=0, known=RemoteFile()).file == RemoteFile()


@pytest.mark.parametrize(
    ("content_range", "etag", "action"),
    [
        ("bytes 50-99/100", '"v1"', "append"),
        ("bytes 50-99/*", '"v1"', "discard"),
        ("bytes 49-99/100", '"v1"', "discard"),
        ("bytes 50-199/200", '"v1"', "discard"),
        ("bytes 50-99/100", '"v2"', "discard"),
        ("bytes 50-99/100", 'W/"v1"', "discard"),
        ("bytes */100", '"v1"', "discard"),
        ("nonsense", '"v1"', "discard"),
    ],
)
def test_range_continues_only_the_same_file_at_the_same_byte(content_range: str, etag: str, action: str) -> None:
    headers = {"content-range": content_range, "etag": etag, "content-length": "50"}
    assert read_response(206, headers, received=50, known=KNOWN).action == action


def test_range_without_an_entity_tag_is_compared_by_time_and_length() -> None:
    known = RemoteFile(last_modified="yesterday", length=100)
    headers = {"content-range": "bytes 50-99/100", "last-modified": "yesterday"}
    assert read_response(206, headers, received=50, known=known).action == "append"
    assert read_response(206, {**headers, "last-modified": "today"}, received=50, known=known).action == "discard"


def test_range_of_a_file_that_nothing_identifies_discards_the_part() -> None:
    headers = {"content-range": "bytes 50-99/100"}
    assert read_response(206, headers, received=50, known=RemoteFile()).action == "discard"


@pytest.mark.parametrize(("received", "action"), [(100, "complete"), (99, "discard"), (101, "discard")])
def test_range_after_the_end_completes_a_part_of_the_right_length(received: int, action: str) -> None:
    assert read_response(416, {}, received=received, known=KNOWN).action == action


@pytest.mark.parametrize("length", ["", "-5", "1e3", "9" * 30])
def test_unreadable_length_is_unknown(length: str) -> None:
    assert read_response(200, {"content-length": length}, received=0, known=RemoteFile()).file.length is None
