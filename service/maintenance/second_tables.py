"""The second tables of `runfold verify --catalog`: the ledger, projected anew into a schema of its own.

Projecting takes nearly all of the time of a check. A check that is interrupted leaves the tables, and the next one goes
on with them, if they are what it would have made itself: of the same formats and the same schema of the database, owned
by its role and changed by nobody else, of a ledger that still has the same events. The tables are unlogged: a crash of
PostgreSQL empties them, and the next check begins at the first event. They have no triggers, and no indexes but their
primary keys and those by which the projectors find runs to summarize, the names of a dataset, and the latest run of a
job.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from service.audit.evidence import EvidenceReader
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import LedgerProjection, project_next_page
from service.catalog.statements import TABLES, catalog_statements
from service.catalog.summarizer import FindArchivedPayload
from service.database.connections import Connections
from service.database.migrations import newest_revision
from service.database.statements import LINEAGE, load
from service.domain.run_summary import LEAF_EVENTS
from service.ledger.events import LOG
from service.ledger.stored_lineage import LINEAGE_FORMAT
from service.ledger.stored_registers import FORMAT
from service.lineage.pages import LineageProjection
from service.lineage.statements import TABLES as LINEAGE_TABLES
from service.lineage.statements import lineage_statements

SCHEMA = "runfold_verify"

Progress = Callable[[int, int], None]
"""Is called with the position up to which the second tables are projected, and the last one."""

_STATEMENTS = catalog_statements(SCHEMA)
_LINEAGE = lineage_statements(SCHEMA)
_MAKE_CURSOR = load("make_cursor", schema=SCHEMA)
_MAKE_LINEAGE_CURSOR = load("make_cursor", schema=SCHEMA, projection=LINEAGE)
_PRIMARY_KEY = load("verify_primary_key")
_IS_KEPT, _KEPT = load("verify_is_kept"), load("verify_kept", schema=SCHEMA)
_MAKE_MARK, _MARK = load("verify_make_mark", schema=SCHEMA), load("verify_mark", schema=SCHEMA)
_DROP = f"drop schema if exists {SCHEMA} cascade"


class Positions(NamedTuple):
    """The positions up to which catalog and lineage are projected."""

    catalog: int
    lineage: int


class SecondTables:
    """The tables of the second schema, as far as they are projected."""

    def __init__(self, connections: Connections, find_archived: FindArchivedPayload) -> None:
        """Take connections that find no code but PostgreSQL's own, and what finds payloads that are archived."""
        self._connections = connections
        self._reader = EvidenceReader(connections)
        self.catalog = CatalogProjection(connections, _STATEMENTS, find_archived)
        self.lineage = LineageProjection(connections, _LINEAGE, find_archived)

    async def open(self, upto: Positions, *, restart: bool) -> Positions:
        """Go on with the tables of an interrupted check, or make empty ones; return how far they are projected.

        `upto`: the positions of the tables in use. `restart`: make empty ones in any case.
        """
        made_by = _made_by()
        if not restart:
            kept = await self._kept(made_by)
            if kept is not None and kept.catalog <= upto.catalog and kept.lineage <= upto.lineage:
                return kept
        await self._make(made_by)
        return Positions(0, 0)

    async def drop(self) -> None:
        """Remove the schema."""
        async with self._connections.connection() as connection:
            await connection.execute(_DROP)

    async def project(self, upto: Positions, progress: Progress | None) -> None:
        """Project the ledger up to the positions of both projections, which the ledger has."""
        ends = await self._reader.ends()
        async with self._connections.connection() as connection:
            await connection.execute(_MARK, ends.head, ends.hash)
        await _project(self.catalog, upto.catalog, progress)
        await _project(self.lineage, upto.lineage, progress)

    async def _kept(self, made_by: str) -> Positions | None:
        """Return how far the tables of an interrupted check are projected; None where they cannot be used."""
        async with self._connections.connection() as connection:
            if not await connection.fetchval(_IS_KEPT, SCHEMA, _tables()):
                return None
            kept = await connection.fetchrow(_KEPT, LOG)
        if kept is None or kept["made_by"] != made_by or kept["position"] < max(kept["catalog"], kept["lineage"]):
            return None
        # The hash of a position proves all events up to it.
        if kept["position"] and await self._reader.hash_at(kept["position"]) != kept["hash"]:
            return None
        return Positions(kept["catalog"], kept["lineage"])

    async def _make(self, made_by: str) -> None:
        async with self._connections.connection() as connection, connection.transaction():
            await connection.execute(_DROP)
            await connection.execute(f"create schema {SCHEMA}")
            for table in (*TABLES, *LINEAGE_TABLES):
                key = [row["name"] for row in await connection.fetch(_PRIMARY_KEY, f"runfold.{table}")]
                await connection.execute(f"create unlogged table {SCHEMA}.{table} (like runfold.{table})")
                await connection.execute(f"alter table {SCHEMA}.{table} add primary key ({', '.join(key)})")
            await connection.execute(f"create index on {SCHEMA}.runs (since) where since >= {LEAF_EVENTS}")
            await connection.execute(f"create index on {SCHEMA}.datasets (primary_id)")
            await connection.execute(f"create index on {SCHEMA}.run_datasets (job_id, started_at desc, run_id desc)")
            await connection.execute(f"create unlogged table {SCHEMA}.mark (made_by text, position bigint, hash bytea)")
            await connection.execute(_MAKE_MARK, made_by)
            await connection.execute(_MAKE_CURSOR, LOG, FORMAT)
            await connection.execute(_MAKE_LINEAGE_CURSOR, LOG, LINEAGE_FORMAT)


def _made_by() -> str:
    """Return what the shape and the content of the tables depend on besides the events."""
    return f"schema {newest_revision()}, formats {FORMAT} and {LINEAGE_FORMAT}"


def _tables() -> list[str]:
    return [*TABLES, *LINEAGE_TABLES, "mark"]


async def _project(projection: LedgerProjection[Any, Any], upto: int, progress: Progress | None) -> None:
    position = await projection.read_cursor()
    while position < upto:
        position = (await project_next_page(projection, min(projection.page_events, upto - position))).position
        if progress is not None:
            progress(position, upto)
    while await projection.work_when_idle():
        pass
