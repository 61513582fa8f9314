"""A record is a line, its time is UTC, and it has no password."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

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
