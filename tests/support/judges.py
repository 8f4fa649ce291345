"""Judges from outside: the official SDK with the library that it sends with, and a decoder of sound.

They have no types.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

miniaudio: Any = import_module("miniaudio")
plivo: Any = import_module("plivo")
plivo_exceptions: Any = import_module("plivo.exceptions")
requests: Any = import_module("requests")
