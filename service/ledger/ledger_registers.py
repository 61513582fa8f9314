"""Reads registers that a newer program wrote to the catalog, and that this one cannot read, from the ledger instead.

A run is merged from all of its events. For a job or a namespace, whose registers are also made of the events of its
runs, those would be too many: it is merged from its own events, definitions and deletions, and what the columns of its
row say; facets and datasets that only runs reported are missing. So it is for datasets, sources and tags, where only
decisions of commands need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from service.database.connections import Connections
from service.database.statements import load
from service.domain.event import Subject
from service.domain.job import JobRegisters
from service.domain.namespace import NamespaceRegisters
from service.domain.registers import FirstSeen
from service.ledger.aggregates import AGGREGATES
from service.ledger.rows import event_of
from service.ledger.stored_registers import NewerRegisters
from service.payloads.contents import decode_payload

_HISTORY = {subject: load("history", subject=subject) for subject in AGGREGATES}
_JOB, _NAMESPACE = load("job_names"), load("namespace_names")

_PAGE_EVENTS, _PAGE_BYTES = 500, 4 * 1024 * 1024
"""Events of a stream that are read at once, and bytes of their payloads."""


async def read_registers(connections: Connections, log: int, subject: Subject, rows: Sequence[Any]) -> list[Any]:
    """Return the registers in rows of the catalog, which have the columns `id` and `registers`."""
    unpack = AGGREGATES[subject].unpack
    try:
        return [unpack(row["registers"]) for row in rows]
    except NewerRegisters:
        return [await _read(connections, log, subject, row) for row in rows]


async def _read(connections: Connections, log: int, subject: Subject, row: Any) -> Any:  # noqa: ANN401
    try:
        return AGGREGATES[subject].unpack(row["registers"])
    except NewerRegisters:
        return await merge_from_ledger(connections, log, subject, row["id"])


async def merge_from_ledger(connections: Connections, log: int, subject: Subject, stream: UUID) -> Any:  # noqa: ANN401
    """Return the registers of a stream from its events alone; None for a run without events.

    Archived payloads are missing in them.
    """
    async with connections.connection() as connection:
        registers = await _from_columns(connection, log, subject, stream)
        after = 0
        while True:
            rows = await connection.fetch(_HISTORY[subject], log, stream, after, 2**63 - 1, _PAGE_EVENTS, _PAGE_BYTES)
            for row in rows:
                event = event_of(row)
                registers = AGGREGATES[subject].next_state(registers, event, decode_payload(event, row["body"]))
            if not rows or (len(rows) == rows[0]["found"] and len(rows) < _PAGE_EVENTS):
                return registers
            after = rows[-1]["position"]


async def _from_columns(connection: Any, log: int, subject: Subject, stream: UUID) -> Any:  # noqa: ANN401
    if subject not in (Subject.JOB, Subject.NAMESPACE):
        return None
    if subject is Subject.JOB:
        row = await connection.fetchrow(_JOB, stream)
        return row and JobRegisters(
            row["namespace"], row["name"], row["position"], seen=row["seen"], updated_at=row["updated_at"]
        )
    row = await connection.fetchrow(_NAMESPACE, log, stream)
    return row and NamespaceRegisters(
        row["name"],
        row["position"],
        seen=0 if row["hidden"] else row["position"],
        deleted=row["deleted"],
        first_seen=row["recorded_at"] and FirstSeen(implied=True, at=row["recorded_at"]),
    )
