"""`Emulator`: a local Plivo with a real HTTP server. It needs the extra ``emulator``.

The emulator shares no code with the client except the signing of callbacks and ``to_dict``, so that a mistake in the
client is not hidden by the same mistake in the emulator.
"""

from plivo_record_async.errors import ConfigurationError

try:
    from plivo_record_async.emulator.account.dialect import Dialect
    from plivo_record_async.emulator.server import Emulator
except ModuleNotFoundError as _error:
    if (_missing := str(_error.name).partition(".")[0]) not in {"starlette", "uvicorn"}:
        raise
    raise ConfigurationError(f"the emulator needs {_missing}: pip install 'plivo-record-async[emulator]'") from _error

__all__ = ["Dialect", "Emulator"]
