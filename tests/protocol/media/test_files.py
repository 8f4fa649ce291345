from __future__ import annotations

import pytest

from plivo_record_async.protocol.media.files import RemoteFile, file_name, is_audio, read_response

KNOWN = RemoteFile(etag='"v1"', length=100)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/v1/Account/MA/Recording/93bc7c6a-3b2b-11e3.mp3", "93bc7c6a-3b2b-11e3.mp3"),
        ("/r.wav?Expires=1&x=/y", "r.wav"),
        ("/a%2Fb%00c.mp3", "a_b_c.mp3"),
        ("/..%5C..%5Cetc%5Cpasswd", "etc_passwd"),
        ("/.bashrc", "bashrc"),
        ("/", "recording"),
        ("/%2e%2e", "recording"),
        ("/CON", "_CON"),
        ("/nul.mp3", "_nul.mp3"),
        ("/" + "x" * 500 + ".mp3", "x" * 196 + ".mp3"),
        ("/r\u0301.mp3", "r_.mp3"),
    ],
)
def test_file_name_is_the_last_segment_made_safe(target: str, name: str) -> None:
    assert file_name(target) == name


@pytest.mark.parametrize(
    ("head", "audio"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", True),
        (b"RF64\xff\xff\xff\xffWAVEds64", True),
        (b"RIFF\x24\x00\x00\x00AVI LIST", False),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00", True),
        (b"\xff\xfb\x90\x00", True),
        (b"\xff\xf3\x18\xc0", True),
        (b"\xff\xe3\x18\xc0", True),
        (b"\xff\xff\xff\xff", False),
        (b"\xff\xeb\x90\x00", False),
        (b"\xff\xfd\x90\x00", False),
        (b"\xff\xd8\xff\xe0", False),
        (b"<html><body>", False),
        (b'{"error": "not found"}', False),
        (b"\xff\xfb", False),
        (b"", False),
    ],
)
def test_audio_is_known_by_its_first_bytes(head: bytes, audio: bool) -> None:
    assert is_audio(head) is audio


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
def test_range_continues_only_the_same_file_at_the_same_place(content_range: str, etag: str, action: str) -> None:
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
