"""Search, guided by coverage, for forged callbacks that are believed or raise an unexpected error; Linux only.

``python -m tests.fuzz -max_total_time=60 -dict=tests/fuzz/callbacks.dict FOUND tests/fuzz/seeds``, where FOUND is a
directory for what leads further. A finding ends the search; its input is left in a file ``crash-…``, and
``python -m tests.fuzz crash-…`` tries it again. All options: https://llvm.org/docs/LibFuzzer.html#options
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

atheris: Any = import_module("atheris")

with atheris.instrument_imports(include=["plivo_record_async.protocol"]):
    attempt = import_module("tests.fuzz.attempt").attempt

atheris.Setup(sys.argv, attempt)
atheris.Fuzz()
