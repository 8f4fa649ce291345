"""What tests of your own use: the pytest fixture ``plivo_emulator``."""

from plivo_record_async.testing.plugin import plivo_emulator

__all__ = ["plivo_emulator"]
