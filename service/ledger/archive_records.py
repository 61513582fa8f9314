"""Finds archived payloads by the records that the ledger keeps of archives.

The payload of an `archived` event names the file, its SHA-256 and the positions it covers; a `restored` event revokes
it. These payloads stay in the database when the rest of their partition is archived.
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
from service.domain.event import CLI, Kind, Subject
from service.domain.ids import stream_of
from service.domain.payload import EMPTY_PAYLOAD
from service.ledger.drafts import short_digest
from service.ledger.events import LOG

LEDGER_STREAM = stream_of("ledger")
"""The stream of the ledger's own records."""

_RECORDS, _ERASED_AT = load("archive_records"), load("erased_at")


class Archive(msgspec.Struct, frozen=True):
    """A file of archived payloads, as the ledger records it. Not every position of `first`..`last` has a payload."""

    file: str
    directory: str
    sha256: str
    first: int
    last: int
    payloads: int

    def covers(self, position: int) -> bool:
        """Return whether the file covers a position."""
        return self.first <= position <= self.last


decode_archive = msgspec.json.Decoder(Archive).decode


class PayloadLocation(NamedTuple):
    """The file that has an archived payload."""

    file: str
    sha256: str


def archive_draft(kind: Kind, archive: Archive, actor: str | None) -> Draft:
    """Return the draft that records an archive (Kind.ARCHIVED) or its restoration (Kind.RESTORED), and who did it."""
    body = msgspec.json.encode(archive)
    now = timestamps.now()
    fact = short_digest(kind, body, now.isoformat())
    names = (None, None, None, CLI, actor)
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
    """Return the records of archives and restorations, oldest first."""
    async with connections.connection() as connection:
        rows = await connection.fetch(_RECORDS, LOG)
    return [(Kind(row["kind"]), decode_archive(row["body"])) for row in rows if row["body"] is not None]


async def current_archives(connections: Connections) -> list[Archive]:
    """Return the archives whose payloads are not in the database, by position."""
    archives: dict[int, Archive] = {}
    for kind, archive in await read_archive_records(connections):
        if kind is Kind.ARCHIVED:
            archives[archive.first] = archive
        else:
            archives.pop(archive.first, None)
    return [archives[first] for first in sorted(archives)]


async def locate_payloads(connections: Connections, positions: Collection[int]) -> dict[int, PayloadLocation]:
    """Return the files of archived payloads, by position; positions whose payload is not archived are left out."""
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
    """Return the positions of archived payloads by the file that has them, without those that were erased."""
    locations = await locate_payloads(connections, positions)
    erased = await _erased(connections, list(locations)) if locations else set()
    files: dict[PayloadLocation, list[int]] = {}
    for position in sorted(locations.keys() - erased):
        files.setdefault(locations[position], []).append(position)
    return files


async def _erased(connections: Connections, positions: Sequence[int]) -> set[int]:
    async with connections.connection() as connection:
        return {row["position"] for row in await connection.fetch(_ERASED_AT, LOG, positions)}
