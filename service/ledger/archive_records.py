"""Finds archived payloads by the records that the ledger keeps of archives.

The payload of an `archived` event names the file, its SHA-256 and the positions it covers; a `restored` event revokes
it. These payloads stay in the database when those around them are archived.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
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


class ArchiveIndex:
    """Archives by position. Current ones do not overlap; all that were ever recorded may."""

    def __init__(self, archives: Iterable[Archive]) -> None:
        """Take archives in any order."""
        self._archives = sorted(archives, key=lambda archive: archive.first)
        self._firsts = [archive.first for archive in self._archives]
        self._reach = list(accumulate((archive.last for archive in self._archives), max))
        """The last position that an archive up to this one covers."""

    def covering(self, position: int) -> Iterator[Archive]:
        """Yield the archives that cover a position."""
        index = bisect_right(self._firsts, position) - 1
        while index >= 0 and self._reach[index] >= position:
            if self._archives[index].covers(position):
                yield self._archives[index]
            index -= 1

    def find(self, position: int) -> Archive | None:
        """Return an archive that covers a position; None where none does."""
        return next(self.covering(position), None)


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
    index = ArchiveIndex(await current_archives(connections))
    found = ((position, index.find(position)) for position in positions)
    return {position: PayloadLocation(archive.file, archive.sha256) for position, archive in found if archive}


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
