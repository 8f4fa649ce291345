"""The entry point of ``plivo-record`` and ``python -m plivo_record_async``."""

from __future__ import annotations

import sys

from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.errors import ConfigurationError

__all__ = ["main"]


def main() -> None:
    """Run the command line. If its libraries are not installed, print which extra installs them, and exit with 2."""
    try:
        with needed_extra("cli"):
            from plivo_record_async.cli.root import plivo_record  # noqa: PLC0415 - it needs the extra
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    plivo_record()


if __name__ == "__main__":
    main()
