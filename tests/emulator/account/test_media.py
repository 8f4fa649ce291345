from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.emulator.account.media import Media, byte_range, media_file
from tests.support.untyped_libraries import miniaudio

FRAME_S = 0.036


def whole(media: Media) -> bytes:
    return b"".join(media.read(0, media.length))


@pytest.mark.parametrize("duration_ms", [1, 36, 999, 1000, 12_345, 61_000])
def test_wav_file_is_a_tone_of_exactly_the_recordings_length(duration_ms: int) -> None:
    media = media_file("wav", duration_ms)
    info = miniaudio.wav_get_info(whole(media))
    assert (info.sample_rate, info.nchannels, info.sample_width) == (8000, 1, 2)
    assert info.duration == pytest.approx(duration_ms / 1000)
    assert max(miniaudio.decode(whole(media), nchannels=1, sample_rate=8000).samples) > 7000
    assert media.media_type == "audio/wav"


@pytest.mark.parametrize("duration_ms", [1, 36, 999, 1000, 12_345, 61_000])
def test_mp3_file_is_silence_of_the_recordings_length_within_a_frame(duration_ms: int) -> None:
    media = media_file("mp3", duration_ms)
    info = miniaudio.mp3_get_info(whole(media))
    assert (info.sample_rate, info.nchannels) == (16_000, 1)
    assert abs(info.duration - duration_ms / 1000) <= FRAME_S
    assert set(miniaudio.decode(whole(media), nchannels=1, sample_rate=16_000).samples) == {0}
    assert media.media_type == "audio/mpeg"


@pytest.mark.parametrize("file_format", ["mp3", "wav"])
def test_file_of_a_recording_of_length_zero_can_be_played(file_format: str) -> None:
    assert miniaudio.decode(whole(media_file(file_format, 0))).num_frames > 0


@pytest.mark.parametrize(("file_format", "size"), [("wav", 44 + 86_400 * 16_000), ("mp3", 86_400_000)])
def test_file_of_a_day_is_read_in_small_chunks(file_format: str, size: int) -> None:
    media = media_file(file_format, 86_400_000)
    assert media.length == size
    pieces = list(media.read(media.length - 100_000, media.length))
    assert sum(map(len, pieces)) == 100_000
    assert max(map(len, pieces)) <= 65_536


@given(st.sampled_from(["mp3", "wav"]), st.integers(0, 20_000), st.data())
def test_any_range_is_that_part_of_the_whole_file(file_format: str, duration_ms: int, data: st.DataObject) -> None:
    media = media_file(file_format, duration_ms)
    start = data.draw(st.integers(0, media.length))
    stop = data.draw(st.integers(start, media.length))
    assert b"".join(media.read(start, stop)) == whole(media)[start:stop]


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, (0, 1000)),
        ("bytes=0-", (0, 1000)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=990-5000", (990, 1000)),
        ("bytes=-10", (990, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("bytes=999-", (999, 1000)),
        ("bytes=1000-", None),
        ("bytes=-0", None),
        ("bytes=-", (0, 1000)),
        ("bytes=20-10", (0, 1000)),
        ("bytes=0-1,4-5", (0, 1000)),
        ("lines=0-1", (0, 1000)),
        ("", (0, 1000)),
    ],
)
def test_range_header_is_read(header: str | None, part: tuple[int, int] | None) -> None:
    assert byte_range(header, 1000) == part
