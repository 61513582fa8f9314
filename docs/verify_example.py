"""Recomputes Runfold's hash chain from the rows alone, as docs/ledger-format.md specifies; shares no code with Runfold.

python docs/verify_example.py postgresql://user@host/database

Exit status 0: the ledger holds; 1: it does not; 2: wrong usage; 3: the ledger cannot be read.
"""

import asyncio
import hashlib
import json
import struct
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
ROWS = """
    select e.*, p.body::text as payload
      from runfold.events e left join runfold.payloads p on p.log = e.log and p.position = e.position
     where e.log = 0
     order by e.position
"""
RECORDS = """
    select e.position, e.kind, e.subject, e.stream, e.fact, p.body::text as payload
      from runfold.events e left join runfold.payloads p on p.log = e.log and p.position = e.position
     where e.log = 0 and e.kind in ('erased', 'archived', 'restored')
     order by e.position
"""
HEAD = "select position, hash, recorded_at from runfold.ledger_head where log = 0"

LONE = """
    select p.position from runfold.payloads p
     where p.log = 0 and not exists (select from runfold.events e where e.log = p.log and e.position = p.position)
     order by p.position
     limit 1
"""


def field(type_number: int, content: bytes | None) -> bytes:
    """Return a field: type number, length and content; NULL has the length -1."""
    if content is None:
        return struct.pack(">ii", type_number, -1)
    return struct.pack(">ii", type_number, len(content)) + content


def text(value: str | None) -> bytes:
    """Return a text field, in UTF-8."""
    return field(17, None if value is None else value.encode("utf-8"))


def time(value: datetime) -> bytes:
    """Return a time field: microseconds since 2000-01-01 UTC."""
    return field(1184, struct.pack(">q", (value - EPOCH) // timedelta(microseconds=1)))


def form(row: Any) -> bytes:  # noqa: ANN401  asyncpg has no types
    """Return the canonical form of a row."""
    parent = row["parent_run"]
    fields = [
        field(23, struct.pack(">i", row["log"])),
        field(20, struct.pack(">q", row["position"])),
        text(row["subject"]),
        field(2950, row["stream"].bytes),
        text(row["kind"]),
        text(row["state"]),
        time(row["transitioned_at"]),
        time(row["recorded_at"]),
        text(row["namespace"]),
        text(row["job"]),
        field(2950, None if parent is None else parent.bytes),
        text(row["source"]),
        text(row["actor"]),
        field(17, row["fact"]),
        field(17, row["request_digest"]),
        field(17, row["payload_digest"]),
    ]
    return struct.pack(">i", len(fields)) + b"".join(fields)


class AllowedGaps:
    """The payloads that may be missing, because the ledger records that they were erased or archived."""

    def __init__(self, records: list[Any]) -> None:
        """Take the records of erasures, archives and restores, oldest first."""
        self.erased: dict[Any, int] = {}
        self.archived: dict[int, int] = {}
        for row in records:
            if row["kind"] == "erased":
                self.erased[row["subject"], row["stream"], row["fact"]] = row["position"]
            elif row["kind"] == "archived":
                archive = json.loads(row["payload"])
                self.archived[archive["first"]] = archive["last"]
            elif row["kind"] == "restored":
                self.archived.pop(json.loads(row["payload"])["first"], None)

    def covers(self, row: Any) -> bool:  # noqa: ANN401
        """Return whether a row's payload may be missing."""
        position = row["position"]
        if row["subject"] in {"key", "ledger"}:
            return False
        fact = hashlib.sha256(f"erased:{position}".encode()).digest()[:16]
        archived = any(first <= position <= last for first, last in self.archived.items())
        return archived or self.erased.get((row["subject"], row["stream"], fact), 0) > position


def what_is_wrong(row: Any, expected: int, before: bytes, allowed: AllowedGaps) -> str | None:  # noqa: ANN401
    """Return what is wrong with a row; None if it is intact."""
    if row["position"] != expected:
        return "is missing"
    if hashlib.sha256(b"\x01" + before + form(row)).digest() != row["hash"]:
        return "has another hash"
    payload = row["payload"]
    if payload is None and row["payload_digest"] is not None and allowed.covers(row):
        return None
    digest = None if payload is None else hashlib.sha256(payload.encode("utf-8")).digest()
    return None if digest == row["payload_digest"] else "has another payload"


async def verify(dsn: str) -> str | None:
    """Return None if the ledger is intact, else the first thing that is wrong."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            allowed = AllowedGaps(await connection.fetch(RECORDS))
            position, reached, recorded_at = 0, bytes(32), None
            async for row in connection.cursor(ROWS, prefetch=100):
                wrong = what_is_wrong(row, position + 1, reached, allowed)
                if wrong:
                    return f"position {position + 1} {wrong}"
                if recorded_at is not None and row["recorded_at"] < recorded_at:
                    return f"position {position + 1} was recorded earlier than the row before it"
                position, reached, recorded_at = row["position"], row["hash"], row["recorded_at"]
            lone = await connection.fetchval(LONE)
            if lone is not None:
                return f"there is a payload without a row at position {lone}"
            head = await connection.fetchrow(HEAD)
            if head is None or tuple(head)[:2] != (position, reached):
                return f"the head is not position {position} with hash {reached.hex()}"
            if recorded_at is not None and head["recorded_at"] != recorded_at:
                return f"the head has another time than position {position}"
            return None
    finally:
        await connection.close()


if __name__ == "__main__":
    if not "".join(sys.argv[1:2]).startswith(("postgresql://", "postgres://")):
        print("usage: python docs/verify_example.py postgresql://user@host/database", file=sys.stderr)
        sys.exit(2)
    try:
        WRONG = asyncio.run(verify(sys.argv[1]))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        print(f"the ledger cannot be read: {error}", file=sys.stderr)
        sys.exit(3)
    except ValueError:  # its message repeats parts of the URL, which may have a password
        print("the URL cannot be read: percent-encode / @ : # ? and spaces in names and passwords", file=sys.stderr)
        sys.exit(2)
    print(WRONG or "the ledger holds")
    sys.exit(1 if WRONG else 0)
