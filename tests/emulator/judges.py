"""Judges from outside: the official SDK, and a decoder of sound. Neither has types."""

from __future__ import annotations

from importlib import import_module
from typing import Any

miniaudio: Any = import_module("miniaudio")
plivo: Any = import_module("plivo")
