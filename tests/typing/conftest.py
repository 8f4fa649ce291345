"""The type checkers run where they are installed: in the session ``types``, not in that of the other tests."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("mypy") and find_spec("pyright") else ["test_checkers.py"]
