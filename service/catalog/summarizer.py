"""Writes the summaries of long runs. The projector does it when it has nothing to project, so no list waits for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import reduce
from typing import Any, NamedTuple
from uuid import UUID

from service.catalog.failures import is_caused_by_page, reason_of
from service.catalog.newer_catalog import require_format
from service.database.connections import Connections
from service.database.statements import load
from service.domain.erasure import Stamp, run_without
from service.domain.event import NO_CONTENT, Content
from service.domain.run import RunRegisters, merge_runs, run_registers_of
from service.domain.run_summary import FANOUT, LEAF_EVENTS, LEVELS, Summary, merge_summaries, summary_of
from service.ledger.events import LOG
from service.ledger.run_events import Fetch, HistoryEntry, find_erased, read_history
from service.ledger.run_summaries import summary_in
from service.ledger.stored_registers import pack_registers
from service.payloads.contents import decode_payload

_log = logging.getLogger(__name__)

_STAMPS = load("stamps")

_STEP_LEAVES = 4
"""Most summaries of events that are written in one transaction: that takes some 20 ms."""

_BYTES = 8 * 1024 * 1024
"""Bytes of registers after which no more summaries are read at once."""

_NEVER = -(2**31)
"""The number of events since the last summary for a run that could not be summarized: it is not tried again."""

FindArchivedPayload = Callable[[int], str | None]
"""Returns the payload of a position that the database no longer has; None where no archive has it.

Payloads are archived only after they were projected, so only a rebuild needs this.
"""


class SummaryStatements(NamedTuple):
    """The SQL statements that write summaries, in the catalog in use or in one that is being rebuilt."""

    due: str
    lock: str
    upto: str
    number: str
    between: str
    at: str
    put: str
    set_since: str


def summary_statements(schema: str) -> SummaryStatements:
    """Return the statements for the catalog in a schema."""
    return SummaryStatements(
        due=load("due_run", schema=schema, least=str(LEAF_EVENTS)),
        lock=load("catalog_lock", schema=schema),
        upto=load("summarized_upto", schema=schema),
        number=load("count_summaries", schema=schema),
        between=load("summaries_after", schema=schema),
        at=load("summaries_at", schema=schema),
        put=load("put_summary", schema=schema),
        set_since=load("set_since", schema=schema),
    )


LIVE_SUMMARIES = summary_statements("runfold")


async def summarize_next(
    connections: Connections,
    statements: SummaryStatements = LIVE_SUMMARIES,
    find_archived: FindArchivedPayload | None = None,
) -> bool:
    """Summarize some events of the run that has most of them to be summarized.

    Returns False where no run has enough of them, or another process has projected meanwhile. Raises NewerCatalog.
    """
    async with connections.connection() as connection:
        due = await connection.fetchrow(statements.due, LOG)
        if due is None:
            return False
        after = await connection.fetchval(statements.upto, due["id"], 0)
    run, cursor = due["id"], due["position"]
    try:
        leaves, rest = await _Reader(connections.fetch, run, find_archived).leaves(after, cursor)
        since = rest if len(leaves) < _STEP_LEAVES else max(LEAF_EVENTS, due["since"] - len(leaves) * LEAF_EVENTS)
    except Exception as error:
        if not is_caused_by_page(error):
            raise
        _log.exception("run %s cannot be summarized: %s", run, reason_of(error))
        leaves, since = [], _NEVER
    async with connections.connection() as connection, connection.transaction():
        locked = await connection.fetchrow(statements.lock, LOG)
        require_format(locked["position"], locked["format"])
        if locked["position"] != cursor:  # what was projected meanwhile may be an erasure, or more events of the run
            return False
        if await connection.fetchval(statements.upto, run, 0) == after:
            await SummaryWriter(connection, statements, run).extend(leaves)
            await connection.execute(statements.set_since, run, since)
    return True


class _Reader:
    """Merges events of a run into summaries."""

    def __init__(self, fetch: Fetch, run: UUID, find_archived: FindArchivedPayload | None = None) -> None:
        self._fetch = fetch
        self._run = run
        self._find_archived = find_archived

    async def leaves(self, after: int, upto: int) -> tuple[list[Summary], int]:
        """Return the next summaries of level 0, at most _STEP_LEAVES, and the number of events read after them."""
        leaves: list[Summary] = []
        leaf: Summary | None = None
        limit = _STEP_LEAVES * LEAF_EVENTS
        async with aclosing(read_history(self._fetch, self._run, upto, after, limit=limit)) as entries:
            async for entry in entries:
                summary = summary_of(entry.event, await self._content(entry))
                leaf = summary if leaf is None else merge_summaries((leaf, summary), 0)
                if leaf.events == LEAF_EVENTS:
                    leaves.append(leaf)
                    leaf = None
        return leaves, leaf.events if leaf else 0

    async def registers(self, first: int, last: int) -> tuple[RunRegisters, bool]:
        """Return what events from a position up to another one come to, and whether the content of all is known."""
        merged, is_complete = RunRegisters(), True
        async with aclosing(read_history(self._fetch, self._run, last, first - 1)) as entries:
            async for entry in entries:
                content = await self._content(entry)
                merged = merge_runs(merged, run_registers_of(entry.event, content or NO_CONTENT))
                is_complete = is_complete and content is not None
        return merged, is_complete

    async def _content(self, entry: HistoryEntry) -> Content | None:
        """Return the content of an event: empty if it was erased, None if it is archived and cannot be read."""
        position = entry.event.position
        if not entry.missing:
            return entry.content
        if self._find_archived is not None:
            return decode_payload(entry.event, self._find_archived(position)).content
        return NO_CONTENT if await find_erased(self._fetch, self._run, [position]) else None


class SummaryWriter:
    """Writes summaries of a run within a transaction that has locked the cursor of the catalog."""

    def __init__(self, connection: Any, statements: SummaryStatements, run: UUID) -> None:  # noqa: ANN401
        """Take the connection of the transaction."""
        self._connection = connection
        self._statements = statements
        self._run = run

    async def extend(self, leaves: Sequence[Summary]) -> None:
        """Write the next summaries of level 0, and those of higher levels that are complete with them."""
        for leaf in leaves:
            await self._put(leaf)
        for level in range(1, LEVELS):
            after = await self._connection.fetchval(self._statements.upto, self._run, level)
            below = await self._connection.fetchval(self._statements.number, self._run, level - 1, after)
            if below < FANOUT:
                return  # so no summary of a higher level is complete, either
            for _ in range(below // FANOUT):
                summary = await self._merge_below(level, after)
                await self._put(summary)
                after = summary.last

    async def remove_erased(self, positions: Sequence[int]) -> None:
        """Merge the summaries that have erased payloads, which are at some positions, again without them.

        Values that only archived payloads have, and that the erased ones had replaced, are missing until a rebuild.
        """
        rows = await self._connection.fetch(_STAMPS, LOG, positions)
        stamps = [Stamp(row["at"], row["digest"], row["fact"], row["position"]) for row in rows]
        for level in range(LEVELS):
            for row in await self._connection.fetch(self._statements.at, self._run, level, positions):
                summary = summary_in(row)
                if level == 0:
                    await self._put(summary._replace(registers=await self._leaf_without(summary, stamps)))
                else:
                    await self._put(await self._merge_below(level, summary.first - 1))

    async def _leaf_without(self, leaf: Summary, stamps: Sequence[Stamp]) -> RunRegisters | None:
        merged, is_complete = await _Reader(self._connection.fetch, self._run).registers(leaf.first, leaf.last)
        if is_complete:
            return merged
        rows = await self._connection.fetch(self._statements.between, self._run, 0, leaf.first, 1, _BYTES)
        before = summary_in(rows[0]).registers
        return None if before is None else merge_runs(reduce(run_without, stamps, before), merged)

    async def _merge_below(self, level: int, after: int) -> Summary:
        """Merge the first FANOUT summaries of the level below that end after a position; there are so many."""
        merged: Summary | None = None
        left = FANOUT
        while left:
            rows = await self._connection.fetch(self._statements.between, self._run, level - 1, after, left, _BYTES)
            merged = merge_summaries([*([merged] if merged else []), *map(summary_in, rows)], level)
            after, left = merged.last, left - len(rows)
        assert merged is not None  # noqa: S101  FANOUT is positive
        return merged

    async def _put(self, summary: Summary) -> None:
        registers = None if summary.registers is None else pack_registers(summary.registers)
        await self._connection.execute(self._statements.put, self._run, *summary[:-1], registers)
