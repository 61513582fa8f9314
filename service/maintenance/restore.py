"""Brings archived payloads back into the database; all of a file in one transaction."""

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
from service.maintenance.archived_payloads import checked_path, exclusive_maintenance
from service.maintenance.parquet_files import PayloadRow

_DIGESTS, _PUT = load("digests_at"), load("put_payloads")
_FORGET = "delete from runfold.archives where log = $1 and first = $2"
_PIECE = 500
_STATEMENT_S = 600.0

RestoreStep = Callable[[str, Archive], None]
"""Hears what was just done: put (not yet for good), recorded."""


def _silent(_what: str, _archive: Archive) -> None:
    """Say nothing."""


async def restore_payloads(
    dsn: str, position: int | None = None, directory: Path | None = None, step: RestoreStep = _silent
) -> list[Archive]:
    """Restore the archive that has a position's payload, or all of them. Returns what was restored.

    Raises OperatorError and DatabaseUnavailable; what was recorded until then stays restored, the rest is as it was.
    """
    parquet_files.import_pyarrow()
    async with Connections(dsn) as connections:
        await require_owner(connections, "Restoring")
        async with exclusive_maintenance(dsn):
            wanted = [
                one
                for one in await archive_records.current_archives(connections)
                if position is None or one.covers(position)
            ]
            for archive in wanted:
                await _restore(connections, archive, checked_path(archive, directory), step)
        return wanted


async def _restore(connections: Connections, archive: Archive, path: Path, step: RestoreStep) -> None:
    async with connections.connection() as connection, connection.transaction():
        count = 0
        for rows in parquet_files.read_rows(path):
            for start in range(0, len(rows), _PIECE):
                await _put(connection, rows[start : start + _PIECE], path)
            count += len(rows)
        if count != archive.payloads:
            raise OperatorError(f"{path} has {count} payloads; {archive.payloads} were archived in it.")
        await connection.execute(_FORGET, LOG, archive.first)
        await append_within(connection, [archive_records.archive_draft(Kind.RESTORED, archive)], [None])
        step("put", archive)
    step("recorded", archive)


async def _put(connection: Any, rows: list[PayloadRow], path: Path) -> None:  # noqa: ANN401  asyncpg has no types
    positions = [row.position for row in rows]
    digests = dict(map(tuple, await connection.fetch(_DIGESTS, LOG, positions)))
    for row in rows:
        if not row.holds or digests.get(row.position) != row.digest:
            raise OperatorError(
                f"{path}: the payload of position {row.position} is not the one its event was recorded with."
            )
    await connection.execute(_PUT, LOG, positions, [row.body for row in rows], timeout=_STATEMENT_S)
