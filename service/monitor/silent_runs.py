"""Finds silent runs: RUNNING in the catalog, and without an event for longer than their allowance.

A run's row has the position of its last event, and an index has the order of these. So the runs that have become silent
by an allowance since the last look lie between two positions: the last ones that were as old as the allowance then, and
are now. Each run is looked at once for each allowance, however many are RUNNING.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.database.connections import Connections
from service.database.statements import load
from service.domain.silence import OFF, SetBy, Silence
from service.ledger.events import LOG

MAX_LEVELS = 100
"""Allowances that are looked at in one cycle; where jobs have more different ones, they take turns."""

PAGE_RUNS = 1_000
"""Runs that one statement reads."""

_LEVELS, _THRESHOLDS, _FIND = load("silence_levels"), load("silence_thresholds"), load("silent_runs")
_CLOCK = load("clock")


class Levels(NamedTuple):
    """The different allowances in seconds, the shortest first, and the position of the last change of a setting."""

    seconds: Sequence[int]
    changed: int


class SilentRun(NamedTuple):
    """A silent run: the job that it is of, what shows that it is silent, and whose setting that is."""

    id: UUID
    namespace: str
    job: str
    silence: Silence
    set_by: SetBy


class SilentPage(NamedTuple):
    """The silent runs of a page, by their last events, and the position after which the next page begins, if any."""

    runs: list[SilentRun]
    following: int | None


class SilentRuns:
    """Reads settings and runs from the catalog. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections, default: int) -> None:
        """Take the connections to read with, and the allowance of the service in seconds."""
        self._connections = connections
        self._default = default

    async def now(self) -> datetime:
        """Return the time of the database."""
        (row,) = await self._connections.fetch(_CLOCK)
        now: datetime = row["now"]
        return now

    async def levels(self, above: int = 0) -> Levels:
        """Return the allowances that are longer than `above`, MAX_LEVELS at most."""
        (row,) = await self._connections.fetch(_LEVELS, above, MAX_LEVELS)
        own = {self._default} - {OFF} if self._default > above else set()
        return Levels(sorted({*row["seconds"], *own})[:MAX_LEVELS], row["changed"])

    async def thresholds(self, levels: Sequence[int], now: datetime) -> Mapping[int, int]:
        """Return for each allowance the position up to which last events are older; `now` is the database's time."""
        rows = await self._connections.fetch(_THRESHOLDS, LOG, levels, now)
        return {row["seconds"]: row["position"] or 0 for row in rows}

    async def find(self, level: int, after: int, upto: int) -> SilentPage:
        """Return the next runs that have an allowance, and whose last event is after one position and up to another."""
        rows = await self._connections.fetch(_FIND, LOG, after, upto, PAGE_RUNS, level, self._default)
        following = rows[0]["last"] if rows[0]["scanned"] == PAGE_RUNS else None
        return SilentPage(
            [
                SilentRun(
                    row["id"],
                    row["namespace"],
                    row["job"],
                    Silence(row["position"], row["recorded_at"], level),
                    SetBy(row["set_by"]),
                )
                for row in rows
                if row["id"] is not None
            ],
            following,
        )
