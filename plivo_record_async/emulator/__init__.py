"""A fake Plivo that speaks real HTTP on this machine: `Emulator`. Needs the extra ``emulator``.

What it knows of Plivo it knows by itself: it shares no code with the client but the signing of callbacks and `to_dict`,
so that a mistake of one is not hidden by the same mistake in the other.
"""

from plivo_record_async.errors import ConfigurationError

try:
    from plivo_record_async.emulator.dialect import Dialect
    from plivo_record_async.emulator.server import Emulator
except ModuleNotFoundError as error:
    if (missing := str(error.name).partition(".")[0]) not in {"starlette", "uvicorn"}:
        raise
    raise ConfigurationError(f"the emulator needs {missing}: pip install 'plivo-record-async[emulator]'") from error

__all__ = ["Dialect", "Emulator"]
