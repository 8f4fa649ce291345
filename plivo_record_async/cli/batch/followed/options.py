"""Check the options of ``batch start`` with which a batch follows its recordings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import attrs
import click

from plivo_record_async.cli.batch.followed.journal import MAX_NAME
from plivo_record_async.cli.batch.followed.tracking import Address, Following, listening_address
from plivo_record_async.protocol.recording.record import Stage

__all__ = ["FollowingOptions", "address_of", "following_of"]

_PORTS = range(65536)


@attrs.frozen(kw_only=True)
class FollowingOptions:
    """The values of the options as they were given.

    Attributes:
        store: The value of ``--store``, or None.
        batch: The value of ``--batch``, or None.
        resume: Whether ``--resume`` was given.
        wait: The value of ``--wait``, or None.
        download: The value of ``--download``, or None.
        public_url: The value of ``--public-url``, or None.
        listen: The value of ``--listen``, or None.
    """

    store: str | None
    batch: str | None
    resume: bool
    wait: str | None
    download: Path | None
    public_url: str | None
    listen: str | None


def following_of(
    given: FollowingOptions, *, is_stdin: bool, concurrency: int, timeout: float | None
) -> Following | None:
    """Return how the batch follows its recordings, or None if it does not.

    Args:
        given: The options.
        is_stdin: Whether the input is standard input.
        concurrency: The maximum number of starts at the same time.
        timeout: The time limit of each start, in seconds. If None, the client's own timeout.

    Raises:
        UsageError: The options contradict each other.
    """
    stage = cast("Stage", given.wait or ("recorded" if given.download else "accepted"))
    if problem := _problem(given, stage, is_stdin=is_stdin):
        raise click.UsageError(problem, click.get_current_context(silent=True))
    if given.store is None and stage == "accepted":
        return None
    receives = given.public_url is not None and stage != "accepted"
    return Following(
        store=given.store,
        batch=given.batch,
        resume=given.resume,
        stage=stage,
        directory=given.download,
        public_url=given.public_url,
        address=address_of(given.public_url or "", given.listen) if receives else None,
        concurrency=concurrency,
        timeout=timeout,
    )


def _problem(given: FollowingOptions, stage: Stage, *, is_stdin: bool) -> str | None:  # noqa: PLR0911 - one line each
    if given.store is None and (given.batch is not None or given.resume):
        return "--batch and --resume need --store, which keeps what was begun"
    if given.store is not None and given.batch is None:
        return "--store needs --batch NAME, which names this batch in the store"
    if given.batch is not None and not (given.batch.isprintable() and 0 < len(given.batch) <= MAX_NAME):
        return f"the name of --batch must have 1 to {MAX_NAME} printable characters"
    if given.resume and is_stdin:
        return "standard input cannot be resumed, because it cannot be read again. Name the FILE of the batch"
    if given.download is not None and stage == "accepted":
        return "--download needs recordings that have ended: use --wait recorded or --wait transcribed"
    if given.public_url is not None and given.store is None and stage == "accepted":
        return "--public-url needs --store or --wait recorded. Without them nothing follows the recordings"
    if given.listen is not None and (given.public_url is None or stage == "accepted"):
        return "--listen needs --public-url, and --wait recorded or --wait transcribed"
    return None


def address_of(public_url: str, listen: str | None) -> Address:
    """Return the address on which callbacks are received.

    Args:
        public_url: The URL that Plivo calls.
        listen: The value of ``--listen``. If None, the address follows from the URL.

    Raises:
        UsageError: The value is not ``HOST:PORT``.
    """
    if listen is None:
        return listening_address(public_url)
    host, _, port = listen.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) not in _PORTS:
        raise click.UsageError(f"--listen must be HOST:PORT, not {listen!r}", click.get_current_context(silent=True))
    return host.strip("[]"), int(port)
