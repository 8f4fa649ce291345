"""The checks of this machine: versions, and the store."""

from __future__ import annotations

import platform
from contextlib import aclosing
from importlib.metadata import PackageNotFoundError, version

from plivo_record_async._version import __version__
from plivo_record_async.cli.doctor.check import Check, ok, problem, warning
from plivo_record_async.cli.input.store import open_existing_store, store_name
from plivo_record_async.errors import ConfigurationError, StoreError

__all__ = ["check_store", "check_versions"]

_LIBRARIES = ("httpx", "httpcore", "attrs", "cattrs", "uvicorn", "starlette", "pyreqwest", "psycopg")


def check_versions() -> Check:
    """Return the versions of this package, of Python, and of the libraries that are installed."""
    installed = [f"{name} {found}" for name in _LIBRARIES if (found := _version(name))]
    here = f"plivo-record-async {__version__}, Python {platform.python_version()} on {platform.system()}"
    return ok("versions", ", ".join([here, *installed]))


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


async def check_store(text: str) -> Check:
    """Check that a store can be read and can commit. Nothing is changed.

    Args:
        text: The value of ``--store``.
    """
    try:
        async with aclosing(open_existing_store(text)) as store:
            await store.check()
            counts = await store.counts()
    except ConfigurationError as error:
        return problem("store", str(error), "Check the path. Commands that start or receive create a file.")
    except StoreError as error:
        return problem(
            "store", str(error), "Check the permissions of the file and its directory, and the space on the disk."
        )
    uncertain = sum(counts.get(state, 0) for state in ("unknown", "unconfirmed"))
    finding = f"{store_name(text)} can commit and contains {sum(counts.values())} recordings"
    if uncertain:
        advice = "Run a tracker, listen or reconcile, which ask Plivo about them."
        return warning("store", f"{finding}, of which {uncertain} are unknown or unconfirmed", advice)
    return ok("store", finding)
