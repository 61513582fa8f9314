"""Erases payloads permanently, and removes their content from the catalog."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.catalog.ledger_projection import project_next_page
from service.database.connections import Connections
from service.database.roles import require_owner
from service.database.statements import load
from service.domain.event import KEPT_SUBJECTS, Kind, Subject
from service.errors import OperatorError
from service.ledger import archive_records
from service.ledger.archive_records import Archive
from service.ledger.events import LOG, read_head
from service.lineage.pages import projections

_OF_STREAM, _EVENTS, _ERASED = load("payloads_of_stream"), load("events_at"), load("erased_at")
_ERASE = load("erase_payloads")
_STATEMENT_TIMEOUT_S = 600.0
_EVENTS_AT_ONCE = 50
"""Events read at once, with their payloads."""


class ErasableEvent(NamedTuple):
    """An event whose payload can be erased."""

    position: int
    subject: str
    stream: UUID
    kind: str
    state: str | None
    recorded_at: datetime
    namespace: str | None
    job: str | None
    source: str
    payload_bytes: int


class ErasureResult(NamedTuple):
    """The positions whose payloads are erased, how many were removed now, and old files that may hold copies."""

    positions: list[int]
    removed: int
    copies: list[Archive]


async def erasable_events(dsn: str, target: UUID | int) -> list[ErasableEvent]:
    """Return the events whose payloads erase_payloads would erase now: without those that were erased before.

    Raises OperatorError as it would, and DatabaseUnavailable.
    """
    async with Connections(dsn, command_timeout_s=_STATEMENT_TIMEOUT_S) as connections:
        await require_owner(connections, "Erasing")
        positions = [target] if isinstance(target, int) else await _positions_of_run(connections, target)
        await _check(connections, positions)
        erasable = []
        for start in range(0, len(positions), _EVENTS_AT_ONCE):
            for row in await connections.fetch(_EVENTS, LOG, positions[start : start + _EVENTS_AT_ONCE]):
                if row["body"] is not None:
                    fields = [row[name] for name in ErasableEvent._fields[:-1]]
                    erasable.append(ErasableEvent._make((*fields, len(row["body"].encode()))))
        return erasable


async def erase_payloads(dsn: str, target: UUID | int, why: str, actor: str | None = None) -> ErasureResult:
    """Erase the payloads of a run, or the one at a position. When this returns, no view shows content of them.

    Erasing again changes nothing. Raises OperatorError, which says what to do, and DatabaseUnavailable.
    """
    async with Connections(dsn, command_timeout_s=_STATEMENT_TIMEOUT_S) as connections:
        await require_owner(connections, "Erasing")
        positions = [target] if isinstance(target, int) else await _positions_of_run(connections, target)
        await _check(connections, positions)
        async with connections.connection() as connection:
            erasure = await connection.fetchrow(_ERASE, LOG, positions, why, actor)
        for projection in projections(connections):
            while (await project_next_page(projection)).position < erasure["last"]:
                pass
        return ErasureResult(positions, erasure["removed"], await _copies(connections, positions))


async def _copies(connections: Connections, positions: list[int]) -> list[Archive]:
    """Return the former archives that cover the positions; a current one was written without the erased payloads."""
    current = {archive.sha256 for archive in await archive_records.current_archives(connections)}
    records = await archive_records.read_archive_records(connections)
    return [
        archive
        for kind, archive in records
        if kind is Kind.ARCHIVED and archive.sha256 not in current and any(map(archive.covers, positions))
    ]


async def _positions_of_run(connections: Connections, run: UUID) -> list[int]:
    head = await read_head(connections)
    rows = await connections.fetch(_OF_STREAM, LOG, Subject.RUN, run, head.position)
    if not rows:
        raise OperatorError(f"No event of a run {run} came with a payload.")
    return [row["position"] for row in rows]


async def _check(connections: Connections, positions: list[int]) -> None:
    """Raise OperatorError for the first position whose payload cannot be erased."""
    for start in range(0, len(positions), _EVENTS_AT_ONCE):
        await _check_some(connections, positions[start : start + _EVENTS_AT_ONCE])


async def _check_some(connections: Connections, positions: list[int]) -> None:
    erased = {row["position"] for row in await connections.fetch(_ERASED, LOG, positions)}
    events = {row["position"]: row for row in await connections.fetch(_EVENTS, LOG, positions)}
    archived = await archive_records.locate_payloads(connections, positions)
    for position in positions:
        event = events.get(position)
        if event is None or event["payload_digest"] is None:
            raise OperatorError(f"There is no payload at position {position}.")
        if event["subject"] in KEPT_SUBJECTS or event["kind"] == Kind.ERASED:
            raise OperatorError(f"The payload at position {position} cannot be erased: the ledger itself needs it.")
        if position not in erased and position in archived:
            raise OperatorError(
                f"The payload at position {position} is archived in {archived[position].file}. Bring it back first:"
                f" runfold restore {position}; then erase it, archive again, and delete the old file."
            )
