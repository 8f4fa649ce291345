from __future__ import annotations

import pytest

from plivo_record_async.cli.output.exit_codes import ExitCode, exit_code
from plivo_record_async.errors import (
    BadRequestError,
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    ServerError,
    UnexpectedResponseError,
)

UNKNOWN = OutcomeUnknownError("start", "no answer", phase="answer", evidence="reset")
NOT_SENT = NotSentError("start", "refused", phase="connect", evidence="no connection")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, ExitCode.DONE),
        (ConfigurationError("x"), ExitCode.USAGE),
        (UNKNOWN, ExitCode.UNKNOWN),
        (UnexpectedResponseError(200, "", "it is empty"), ExitCode.UNKNOWN),
        (ServerError(500, None, "x", ""), ExitCode.UNKNOWN),
        (NOT_SENT, ExitCode.FAILED),
        (BadRequestError(400, None, "x", ""), ExitCode.FAILED),
        (ValueError("x"), ExitCode.FAILED),
    ],
)
def test_an_error_has_an_exit_code(error: Exception | None, code: ExitCode) -> None:
    assert exit_code(error) is code


@pytest.mark.parametrize("error", [UNKNOWN, ServerError(500, None, "x", "")])
def test_outcome_of_a_reading_is_never_unknown(error: Exception) -> None:
    assert exit_code(error, reading=True) is ExitCode.FAILED
    assert exit_code(ConfigurationError("x"), reading=True) is ExitCode.USAGE
