"""The verdicts of the official ``plivo`` package, which has no types of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plivo import utils  # type: ignore[import-untyped]

_official: Any = utils

Form = Mapping[str, str | Sequence[str]]


def accepts_v3(method: str, url: str, form: Form, *, nonce: str, token: str, signature: str) -> bool:
    """Whether ``plivo.utils.validate_v3_signature`` accepts it; it changes the form that it is given."""
    return bool(_official.validate_v3_signature(method, url, nonce, token, signature, dict(form)))


def accepts_v2(url: str, *, nonce: str, token: str, signature: str) -> bool:
    """Whether ``plivo.utils.validate_signature`` accepts it."""
    return bool(_official.validate_signature(url, nonce, signature, token))
