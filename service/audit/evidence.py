"""Reads the ledger for verification, without executing any code that the database holds.

The statements call PostgreSQL's own functions only, by their schema, on connections that find no others; a function of
the schema `runfold`, or one that shadows a built-in, is never called. What decides (hashes, digests, archives,
erasures) is computed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from service.database.connections import Connections
from service.database.statements import load
from service.domain.event import KEPT_SUBJECTS, Kind
from service.ledger.archive_records import Archive, ArchiveIndex, decode_archive
from service.ledger.events import LOG
from service.payloads.records import erasure_fact

_ENDS, _EVENTS, _HASH = load("verify_ends"), load("verify_events"), load("verify_hash")
_SIZES, _PAYLOADS, _FACTS = load("verify_sizes"), load("verify_payloads"), load("verify_facts")
_TABLES, _ARCHIVES = load("verify_tables"), load("archive_records")

_CONNECTIONS = 2
_STATEMENT_TIMEOUT_S = 3600.0
"""The payloads of a page may be gigabytes."""

_SLICE_BYTES = 8 * 1024 * 1024
"""Bytes of payloads in memory at once; a single payload that is larger is read by itself."""


class RecordedEnds(NamedTuple):
    """The ledger head, and the first and last positions of the tables; an empty hash where there is no head.

    `recorded_at` is that of the head, in the form of ChainRow. The first positions are at most 1.
    """

    head: int
    hash: bytes
    recorded_at: bytes
    first_event: int
    first_payload: int
    last_event: int
    last_payload: int


class Link(NamedTuple):
    """What a row has that the next one continues: its hash, and its time in the form of ChainRow."""

    hash: bytes
    recorded_at: bytes


class ArchiveHistory(NamedTuple):
    """All archives that the ledger records, and those of them whose payloads were not restored since."""

    recorded: list[Archive]
    current: list[Archive]


class PayloadOwner(NamedTuple):
    """The event of a payload: its position, and its stream, in which an erasure of the payload is recorded."""

    position: int
    subject: str
    stream: bytes


def open_evidence(dsn: str) -> Connections:
    """Return connections that find no code but PostgreSQL's own."""
    return Connections(dsn, _CONNECTIONS, builtins_only=True, command_timeout_s=_STATEMENT_TIMEOUT_S)


class EvidenceReader:
    """Reads rows and payloads. Every method raises DatabaseUnavailable."""

    def __init__(self, connections: Connections) -> None:
        """Take connections of open_evidence."""
        self._connections = connections

    async def ends(self) -> RecordedEnds:
        """Return where the ledger ends."""
        rows = await self._fetch(_ENDS, LOG)
        if not rows:
            return RecordedEnds(0, b"", b"", 1, 1, 0, 0)
        (row,) = rows
        firsts, lasts = (row["first_event"], row["first_payload"]), (row["last_event"], row["last_payload"])
        return RecordedEnds(row["position"], row["hash"], row["recorded_at"], *firsts, *lasts)

    async def disguised_tables(self) -> list[str]:
        """Return the names of ledger tables that may show each reader other rows: views, policies, rules."""
        return [row["name"] for row in await self._fetch(_TABLES)]

    async def hash_at(self, position: int) -> bytes | None:
        """Return the recorded hash of a position; None where there is no row."""
        link = await self.link_at(position)
        return link.hash if link else None

    async def link_at(self, position: int) -> Link | None:
        """Return what the row of a position is continued from; None where there is no row."""
        rows = await self._fetch(_HASH, LOG, position)
        return Link(rows[0]["hash"], rows[0]["recorded_at"]) if rows else None

    async def rows(self, first: int, last: int) -> list[Any]:
        """Return the rows of positions first to last, with the fields of ChainRow."""
        return await self._fetch(_EVENTS, LOG, first, last)

    async def payloads(self, first: int, last: int) -> AsyncGenerator[list[tuple[int, bytes]]]:
        """Yield the payloads of positions first to last in order, a few megabytes at once."""
        sizes = await self._fetch(_SIZES, LOG, first, last)
        for start, end in _slices((row["position"], row["size"]) for row in sizes):
            rows = await self._fetch(_PAYLOADS, LOG, start, end)
            yield sorted((row["position"], row["body"].encode()) for row in rows)

    async def payload_digests(self, first: int, last: int) -> dict[int, bytes]:
        """Return the SHA-256 of each payload of positions first to last, by position."""
        digests: dict[int, bytes] = {}
        async with aclosing(self.payloads(first, last)) as slices:
            async for payloads in slices:
                digests |= await asyncio.to_thread(_digests, payloads)
        return digests

    async def archives(self) -> ArchiveHistory:
        """Return the recorded archives.

        A record whose payload is not the one that its row names, or is none of an archive, counts for nothing.
        """
        recorded: list[Archive] = []
        current: dict[int, Archive] = {}
        for row in await self._fetch(_ARCHIVES, LOG):
            if row["body"] is None or sha256(row["body"].encode()).digest() != row["payload_digest"]:
                continue
            try:
                archive = decode_archive(row["body"])
            except msgspec.MsgspecError:
                continue
            if row["kind"] == Kind.ARCHIVED:
                recorded.append(archive)
                current[archive.first] = archive
            else:
                current.pop(archive.first, None)
        return ArchiveHistory(recorded, list(current.values()))

    async def erased(self, owners: Sequence[PayloadOwner]) -> set[int]:
        """Return the positions whose payload was erased by a later event of the same stream."""
        if not owners:
            return set()
        columns = (
            [owner.position for owner in owners],
            [owner.subject for owner in owners],
            [UUID(bytes=owner.stream) for owner in owners],
            [erasure_fact(owner.position) for owner in owners],
        )
        rows = await self._fetch(_FACTS, LOG, *columns)
        return {row["position"] for row in rows if row["kind"] == Kind.ERASED and row["recorded"] > row["position"]}

    async def explained_absences(self, owners: Sequence[PayloadOwner]) -> set[int]:
        """Return the positions at which a payload may be missing, because its archive or its erasure is recorded.

        None of an API key or of the ledger's own records, which are neither archived nor erased.
        """
        owners = [owner for owner in owners if owner.subject not in KEPT_SUBJECTS]
        if not owners:
            return set()
        archives = ArchiveIndex((await self.archives()).current)
        archived = {owner.position for owner in owners if archives.find(owner.position)}
        return archived | await self.erased([owner for owner in owners if owner.position not in archived])

    async def _fetch(self, statement: str, *arguments: Any) -> list[Any]:  # noqa: ANN401  what asyncpg takes
        async with self._connections.connection() as connection:
            rows: list[Any] = await connection.fetch(statement, *arguments)
            return rows


def _slices(sizes: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Divide positions with the sizes of their payloads into ranges, each of about _SLICE_BYTES."""
    slices: list[tuple[int, int]] = []
    total = _SLICE_BYTES + 1
    for position, size in sizes:
        total += size
        if total > _SLICE_BYTES:
            slices.append((position, position))
            total = size
        else:
            slices[-1] = (slices[-1][0], position)
    return slices


def _digests(payloads: list[tuple[int, bytes]]) -> dict[int, bytes]:
    return {position: sha256(body).digest() for position, body in payloads}
