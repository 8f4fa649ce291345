"""What tests of your own use: the fixtures of the pytest plugin, and the classes behind them.

The classes are imported at their first use, because pytest imports the plugin in every project.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from plivo_record_async.testing.plugin import plivo_callback, plivo_client, plivo_emulator, plivo_serve, plivo_tracker

if TYPE_CHECKING:
    from plivo_record_async.testing.app import AppServer, StartupFailedError
    from plivo_record_async.testing.callbacks import CallbackFactory, HttpCallback

__all__ = [
    "AppServer",
    "CallbackFactory",
    "HttpCallback",
    "StartupFailedError",
    "plivo_callback",
    "plivo_client",
    "plivo_emulator",
    "plivo_serve",
    "plivo_tracker",
]

_LATER = {"AppServer": "app", "CallbackFactory": "callbacks", "HttpCallback": "callbacks", "StartupFailedError": "app"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
