"""Logging to stderr: one line per record, as text or JSON, times in UTC, no passwords."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

LEVELS = ("debug", "info", "warning", "error")

AUTO, JSON, TEXT = "auto", "json", "text"
FORMATS = (TEXT, JSON, AUTO)
"""`auto`: text on a terminal, JSON elsewhere."""

_PASSWORD = re.compile(
    r"(?P<before>\bpostgres(?:ql)?://[^:/?\s]*:)\S*(?=@)"  # up to the last @: a password may contain / ? # and @
    r"|(?P<web>://[^:/\s]*:)[^/\s]*(?=@)"
    r"|(?P<parameter>[?&](?:ssl)?password=)[^&\s]+"
)

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_SHOWN_IN_TEXT = ("run", "key", "caller", "trace_id", "request_id")
"""Fields that text lines have after the message, in this order; messages have the other ones in words.

The last one is the caller's choice and may hold spaces.
"""


def without_password(text: str) -> str:
    """Return the text with the passwords of URLs replaced by `***`."""
    return _PASSWORD.sub(lambda match: f"{match['before'] or match['web'] or match['parameter']}***", text)


def fields(**values: str | float | None) -> Mapping[str, Any]:
    """Return `extra` for a record that has fields besides its message; those that are None are left out."""
    return {"fields": {name: value for name, value in values.items() if value is not None}}


def _fields_of(record: logging.LogRecord) -> Mapping[str, str | float]:
    return getattr(record, "fields", {})


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _LineFormatter(logging.Formatter):
    """Formats a record as one line. Control characters are escaped, so that no input can forge a record or a screen."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return _time(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        line, found = super().formatMessage(record), _fields_of(record)
        shown = [f"{name}={found[name]}" for name in _SHOWN_IN_TEXT if name in found]
        return f"{line}; {' '.join(shown)}" if shown else line

    def format(self, record: logging.LogRecord) -> str:
        line = without_password(super().format(record)).replace("\\", "\\\\")
        return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), line)


class _JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object on one line of ASCII, with its fields beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "process": record.process,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields_of(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        clean = {name: _clean(value) if isinstance(value, str) else value for name, value in entry.items()}
        return json.dumps(clean).replace("\x7f", "\\u007f")


def _clean(text: str) -> str:
    """Return a text without passwords, and with lone surrogates, which many readers of JSON refuse, as escapes."""
    return without_password(text).encode("utf-8", "backslashreplace").decode()


def set_up(level: str, log_format: str = TEXT) -> None:
    """Log the records of this process to stderr; `level` is one of LEVELS, `log_format` one of FORMATS."""
    handler = logging.StreamHandler(sys.stderr)
    if is_json(log_format):
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(_LineFormatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    if level != "debug":
        for verbose in ("alembic", "asyncio"):
            logging.getLogger(verbose).setLevel(logging.WARNING)


def is_json(log_format: str) -> bool:
    """Return whether records are logged as JSON in one of FORMATS."""
    return log_format == JSON or (log_format == AUTO and not sys.stderr.isatty())


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
