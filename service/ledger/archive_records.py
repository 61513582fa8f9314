"""Which payloads left the database, and where they lie: events of the ledger about itself say so.

An `archived` event's payload names the file, its SHA-256 and the positions it covers; `restored` takes that back. These
payloads stay in the database when the rest of their partition is archived.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from service.database.connections import Connections
from service.database.statements import load
from service.domain import timestamps
from service.domain.draft import Draft
from service.domain.event import Kind, Subject
from service.domain.ids import stream_of
from service.domain.payload import EMPTY_PAYLOAD
from service.ledger.drafts import short_digest
from service.ledger.events import LOG

LEDGER_STREAM = stream_of("ledger")
"""The stream of what the ledger records about itself."""

_RECORDS, _ERASED = load("archive_records"), load("erased_at")


class Archive(msgspec.Struct, frozen=True):
    """A file of payloads, as its record in the ledger describes it."""

    file: str
    directory: str
    sha256: str
    first: int
    last: int
    payloads: int

    def covers(self, position: int) -> bool:
        """Tell whether a position's payload went into this file."""
        return self.first <= position <= self.last


_decode = msgspec.json.Decoder(Archive).decode


class PayloadLocation(NamedTuple):
    """Where an archived payload lies."""

    file: str
    sha256: str


def archive_draft(kind: Kind, archive: Archive) -> Draft:
    """Return the event that records an archive, or its return."""
    body = msgspec.json.encode(archive)
    now = timestamps.now()
    fact = short_digest(kind, body, now.isoformat())
    names = (None, None, None, "api", None)
    return Draft(
        Subject.LEDGER,
        LEDGER_STREAM,
        kind,
        None,
        now,
        *names,
        fact,
        None,
        sha256(body).digest(),
        body.decode(),
        EMPTY_PAYLOAD,
    )


async def read_archive_records(connections: Connections) -> list[tuple[Kind, Archive]]:
    """Return every archive and every return of one, oldest first."""
    async with connections.connection() as connection:
        rows = await connection.fetch(_RECORDS, LOG)
    return [(Kind(row[0]), _decode(row[1])) for row in rows if row[1] is not None]


async def current_archives(connections: Connections) -> list[Archive]:
    """Return the archives whose payloads are not in the database, by position."""
    found: dict[int, Archive] = {}
    for kind, archive in await read_archive_records(connections):
        if kind is Kind.ARCHIVED:
            found[archive.first] = archive
        else:
            found.pop(archive.first, None)
    return [found[first] for first in sorted(found)]


async def locate_payloads(connections: Connections, positions: Collection[int]) -> dict[int, PayloadLocation]:
    """Return where the payloads at some positions lie, of those that are archived."""
    if not positions:
        return {}
    archives = await current_archives(connections)
    return {
        position: PayloadLocation(archive.file, archive.sha256)
        for position in positions
        for archive in archives
        if archive.covers(position)
    }


async def group_by_file(connections: Connections, positions: Sequence[int]) -> dict[PayloadLocation, list[int]]:
    """Return the files that have the payloads at some positions, and which each has; what was erased is in none."""
    where = await locate_payloads(connections, positions)
    gone = await _erased(connections, list(where)) if where else set()
    files: dict[PayloadLocation, list[int]] = {}
    for position in sorted(where.keys() - gone):
        files.setdefault(where[position], []).append(position)
    return files


async def find_explained_absences(connections: Connections, positions: Sequence[int]) -> set[int]:
    """Return at which positions a payload may be missing: its archive or its erasure is recorded."""
    if not positions:
        return set()
    found = set(await locate_payloads(connections, positions))
    others = [position for position in positions if position not in found]
    return found | await _erased(connections, others) if others else found


async def _erased(connections: Connections, positions: Sequence[int]) -> set[int]:
    async with connections.connection() as connection:
        return {row[0] for row in await connection.fetch(_ERASED, LOG, positions)}
