from __future__ import annotations

import pytest

from plivo_record_async.protocol.media.files import file_name, is_audio


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
        ("/r.mp3.part", "r.mp3.part_"),
        ("/r.mp3.PART.json", "r.mp3.PART.json_"),
        ("/r.mp3.part.json.new", "r.mp3.part.json.new_"),
        ("/r.part.mp3", "r.part.mp3"),
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
