"""Libraries without type annotations, imported as `Any`: the official SDK, its HTTP library, an audio decoder, YAML."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["miniaudio", "plivo", "plivo_exceptions", "requests", "yaml"]

miniaudio: Any = import_module("miniaudio")
plivo: Any = import_module("plivo")
plivo_exceptions: Any = import_module("plivo.exceptions")
requests: Any = import_module("requests")
yaml: Any = import_module("yaml")
