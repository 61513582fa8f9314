"""Moves old payloads from the database to Parquet files, one partition at a time, each completely or not at all.

A file is written under a temporary name, flushed, read back and compared with the ledger, and renamed; then one
transaction drops the payloads and records the file. Wherever the program is killed, the payloads are in the database or
in a file that the ledger names. Run again, it writes the file of an unfinished partition again.
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
_LOCK_HEAD = load("lock_head")
_ADD_ARCHIVE = load("add_archive")
_DROP = load("drop_archived_payloads")
_LOCK_TIMEOUT = "set local lock_timeout = '1s'"
"""While this transaction waits for readers of payloads, appends wait for it."""

_STATEMENT_TIMEOUT_S = 3600.0
_PREFETCH = 20
"""Payloads read at once; one may have 16 MB."""

_ATTEMPTS = 30
_RETRY_DELAY_S = 2.0
_LOCK_FAILURES = ("55P03", "40P01")
"""SQLSTATEs: lock_not_available, deadlock_detected."""

OnArchiveStep = Callable[[str, Archive | None], None]
"""Is called after each step: written and checked (without an Archive), named, dropped (not committed yet), recorded."""


class _Partition(NamedTuple):
    """A partition of the payloads' table: its name, its first and its last position."""

    name: str
    first: int
    last: int


class _Recording(NamedTuple):
    """What is called after each step, and who archives."""

    on_step: OnArchiveStep
    actor: str | None


async def archive_payloads(
    dsn: str, before: datetime, directory: Path, on_step: OnArchiveStep | None = None, actor: str | None = None
) -> list[Archive]:
    """Archive every payload partition that was full before a time; `actor` does so. Returns what was archived now.

    Raises OperatorError, also where a file cannot be written, and DatabaseUnavailable. Partitions that were recorded
    until then stay archived, the others are unchanged.
    """
    parquet_files.import_pyarrow()
    directory = _make_directory(directory)
    async with Connections(dsn) as connections:
        await require_owner(connections, "Archiving")
        async with exclusive_maintenance(dsn):
            while (await project_next_page(connections)).events:
                pass
            archives = [
                await _archive(connections, partition, directory, _Recording(on_step or _ignore_step, actor))
                for partition in await _full_partitions(connections, before)
            ]
        return [archive for archive in archives if archive is not None]


def _make_directory(directory: Path) -> Path:
    with parquet_files.translate_file_errors(directory, "used"):
        directory.mkdir(parents=True, exist_ok=True)
        return directory.resolve()


def _ignore_step(_step: str, _archive: Archive | None) -> None:
    pass


async def _full_partitions(connections: Connections, before: datetime) -> list[_Partition]:
    archived = {archive.first for archive in await archive_records.current_archives(connections)}
    rows = await connections.fetch(_PARTITIONS, LOG, before)
    partitions = [_Partition(row["name"], row["first"], row["last"]) for row in rows]
    return [partition for partition in partitions if partition.first not in archived]


async def _archive(
    connections: Connections, partition: _Partition, directory: Path, recording: _Recording
) -> Archive | None:
    """Archive one partition; None where it has no payloads. Where one is erased meanwhile, start again."""
    name = f"payloads-{LOG}-{partition.first}-{partition.last}.parquet"
    for _ in range(_ATTEMPTS):
        started_at = (await read_head(connections)).position
        archive = await _write(connections, partition, directory / name, recording.on_step)
        if archive is None or await _record(connections, partition, archive, started_at, recording):
            return archive
    raise OperatorError(
        f"Positions {partition.first} to {partition.last}: payloads were erased during each attempt; run this again."
    )


async def _write(connections: Connections, partition: _Partition, path: Path, on_step: OnArchiveStep) -> Archive | None:
    part = path.with_name(f".{path.name}.part")
    with parquet_files.open_writer(part) as writer:
        async with connections.connection() as connection, connection.transaction():
            rows = connection.cursor(_PAYLOADS, LOG, partition.first, partition.last, prefetch=_PREFETCH)
            async for row in rows:
                writer.add(PayloadRow(row["position"], row["payload_digest"] or b"", row["body"]))
    if not writer.count:
        with parquet_files.translate_file_errors(part, "removed"):
            part.unlink()
        return None
    on_step("written", None)
    await _check(connections, partition, part)
    on_step("checked", None)
    with parquet_files.translate_file_errors(path, "written"):
        part.replace(path)
    parquet_files.fsync_path(path.parent)
    digest = parquet_files.digest_of(path)
    archive = Archive(path.name, str(path.parent), digest, partition.first, partition.last, writer.count)
    on_step("named", archive)
    return archive


async def _check(connections: Connections, partition: _Partition, path: Path) -> None:
    """Read the file back: it must have every payload of the partition, each with the digest that its event records."""
    async with connections.connection() as connection:
        rows = await connection.fetch(_DIGESTS, LOG, partition.first, partition.last, timeout=_STATEMENT_TIMEOUT_S)
    expected = {row["position"] for row in rows}
    for row_group in parquet_files.read_rows(path):
        for row in row_group:
            if not row.is_intact:
                raise OperatorError(
                    f"The payload at position {row.position} is not the one its event was recorded with."
                    " Nothing was archived; see: runfold verify"
                )
            expected.discard(row.position)  # one that was erased meanwhile is not expected any more
    if expected:
        raise OperatorError(f"{path} has no payload of position {min(expected)}, though it was written with it.")


async def _record(
    connections: Connections, partition: _Partition, archive: Archive, started_at: int, recording: _Recording
) -> bool:
    """Drop the payloads and record the archive; False where a payload was erased after position `started_at`.

    Tries again where the locks that this needs are not free in time.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await _try_to_record(connections, partition, archive, started_at, recording)
        except DatabaseUnavailable as error:
            if attempt == _ATTEMPTS or error.sqlstate not in _LOCK_FAILURES:
                raise
            await asyncio.sleep(_RETRY_DELAY_S)
    raise AssertionError


async def _try_to_record(
    connections: Connections, partition: _Partition, archive: Archive, started_at: int, recording: _Recording
) -> bool:
    async with connections.connection() as connection, connection.transaction():
        await connection.execute(_LOCK_TIMEOUT)
        await connection.execute(_LOCK_HEAD, LOG)
        if await connection.fetchval(_ERASED_SINCE, LOG, started_at):
            return False
        await connection.execute(_DROP, partition.name)
        await connection.execute(_ADD_ARCHIVE, LOG, archive.first, archive.last, archive.file, archive.sha256)
        await append_within(
            connection, [archive_records.archive_draft(Kind.ARCHIVED, archive, recording.actor)], [None]
        )
        recording.on_step("dropped", archive)
    recording.on_step("recorded", archive)
    return True
