"""The public names of the package: all are listed, and importing them needs nothing optional."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import plivo_record_async
from plivo_record_async import errors

CLIENT = {
    "AttemptReport",
    "DEFAULT_MEDIA_HOSTS",
    "MediaStream",
    "Conference",
    "Failed",
    "Outcome",
    "PendingResponse",
    "RateLimit",
    "RecordClient",
    "Recording",
    "RecordingStarted",
    "RecordingStopped",
    "StartRequest",
    "StopRequest",
    "Succeeded",
    "Transcription",
    "TranscriptionRequested",
    "fast_transport",
}
CALLBACKS = {
    "ApiResponse",
    "CallbackEvent",
    "CallbackPolicy",
    "RecordingEnded",
    "TranscriptionEnded",
    "UnknownCallback",
    "parse_callback",
    "sign_callback_v3",
}
TRACKER = {"MemoryStore", "RecordingTracker", "SQLiteStore", "TrackingPolicy", "TrackedRecording"}
IMPORTED_LATER = TRACKER | {
    "CallbackPolicy",
    "ErrorResponse",
    "SignatureReport",
    "error_response",
    "explain_signature",
    "parse_callback",
    "sign_callback_v3",
}
ERRORS = {
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "CallbackRejectedError",
    "ClosedError",
    "ConfigurationError",
    "DownloadError",
    "DownloadRefusedError",
    "MalformedCallbackError",
    "MethodNotAllowedError",
    "NotFoundError",
    "NotSentError",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "PlivoRecordError",
    "RateLimitError",
    "RecordingFailedError",
    "ServerError",
    "SignatureMismatchError",
    "SignatureMissingError",
    "StoreError",
    "UnexpectedResponseError",
    "UnknownStartError",
    "WaitTimeoutError",
}
PROMISED = CLIENT | CALLBACKS | TRACKER | ERRORS
NEEDED_TO_IMPORT = {"TYPE_CHECKING", "Any", "import_module"}
OPTIONAL = {
    "click",
    "plivo_record_async.cli",
    "plivo_record_async.emulator",
    "plivo_record_async.testing.plugin",
    "pyreqwest",
    "pytest",
    "rich",
    "sqlite3",
    "starlette",
    "uvicorn",
}


def run(probe: str) -> None:
    """Run a program in an interpreter that has imported nothing yet; it must succeed and print nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", probe], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_every_promised_name_is_public(name: str) -> None:
    assert name in plivo_record_async.__all__
    assert getattr(plivo_record_async, name) is not None


def test_all_is_complete() -> None:
    public = {
        name
        for name, value in vars(plivo_record_async).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name not in NEEDED_TO_IMPORT
    }
    assert sorted(plivo_record_async.__all__) == sorted(public | IMPORTED_LATER | {"__version__"})


def test_dir_shows_every_public_name_before_its_first_use() -> None:
    probe = """
import plivo_record_async
names = dir(plivo_record_async)
assert names == sorted(set(names)), names
assert set(names) >= set(plivo_record_async.__all__) | {"client", "__doc__", "__file__"}, names
assert "RecordingTracker" not in vars(plivo_record_async)
"""
    run(probe)
    assert set(dir(plivo_record_async)) >= {*plivo_record_async.__all__}


def test_star_import_imports_every_public_name() -> None:
    run("""
from plivo_record_async import *
import plivo_record_async
for name in plivo_record_async.__all__:
    assert globals()[name] is getattr(plivo_record_async, name), name
""")


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="RecordManager"):
        _ = plivo_record_async.RecordManager  # pyright: ignore[reportUnknownMemberType]


def test_import_needs_no_extra_and_has_no_side_effect() -> None:
    probe = f"""
import sys, threading
sys.modules.update(dict.fromkeys({sorted(OPTIONAL)}))  # importing one of them now raises ImportError
import plivo_record_async
assert threading.active_count() == 1
"""
    run(probe)


def test_every_error_is_public() -> None:
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.PlivoRecordError) and not name.startswith("_")
    }
    assert raised == ERRORS
