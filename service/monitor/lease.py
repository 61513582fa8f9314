"""Which of all processes of the service looks for silent runs: the one that holds a lease in the database.

A row and its times, not a lock of a session: it works behind a pooler in transaction mode. Two processes that both take
themselves for the holder, because one was stopped for a while, do no harm: of two ends that are inferred from one
event, one is recorded.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from service.database.connections import Connections
from service.database.statements import load
from service.domain import timestamps
from service.errors import Unavailable
from service.ledger.events import LOG

_CLAIM, _RELEASE = load("claim_silence_monitor"), load("release_silence_monitor")

LEASE_INTERVALS = 2
"""How long a lease lasts, in intervals between two claims. After as long again without a claim, silences count anew."""

MAX_CLOCK_DIFFERENCE = timedelta(seconds=10)
"""Most by which the clocks of the database and of this process may differ: synchronised ones do by milliseconds."""


class Claim(NamedTuple):
    """The database's time, and since when processes of the service have been there without a gap."""

    now: datetime
    active_since: datetime


class ClocksDiffer(Unavailable):
    """The clocks of the database and of the service differ, so it is not known how long a run has been silent."""


class MonitorLease:
    """The lease, as this process sees it."""

    def __init__(self, connections: Connections) -> None:
        """Take the connection to claim it with."""
        self._connections = connections
        self._holder = uuid4()
        self.held = False
        """Whether the last claim succeeded."""

    async def claim(self, interval_s: float) -> Claim | None:
        """Take or keep the lease until two intervals from now; None while another process has it.

        Raises ClocksDiffer, without having the lease, and Unavailable.
        """
        self.held = False
        before = timestamps.now()
        arguments = LOG, self._holder, interval_s * LEASE_INTERVALS
        async with self._connections.connection() as connection, connection.transaction():
            row = await connection.fetchrow(_CLAIM, *arguments)
            if row is None:
                return None
            difference = max(before - row["now"], row["now"] - timestamps.now())
            if difference > MAX_CLOCK_DIFFERENCE:
                raise ClocksDiffer(f"the clocks of the database and of the service differ by {difference}")
        self.held = True
        return Claim(row["now"], row["active_since"])

    async def release(self) -> None:
        """Give the lease back. Raises Unavailable."""
        if self.held:
            self.held = False
            async with self._connections.connection() as connection:
                await connection.execute(_RELEASE, LOG, self._holder)
