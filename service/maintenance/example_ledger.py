"""Writes examples into an empty ledger, with the times at which they would have been recorded.

append_events takes the time of an event from the database's clock, and no caller can choose it. Rows that are copied
into the tables have the times that they are given. Only the owner of the tables may do that, and only `runfold demo
--history` does, in a data directory of its own. Every event says so: its source is `import`, its actor ACTOR.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, NamedTuple

from service.audit.hash_chain import ChainRow, recompute_hashes
from service.database.connections import Connections
from service.database.statements import SCHEMA, load
from service.domain import timestamps
from service.domain.event import Event
from service.errors import OperatorError
from service.ledger.events import LOG, Head, read_head
from service.payloads.openlineage import Origin, read_lineage_event

ACTOR = "runfold demo"

_ORIGIN = Origin("import", ACTOR)
_TIMEOUT_S = 600.0

_COLUMNS = ("log", *Event._fields, "hash")
_PAYLOAD_COLUMNS = ("log", "position", "body")

_LOCK, _HEAD, _MOVE = load("lock_head"), load("head"), load("move_head")
_MAKE_PARTITIONS, _FIRST = load("make_payload_partitions"), load("first_recorded_by")

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_int8 = Struct(">q").pack


class Example(NamedTuple):
    """When an OpenLineage event is recorded, and its text."""

    recorded_at: datetime
    line: bytes


class LedgerNotEmpty(OperatorError):
    """Something is recorded already: whatever is recorded after that has the time of the database's clock."""


class _Rows(NamedTuple):
    """Rows of both tables in the order of their columns, and the head after them."""

    events: list[tuple[Any, ...]]
    payloads: list[tuple[int, int, str | None]]
    head: Head


class Contents(NamedTuple):
    """What a ledger has: its last position, and the time of its first event if that is an example."""

    position: int
    examples_since: datetime | None


async def read_contents(dsn: str) -> Contents:
    """Return what a ledger has. Raises DatabaseUnavailable."""
    async with Connections(dsn) as connections:
        position = (await read_head(connections)).position
        async with connections.connection() as connection:
            return Contents(position, await connection.fetchval(_FIRST, LOG, ACTOR))


async def write_examples(dsn: str, examples: Iterable[Example]) -> int:
    """Write events in the order of their times, all or none, and return how many.

    Raises LedgerNotEmpty if the ledger has an event, ValueError for a time that lies before the one before it or in the
    future, and Malformed or Invalid for what is no event.
    """
    async with (
        Connections(dsn, command_timeout_s=_TIMEOUT_S) as connections,
        connections.connection() as connection,
        connection.transaction(),
    ):
        await connection.execute(_LOCK, LOG)
        head = Head(*await connection.fetchrow(_HEAD, LOG))
        if head.position:
            raise LedgerNotEmpty(f"The ledger has {head.position} events; examples are written into an empty one.")
        rows = _rows(examples, head)
        await connection.execute(_MAKE_PARTITIONS, rows.head.position)
        await _copy(connection, "events", _COLUMNS, rows.events)
        await _copy(connection, "payloads", _PAYLOAD_COLUMNS, rows.payloads)
        await connection.execute(_MOVE, LOG, *rows.head)
    return rows.head.position


async def _copy(connection: Any, table: str, columns: Iterable[str], records: list[tuple[Any, ...]]) -> None:  # noqa: ANN401  asyncpg has no types
    await connection.copy_records_to_table(table, schema_name=SCHEMA, columns=columns, records=records)


def _rows(examples: Iterable[Example], head: Head) -> _Rows:
    rows = _Rows([], [], head)
    now = timestamps.now()
    for recorded_at, line in examples:
        if recorded_at > now or (rows.events and recorded_at < rows.head.recorded_at):
            raise ValueError(f"an example cannot be recorded at {recorded_at}, after {rows.head.recorded_at}")
        draft = read_lineage_event(line, _ORIGIN, now)
        event = draft.at(rows.head.position + 1, recorded_at)
        digest = _hash(event, rows.head.hash)
        rows.events.append((LOG, *event, digest))
        rows.payloads.append((LOG, event.position, draft.payload))
        rows = rows._replace(head=Head(event.position, digest, recorded_at))
    return rows


def _hash(event: Event, before: bytes) -> bytes:
    """Return the hash of an event's row, as append_events would compute it."""
    row = ChainRow(
        position=event.position,
        hash=None,
        payload_digest=event.payload_digest,
        subject=event.subject,
        stream=event.stream.bytes,
        kind=event.kind,
        state=event.state,
        transitioned_at=_since_2000(event.transitioned_at),
        recorded_at=_since_2000(event.recorded_at),
        namespace=event.namespace,
        job=event.job,
        parent_run=event.parent_run.bytes if event.parent_run else None,
        source=event.source,
        actor=event.actor,
        fact=event.fact,
        request_digest=event.request_digest,
    )
    ((_, digest),) = recompute_hashes(LOG, [row], before)
    return digest


def _since_2000(at: datetime) -> bytes:
    return _int8((at - _POSTGRES_EPOCH) // _MICROSECOND)
