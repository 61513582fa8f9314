"""Rebuilds all that is derived from the ledger in a schema of its own, and swaps it with the tables in use.

That is the catalog, datasets and lineage, and the posting lists.

Readers see the old catalog until the swap. Appends go on; the events that they add meanwhile are projected before the
swap, under the cursor's lock, so that the new catalog is never behind the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.audit import postings
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.catalog.statements import TABLES, catalog_statements
from service.catalog.summarizer import FindArchivedPayload
from service.database.connections import Connections
from service.database.roles import require_owner
from service.database.statements import LINEAGE, load
from service.ledger.events import LOG, read_head
from service.ledger.stored_lineage import LINEAGE_FORMAT
from service.ledger.stored_registers import FORMAT
from service.lineage.pages import LineageProjection
from service.lineage.statements import TABLES as LINEAGE_TABLES
from service.lineage.statements import lineage_statements
from service.maintenance.archived_payloads import open_archived_payloads
from service.maintenance.locks import exclusive_maintenance

SCHEMA = "runfold_rebuild"

Progress = Callable[[int, int], None]
"""Is called with the position up to which the new catalog is projected, and the position of the ledger head."""

_STATEMENTS = catalog_statements(SCHEMA)
_POSTINGS = postings.posting_statements(SCHEMA)
_LINEAGE = lineage_statements(SCHEMA)
_TABLES = (*TABLES, *LINEAGE_TABLES, "event_postings")
"""Every table that is rebuilt."""

_PAGE_EVENTS = 4000
_CONNECTIONS = 2

_PREPARE = "\n".join(
    [
        f"drop schema if exists {SCHEMA} cascade;",
        f"create schema {SCHEMA};",
        *(f"create table {SCHEMA}.{table} (like runfold.{table} including all);" for table in _TABLES),
    ]
)

# All tables at once, before any row is locked: a projector that waits for the cursor's row holds a lock on its table.
_LOCK = f"lock table {', '.join(f'runfold.{table}' for table in _TABLES)} in access exclusive mode"

_MAKE_CURSOR = load("make_cursor", schema=SCHEMA)
_MAKE_LINEAGE_CURSOR = load("make_cursor", schema=SCHEMA, projection=LINEAGE)
_RENAMES, _GRANTS = load("index_renames"), load("grants_on_tables")


async def rebuild_catalog(dsn: str, progress: Progress | None = None, directory: Path | None = None) -> int:
    """Replace the catalog by one that is projected from the first event on. Returns the position up to which it is.

    Archived payloads are read from their files, in `directory` or where they were written. Raises OperatorError and
    DatabaseUnavailable; the catalog in use is unchanged then.
    """
    async with Connections(dsn, _CONNECTIONS) as connections:
        await require_owner(connections, "Rebuilding the catalog")
        async with exclusive_maintenance(dsn):
            archived = await open_archived_payloads(connections, directory)
            try:
                return await _rebuild(connections, archived.get, progress)
            finally:
                archived.close()


async def _rebuild(connections: Connections, find_archived: FindArchivedPayload, progress: Progress | None) -> int:
    async with connections.connection() as connection:
        await connection.execute(_PREPARE)
        await connection.execute(_MAKE_CURSOR, LOG, FORMAT)
        await connection.execute(_MAKE_LINEAGE_CURSOR, LOG, LINEAGE_FORMAT)
    await _project(connections, find_archived, progress)
    async with connections.connection() as connection:
        await postings.post_all(connection, _POSTINGS)
    async with connections.connection() as connection, connection.transaction():
        await connection.execute(_LOCK)
        position = await _project(connections, find_archived, progress)
        await postings.post_all(connection, _POSTINGS)
        await _swap(connection)
    return position


async def _project(connections: Connections, find_archived: FindArchivedPayload, progress: Progress | None) -> int:
    """Project up to the ledger head as of now; return the position reached. Both projections advance by turns."""
    head = (await read_head(connections)).position
    catalog = CatalogProjection(connections, _STATEMENTS, find_archived)
    lineage = LineageProjection(connections, _LINEAGE, find_archived)
    while True:
        page = await project_next_page(catalog, _PAGE_EVENTS)
        while (await project_next_page(lineage)).position < page.position:
            pass
        if progress is not None:
            progress(page.position, max(head, page.position))
        if not page.events or page.position >= head:
            break
    while await catalog.work_when_idle():
        pass
    return page.position


async def _swap(connection: Any) -> None:  # noqa: ANN401  asyncpg has no types
    indexes = await connection.fetch(_RENAMES, SCHEMA, list(_TABLES))
    for row in await connection.fetch(_GRANTS, SCHEMA, list(_TABLES)):
        await connection.execute(row["statement"])
    for table in _TABLES:
        await connection.execute(f"drop table runfold.{table}")
        await connection.execute(f"alter table {SCHEMA}.{table} set schema runfold")
    for index in indexes:
        if index["made"] != index["known"]:
            await connection.execute(f'alter index runfold."{index["made"]}" rename to "{index["known"]}"')
    await connection.execute(f"drop schema {SCHEMA}")
