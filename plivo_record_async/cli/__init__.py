"""The commands ``plivo-record …`` and ``python -m plivo_record_async …``. They need the extra ``cli``."""
