"""Finds runs across jobs in the catalog: by state, name, start, and by what was running at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from service.database.connections import load
from service.database.lanes import Lanes
from service.domain.run import RunRegisters, RunState
from service.ledger.cursors import Row
from service.ledger.registers import unpack_run

PARAMETERS = ("state", "namespace", "job", "startedBefore", "startedAfter", "runningAt")

_BY_STATE, _BY_NAME, _RUNNING = load("runs_by_state"), load("runs_by_name"), load("runs_running_at")


_LEAST = UUID(int=0)
_TOP = Row(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class RunFilters(NamedTuple):
    """None: any. startedAfter is included, startedBefore is not; a run that ended at runningAt was not running."""

    states: tuple[str, ...] | None = None
    namespace: str | None = None
    job: str | None = None
    started_before: datetime | None = None
    started_after: datetime | None = None
    running_at: datetime | None = None


class FoundRun(NamedTuple):
    """A run, and the row to go on behind."""

    id: UUID
    row: Row
    registers: RunRegisters


class Searches:
    """Reads the catalog, as far as it is folded."""

    def __init__(self, lanes: Lanes) -> None:
        """Take the connections to read with."""
        self._lanes = lanes

    async def runs(self, wanted: RunFilters, after: Row | None, limit: int) -> list[FoundRun]:
        """Return runs, newest first: by their start, or their creation where they have not started."""
        names = wanted.namespace, wanted.job
        started_only = wanted.started_before is not None or wanted.started_after is not None
        below = _below(wanted, after)
        states = [state for state in wanted.states or RunState if not (started_only and state == RunState.NEW)]
        where = (states, *names, started_only, wanted.started_after, *below, limit)
        async with self._lanes.connection() as connection:
            if wanted.running_at is not None:
                rows = await connection.fetch(_RUNNING, *where, wanted.running_at)
            else:
                rows = await connection.fetch(_BY_STATE if names == (None, None) else _BY_NAME, *where)
        return [FoundRun(row[0], Row(row[1], row[0]), unpack_run(row[2])) for row in rows]


def _below(wanted: RunFilters, after: Row | None) -> Row:
    """Return the one bound that cursor, startedBefore and runningAt come to."""
    bounds = [after or _TOP]
    if wanted.started_before is not None:
        bounds.append(Row(wanted.started_before, _LEAST))
    if wanted.running_at is not None:
        bounds.append(Row(wanted.running_at + timedelta(microseconds=1), _LEAST))
    return min(bounds)
