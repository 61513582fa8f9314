"""Moves old payloads from the database to Parquet files: a partition at a time, and either wholly or not at all.

A file is written beside its name, flushed, read again and compared with the ledger, and named; then one transaction
drops the payloads and records where they went. Whatever ends the program, the payloads are in the database, or in a
file that the ledger names; run again, it writes the file of an unfinished partition anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from service.catalog.page_writer import project_next_page
from service.database.connections import Connections
from service.database.roles import require_owner
from service.database.statements import load
from service.domain.event import Kind
from service.errors import DatabaseUnavailable, OperatorError
from service.ledger import archive_records
from service.ledger.archive_records import Archive
from service.ledger.events import LOG, append_within, read_head
from service.maintenance import parquet_files
from service.maintenance.archived_payloads import exclusive_maintenance
from service.maintenance.parquet_files import PayloadRow

_PARTITIONS = load("partitions_before")
_PAYLOADS, _DIGESTS = load("payloads_between"), load("digests_between")
_ERASED_SINCE = load("erased_since")
_HOLD_HEAD = "select from runfold.ledger_head h where h.log = $1 for update"
_NOTE = "insert into runfold.archives (log, first, last, file, sha256) values ($1, $2, $3, $4, $5)"
_DROP = "select runfold.drop_archived_payloads($1)"
_BE_BRIEF = "set local lock_timeout = '1s'"
"""Appends wait meanwhile, and whoever reads payloads holds us up."""

_STATEMENT_S = 3600.0
_PREFETCH = 20
"""Payloads held at once while they are read; one may be 16 MB."""

_TRIES = 30
_PAUSE = 2.0
_LOST_A_LOCK = ("55P03", "40P01")
"""SQLSTATEs: lock_not_available, deadlock_detected."""

ArchiveStep = Callable[[str, Archive | None], None]
"""Hears what was just done: written, checked, named, dropped (not yet for good), recorded."""


class _Partition(NamedTuple):
    name: str
    first: int
    last: int


def _silent(_what: str, _archive: Archive | None) -> None:
    """Say nothing."""


async def archive_payloads(dsn: str, before: datetime, directory: Path, step: ArchiveStep = _silent) -> list[Archive]:
    """Archive every payload partition that was full before a time. Returns what was archived now.

    Raises OperatorError and DatabaseUnavailable; what was recorded until then stays archived, the rest is as it was.
    """
    parquet_files.import_pyarrow()
    directory = _made(directory)
    async with Connections(dsn) as connections:
        await require_owner(connections, "Archiving")
        async with exclusive_maintenance(dsn):
            while (await project_next_page(connections))[1]:
                pass
            done = [
                await _archive(connections, part, directory, step) for part in await _partitions(connections, before)
            ]
        return [one for one in done if one is not None]


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory.resolve()


async def _partitions(connections: Connections, before: datetime) -> list[_Partition]:
    gone = {archive.first for archive in await archive_records.current_archives(connections)}
    async with connections.connection() as connection:
        found = [_Partition(*row) for row in await connection.fetch(_PARTITIONS, LOG, before)]
    return [partition for partition in found if partition.first not in gone]


async def _archive(
    connections: Connections, partition: _Partition, directory: Path, step: ArchiveStep
) -> Archive | None:
    """Archive one partition, from the start again where a payload was erased meanwhile, or others held it too long."""
    name = f"payloads-{LOG}-{partition.first}-{partition.last}.parquet"
    for _ in range(_TRIES):
        started = (await read_head(connections)).position
        made = await _write(connections, partition, directory / name, step)
        if made is None or await _record(connections, partition, made, started, step):
            return made
    raise OperatorError(
        f"Positions {partition.first} to {partition.last}: payloads are erased all the time; run this again."
    )


async def _write(connections: Connections, partition: _Partition, path: Path, step: ArchiveStep) -> Archive | None:
    part = path.with_name(f".{path.name}.part")
    with parquet_files.open_writer(part) as writer:
        async with connections.connection() as connection, connection.transaction():
            rows = connection.cursor(_PAYLOADS, LOG, partition.first, partition.last, prefetch=_PREFETCH)
            async for row in rows:
                writer.add(PayloadRow(row[0], row[1] or b"", row[2]))
    if not writer.count:
        part.unlink()
        return None
    step("written", None)
    await _check(connections, partition, part)
    step("checked", None)
    part.replace(path)
    parquet_files.fsync_path(path.parent)
    made = Archive(
        path.name, str(path.parent), parquet_files.digest_of(path), partition.first, partition.last, writer.count
    )
    step("named", made)
    return made


async def _check(connections: Connections, partition: _Partition, path: Path) -> None:
    """Read the file again: it must have every payload there is, each with the digest that its event has."""
    async with connections.connection() as connection:
        rows = await connection.fetch(_DIGESTS, LOG, partition.first, partition.last, timeout=_STATEMENT_S)
    expected = {row[0]: row[1] for row in rows}
    for rows in parquet_files.read_rows(path):
        for row in rows:
            if not row.holds:
                raise OperatorError(
                    f"The payload at position {row.position} is not the one its event was recorded with."
                    " Nothing was archived; see: runfold verify"
                )
            expected.pop(row.position, None)  # one that was erased meanwhile is no longer expected
    if expected:
        raise OperatorError(f"{path} has no payload of position {min(expected)}, though it was written with it.")


async def _record(
    connections: Connections, partition: _Partition, made: Archive, started: int, step: ArchiveStep
) -> bool:
    """Drop the payloads and record the archive in one transaction; False where one was erased since `started`."""
    for attempt in range(1, _TRIES + 1):
        try:
            return await _try_to_record(connections, partition, made, started, step)
        except DatabaseUnavailable as error:
            if attempt == _TRIES or error.sqlstate not in _LOST_A_LOCK:
                raise
            await asyncio.sleep(_PAUSE)
    raise AssertionError


async def _try_to_record(
    connections: Connections, partition: _Partition, made: Archive, started: int, step: ArchiveStep
) -> bool:
    async with connections.connection() as connection, connection.transaction():
        await connection.execute(_BE_BRIEF)
        await connection.execute(_HOLD_HEAD, LOG)
        if await connection.fetchval(_ERASED_SINCE, LOG, started):
            return False
        await connection.execute(_DROP, partition.name)
        await connection.execute(_NOTE, LOG, made.first, made.last, made.file, made.sha256)
        await append_within(connection, [archive_records.archive_draft(Kind.ARCHIVED, made)], [None])
        step("dropped", made)
    step("recorded", made)
    return True
