from __future__ import annotations

import logging

import pytest

from plivo_record_async.cli.output.log import showing_log

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
