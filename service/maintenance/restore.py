"""Brings archived payloads back into the database, each file in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.database.connections import Connections
from service.database.roles import require_owner
from service.database.statements import load
from service.domain.event import Kind
from service.errors import OperatorError
from service.ledger import archive_records
from service.ledger.archive_records import Archive
from service.ledger.events import LOG, append_within
from service.maintenance import parquet_files
from service.maintenance.archived_payloads import checked_path
from service.maintenance.locks import exclusive_maintenance
from service.maintenance.parquet_files import PayloadRow
from service.parquet import import_pyarrow

_DIGESTS, _PUT = load("digests_at"), load("put_payloads")
_REMOVE_ARCHIVE, _STORED = load("remove_archive"), load("archivable_positions")
_PAYLOADS_AT_ONCE = 500
_STATEMENT_TIMEOUT_S = 600.0

OnRestoreStep = Callable[[str, Archive], None]
"""Is called after each step: put (not committed yet), recorded."""


async def restore_payloads(
    dsn: str,
    position: int | None = None,
    directory: Path | None = None,
    on_step: OnRestoreStep | None = None,
    actor: str | None = None,
) -> list[Archive]:
    """Restore the archive that has a position's payload, or all archives; `actor` does so. Returns what was restored.

    Files are read from `directory`, or from where they were written; one whose payloads are all in the database is not
    needed. Raises OperatorError and DatabaseUnavailable; then archives that were recorded as restored stay so, the
    others are unchanged.
    """
    import_pyarrow()
    async with Connections(dsn, command_timeout_s=_STATEMENT_TIMEOUT_S) as connections:
        await require_owner(connections, "Restoring")
        async with exclusive_maintenance(dsn):
            archives = [
                archive
                for archive in await archive_records.current_archives(connections)
                if position is None or archive.covers(position)
            ]
            for archive in archives:
                await _restore(connections, archive, await _path(connections, archive, directory), on_step, actor)
        return archives


async def _path(connections: Connections, archive: Archive, directory: Path | None) -> Path | None:
    """Return the path of an archive's file; None where it cannot be used, but all payloads are in the database still.

    That is so after an archive that was interrupted before it removed any.
    """
    try:
        return checked_path(archive, directory)
    except OperatorError:
        stored = await connections.fetch(_STORED, LOG, archive.first, archive.last)
        if len(stored) != archive.payloads:
            raise
        return None


async def _restore(
    connections: Connections, archive: Archive, path: Path | None, on_step: OnRestoreStep | None, actor: str | None
) -> None:
    async with connections.connection() as connection, connection.transaction():
        if path is not None:
            await _put_all(connection, archive, path)
        await connection.execute(_REMOVE_ARCHIVE, LOG, archive.first)
        await append_within(connection, [archive_records.archive_draft(Kind.RESTORED, archive, actor)], [None])
        if on_step is not None:
            on_step("put", archive)
    if on_step is not None:
        on_step("recorded", archive)


async def _put_all(connection: Any, archive: Archive, path: Path) -> None:  # noqa: ANN401  asyncpg has no types
    count = 0
    for rows in parquet_files.read_rows(path):
        for start in range(0, len(rows), _PAYLOADS_AT_ONCE):
            await _put(connection, rows[start : start + _PAYLOADS_AT_ONCE], path)
        count += len(rows)
    if count != archive.payloads:
        raise OperatorError(f"{path} has {count} payloads; {archive.payloads} were archived in it.")


async def _put(connection: Any, rows: list[PayloadRow], path: Path) -> None:  # noqa: ANN401  asyncpg has no types
    positions = [row.position for row in rows]
    recorded = await connection.fetch(_DIGESTS, LOG, positions)
    digests = {event["position"]: event["payload_digest"] for event in recorded}
    for row in rows:
        if not row.is_intact or digests.get(row.position) != row.digest:
            raise OperatorError(
                f"{path}: the payload of position {row.position} is not the one its event was recorded with."
            )
    await connection.execute(_PUT, LOG, positions, [row.body for row in rows])
