from __future__ import annotations

import logging

import pytest

from plivo_record_async.cli.log import warnings_told

log = logging.getLogger("plivo_record_async")


def test_warnings_are_told_inside_the_block_only() -> None:
    told: list[str] = []
    with warnings_told(told.append):
        log.warning("a callback was refused with %d", 403)
        log.info("not worth telling")
    log.warning("too late")
    assert told == ["a callback was refused with 403"]


def test_an_exception_is_one_line() -> None:
    told: list[str] = []
    with warnings_told(told.append):
        log.error("not stored", exc_info=OSError("the disk is full"))
    assert told == ["not stored: the disk is full"]


def test_it_ends_with_its_block_whatever_happens() -> None:
    before = list(logging.getLogger().handlers)
    with pytest.raises(ZeroDivisionError), warnings_told(print):
        raise ZeroDivisionError
    assert logging.getLogger().handlers == before
