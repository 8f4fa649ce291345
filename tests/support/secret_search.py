"""A search for secrets in every log record that a test causes, and in every error of the package that it creates.

The search knows the auth tokens that this process has used last, because a token is the key of an HMAC or a part of an
``Authorization`` header, and both are computed by the standard library. Signatures, proofs, recorded files and
transcripts are known by their form.
"""

from __future__ import annotations

import base64
import hmac
import logging
import pickle
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import pytest

from plivo_record_async.errors import PlivoRecordError

LOGGERS: Final = (
    "plivo_record_async",
    "plivo_record_async.emulator.app",
    "plivo_record_async.emulator.deliveries.deliverer",
    "uvicorn.access",
    "uvicorn.error",
    "asyncio",
)
"""The loggers of the package, and those that write about it in the same program."""

ALL_LEVELS: Final = 1
"""The level of the package's logger during a test that sets none, so that every record is created and searched."""

SHORTEST_TOKEN: Final = 16
"""Characters. A shorter auth token, such as ``token``, could be a word of a message."""

TOKENS: Final = deque[str](maxlen=64)
"""The auth tokens that this process has used last. A test may use the keys that an earlier test has computed."""

MOST_ERRORS: Final = 100
"""The number of errors of one test that are searched. Some tests create thousands of the same kind."""

CREDENTIALS = re.compile(rb"[MS]A[A-Z0-9]{18}:(.+)", re.DOTALL)
SECRET_FORMS: Final = {
    "a proof": re.compile(r"plivo_record_proof=[0-9a-f]"),
    "a signature": re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{43}=(?![\w=])"),
    "credentials": re.compile(r"Basic [A-Za-z0-9+/]{20}"),
}
LOGGED_FORMS: Final = {
    "the URL of a recorded file": re.compile(r"https?://[^\s'\"]*/Recording/[\w-]+\.(mp3|wav)"),
    "a transcript": re.compile(r"This is what was said in "),
}
"""What errors may contain, because it is their subject, but the log must not."""


class SecretSearch(logging.Filter):
    """Searches the log records and errors of one test.

    As a filter of the loggers, it sees each record that is created. It rejects those that the test would not see
    without it, because the search lowers the level of the package's logger.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._errors = 0

    def add_token(self, token: bytes) -> None:
        """Search for an auth token from now on, unless it is short."""
        text = token.decode(errors="replace")
        if len(text) >= SHORTEST_TOKEN and text.isprintable() and text not in TOKENS:
            TOKENS.append(text)

    def filter(self, record: logging.LogRecord) -> bool:
        text = f"{record.getMessage()} {record.__dict__}"
        if record.exc_info:
            text += logging.Formatter().formatException(record.exc_info)
        self.search(f"a record of the logger {record.name}", text, SECRET_FORMS | LOGGED_FORMS)
        level = logging.getLogger(record.name).getEffectiveLevel()
        return record.levelno >= (logging.getLogger().level if level == ALL_LEVELS else level)

    def search_error(self, error: PlivoRecordError) -> None:
        """Search the text, the ``repr`` and the pickle of an error that has just been created."""
        self._errors += 1
        if self._errors <= MOST_ERRORS:
            name = type(error).__name__
            self.search(f"the text of a {name}", f"{error} {error.args!r}", SECRET_FORMS)
            self.search(f"the repr of a {name}", repr(error), SECRET_FORMS)
            self.search(f"the pickle of a {name}", _pickled(error), {})

    def search(self, where: str, text: str, forms: dict[str, re.Pattern[str]]) -> None:
        """Note each secret that a text contains."""
        found = [what for what, form in forms.items() if form.search(text)]
        found += ["an auth token" for token in list(TOKENS) if token in text]
        self.found += [f"{where} contains {what}: {text[:2000]}" for what in found]


def _pickled(error: PlivoRecordError) -> str:
    try:
        return pickle.dumps(error, protocol=0).decode("latin-1")
    except Exception:  # noqa: BLE001 - an error that quotes an object of the test cannot always be pickled
        return ""


def searched_for_secrets() -> Iterator[SecretSearch]:
    """Search while a test runs, and fail it if a secret was found."""
    search = SecretSearch()
    loggers = [logging.getLogger(name) for name in LOGGERS]
    digest, new, b64encode, created = hmac.digest, hmac.new, base64.b64encode, PlivoRecordError.__init__

    def observed_digest(key: Any, *arguments: Any) -> bytes:
        search.add_token(bytes(key))
        return digest(key, *arguments)

    def observed_new(key: Any, *arguments: Any, **options: Any) -> hmac.HMAC:
        search.add_token(bytes(key))
        return new(key, *arguments, **options)

    def observed_b64encode(text: Any, *arguments: Any) -> bytes:
        if credentials := CREDENTIALS.fullmatch(text):
            search.add_token(credentials[1])
        return b64encode(text, *arguments)

    def observed_init(self: PlivoRecordError, message: str) -> None:
        created(self, message)
        search.search_error(self)

    package = logging.getLogger("plivo_record_async")
    level = package.level
    package.setLevel(ALL_LEVELS)
    for logger in loggers:
        logger.addFilter(search)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hmac, "digest", observed_digest)
        patch.setattr(hmac, "new", observed_new)
        patch.setattr(base64, "b64encode", observed_b64encode)
        patch.setattr(PlivoRecordError, "__init__", observed_init)
        yield search
    for logger in loggers:
        logger.removeFilter(search)
    package.setLevel(level)
    if search.found:
        pytest.fail("\n".join(dict.fromkeys(search.found)), pytrace=False)
