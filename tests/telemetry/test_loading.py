"""When OpenTelemetry is imported, and that everything works without it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from plivo_record_async import RecordClient
from plivo_record_async.errors import ConfigurationError
from plivo_record_async.settings import CAPTURE_VARIABLE
from plivo_record_async.telemetry.interface import Telemetry
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.telemetry.otel import OtelTelemetry

PROGRAM = """
import asyncio, sys
{before}
import plivo_record_async
from plivo_record_async import RecordClient
from plivo_record_async.emulator import Emulator

def loaded():
    return sorted(name for name in sys.modules if name.partition(".")[0] == "opentelemetry" and sys.modules[name])

async def main():
    print(len(loaded()))
    async with Emulator() as plivo:
        async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
            print(len(loaded()) > 0)
            print((await client.start_recording("standup")).message)

asyncio.run(main())
"""

BLOCK = 'sys.modules["opentelemetry"] = None'


@pytest.fixture
def no_telemetry() -> Iterator[None]:
    telemetry.cache_clear()
    yield
    telemetry.cache_clear()


def output_of(before: str) -> list[str]:
    program = PROGRAM.format(before=before)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def test_opentelemetry_is_imported_by_the_first_client() -> None:
    assert output_of("") == ["0", "True", "conference recording started"]


def test_calls_work_without_the_extra() -> None:
    assert output_of(BLOCK) == ["0", "False", "conference recording started"]


def test_telemetry_is_made_once(no_telemetry: None) -> None:
    assert isinstance(telemetry(), OtelTelemetry)
    assert telemetry() is telemetry()


def test_without_opentelemetry_nothing_is_recorded(no_telemetry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "plivo_record_async.telemetry.otel")
    assert type(telemetry()) is Telemetry


def test_client_rejects_a_malformed_list_of_content(no_telemetry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE_VARIABLE, "everything")
    with pytest.raises(ConfigurationError, match=CAPTURE_VARIABLE):
        RecordClient("MA" + "X" * 18, "token")
