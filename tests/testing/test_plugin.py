from __future__ import annotations

import asyncio
import subprocess
import sys

import anyio
import httpx
import pytest

from plivo_record_async.emulator import Emulator

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
    assert plivo_emulator.state() == {"conferences": {}, "recordings": [], "deliveries": []}


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
