"""Reads namespaces: those of jobs, which are in the catalog, and those of datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.catalog.queries import EVERY, PAGE_BYTES, Slice, condition, load_page
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.domain.event import Subject
from service.domain.ids import namespace_id
from service.domain.namespace import NamespaceRegisters
from service.domain.registers import FirstSeen
from service.ledger.events import LOG
from service.ledger.ledger_registers import read_registers

_LIST = {
    False: load_page("list_namespaces", within=EVERY),
    True: load_page("list_namespaces", within=load_text("within", namespace="n.name")),
}
_FIND = load("find_namespace")


class NamespaceQueries:
    """Reads namespaces. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def page(self, prefix: str, slice_: Slice, binding: Binding | None) -> list[NamespaceRegisters]:
        """Return namespaces whose names begin so, by name, without the hidden ones: those within a binding."""
        statement = _LIST[binding is not None]
        rows = await self._connections.fetch(statement, prefix, *slice_, *condition(binding), PAGE_BYTES)
        return await self._registers(rows)

    async def find(self, name: str) -> NamespaceRegisters | None:
        """Return a namespace, hidden or not."""
        rows = await self._connections.fetch(_FIND, namespace_id(name))
        return (await self._registers(rows))[0] if rows else None

    async def _registers(self, rows: Sequence[Any]) -> list[NamespaceRegisters]:
        of_jobs = [{"id": namespace_id(row["name"]), "registers": row["registers"]} for row in rows if row["registers"]]
        known = iter(await read_registers(self._connections, LOG, Subject.NAMESPACE, of_jobs))
        return [_merged(next(known) if row["registers"] else None, row) for row in rows]


def _merged(of_jobs: NamespaceRegisters | None, row: Any) -> NamespaceRegisters:  # noqa: ANN401  asyncpg has no types
    """Return a namespace as its jobs and its datasets make it."""
    if row["position"] is None:
        assert of_jobs is not None  # noqa: S101  the row is of one of the two tables
        return of_jobs
    first_seen = FirstSeen(implied=True, at=row["created_at"])
    if of_jobs is None:
        return NamespaceRegisters(
            row["name"], row["position"], seen=row["position"], updated_at=row["updated_at"], first_seen=first_seen
        )
    return of_jobs._replace(
        seen=max(of_jobs.seen, row["position"]),
        updated_at=max(of_jobs.updated_at, row["updated_at"]),
        first_seen=of_jobs.first_seen or first_seen,
    )
