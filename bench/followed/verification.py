"""What it costs to believe a callback: ``python -m bench.followed.verification ROUNDS CALLS`` prints JSON.

Ours takes the raw request, verifies it, reads the form and makes the event; the official package is handed the fields
ready read, and only verifies.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median

from plivo.utils import validate_v3_signature

from bench.followed.callbacks import ended
from bench.peers import AUTH_TOKEN
from plivo_record_async import RecordingEnded, parse_callback

CALLBACK = ended(1)
BODY, HEADERS = CALLBACK.body, CALLBACK.headers()


def ours() -> bool:
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


def cost(believe: Callable[[], bool], calls: int) -> float:
    """CPU microseconds of one call."""
    began = time.process_time()
    believed = all(believe() for _ in range(calls))
    took = time.process_time() - began
    if not believed:
        raise RuntimeError(f"{believe.__name__} did not believe a genuine callback")
    return 1e6 * took / calls


def main(rounds: int, calls: int) -> None:
    found = [(cost(ours, calls), cost(official, calls)) for _ in range(rounds)]
    print(json.dumps({"ours_us": median(us for us, _ in found), "official_us": median(us for _, us in found)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
