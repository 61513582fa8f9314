"""Connections to PostgreSQL. Only this module and failures.py handle the driver's exceptions."""

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
"""Time limit of a statement; after it, it is unknown whether the statement was executed."""

_CONNECT_TIMEOUT_S = 5.0
_WAIT_S = 10.0

# The locks of a client machine that vanished are released after a minute, not after two hours.
_SETTINGS = (
    "set jit = off; set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3;"
)
# A plan made on a small table stays cached while the table grows: docs/decisions/0003-plans-that-stay-good.md.
_NO_SEQUENTIAL_SCANS = "set enable_seqscan = off;"
_KEEP_PLANS = "set plan_cache_mode = force_generic_plan;"
# For verification: no function, operator or type but PostgreSQL's own is found, and no policy hides rows silently.
_BUILTINS_ONLY = "set search_path = pg_catalog, pg_temp; set row_security = off;"
_LIMIT_IDLE_TRANSACTIONS = "set idle_in_transaction_session_timeout = '30s';"


class Connections:
    """Up to `size` connections to one database. Each is opened when it is first needed, and again after it broke.

    Tasks that find all of them in use wait, and get the next free connection in the order in which they came. With
    `size` 1, the statements of several tasks take turns.
    """

    def __init__(  # noqa: PLR0913  an option each
        self,
        dsn: str,
        size: int = 1,
        *,
        statement_cache_size: int = 100,
        sequential_scans: bool = False,
        keep_plans: bool = False,
        limit_idle_transactions: bool = False,
        builtins_only: bool = False,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        wait_s: float | None = _WAIT_S,
    ) -> None:
        """Take a PostgreSQL URL; behind a transaction pooler `statement_cache_size` must be 0.

        sequential_scans: let the planner scan whole tables; for lists, whose tables may be small.
        keep_plans: for the few statements on single streams, whose plans do not depend on their arguments: planning
            one anew costs more than executing it.
        limit_idle_transactions: for transactions that hold locks which other processes wait for.
        builtins_only: for verification, which must not execute code that the database holds; see evidence.py.
        wait_s: seconds that a task waits for a free connection; None: without limit.
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
        self._settings += _BUILTINS_ONLY if builtins_only else ""
        self._free: list[asyncpg.Connection] = []
        self._used: set[asyncpg.Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(size)
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Reserve a connection for the block.

        Raises Overloaded if none is free in time. Exceptions of the driver in the block are raised as ValueRefused or
        DatabaseUnavailable. After any exception but ValueRefused, and after a cancellation, the connection is not used
        again.
        """
        await self._wait_for_place()
        connection: asyncpg.Connection | None = None
        interrupted = True
        try:
            connection = await self._take()
            self._used.add(connection)
            yield connection
            interrupted = False
        except Exception as error:
            translated = translate(error)
            if translated is None:
                raise
            interrupted = isinstance(translated, DatabaseUnavailable)
            if interrupted:
                _log.warning("database: %s: %s", type(error).__name__, error)
                if connection is not None:  # its state is unknown
                    connection.terminate()
            raise translated from error
        finally:
            if connection is None:
                self._places.release()
            else:
                self._give_back(connection, interrupted=interrupted)

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:  # noqa: ANN401  what asyncpg takes
        """Return the rows of a statement. Raises ValueRefused, DatabaseUnavailable and Overloaded."""
        async with self.connection() as connection:
            rows: list[Any] = await connection.fetch(statement, *arguments)
            return rows

    async def close(self) -> None:
        """Close all connections for good. Those in use are terminated; a server that does not answer costs 5 s."""
        self._closed = True
        for connection in self._used:
            connection.terminate()
        free, self._free = self._free, []
        await asyncio.gather(*(_close(connection) for connection in free), *self._closing)

    async def _wait_for_place(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded("too many requests are reading the database; nothing was recorded, repeat it") from None

    async def _take(self) -> asyncpg.Connection:
        self._raise_if_closed()
        connection = self._reuse() or await self._connect()
        try:
            self._raise_if_closed()  # close() may have been called meanwhile; it does not know of this connection
        except DatabaseUnavailable:
            connection.terminate()
            raise
        return connection

    def _reuse(self) -> asyncpg.Connection | None:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return None

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise DatabaseUnavailable("the connections to the database are closed")

    def _give_back(self, connection: asyncpg.Connection, *, interrupted: bool) -> None:
        self._used.discard(connection)
        if interrupted and not connection.is_closed():
            task = asyncio.create_task(self._discard(connection))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            return
        if not connection.is_closed():
            self._free.append(connection)
        self._places.release()

    async def _discard(self, connection: asyncpg.Connection) -> None:
        """Close the connection of a cancelled task, and give back its place.

        The server may still execute the task's statement, or may have begun its transaction without the driver's
        knowledge. Closing, unlike terminating, first cancels the statement, which may hold locks.
        """
        try:
            await _close(connection)
        finally:
            self._places.release()

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
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()
