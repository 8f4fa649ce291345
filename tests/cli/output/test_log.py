from __future__ import annotations

import logging

import click
import pytest
from click.testing import CliRunner

from plivo_record_async.cli.input.options import verbose_option
from plivo_record_async.cli.output.log import showing_log, without_script_log
from plivo_record_async.errors import ConfigurationError

log = logging.getLogger("plivo_record_async")


def test_warnings_are_printed_only_inside_the_block() -> None:
    shown: list[str] = []
    with showing_log(shown.append):
        log.warning("a callback was rejected with %d", 403)
        log.info("not shown")
    log.warning("too late")
    assert shown == ["a callback was rejected with 403"]


def test_an_exception_is_one_line() -> None:
    shown: list[str] = []
    with showing_log(shown.append):
        log.error("not stored", exc_info=OSError("the disk is full"))
    assert shown == ["not stored: the disk is full"]


def test_logging_ends_with_its_block_even_after_an_error() -> None:
    before = list(logging.getLogger().handlers)
    with pytest.raises(ZeroDivisionError), showing_log(print):
        raise ZeroDivisionError
    assert logging.getLogger().handlers == before


@pytest.mark.parametrize("level_of_the_others", [logging.NOTSET, logging.DEBUG])
def test_one_logger_may_be_printed_in_detail(level_of_the_others: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(level_of_the_others, log.name)
    shown: list[str] = []
    with showing_log(shown.append, verbose="plivo_record_async.emulator"):
        logging.getLogger("plivo_record_async.emulator.app").info("a request")
        logging.getLogger("plivo_record_async.emulator.app").debug("nothing")
        log.info("not shown")
        log.warning("a warning")
    logging.getLogger("plivo_record_async.emulator.app").info("too late")
    assert shown == ["a request", "a warning"]
    assert logging.getLogger("plivo_record_async.emulator").level == logging.NOTSET


@pytest.mark.parametrize("words", [["-v", "use"], ["use", "--verbose"], ["-v", "use", "-v"]])
def test_verbose_command_shows_the_log_of_the_package_as_notes(words: list[str]) -> None:
    shown: list[str] = []
    level = log.level
    ended = CliRunner().invoke(group(shown), words)
    assert ended.exit_code == 0
    assert shown == ["note: a message", "warning: a warning"]
    assert log.level == level


@pytest.mark.parametrize("words", [["-vv", "use"], ["use", "-v", "-v"], ["-v", "use", "-vv"], ["-vv", "use", "-v"]])
def test_very_verbose_command_shows_the_level_debug_too(words: list[str]) -> None:
    shown: list[str] = []
    assert CliRunner().invoke(group(shown), words).exit_code == 0
    assert shown == ["note: a message", "note: a detail", "warning: a warning"]


@pytest.mark.parametrize(
    ("value", "words", "details"),
    [("info", [], []), ("debug", [], ["note: a detail"]), ("debug", ["-v"], []), ("info", ["-vv"], ["note: a detail"])],
)
def test_plivo_log_is_used_unless_the_option_is_given(value: str, words: list[str], details: list[str]) -> None:
    shown: list[str] = []
    assert CliRunner(env={"PLIVO_LOG": value}).invoke(group(shown), [*words, "use"]).exit_code == 0
    assert shown == ["note: a message", *details, "warning: a warning"]


def test_plivo_log_must_be_a_level() -> None:
    ended = CliRunner(env={"PLIVO_LOG": "loud"}).invoke(group([]), ["use"])
    assert isinstance(ended.exception, ConfigurationError)


def test_first_client_of_a_command_adds_no_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("plivo_record_async")
    monkeypatch.setattr(logger, "propagate", False)
    before = list(logger.handlers)
    with without_script_log():
        assert logger.hasHandlers()
    assert logger.handlers == before


def test_other_command_shows_only_warnings() -> None:
    shown: list[str] = []
    assert CliRunner().invoke(group(shown), ["use"]).exit_code == 0
    assert shown == ["warning: a warning"]


def group(shown: list[str]) -> click.Group:
    """Return a group with one command that writes to the log."""

    @click.group()
    @verbose_option
    def root() -> None:
        pass

    @root.command()
    @verbose_option
    def use() -> None:
        with showing_log(
            lambda text: shown.append(f"warning: {text}"), note=lambda text: shown.append(f"note: {text}")
        ):
            logging.getLogger("plivo_record_async.part").info("a message")
            logging.getLogger("plivo_record_async").debug("a detail")
            logging.getLogger("another").info("another message")
            logging.getLogger("another").warning("a warning")

    return root
