"""A record is a line, its time is UTC, and it has no password."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import logs

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
        ("at postgres://me:se:cr@et@host:5432/db, twice", "at postgres://me:***@host:5432/db, twice"),
        ("postgresql://me@/db?host=/tmp&password=secret&x=1", "postgresql://me@/db?host=/tmp&password=***&x=1"),
        ("postgresql:///db?password=secret", "postgresql:///db?password=***"),
        ("postgresql://:secret@host/db", "postgresql://:***@host/db"),
        ("postgresql://me@host:5432/db", "postgresql://me@host:5432/db"),
        ("http://127.0.0.1:5000/a@b", "http://127.0.0.1:5000/a@b"),
        ("http://me:secret@host/", "http://me:***@host/"),
        ("postgresql://me:se/cr?e#t@host/db failed", "postgresql://me:***@host/db failed"),
        ("postgresql://me@corp:secret@host/db", "postgresql://me@corp:***@host/db"),
        ("postgresql://me@host/db?sslpassword=secret", "postgresql://me@host/db?sslpassword=***"),
    ],
)
def test_passwords_of_urls_are_blotted_out(said, shown):
    assert logs.without_password(said) == shown


SAY = """
import logging
from service import logs
logs.set_up("info")
log = logging.getLogger("service.x")
log.debug("not this")
log.info("two\\nlines, and a fake\\r2026-01-01 ERROR")
log.info("a title \\x1b]0;x\\x07, \\x00, \\x9b and \\u2028")
try:
    raise ValueError("postgresql://me:secret@host/db")
except ValueError:
    log.exception("failed")
"""


def test_a_record_is_a_line_with_a_time_in_utc_and_even_a_traceback_has_no_password():
    said = subprocess.run(
        [sys.executable, "-c", SAY],
        cwd=REPOSITORY,
        env={"TZ": "America/New_York"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    first, controls, second = said.stderr.split("\n")[:-1]
    time, rest = first.split(" ", 1)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(time)) < timedelta(minutes=5)
    assert re.fullmatch(r"INFO \d+ service\.x: two\\nlines, and a fake\\r2026-01-01 ERROR", rest)
    assert controls.endswith(r"a title \x1b]0;x\x07, \x00, \x9b and \u2028")
    assert second.endswith("ValueError: postgresql://me:***@host/db")
    assert "secret" not in second


def said_by(log_format, *arguments, extra=None, error=None):
    """Return what a record of these makes in a format."""
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stderr", output)
        logs.set_up("info", log_format)
        logging.getLogger("service.x").info(*arguments, extra=extra, exc_info=error)
    return output.getvalue()


@given(st.text(st.characters(codec=None, exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_any_record_is_one_line_of_ascii_and_a_json_object_with_its_fields(message, value):
    line = said_by("json", "%s", message, extra=logs.fields(request_id=value, duration_ms=1.5, key=None))
    assert line.endswith("\n")
    assert re.fullmatch(r"[ -~]+", line[:-1])
    entry = orjson.loads(line)
    assert entry.keys() == {"time", "level", "process", "logger", "message", "request_id", "duration_ms"}
    assert (entry["level"], entry["logger"], entry["duration_ms"]) == ("info", "service.x", 1.5)
    if message.isprintable() and "://" not in message and "password=" not in message:
        assert entry["message"] == message
    assert datetime.now(UTC) - datetime.fromisoformat(entry["time"]) < timedelta(minutes=5)


def test_neither_message_nor_field_nor_exception_has_a_password_in_json():
    url = "postgresql://me:secret@host/db"
    entry = json.loads(said_by("json", "at %s", url, extra=logs.fields(path=url), error=ValueError(url)))
    assert "secret" not in str(entry)
    assert entry["message"] == "at postgresql://me:***@host/db"
    assert entry["exception"] == "ValueError: postgresql://me:***@host/db"


def test_a_line_of_text_has_the_fields_that_its_message_does_not_tell():
    line = said_by("text", "refused", extra=logs.fields(request_id="a\nb", status=409, key="team-a", caller=None))
    assert line.endswith(f" INFO {os.getpid()} service.x: refused; key=team-a request_id=a\\nb\n")


@pytest.mark.parametrize(("log_format", "terminal", "expected"), [
    ("auto", True, False), ("auto", False, True), ("json", True, True), ("text", False, False)
])  # fmt: skip
def test_auto_is_json_off_a_terminal(log_format, terminal, expected, monkeypatch):
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: terminal))
    assert logs.is_json(log_format) is expected
