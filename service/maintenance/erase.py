"""Erases payloads for good, and folds anew what they had a part in."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from service.catalog.page_writer import project_next_page
from service.database.connections import Connections
from service.database.roles import require_owner
from service.database.statements import load
from service.domain.event import Kind, Subject
from service.errors import OperatorError
from service.ledger import archive_records
from service.ledger.archive_records import Archive
from service.ledger.events import LOG, read_head

_OF_STREAM, _EVENTS, _GONE = load("payloads_of_stream"), load("events_at"), load("erased_at")
_ERASE = "select removed, last from runfold.erase_payloads($1, $2, $3, $4)"
_STATEMENT_S = 600.0
_KEPT = (Subject.KEY, Subject.LEDGER)


class ErasureResult(NamedTuple):
    """What was erased: whose payloads, how many now, and the files that may still hold copies of them."""

    positions: list[int]
    removed: int
    copies: list[Archive]


async def erase_payloads(dsn: str, what: UUID | int, why: str, actor: str | None = None) -> ErasureResult:
    """Erase the payloads of a run, or the one at a position. When this returns, no view shows what came from them.

    Erasing again changes nothing. Raises OperatorError, with what to do about it, and DatabaseUnavailable.
    """
    async with Connections(dsn) as connections:
        await require_owner(connections, "Erasing")
        positions = [what] if isinstance(what, int) else await _of_run(connections, what)
        await _check(connections, positions)
        async with connections.connection() as connection:
            arguments = (LOG, positions, why, actor)
            removed, last = await connection.fetchrow(_ERASE, *arguments, timeout=_STATEMENT_S)
        while (await project_next_page(connections))[0] < last:
            pass
        return ErasureResult(positions, removed, await _copies(connections, positions))


async def _copies(connections: Connections, positions: list[int]) -> list[Archive]:
    """Return archives from before; one that stands now was made without what is erased."""
    clean = {archive.sha256 for archive in await archive_records.current_archives(connections)}
    made = [
        archive for kind, archive in await archive_records.read_archive_records(connections) if kind is Kind.ARCHIVED
    ]
    return [one for one in made if one.sha256 not in clean and any(map(one.covers, positions))]


async def _of_run(connections: Connections, run: UUID) -> list[int]:
    end = (await read_head(connections)).position
    async with connections.connection() as connection:
        positions = [row[0] for row in await connection.fetch(_OF_STREAM, LOG, Subject.RUN, run, end)]
    if not positions:
        raise OperatorError(f"No event of a run {run} came with a payload.")
    return positions


async def _check(connections: Connections, positions: list[int]) -> None:
    """Raise OperatorError for the first position whose payload cannot be erased."""
    async with connections.connection() as connection:
        gone = {row[0] for row in await connection.fetch(_GONE, LOG, positions)}
        events = {row[0]: row for row in await connection.fetch(_EVENTS, LOG, positions)}
    archived = await archive_records.locate_payloads(connections, positions)
    for position in positions:
        event = events.get(position)
        if event is None or event["payload_digest"] is None:
            raise OperatorError(f"There is no payload at position {position}.")
        if event["subject"] in _KEPT or event["kind"] == Kind.ERASED:
            raise OperatorError(f"The payload at position {position} is one that the ledger itself leans on; it stays.")
        if event["body"] is None and position not in gone and position in archived:
            raise OperatorError(
                f"The payload at position {position} is archived in {archived[position].file}. Bring it back first:"
                f" runfold restore {position}; then erase it, archive again, and delete the old file."
            )
