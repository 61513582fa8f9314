"""Archives old payloads in Parquet files: first the ledger records a file, then its payloads leave the database.

A file is written under a temporary name, flushed, read back and compared with the ledger, and renamed; then one
transaction records it. A file that is there already is never replaced by another content: it may be the archive of
another ledger. Removing the payloads (archived_removal.py) needs the record, and the file: one of an earlier run may
have been deleted since. Wherever the program is killed, each payload is in the database or in a file that the ledger
names, or in both. Run again, it removes an unfinished file, and what is archived and still in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from service.catalog.ledger_projection import project_next_page
from service.database.connections import Connections
from service.database.roles import require_owner
from service.database.sessions import open_cursor
from service.database.statements import load
from service.domain.event import Kind
from service.errors import OperatorError
from service.ledger import archive_records
from service.ledger.archive_records import Archive
from service.ledger.events import LOG, append_within, read_head
from service.lineage.pages import projections
from service.maintenance import parquet_files
from service.maintenance.archived_payloads import checked_path
from service.maintenance.archived_removal import ArchivedRemoval, Partition, read_partitions
from service.maintenance.locks import exclusive_maintenance, in_short_transaction
from service.maintenance.parquet_files import PayloadRow
from service.maintenance.position_ranges import Positions, pieces, uncovered
from service.new_files import NewFile
from service.parquet import import_pyarrow

_ARCHIVABLE, _ARCHIVED = load("archivable"), load("archives")
_PAYLOADS, _POSITIONS = load("payloads_between"), load("archivable_positions")
_ERASED_SINCE = load("erased_since")
_LOCK_HEAD = load("lock_head")
_ADD_ARCHIVE = load("add_archive")

_STATEMENT_TIMEOUT_S = 3600.0
_PREFETCH = 20
"""Payloads read at once; one may have 16 MB."""

_ATTEMPTS = 30

OnArchiveStep = Callable[[str, Archive | None], None]
"""Is called after each step of a file: written and checked (without an Archive), named, noted (not committed yet),
recorded. And while payloads leave the database, without an Archive: deleted (some), replaced (not committed yet)."""


class _Recording(NamedTuple):
    """What is called after each step, and who archives."""

    on_step: OnArchiveStep
    actor: str | None


async def archive_payloads(
    dsn: str, before: datetime, directory: Path, on_step: OnArchiveStep | None = None, actor: str | None = None
) -> list[Archive]:
    """Archive the payloads that were recorded before a time; `actor` does so. Returns what was archived now.

    Raises OperatorError, also where a file cannot be written, and DatabaseUnavailable. Files that were recorded until
    then stay archived, other payloads are unchanged.
    """
    import_pyarrow()
    directory = _make_directory(directory)
    async with Connections(dsn, command_timeout_s=_STATEMENT_TIMEOUT_S) as connections:
        await require_owner(connections, "Archiving")
        async with exclusive_maintenance(dsn):
            # What is not projected needs the payload; the projectors do not read archives.
            for projection in projections(connections):
                while (await project_next_page(projection)).events:
                    pass
            return await _archive_all(connections, before, directory, _Recording(on_step or _ignore_step, actor))


def _make_directory(directory: Path) -> Path:
    with parquet_files.translate_file_errors(directory, "used"):
        directory.mkdir(parents=True, exist_ok=True)
        return directory.resolve()


def _ignore_step(_step: str, _archive: Archive | None) -> None:
    pass


async def _archive_all(
    connections: Connections, before: datetime, directory: Path, recording: _Recording
) -> list[Archive]:
    """Archive partition by partition, so that the space of each is free before the next one is written to files."""
    (bounds,) = await connections.fetch(_ARCHIVABLE, LOG, before)
    noted = await connections.fetch(_ARCHIVED, LOG)
    covered = [Positions(row["first"], row["last"]) for row in noted]
    removal = ArchivedRemoval(connections, bounds["head"], recording.on_step)
    removes = {(row["first"], row["sha256"]) for row in noted}
    recorded = await archive_records.current_archives(connections)
    earlier = [archive for archive in recorded if (archive.first, archive.sha256) in removes]
    done: list[Archive] = []
    for partition in await read_partitions(connections):
        for piece in _unarchived_pieces(partition, bounds["last"], covered, bounds["file_positions"]):
            archive = await _archive(connections, piece, directory, recording)
            if archive is not None:
                done.append(archive)
                covered.append(piece)
        earlier = await _check_files(removal, partition, earlier, directory)
        await removal.remove(partition, covered)
    await removal.finish()
    return done


async def _check_files(
    removal: ArchivedRemoval, partition: Partition, archives: Sequence[Archive], directory: Path
) -> list[Archive]:
    """Check the files of earlier runs whose payloads would leave a partition now; return the archives without these.

    Raises OperatorError for a file that is missing or another one.
    """
    rest = []
    for archive in archives:
        part = Positions(max(archive.first, partition.first), min(archive.last, partition.last))
        if part.first > part.last or not await removal.removable(part, 1):
            rest.append(archive)
            continue
        recorded = Path(archive.directory)
        try:
            checked_path(archive, recorded if (recorded / archive.file).exists() else directory)
        except OperatorError as error:
            raise OperatorError(
                f"An earlier run archived positions {archive.first} to {archive.last}; these payloads stay in the"
                f" database because their file cannot be used: {error} Bring the file back to {recorded}, or undo the"
                f" archive with `runfold restore {archive.first}`; then archive again."
            ) from error
    return rest


def _unarchived_pieces(partition: Partition, last: int, covered: Sequence[Positions], size: int) -> list[Positions]:
    """Return the positions of a partition, up to a last one, that are not archived: as many as a file has in each."""
    wanted = Positions(partition.first, min(partition.last, last))
    return [piece for part in uncovered(wanted, covered) for piece in pieces(part, size)]


async def _archive(
    connections: Connections, positions: Positions, directory: Path, recording: _Recording
) -> Archive | None:
    """Archive some positions; None where none has a payload. Where one is erased meanwhile, start again."""
    for _ in range(_ATTEMPTS):
        started_at = (await read_head(connections)).position
        written = await _write(connections, positions, directory, recording.on_step)
        if written is None:
            return None
        if await _record(connections, written.archive, started_at, recording):
            return written.archive
        if written.is_new:
            with parquet_files.translate_file_errors(written.path, "removed"):
                written.path.unlink()  # it has what was erased
    raise OperatorError(
        f"Positions {positions.first} to {positions.last}: payloads were erased during each attempt; run this again."
    )


class _Written(NamedTuple):
    """An archive that is not recorded yet, the path of its file, and whether no such file was there before."""

    archive: Archive
    path: Path
    is_new: bool


async def _write(
    connections: Connections, positions: Positions, directory: Path, on_step: OnArchiveStep
) -> _Written | None:
    path = directory / f"payloads-{LOG}-{positions.first}-{positions.last}.parquet"
    with parquet_files.new_payload_file(path) as new:
        with parquet_files.open_writer(new.path) as writer:
            async with connections.connection() as connection, connection.transaction():
                async for row in await open_cursor(connection, _PAYLOADS, LOG, *positions, prefetch=_PREFETCH):
                    writer.add(PayloadRow(row["position"], row["payload_digest"] or b"", row["body"]))
        if not writer.count:
            return None
        with parquet_files.translate_file_errors(new.path, "written"):
            new.flush()
        on_step("written", None)
        await _check(connections, positions, new.path)
        on_step("checked", None)
        digest = parquet_files.digest_of(new.path)
        written = _put_in_place(new, path, Archive("", str(directory), digest, *positions, writer.count))
    on_step("named", written.archive)
    return written


def _put_in_place(new: NewFile, path: Path, archive: Archive) -> _Written:
    """Give the file the name of a path, or one with its digest: a file of that name may be of another ledger.

    That may be archived at the same time. A file that has the same content stays.
    """
    with_digest = path.with_name(f"{path.stem}-{archive.sha256[:16]}{path.suffix}")
    for target in (path, with_digest):
        named = msgspec.structs.replace(archive, file=target.name)
        with parquet_files.translate_file_errors(target, "written"):
            if new.rename_unless_taken(target):
                return _Written(named, target, is_new=True)
        if parquet_files.digest_of(target) == archive.sha256:
            parquet_files.flush_to_disk(target)
            return _Written(named, target, is_new=False)
    with parquet_files.translate_file_errors(with_digest, "written"):
        new.rename(with_digest)  # a damaged file: its name says that it was to have this content
    return _Written(named, with_digest, is_new=False)


async def _check(connections: Connections, positions: Positions, path: Path) -> None:
    """Read the file back: it must have every payload of the positions, each with the digest that its event records."""
    expected = {row["position"] for row in await connections.fetch(_POSITIONS, LOG, *positions)}
    for row_group in parquet_files.read_rows(path):
        for row in row_group:
            if not row.is_intact:
                raise OperatorError(
                    f"The payload at position {row.position} is not the one its event was recorded with."
                    " It was not archived; see: runfold verify"
                )
            expected.discard(row.position)  # one that was erased meanwhile is not expected any more
    if expected:
        raise OperatorError(f"{path} has no payload of position {min(expected)}, though it was written with it.")


async def _record(connections: Connections, archive: Archive, started_at: int, recording: _Recording) -> bool:
    """Record the archive; False where a payload was erased after position `started_at`."""

    async def record(connection: Any) -> bool:  # noqa: ANN401  asyncpg has no types
        await connection.execute(_LOCK_HEAD, LOG)
        if await connection.fetchval(_ERASED_SINCE, LOG, started_at):
            return False
        await append_within(
            connection, [archive_records.archive_draft(Kind.ARCHIVED, archive, recording.actor)], [None]
        )
        await connection.execute(_ADD_ARCHIVE, LOG, archive.first, archive.last, archive.file, archive.sha256)
        recording.on_step("noted", archive)
        return True

    recorded = await in_short_transaction(connections, record)
    if recorded is None:
        raise OperatorError(f"{archive.file} is not recorded: the ledger head was locked all the time; run this again.")
    if recorded:
        recording.on_step("recorded", archive)
    return recorded
