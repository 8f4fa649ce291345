"""The list of recordings, filtered and cut into pages: https://plivo.com/docs/voice/api/recordings.md ."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from plivo_record_async.emulator.account.arguments import RefusedError, integer_argument
from plivo_record_async.emulator.account.recording import Recording

__all__ = ["listing"]

_DEFAULT_WINDOW = timedelta(days=7)
_LONGEST_WINDOW = timedelta(days=30)
_ENDLESS = 999_999_999
_FIRST_YEAR = 1970

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    "__gt": operator.gt,
    "__gte": operator.ge,
    "__lt": operator.lt,
    "__lte": operator.le,
}

_ABSENT = ("conference_uuid", "subaccount", "from_number", "to_number", "mpc_name", "mpc_uuid")
"""Filters for attributes that no emulated recording has. A request with one of them finds no recording."""


def listing(
    recordings: Iterable[Recording], given: Mapping[str, str], *, path: str, now: datetime
) -> Mapping[str, Any]:
    """Return one page of the recordings that have ended, the latest end first.

    Args:
        recordings: All recordings.
        given: The arguments of the request.
        path: The path of the list, from which the addresses of the next and the previous page are made.
        now: The time (aware).

    Raises:
        RefusedError: 400, an argument is invalid or asks for more than 30 days.
    """
    limit = integer_argument(given, "limit", at_least=1, at_most=20, default=20)
    offset = integer_argument(given, "offset", at_least=0, at_most=_ENDLESS, default=0)
    wanted = _time_filter(given, now)
    kept_long_enough = _storage_filter(given)
    found = sorted(
        (
            each
            for each in recordings
            if kept_long_enough and each.ended_at and wanted(each.ended_at) and _has(each, given)
        ),
        key=lambda each: (each.ended_at, each.started_at),
        reverse=True,
    )

    def page(start: int) -> str:
        return f"{path}?{urlencode({**given, 'limit': limit, 'offset': start})}"

    return {
        "meta": {
            "limit": limit,
            "next": page(offset + limit) if offset + limit < len(found) else None,
            "offset": offset,
            "previous": page(max(0, offset - limit)) if offset else None,
            "total_count": len(found),
        },
        "objects": [each.resource() for each in found[offset : offset + limit]],
    }


def _has(recording: Recording, given: Mapping[str, str]) -> bool:
    """Return whether a recording passes the filters, except those for its time."""
    return (
        given.get("conference_name", recording.conference_name) == recording.conference_name
        and given.get("call_uuid", recording.call_uuid) == recording.call_uuid
        and not any(name in given for name in _ABSENT)
    )


def _storage_filter(given: Mapping[str, str]) -> bool:
    """Return whether recordings pass the filters for the days of storage. Every emulated recording was made today."""
    names = {suffix: f"recording_storage_duration{suffix}" for suffix in _COMPARISONS}
    asked = {suffix: name for suffix, name in names.items() if name in given}
    if asked and any(name.startswith("add_time") for name in given):
        raise RefusedError(400, "recording_storage_duration parameter is invalid together with add_time")
    return all(
        _COMPARISONS[suffix](0, integer_argument(given, name, at_least=0, at_most=_ENDLESS, default=0))
        for suffix, name in asked.items()
    )


def _time_filter(given: Mapping[str, str], now: datetime) -> Callable[[datetime], bool]:
    """Return a function that tells whether a time passes the ``add_time`` filters, by default the last seven days."""
    bounds = {
        suffix: _moment(f"add_time{suffix}", given[f"add_time{suffix}"])
        for suffix in _COMPARISONS
        if f"add_time{suffix}" in given
    }
    if not bounds:
        bounds = {"__gte": now - _DEFAULT_WINDOW}
    floors = [moment for suffix, moment in bounds.items() if suffix in {"", "__gt", "__gte"}]
    ceilings = [moment for suffix, moment in bounds.items() if suffix in {"", "__lt", "__lte"}]
    newest = min([now, *ceilings])
    oldest = max(floors, default=newest - _DEFAULT_WINDOW)
    if newest - oldest > _LONGEST_WINDOW:
        raise RefusedError(400, "add_time parameter is invalid, the range must not be longer than 30 days")
    return lambda moment: (
        moment >= oldest and all(_COMPARISONS[suffix](moment, bound) for suffix, bound in bounds.items())
    )


def _moment(name: str, text: str) -> datetime:
    """Read a time from 1970 on. It is UTC unless it has an offset."""
    invalid = RefusedError(400, f"{name} parameter is invalid, it must be YYYY-MM-DD HH:MM:SS")
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise invalid from error
    if moment.year < _FIRST_YEAR:
        raise invalid
    return moment
