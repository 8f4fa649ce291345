"""The signatures: the official SDKs' vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plivo_record_async.protocol.signatures import sign_callback_v3

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "signatures.json").read_text())


def vectors(scheme: str) -> list[Any]:
    return [pytest.param(v, id=f"{i}-{v['source']}") for i, v in enumerate(VECTORS) if v["scheme"] == scheme]


@pytest.mark.parametrize("vector", vectors("V3"))
def test_signs_as_the_vectors_say(vector: dict[str, Any]) -> None:
    signature = sign_callback_v3(
        vector["method"], vector["uri"], vector["params"], vector["nonce"], vector["auth_token"]
    )
    assert (signature == vector["signature"]) is vector["valid"]
