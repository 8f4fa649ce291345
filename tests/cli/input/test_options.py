from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from plivo_record_async import RecordClient
from plivo_record_async.cli.input.options import DEFAULT_TIMEOUT, Seconds, store_option, timeout_option


@click.command()
@timeout_option
def wait(timeout: float | None) -> None:
    click.echo(repr(timeout))


@pytest.mark.parametrize(("words", "seconds"), [([], "None"), (["--timeout", "2.5"], "2.5")])
def test_seconds_are_a_number(words: list[str], seconds: str) -> None:
    assert CliRunner().invoke(wait, words).output == f"{seconds}\n"


@pytest.mark.parametrize("text", ["nan", "inf", "0", "-1", "soon", ""])
def test_invalid_seconds_are_a_usage_error(text: str) -> None:
    ended = CliRunner().invoke(wait, ["--timeout", text])
    assert ended.exit_code == 2
    assert "Invalid value for '--timeout'" in ended.output


def test_seconds_may_have_bounds() -> None:
    assert Seconds(0.1, 3600).convert("3600", None, None) == 3600
    with pytest.raises(click.BadParameter, match="not in the range"):
        Seconds(0.1, 3600).convert("3601", None, None)


async def test_default_timeout_is_that_of_a_client() -> None:
    async with RecordClient("MAABCDEFGHIJKLMNOPQR", "token") as client:
        assert client.timeout == DEFAULT_TIMEOUT


@pytest.mark.parametrize("name", ["--store", "--db"])
def test_store_has_two_names_and_may_have_a_default(name: str) -> None:
    @click.command()
    @store_option("Read this store.", default="recordings.db")
    def read(store: str) -> None:
        click.echo(store)

    assert CliRunner().invoke(read, [name, "a.db"]).output == "a.db\n"
    assert CliRunner().invoke(read, []).output == "recordings.db\n"
