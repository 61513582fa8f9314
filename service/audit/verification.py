"""Walks the ledger and recomputes its hash chain from the rows, as docs/ledger-format.md tells an auditor to.

Nothing is locked and no snapshot is held: the service may append meanwhile, what it appends is not looked at.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, NamedTuple

from service.audit.hash_chain import NO_HASH, recompute_hashes
from service.database.connections import Connections
from service.database.statements import load
from service.ledger.archive_records import find_explained_absences
from service.ledger.events import LOG

PAGE = 10_000
"""Positions read at once; the next page is read while one is computed."""

_ENDS, _EVENTS = load("verify_ends"), load("verify_events")
_PAYLOADS, _HASH = load("verify_payloads"), load("verify_hash")

_CONNECTIONS = 2
_STATEMENT_S = 3600.0
"""Seconds for a statement: the payloads of a page may be gigabytes."""

Progress = Callable[[int, int], None]
"""Hears how many positions are done, and of how many."""


class VerificationResult(NamedTuple):
    """What was found; `broken_at` and `reason`: the first position that does not hold, and what is wrong."""

    ok: bool
    first: int
    last: int
    head_position: int
    head_hash: bytes
    broken_at: int | None = None
    reason: str | None = None


class _Broken(Exception):
    def __init__(self, position: int, reason: str) -> None:
        super().__init__(position, reason)
        self.position = position
        self.reason = reason


class _Ends(NamedTuple):
    head: int
    hash: bytes
    last_event: int
    last_payload: int


class _VerifiedPage(NamedTuple):
    first: int
    last: int
    rows: list[Any]
    payloads: dict[int, bytes]
    excused: set[int]


def _silent(_done: int, _total: int) -> None:
    """Show nothing."""


async def verify_ledger(
    dsn: str, first: int = 1, last: int | None = None, progress: Progress = _silent
) -> VerificationResult:
    """Verify positions first to last (None: to the head).

    Raises DatabaseUnavailable, and ValueError for a range that begins after its own or the ledger's end.
    """
    async with Connections(dsn, _CONNECTIONS) as connections:
        ends = await _ends(connections)
        through = ends.head if last is None else last
        if first < 1 or first > max(through, 1):
            raise ValueError(f"there are no positions from {first} to {through}")
        return await _judge(connections, first, through, ends, progress)


async def _ends(connections: Connections) -> _Ends:
    rows = await _fetch(connections, _ENDS, LOG)
    return _Ends(*rows[0]) if rows else _Ends(0, b"", 0, 0)


async def _judge(
    connections: Connections, first: int, through: int, ends: _Ends, progress: Progress
) -> VerificationResult:
    try:
        reached = await _walk(
            connections, first, min(through, ends.head), lambda done: progress(done, through - first + 1)
        )
        if through >= ends.head:
            _check_end(ends, reached, through)
    except _Broken as broken:
        return VerificationResult(False, first, through, ends.head, ends.hash, broken.position, broken.reason)  # noqa: FBT003
    return VerificationResult(True, first, through, ends.head, ends.hash)  # noqa: FBT003


async def _walk(connections: Connections, first: int, last: int, progress: Callable[[int], None]) -> bytes:
    """Check positions first to last; return the hash of the last."""
    reached = await _hash_at(connections, first - 1)
    async with aclosing(_pages(connections, first, last)) as pages:
        async for page in pages:
            # In a thread, so that meanwhile the next page arrives, and others on this loop get their turn.
            reached = await asyncio.to_thread(_check, page, reached)
            progress(page.last - first + 1)
    return reached


async def _hash_at(connections: Connections, position: int) -> bytes:
    if position == 0:
        return NO_HASH
    rows = await _fetch(connections, _HASH, LOG, position)
    if not rows:
        raise _Broken(position, "the row is missing")
    found: bytes = rows[0][0]
    return found


async def _pages(connections: Connections, first: int, last: int) -> AsyncGenerator[_VerifiedPage]:
    """Give the pages in order, always reading one ahead."""
    starts = range(first, last + 1, PAGE)
    reading: asyncio.Task[_VerifiedPage] | None = None
    try:
        for start in starts:
            page = await (reading or _read(connections, start, min(start + PAGE - 1, last)))
            reading = None
            if page.last < last:
                following = page.last + 1
                reading = asyncio.create_task(_read(connections, following, min(following + PAGE - 1, last)))
            yield page
    finally:
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _read(connections: Connections, first: int, last: int) -> _VerifiedPage:
    rows, payloads = await asyncio.gather(
        _fetch(connections, _EVENTS, LOG, first, last), _fetch(connections, _PAYLOADS, LOG, first, last)
    )
    found: dict[int, bytes] = dict(map(tuple, payloads))
    missing = [row[0] for row in rows if row[2] is not None and row[0] not in found]
    return _VerifiedPage(first, last, rows, found, await find_explained_absences(connections, missing))


async def _fetch(connections: Connections, statement: str, *arguments: int) -> list[Any]:
    async with connections.connection() as connection:
        rows: list[Any] = await connection.fetch(statement, *arguments, timeout=_STATEMENT_S)
        return rows


def _check(page: _VerifiedPage, reached: bytes) -> bytes:
    """Check a page that follows on the hash `reached`; return the hash of its last row."""
    expected = page.first
    take = page.payloads.pop
    for row, hashed in recompute_hashes(LOG, page.rows, reached):
        position, recorded, digest = row[0], row[1], row[2]
        if position != expected:
            raise _Broken(expected, "the row is missing")
        if hashed != recorded:
            raise _Broken(position, "its hash is not that of the row and the hash before it: one was altered")
        found = take(position, None)
        if found != digest and (found is not None or position not in page.excused):
            raise _Broken(position, _what_is_wrong(found, digest))
        reached = recorded
        expected += 1
    if expected <= page.last:
        raise _Broken(expected, "the row is missing")
    return reached


def _what_is_wrong(payload: bytes | None, digest: bytes | None) -> str:
    if payload is None:
        return "its payload is missing, and no archive nor erasure of it is recorded"
    if digest is None:
        return "there is a payload, and the row says that there is none"
    return "its payload was altered: its SHA-256 is not the digest in the row"


def _check_end(ends: _Ends, reached: bytes, through: int) -> None:
    if not ends.hash:
        raise _Broken(1, "the ledger has no head")
    if ends.hash != reached:
        raise _Broken(max(ends.head, 1), "the head has another hash than the last row")
    if ends.last_event > ends.head:
        raise _Broken(ends.head + 1, "there is a row after the head")
    if ends.last_payload > ends.head:
        raise _Broken(ends.last_payload, "there is a payload without a row")
    if through > ends.head:
        raise _Broken(ends.head + 1, f"the row is missing: the ledger ends at position {ends.head}")
