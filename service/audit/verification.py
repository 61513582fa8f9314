"""Recomputes the ledger's hash chain from its rows, by the procedure in docs/ledger-format.md.

It executes no code that the database holds (evidence.py), takes no lock and holds no snapshot. The service may append
meanwhile; events appended after the start are ignored.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from operator import itemgetter
from struct import Struct
from typing import Any, NamedTuple

from service.audit.evidence import EvidenceReader, Link, PayloadOwner, RecordedEnds, open_evidence
from service.audit.hash_chain import NO_HASH, ChainRow, recompute_hashes
from service.domain.event import make_tuple
from service.ledger.events import LOG

PAGE = 10_000
"""Positions in a page; the next page is read while one is checked."""

Progress = Callable[[int, int], None]
"""Is called with the number of positions that are done, and of all."""

_chain_fields = itemgetter(*ChainRow._fields)

_microseconds = Struct(">q").unpack
_BEFORE_ALL = Link(NO_HASH, bytes.fromhex("8000000000000000"))
"""What the first position continues; its time is PostgreSQL's -infinity."""


class VerificationResult(NamedTuple):
    """The result for positions `first` to `last`, and the ledger head.

    Where not `ok`, `broken_at` is the first position that does not verify, and `reason` says what is wrong with it.
    """

    ok: bool
    first: int
    last: int
    head_position: int
    head_hash: bytes
    broken_at: int | None = None
    reason: str | None = None

    @property
    def complete(self) -> bool:
        """Whether these are all positions of the ledger."""
        return self.first == 1 and self.last >= self.head_position


class _Broken(Exception):
    def __init__(self, position: int, reason: str) -> None:
        super().__init__(position, reason)
        self.position = position
        self.reason = reason


class _Page(NamedTuple):
    """Rows of positions `first` to `last`, digests of the payloads there are, and positions that need not have one."""

    first: int
    last: int
    rows: list[Any]
    payload_digests: dict[int, bytes]
    explained: set[int]


async def verify_ledger(
    dsn: str, first: int = 1, last: int | None = None, progress: Progress | None = None
) -> VerificationResult:
    """Verify positions first to last (None: to the head).

    Raises DatabaseUnavailable, and ValueError for a range that begins after its own end or after the ledger's end.
    """
    async with open_evidence(dsn) as connections:
        reader = EvidenceReader(connections)
        ends = await reader.ends()
        last = ends.head if last is None else last
        if first < 1 or first > max(last, 1):
            raise ValueError(f"there are no positions from {first} to {last}")
        return await _verify(reader, first, last, ends, progress)


async def _verify(
    reader: EvidenceReader, first: int, last: int, ends: RecordedEnds, progress: Progress | None
) -> VerificationResult:
    try:
        await _check_tables(reader, first)
        if first == 1:
            _check_beginning(ends)
        link = await _link_before(reader, first)
        async with aclosing(_pages(reader, first, min(last, ends.head))) as pages:
            async for page in pages:
                # In a thread: meanwhile the next page is read, and other tasks of this event loop get their turn.
                link = await asyncio.to_thread(_check, page, link)
                if progress is not None:
                    progress(page.last - first + 1, last - first + 1)
        if last >= ends.head:
            _check_end(ends, link, last)
    except _Broken as broken:
        return VerificationResult(False, first, last, ends.head, ends.hash, broken.position, broken.reason)  # noqa: FBT003
    return VerificationResult(True, first, last, ends.head, ends.hash)  # noqa: FBT003


async def _check_tables(reader: EvidenceReader, first: int) -> None:
    disguised = await reader.disguised_tables()
    if disguised:
        raise _Broken(first, f"{disguised[0]} is not a plain table: it may show each reader other rows")


def _check_beginning(ends: RecordedEnds) -> None:
    """Check that nothing is before the first position. No chain leads there, but look-ups of facts find such a row."""
    if ends.first_event < 1:
        raise _Broken(ends.first_event, "there is a row before the first position")
    if ends.first_payload < 1:
        raise _Broken(ends.first_payload, "there is a payload without a row")


async def _link_before(reader: EvidenceReader, first: int) -> Link:
    if first == 1:
        return _BEFORE_ALL
    recorded = await reader.link_at(first - 1)
    if recorded is None:
        raise _Broken(first - 1, "the row is missing")
    return recorded


async def _pages(reader: EvidenceReader, first: int, last: int) -> AsyncGenerator[_Page]:
    """Yield the pages in order, always reading one ahead."""
    starts = range(first, last + 1, PAGE)
    reading: asyncio.Task[_Page] | None = None
    try:
        for start in starts:
            page = await (reading or _read(reader, start, min(start + PAGE - 1, last)))
            reading = None
            if page.last < last:
                following = page.last + 1
                reading = asyncio.create_task(_read(reader, following, min(following + PAGE - 1, last)))
            yield page
    finally:
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _read(reader: EvidenceReader, first: int, last: int) -> _Page:
    rows, digests = await asyncio.gather(reader.rows(first, last), reader.payload_digests(first, last))
    missing = _missing(rows, digests)
    explained = await reader.explained_absences(missing)
    if len(explained) < len(missing):
        # An archive may have been restored after its payloads were looked for: then it is not recorded as one any more.
        digests |= await reader.payload_digests(first, last)
        missing = _missing(rows, digests)
        explained = await reader.explained_absences(missing)
    return _Page(first, last, rows, digests, explained)


def _missing(rows: list[Any], digests: dict[int, bytes]) -> list[PayloadOwner]:
    return [
        PayloadOwner(row["position"], row["subject"], row["stream"])
        for row in rows
        if row["payload_digest"] is not None and row["position"] not in digests
    ]


def _check(page: _Page, before: Link) -> Link:
    """Check a page, given the row before it; return its last row. Raises _Broken."""
    expected = page.first
    (latest,) = _microseconds(before.recorded_at)
    last_hash, last_time = before
    take_digest = page.payload_digests.pop
    rows = (make_tuple(ChainRow, _chain_fields(row)) for row in page.rows)
    for row, computed in recompute_hashes(LOG, rows, before.hash):
        position = row.position
        if position != expected:
            raise _Broken(expected, "the row is missing")
        if computed != row.hash:
            raise _Broken(position, "its hash is not that of the row and the hash before it: one was altered")
        digest = take_digest(position, None)
        if digest != row.payload_digest and (digest is not None or position not in page.explained):
            raise _Broken(position, _payload_problem(digest, row.payload_digest))
        last_hash, last_time = computed, row.recorded_at
        (recorded_at,) = _microseconds(last_time)
        if recorded_at < latest:
            raise _Broken(position, "it was recorded earlier than the row before it")
        latest = recorded_at
        expected += 1
    if expected <= page.last:
        raise _Broken(expected, "the row is missing")
    return Link(last_hash, last_time)


def _payload_problem(digest: bytes | None, recorded: bytes | None) -> str:
    """Describe how a payload (None: there is none) differs from the digest in its row (None: it must have none)."""
    if digest is None:
        return "its payload is missing, and no archive nor erasure of it is recorded"
    if recorded is None:
        return "there is a payload, and the row says that there is none"
    return "its payload was altered: its SHA-256 is not the digest in the row"


def _check_end(ends: RecordedEnds, end: Link, last: int) -> None:
    """Check that the head is the last row, given that. Raises _Broken."""
    if not ends.hash:
        raise _Broken(1, "the ledger has no head")
    if ends.hash != end.hash:
        raise _Broken(max(ends.head, 1), "the head has another hash than the last row")
    if ends.recorded_at != end.recorded_at:
        raise _Broken(max(ends.head, 1), "the head has another time than the last row")
    if ends.last_event > ends.head:
        raise _Broken(ends.head + 1, "there is a row after the head")
    if ends.last_payload > ends.head:
        raise _Broken(ends.last_payload, "there is a payload without a row")
    if last > ends.head:
        raise _Broken(ends.head + 1, f"the row is missing: the ledger ends at position {ends.head}")
