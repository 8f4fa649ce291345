from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap

import anyio
import httpx
import pytest

from plivo_record_async import NotFoundError, RecordClient, RecordingTracker
from plivo_record_async.emulator import Emulator
from plivo_record_async.testing import CallbackFactory

pytest_plugins = ["pytester"]


def test_fixture_works_in_a_test_without_an_event_loop(plivo_emulator: Emulator) -> None:
    url = f"{plivo_emulator.url}/v1/Account/{plivo_emulator.auth_id}/Conference/standup/Record/"
    credentials = (plivo_emulator.auth_id, plivo_emulator.auth_token)
    assert httpx.post(url, auth=credentials).status_code == 202
    assert plivo_emulator.executions("standup") == 1
    asyncio.run(plivo_emulator.end_conference("standup"))
    assert plivo_emulator.state()["conferences"]["standup"]["recording"] is False


async def test_fixture_works_in_a_test_with_an_event_loop(plivo_emulator: Emulator) -> None:
    async with httpx.AsyncClient(auth=(plivo_emulator.auth_id, plivo_emulator.auth_token)) as client:
        url = f"{plivo_emulator.url}/v1/Account/{plivo_emulator.auth_id}/Conference/standup/Record/"
        assert (await client.post(url)).status_code == 202
    await plivo_emulator.end_conference("standup")
    await plivo_emulator.callbacks_settled()
    assert plivo_emulator.executions("standup") == 1


def test_each_test_gets_a_new_emulator(plivo_emulator: Emulator) -> None:
    state = plivo_emulator.state()
    assert (state["conferences"], state["recordings"], state["deliveries"]) == ({}, [], [])


def test_fixture_works_in_a_test_that_anyio_runs(plivo_emulator: Emulator) -> None:
    async def a_test() -> None:
        async with httpx.AsyncClient() as client:
            state = await client.get(f"{plivo_emulator.url}/__emulator__/state")
        assert state.json() == plivo_emulator.state()
        await plivo_emulator.open_conference("standup")
        await plivo_emulator.end_conference("standup")

    anyio.run(a_test)


def test_emulator_leaves_no_task_and_no_socket_behind(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import threading

        before = threading.active_count()

        def test_one(plivo_emulator):
            assert threading.active_count() > before

        def test_two():
            assert threading.active_count() == before
    """)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_plugin_imports_the_emulator_only_when_the_fixture_is_used() -> None:
    code = """
import sys
import plivo_record_async.testing.plugin
print([name for name in ("starlette", "uvicorn", "plivo_record_async.emulator") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_missing_extra_is_named_with_its_install_command(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        import sys

        sys.modules["uvicorn"] = None
    """)
    pytester.makepyfile("""
        def test_one(plivo_emulator):
            pass
    """)
    ended = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    ended.assert_outcomes(errors=1)
    ended.stdout.fnmatch_lines(["*ConfigurationError: *uvicorn: pip install 'plivo-record-async?emulator?'"])


def test_plugin_is_registered_by_the_installed_package(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.has_plugin("plivo_record_async")


ASYNC_TESTS = """
    async def test_start_is_executed(plivo_emulator, plivo_client):
        await plivo_client.start_recording("standup")
        assert plivo_emulator.executions("standup") == 1

    async def test_transcript_is_received(plivo_emulator, plivo_tracker):
        recording = await plivo_tracker.start("standup", transcribe=True)
        await plivo_emulator.end_conference("standup")
        assert (await recording.recorded(timeout=10)).conference_name == "standup"
        assert (await recording.transcribed(timeout=10)).transcription
"""


@pytest.mark.parametrize(
    ("options", "marker"),
    [
        (["-p", "no:anyio", "-o", "asyncio_mode=auto"], ""),
        (["-o", "asyncio_mode=auto"], ""),
        (["-o", "asyncio_mode=strict"], "import pytest; pytestmark = pytest.mark.asyncio"),
        (["-o", "asyncio_mode=strict"], "import pytest; pytestmark = pytest.mark.anyio"),
        (["-p", "no:asyncio", "-o", "anyio_mode=auto"], ""),
    ],
    ids=["asyncio alone", "asyncio auto", "asyncio strict", "anyio beside asyncio", "anyio alone"],
)
def test_async_fixtures_work_with_every_plugin(pytester: pytest.Pytester, options: list[str], marker: str) -> None:
    pytester.makeconftest("""
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
    """)
    pytester.makepyfile(marker + "\n" + textwrap.dedent(ASYNC_TESTS))
    if "no:asyncio" not in options:
        options = [*options, "-o", "asyncio_default_fixture_loop_scope=function"]
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error", *options).assert_outcomes(passed=2)


@pytest.mark.plivo(strict=True)
class TestMarker:
    async def test_arguments_reach_the_emulator(self, plivo_emulator: Emulator, plivo_client: RecordClient) -> None:
        with pytest.raises(NotFoundError):
            await plivo_client.start_recording("standup")
        await plivo_emulator.open_conference("standup")
        await plivo_client.start_recording("standup")

    @pytest.mark.plivo(strict=False, auth_token="another")
    async def test_closest_marker_wins(self, plivo_emulator: Emulator, plivo_client: RecordClient) -> None:
        await plivo_client.start_recording("standup")
        assert plivo_emulator.auth_token == "another"


def test_wrong_marker_is_explained(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.plivo(True)
        def test_positional(plivo_emulator): ...

        @pytest.mark.plivo(strikt=True)
        def test_misspelled(plivo_emulator): ...
    """)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines_random(["*arguments of Emulator, such as strict=True, not (True,)*", "*strikt*"])


def test_callback_factory_signs_with_the_token_of_the_emulator(
    plivo_emulator: Emulator, plivo_callback: CallbackFactory
) -> None:
    assert plivo_callback.auth_token == plivo_emulator.auth_token


@pytest.mark.plivo(clock="virtual")
async def test_tracker_uses_the_virtual_clock(plivo_emulator: Emulator, plivo_tracker: RecordingTracker) -> None:
    recording = await plivo_tracker.start("standup", transcribe=True)
    await plivo_emulator.advance(3600)
    await plivo_emulator.end_conference("standup")
    assert (await recording.recorded(timeout=10)).duration_ms == 3_600_000
    assert (await recording.transcribed(timeout=10)).transcription
