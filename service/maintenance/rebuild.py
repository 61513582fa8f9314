"""Folds the catalog anew from the ledger, beside the one in use, and swaps them.

Readers see the old catalog until the swap. Appends go on; what they add meanwhile is folded before the swap, under the
cursor's lock, so the new catalog is never behind the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.catalog.page_writer import TABLES, FindArchivedPayload, catalog_statements, project_next_page
from service.database.connections import Connections
from service.database.roles import require_owner
from service.ledger.events import LOG, read_head
from service.maintenance.archived_payloads import exclusive_maintenance, open_archived_payloads

SCHEMA = "runfold_rebuild"

Progress = Callable[[int, int], None]

_BESIDE = catalog_statements(SCHEMA)
_LARGE_PAGE = 4000
_CONNECTIONS = 2

_PREPARE = "\n".join(
    [
        f"drop schema if exists {SCHEMA} cascade;",
        f"create schema {SCHEMA};",
        *(f"create table {SCHEMA}.{table} (like runfold.{table} including all);" for table in TABLES),
        f"insert into {SCHEMA}.catalog_cursor (log, position) values ({LOG}, 0);",
    ]
)

# All at once and before any row: a folding process that waits for the cursor's row would hold a lock on its table.
_LOCK = f"lock table {', '.join(f'runfold.{table}' for table in TABLES)} in access exclusive mode"

# Tables made LIKE others have indexes of other names; migrations know them by the old ones.
_RENAMES = """
with one as (
    select schemaname, indexname, tablename,
           regexp_replace(replace(indexdef, schemaname || '.', ''), 'INDEX \\S+ ON', 'INDEX ON') as shape
      from pg_indexes where schemaname in ('runfold', $1) and tablename = any ($2)
)
select new.indexname as made, old.indexname as known
  from one new join one old on old.tablename = new.tablename and old.shape = new.shape
 where new.schemaname = $1 and old.schemaname = 'runfold'
"""

_GRANTS = """
select format('grant %s on %I.%I to %I', privilege_type, $1::text, table_name, grantee)
  from information_schema.role_table_grants
 where table_schema = 'runfold' and table_name = any ($2) and grantee <> current_user
"""


async def rebuild_catalog(
    dsn: str, progress: Progress = lambda _done, _all: None, directory: Path | None = None
) -> int:
    """Throw the catalog away and fold it anew. Returns the position it holds; progress hears (position, head).

    Archived payloads are read from their files, in `directory` or where they were written. Raises OperatorError, and
    DatabaseUnavailable when the database does not answer; the catalog in use is then as it was.
    """
    async with Connections(dsn, _CONNECTIONS) as connections:
        await require_owner(connections, "Rebuilding the catalog")
        async with exclusive_maintenance(dsn):
            bodies = await open_archived_payloads(connections, directory)
            try:
                return await _rebuild(connections, bodies.get, progress)
            finally:
                bodies.close()


async def _rebuild(connections: Connections, archived: FindArchivedPayload, progress: Progress) -> int:
    async with connections.connection() as connection:
        await connection.execute(_PREPARE)
    await _fold(connections, archived, progress)
    async with connections.connection() as connection, connection.transaction():
        await connection.execute(_LOCK)
        position = await _fold(connections, archived, progress)
        await _swap(connection)
    return position


async def _fold(connections: Connections, archived: FindArchivedPayload, progress: Progress) -> int:
    end = (await read_head(connections)).position
    while True:
        position, folded, _ = await project_next_page(connections, _LARGE_PAGE, _BESIDE, archived)
        progress(position, max(end, position))
        if not folded or position >= end:
            return position


async def _swap(connection: Any) -> None:  # noqa: ANN401  asyncpg has no types
    renames = await connection.fetch(_RENAMES, SCHEMA, list(TABLES))
    for row in await connection.fetch(_GRANTS, SCHEMA, list(TABLES)):
        await connection.execute(row[0])
    for table in TABLES:
        await connection.execute(f"drop table runfold.{table}")
        await connection.execute(f"alter table {SCHEMA}.{table} set schema runfold")
    for made, known in renames:
        if made != known:
            await connection.execute(f'alter index runfold."{made}" rename to "{known}"')
    await connection.execute(f"drop schema {SCHEMA}")
