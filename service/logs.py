"""One line a record on stderr, times in UTC, no passwords."""

import logging
import re
import sys
from datetime import UTC, datetime

LEVELS = ("debug", "info", "warning", "error")

_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^/\s]*@|(?<=[?&]password=)[^&\s]+")


def without_password(text: str) -> str:
    """Return text with the passwords of URLs in it blotted out."""
    return _PASSWORD.sub(lambda found: f"{found[1]}:***@" if found[1] is not None else "***", text)


class _Lines(logging.Formatter):
    """A traceback's line breaks are escaped: a record is a line, and nothing that came in can fake one."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def format(self, record: logging.LogRecord) -> str:
        line = without_password(super().format(record))
        return line.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def set_up(level: str) -> None:
    """Send the records of this process to stderr; `level` is one of LEVELS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    if level != "debug":
        for chatty in ("alembic", "asyncio"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
