"""Connections to PostgreSQL. The driver's exceptions are translated here and nowhere else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg

from service.database.failures import translate
from service.errors import DatabaseUnavailable, Overloaded

_log = logging.getLogger(__name__)

COMMAND_TIMEOUT_S = 10.0
"""Seconds a statement may take before its outcome counts as unknown."""

_CONNECT_TIMEOUT_S = 5.0
_WAIT_S = 10.0

# The locks of a client machine that vanished are released after a minute, not after two hours.
_SETTINGS = (
    "set jit = off; set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3;"
)
# A plan made on a small table stays cached while the table grows: docs/decisions/0003-plans-that-stay-good.md.
_NO_SEQUENTIAL_SCANS = "set enable_seqscan = off;"
_KEEP_PLANS = "set plan_cache_mode = force_generic_plan;"
_LIMIT_IDLE_TRANSACTIONS = "set idle_in_transaction_session_timeout = '30s';"


class Connections:
    """Up to `size` connections to one database; each is opened when first needed, and again after it broke.

    A task that finds all of them in use waits. With `size` 1, statements of several tasks take turns.
    """

    def __init__(
        self,
        dsn: str,
        size: int = 1,
        *,
        statement_cache_size: int = 100,
        sequential_scans: bool = False,
        keep_plans: bool = False,
        limit_idle_transactions: bool = False,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        wait_s: float | None = _WAIT_S,
    ) -> None:
        """Take a PostgreSQL URL; behind a transaction pooler `statement_cache_size` must be 0.

        sequential_scans: let the planner scan whole tables; for lists, whose tables may be small.
        keep_plans: for the few statements on single streams, whose plans do not depend on their arguments: planning
            one anew costs more than executing it.
        limit_idle_transactions: for transactions that hold locks which other processes wait for.
        wait_s: seconds a task waits for a free connection; None: without limit.
        """
        self.size = size
        self._dsn = dsn
        self._statement_cache_size = statement_cache_size
        self._command_timeout_s = command_timeout_s
        self._wait_s = wait_s
        self._settings = _SETTINGS
        self._settings += "" if sequential_scans else _NO_SEQUENTIAL_SCANS
        self._settings += _KEEP_PLANS if keep_plans else ""
        self._settings += _LIMIT_IDLE_TRANSACTIONS if limit_idle_transactions else ""
        self._free: list[asyncpg.Connection] = []
        self._used: set[asyncpg.Connection] = set()
        self._places = asyncio.Semaphore(size)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection that nobody else uses until the block ends.

        Raises Overloaded where none comes free in time. What the driver raises inside the block comes out as
        ValueRefused or DatabaseUnavailable.
        """
        await self._wait_for_place()
        connection: asyncpg.Connection | None = None
        try:
            connection = await self._take()
            self._used.add(connection)
            yield connection
        except Exception as error:
            translated = translate(error)
            if translated is None:
                raise
            if isinstance(translated, DatabaseUnavailable):
                _log.warning("database: %s: %s", type(error).__name__, error)
                if connection is not None:  # its state is unknown
                    connection.terminate()
            raise translated from error
        finally:
            if connection is not None:
                self._used.discard(connection)
                if not connection.is_closed():
                    self._free.append(connection)
            self._places.release()

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:  # noqa: ANN401  what asyncpg takes
        """Return the rows of a statement. Raises ValueRefused, DatabaseUnavailable and Overloaded."""
        async with self.connection() as connection:
            rows: list[Any] = await connection.fetch(statement, *arguments)
            return rows

    async def close(self) -> None:
        """Close all connections; one that is still in use is cut, and a server that does not answer is not waited for."""
        for connection in self._used:
            connection.terminate()
        free, self._free = self._free, []
        await asyncio.gather(*(_close(connection) for connection in free))

    async def _wait_for_place(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded("too many requests are reading the database; nothing is lost, ask again") from None

    async def _take(self) -> asyncpg.Connection:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return await self._connect()

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=self._command_timeout_s,
            statement_cache_size=self._statement_cache_size,
        )
        try:
            await connection.execute(self._settings)
        except BaseException:
            connection.terminate()  # without its settings it must not be used
            raise
        return connection


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await asyncio.wait_for(connection.close(), _CONNECT_TIMEOUT_S)
    except (asyncpg.PostgresError, OSError, TimeoutError):
        connection.terminate()
