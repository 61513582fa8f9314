"""The number of runs in each state over all jobs, for metrics: read seldom, because there is a counter for each job."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from service.catalog.projection import ALL_JOBS
from service.database.connections import Connections
from service.database.statements import load
from service.domain.event import RunState

_RUNS_BY_STATE = load("runs_by_state")

_MIN_AGE_S = 15.0
_AGE_RATIO = 200
"""Totals are kept for this many times as long as it took to read them: at most 0.5 % of the time is spent on them."""


class RunTotals:
    """The totals as they were read last."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections
        self._totals: dict[str, int] = {}
        self._until = float("-inf")
        self._lock = asyncio.Lock()

    async def read(self) -> Mapping[str, int]:
        """Return the number of runs in each state, of 15 s ago or later; of earlier where reading takes long.

        Raises Unavailable.
        """
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if clock() >= self._until:
                began = clock()
                rows = await self._connections.fetch(_RUNS_BY_STATE, ALL_JOBS)
                ended = clock()
                self._totals = dict.fromkeys(RunState, 0) | {row["state"]: row["total"] for row in rows}
                self._until = ended + max(_MIN_AGE_S, _AGE_RATIO * (ended - began))
            return self._totals
