"""Locks of the commands that move payloads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from service.database.connections import Connections
from service.database.statements import load
from service.errors import DatabaseUnavailable, OperatorError

_LOCK = load("try_transaction_lock")
_LOCK_KEY = 0x52554E_52455441

_UNLIMITED = "set local idle_in_transaction_session_timeout = 0"
"""The transaction that holds the lock waits for the command. (A session's lock would not survive a pooler.)"""

_LOCK_TIMEOUT = "set local lock_timeout = '1s'"
"""Appends and readers of payloads wait behind a transaction that waits for such a lock."""

_ATTEMPTS = 30
_RETRY_DELAY_S = 2.0
_LOCK_FAILURES = ("55P03", "40P01")
"""SQLSTATEs: lock_not_available, deadlock_detected."""

Result = TypeVar("Result")


@asynccontextmanager
async def exclusive_maintenance(dsn: str) -> AsyncIterator[None]:
    """Exclude other commands that move payloads, or need all of them, until the block ends.

    Raises OperatorError while another one runs.
    """
    async with Connections(dsn) as connections, connections.connection() as connection, connection.transaction():
        await connection.execute(_UNLIMITED)
        if not await connection.fetchval(_LOCK, _LOCK_KEY):
            raise OperatorError("Another archive, restore or rebuild is under way; run this again when it is done.")
        yield


async def in_short_transaction(connections: Connections, work: Callable[[Any], Awaitable[Result]]) -> Result | None:
    """Do `work` with a connection, in a transaction that waits for a lock a second at most, and return its result.

    Tries again for a minute or two; None if the locks that it needs were never free in time. `work` returns no None.
    Raises DatabaseUnavailable.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            await asyncio.sleep(_RETRY_DELAY_S)
        try:
            async with connections.connection() as connection, connection.transaction():
                await connection.execute(_LOCK_TIMEOUT)
                return await work(connection)
        except DatabaseUnavailable as error:
            if error.sqlstate not in _LOCK_FAILURES:
                raise
    return None
