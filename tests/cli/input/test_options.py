from __future__ import annotations

import logging

import click
import pytest
from click.testing import CliRunner

from plivo_record_async import RecordClient
from plivo_record_async.cli.input.options import (
    DEFAULT_TIMEOUT,
    Seconds,
    shown_level,
    store_option,
    timeout_option,
    verbose_option,
)


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


@click.group()
@verbose_option
def root() -> None:
    pass


@root.command()
@verbose_option
def show() -> None:
    click.echo(shown_level())


@pytest.mark.parametrize(
    ("words", "variable", "level"),
    [
        ("show", "", None),
        ("-v show", "", logging.INFO),
        ("show -v", "debug", logging.INFO),
        ("-v show -vv", "", logging.DEBUG),
        ("-vv show -v", "info", logging.DEBUG),
        ("show", "info", logging.INFO),
    ],
)
def test_shown_level_is_that_of_the_option_or_of_plivo_log(words: str, variable: str, level: int | None) -> None:
    ended = CliRunner(env={"PLIVO_LOG": variable}).invoke(root, words.split())
    assert ended.output == ("\n" if level is None else f"{level}\n")


def test_log_level_without_a_command_is_that_of_plivo_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_LOG", "info")
    assert shown_level() == logging.INFO
