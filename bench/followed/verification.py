"""What it costs to believe a callback: ``python -m bench.followed.verification ROUNDS CALLS`` prints JSON.

The official package is handed the fields ready read, and only verifies; so does ``ours``. ``verified`` takes the raw
request and reads the form first, ``parsed`` makes the event too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from plivo.utils import validate_v3_signature  # type: ignore[import-untyped]

from bench.followed.callbacks import ended
from bench.peers import AUTH_TOKEN
from plivo_record_async import RecordingEnded, parse_callback
from plivo_record_async.protocol.callbacks.parsing import read_form, verify_callback
from plivo_record_async.protocol.callbacks.signatures import find_match, read_signature_headers, signed_texts

CALLBACK = ended(1)
BODY, HEADERS = CALLBACK.body, CALLBACK.headers()
FORM = read_form(HEADERS, BODY)


def ours() -> bool:
    claim = read_signature_headers(HEADERS)
    texts = signed_texts(claim, "POST", CALLBACK.url, FORM)
    return find_match(claim, texts, AUTH_TOKEN) is not None


def verified() -> bool:
    return bool(verify_callback("POST", CALLBACK.url, HEADERS, BODY, auth_tokens=AUTH_TOKEN))


def parsed() -> bool:
    return isinstance(parse_callback("POST", CALLBACK.url, HEADERS, BODY, auth_tokens=AUTH_TOKEN), RecordingEnded)


def official() -> bool:
    believed: bool = validate_v3_signature(
        "POST",
        CALLBACK.url,
        HEADERS["X-Plivo-Signature-V3-Nonce"],
        AUTH_TOKEN,
        HEADERS["X-Plivo-Signature-V3"],
        dict(CALLBACK.fields),  # which it may change
    )
    return believed


def cost(event_of: Callable[[], bool], calls: int) -> float:
    """CPU microseconds of one call."""
    began = time.process_time()
    believed = all(event_of() for _ in range(calls))
    took = time.process_time() - began
    if not believed:
        raise RuntimeError(f"{event_of.__name__} did not believe a genuine callback")
    return 1e6 * took / calls


def main(rounds: int, calls: int) -> None:
    found: dict[str, list[float]] = {event_of.__name__: [] for event_of in (official, ours, verified, parsed)}
    for _ in range(rounds):
        for event_of in (official, ours, verified, parsed):
            found[event_of.__name__].append(cost(event_of, calls))
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
