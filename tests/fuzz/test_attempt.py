"""The seeds of the fuzzer are parsed as their events, and hypothesis searches too, without coverage."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plivo_record_async.protocol.models import ApiResponse, RecordingEnded, TranscriptionEnded
from tests.fuzz.attempt import attempt

HERE = Path(__file__).parent
SEEDS = {
    "recording_ended": RecordingEnded,
    "recording_ended_2012": RecordingEnded,
    "recording_ended_camel_case": RecordingEnded,
    "recording_ended_get": RecordingEnded,
    "recording_ended_json": RecordingEnded,
    "start_refused_json": ApiResponse,
    "transcription_ended": TranscriptionEnded,
    "unsigned": None,
}
WORDS = [
    line[1:-1].encode().decode("unicode_escape").encode()
    for line in (HERE / "callbacks.dict").read_text().splitlines()
    if line.startswith('"')
]


@pytest.mark.parametrize(("name", "kind"), SEEDS.items())
def test_each_seed_is_parsed_as_its_event(name: str, kind: type | None) -> None:
    event = attempt((HERE / "seeds" / name).read_bytes())
    assert event is None if kind is None else type(event) is kind


def test_every_seed_is_listed() -> None:
    assert {path.name for path in (HERE / "seeds").iterdir()} == set(SEEDS)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([b"P", b"G", b"R", b"U"]), st.lists(st.sampled_from(WORDS) | st.binary(max_size=8)))
def test_no_fuzzed_callback_is_believed(kind: bytes, parts: list[bytes]) -> None:
    attempt(kind + b"".join(parts))
