"""What outsiders send: each kind is a source of requests that differ where an attacker would make them differ."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from bench.followed.callbacks import NONCE, PUBLIC_URL, ended, issued
from bench.peers import AUTH_TOKEN
from plivo_record_async import sign_callback_v3

Requests = Iterator[bytes]

BARE_URL = f"{PUBLIC_URL}/recording"
TARGET = "/plivo/recording"
SLOW_LENGTH = 100_000
"""What slow bodies announce."""

FORM = "application/x-www-form-urlencoded"


class Kind(NamedTuple):
    """One way to be hostile.

    Attributes:
        name: What the report calls it.
        requests: The requests, without end.
        is_slow: Whether each comes over a connection of its own, whose body never ends.
    """

    name: str
    requests: Callable[[], Requests]
    is_slow: bool = False


def request(target: str, headers: Mapping[str, str], body: bytes = b"", *, length: int | None = None) -> bytes:
    given = {
        "Host": "recordings.example",
        "Content-Type": FORM,
        "Content-Length": str(len(body) if length is None else length),
        **headers,
    }
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def forged(number: int) -> dict[str, str]:
    """Headers that look like a signature."""
    return {"X-Plivo-Signature-V3": f"{number:043d}=", "X-Plivo-Signature-V3-Nonce": NONCE}


def unsigned_queries() -> Requests:
    yield from itertools.repeat(request(f"{TARGET}?{'ab&' * 20_000}", {}))


def forged_queries() -> Requests:
    for number in itertools.count():
        yield request(f"{TARGET}?{'ab&' * 20_000}", forged(number))


def slow_unsigned_bodies() -> Requests:
    yield from itertools.repeat(request(TARGET, {}, length=SLOW_LENGTH))


def slow_forged_bodies() -> Requests:
    """To a URL that was captured."""
    target = f"{TARGET}?{issued(0).partition('?')[2]}"
    for number in itertools.count():
        yield request(target, forged(number), b"a" * 1000, length=SLOW_LENGTH)


def replays() -> Requests:
    """Of one genuine callback that came to the URL without a token, as the account's own programs may cause."""
    fields = ended(10**9).fields
    signature = sign_callback_v3("POST", BARE_URL, fields, NONCE, AUTH_TOKEN)
    headers = {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": NONCE}
    yield from itertools.repeat(request(TARGET, headers, urlencode(fields).encode()))


def bad_tokens() -> Requests:
    body = ended(0).body
    for number in itertools.count():
        query = f"plivo_record_start={number:032x}&plivo_record_proof={number:032x}"
        yield request(f"{TARGET}?{query}", forged(number), body)


def bad_signatures() -> Requests:
    """To a URL that was captured."""
    target, body = f"{TARGET}?{issued(0).partition('?')[2]}", ended(0).body
    for number in itertools.count():
        yield request(target, forged(number), body)


def long_headers() -> Requests:
    for number in itertools.count():
        yield request(TARGET, {**forged(number), "X-Plivo-Signature-Ma-V3": "a" * 16_000, "X-Long": "b" * 16_000})


KINDS = (
    Kind("60 kB of `ab&ab&…` as the query, unsigned", unsigned_queries),
    Kind("the same with forged signatures", forged_queries),
    Kind("slow bodies, unsigned", slow_unsigned_bodies, is_slow=True),
    Kind("slow bodies with forged signatures, to a captured URL", slow_forged_bodies, is_slow=True),
    Kind("one genuine callback without a token, replayed", replays),
    Kind("forged tokens", bad_tokens),
    Kind("forged signatures, to a captured URL", bad_signatures),
    Kind("headers of 32 kB", long_headers),
)
