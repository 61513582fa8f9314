"""Logging to stderr: one line per record, times in UTC, no passwords."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

LEVELS = ("debug", "info", "warning", "error")

_PASSWORD = re.compile(
    r"(?P<before>\bpostgres(?:ql)?://[^:/?\s]*:)\S*(?=@)"  # up to the last @: a password may contain / ? # and @
    r"|(?P<web>://[^:/\s]*:)[^/\s]*(?=@)"
    r"|(?P<parameter>[?&](?:ssl)?password=)[^&\s]+"
)

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def without_password(text: str) -> str:
    """Return the text with the passwords of URLs replaced by `***`."""
    return _PASSWORD.sub(lambda match: f"{match['before'] or match['web'] or match['parameter']}***", text)


class _LineFormatter(logging.Formatter):
    """Formats a record as one line. Control characters are escaped, so that no input can forge a record or a screen."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def format(self, record: logging.LogRecord) -> str:
        line = without_password(super().format(record)).replace("\\", "\\\\")
        return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), line)


def set_up(level: str) -> None:
    """Log the records of this process to stderr; `level` is one of LEVELS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LineFormatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    if level != "debug":
        for verbose in ("alembic", "asyncio"):
            logging.getLogger(verbose).setLevel(logging.WARNING)


@contextmanager
def errors_only(name: str) -> Iterator[None]:
    """Drop warnings of a logger and its children, where the caller reports failures by itself."""
    logger = logging.getLogger(name)
    previous = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(previous)
