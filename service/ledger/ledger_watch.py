"""Reads the end of the ledger several times a second: it finds what other processes append, a lost tail, and an outage.

The read is also the probe of the database: while it fails, other statements are refused without a try (outages.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from service.database.connections import Connections
from service.database.statements import load, load_text
from service.errors import Unavailable
from service.ledger.events import LOG
from service.ledger.ledger_end import LedgerEnd

_log = logging.getLogger(__name__)

POLL_S = 0.5
"""Seconds between two reads: one row by its key. `/readyz` and lists notice other processes' events within them."""

_HEAD = load("watch_head", head=load_text("head"))


class LedgerWatch:
    """The task of this process that reads the end of the ledger."""

    def __init__(
        self,
        connections: Connections,
        end: LedgerEnd,
        on_change: Callable[[int], None],
        on_request: Callable[[int], None],
    ) -> None:
        """Take a connection of its own.

        `on_change` is called with each new end, which any process may have appended; `on_request` with the position up
        to which a process of an earlier version asks to project.
        """
        self._connections = connections
        self._end = end
        self._on_change = on_change
        self._on_request = on_request
        self._reported = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start reading."""
        self._task = asyncio.create_task(self._run(), name="ledger watch")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)

    async def _run(self) -> None:
        while True:
            try:
                await self._read()
            except Unavailable:
                pass  # the state of the connections has logged it
            except Exception:  # noqa: BLE001  the task must outlive any failure of one read
                _log.exception("the end of the ledger could not be read")
            await asyncio.sleep(POLL_S)

    async def _read(self) -> None:
        known = self._end.position
        async with self._connections.connection(probe=True) as connection:
            row = await connection.fetchrow(_HEAD, LOG)
        self._end.record_head(known, row["position"], row["recorded_at"])
        if row["position"] != self._reported:
            self._reported = row["position"]
            self._on_change(self._reported)
        if row["requested"] is not None:
            self._on_request(min(row["requested"], row["position"]))
