from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.emulator import Emulator
from plivo_record_async.errors import ConfigurationError


@pytest.mark.parametrize("auth_id", ["", "MA", "MAabcdefghijklmnopqr", "XAABCDEFGHIJKLMNOPQR", "MAABCDEFGHIJKLMNOPQRS"])
def test_malformed_account_is_refused(auth_id: str) -> None:
    with pytest.raises(ConfigurationError, match="auth_id must be MA or SA"):
        Emulator(auth_id=auth_id)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"host": ""}, "host must not be empty"),
        ({"auth_token": ""}, "auth_token must be"),
        ({"auth_token": "a b"}, "auth_token must be"),
        ({"auth_token": "\udcff"}, "auth_token must be"),
        ({"dialect": {"start_status": 200}}, r"dialect must be a Dialect such as .*, not \{'start_status': 200\}"),
        ({"quota": 5}, r"quota must be a RateLimit such as RateLimit\(300, per=5.0\), not 5"),
        ({"keep": "x"}, "keep must be a whole number from 0, not 'x'"),
        ({"seed": "x"}, "seed must be a whole number, not 'x'"),
        ({"strict": "no"}, "strict must be True or False, not 'no'"),
        ({"port": "80"}, "port must be a number from 0 to 65535, not '80'"),
        ({"host": 1}, "host must be a text such as '127.0.0.1', not 1"),
        ({"auth_id": None}, "auth_id must be MA or SA .*, not None"),
        ({"auth_token": 1}, "auth_token must be a text, not a value of type int"),
        ({"keep": -1}, "keep must be 0 or more, not -1"),
    ],
)
def test_unusable_arguments_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Emulator(**wrong)


@pytest.mark.parametrize("port", [-1, 65536])
def test_invalid_port_is_refused(port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"port must be a number from 0 to 65535, not {port}"):
        Emulator(port=port)


@pytest.mark.parametrize("clock", ["fast", None])
def test_unknown_clock_is_refused(clock: Any) -> None:
    with pytest.raises(ConfigurationError, match="clock must be one of real, squeezed, virtual, not "):
        Emulator(clock=clock)
