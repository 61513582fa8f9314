"""What a connection may do to the service: how long it may be idle, how much it may say, what of it is logged."""

import logging
from typing import Any

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError


class _Quiet(logging.Filter):
    """Of a request that is no HTTP, say that there was one: not at length, and not what it held, maybe a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, (HttpProcessingError, RequestPayloadError)):
            return True
        record.exc_info = None
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg = f"{record.msg}: {type(error).__name__}"
        return record.levelno >= logging.getLogger().getEffectiveLevel()


_log = logging.getLogger(__name__)
_log.addFilter(_Quiet())

HANDLER_ARGS: dict[str, Any] = {
    "auto_decompress": False,  # service/bodies.py says why
    # Also the time a client has from connecting, or from its last answer, to the end of its headers.
    "keepalive_timeout": 75.0,
    # Time to take what a refused client goes on sending, so that it reads the answer before the connection ends.
    "lingering_time": 5.0,
    # Two names of 1,024 characters of 4 bytes, percent-encoded, are 24 KiB.
    "max_line_size": 32 * 1024,
    "max_field_size": 8 * 1024,
    "max_headers": 128,
    "logger": _log,
}
"""What aiohttp is told for each connection."""
