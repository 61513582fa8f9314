"""Connections to PostgreSQL. Only this module, hosts.py and failures.py handle the driver's exceptions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

import asyncpg

from service.database.failures import translate
from service.database.hosts import CONNECT_TIMEOUT_S, hosts_of
from service.database.outages import DatabaseState
from service.errors import DatabaseUnavailable, Overloaded

COMMAND_TIMEOUT_S = 10.0
"""Time limit of a statement; after it, it is unknown whether the statement was executed."""

_WAIT_S = 10.0

_CANCEL_LEAD, _LOCK_LEAD = 0.9, 0.85
"""Parts of the time limit after which the server itself ends a statement, and a wait for a lock: else its process would
go on after the client has given up, and hold its place among `max_connections`."""

# The locks of a client machine that vanished are released after a minute, not after two hours.
_SETTINGS = (
    "set jit = off; set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3;"
)
# A plan made on a small table stays cached while the table grows: docs/decisions/0003-plans-that-stay-good.md. A bitmap
# scan reads all old versions of a row to find its newest one: 0018-newest-version-first.md.
_INDEX_SCANS = "set enable_seqscan = off; set enable_bitmapscan = off;"
_KEEP_PLANS = "set plan_cache_mode = force_generic_plan;"
# In milliseconds; a limit that the operator has set for the role or the database stays where it is lower.
_LIMIT_STATEMENTS = """
select set_config(s.name, least(nullif(s.setting::int, 0), w.value)::text, false)
  from pg_catalog.pg_settings s
  join (values ('statement_timeout', {statement}), ('lock_timeout', {lock})) as w (name, value) on w.name = s.name;
"""
# For verification: no function, operator or type but PostgreSQL's own is found, and no policy hides rows silently.
_BUILTINS_ONLY = "set search_path = pg_catalog, pg_temp; set row_security = off;"
_LIMIT_IDLE_TRANSACTIONS = "set idle_in_transaction_session_timeout = '30s';"


class Connections:
    """Up to `size` connections to one database. Each is opened when it is first needed, and again after it broke.

    Tasks that find all of them in use wait, and get the next free connection in the order in which they came. With
    `size` 1, the statements of several tasks take turns.
    """

    def __init__(  # noqa: PLR0913  options, each given by its name
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
        limit_s: float | None = None,
        state: DatabaseState | None = None,
    ) -> None:
        """Take a PostgreSQL URL; behind a transaction pooler `statement_cache_size` must be 0.

        sequential_scans: let the planner scan whole tables, and bitmaps; for lists, whose tables may be small.
        keep_plans: for the few statements on single streams, whose plans do not depend on their arguments: planning
            one anew costs more than executing it.
        limit_idle_transactions: for transactions that hold locks which other processes wait for.
        command_timeout_s: seconds of a statement; the server cancels it a little earlier.
        builtins_only: for verification, which must not execute code that the database holds; see evidence.py.
        wait_s: seconds that a task waits for a free connection; None: without limit.
        limit_s: seconds that a task may use a connection, including the wait for it: a request is answered within them.
        state: what all Connections of a process know of the database; by default each knows for itself.
        """
        if limit_s is not None:
            command_timeout_s = min(command_timeout_s, limit_s)
            wait_s = limit_s * _CANCEL_LEAD if wait_s is None else min(wait_s, limit_s * _CANCEL_LEAD)
        self.state = state or DatabaseState()
        """Whether the database answers."""
        self._limit_s = limit_s
        self.size = size
        self._hosts = hosts_of(dsn)
        self._statement_cache_size = statement_cache_size
        self.command_timeout_s = command_timeout_s
        """Seconds after which a statement is given up."""
        self._wait_s = wait_s
        self._settings = _SETTINGS
        self._settings += "" if sequential_scans else _INDEX_SCANS
        self._settings += _KEEP_PLANS if keep_plans else ""
        self._settings += _LIMIT_IDLE_TRANSACTIONS if limit_idle_transactions else ""
        self._settings += _BUILTINS_ONLY if builtins_only else ""
        self._settings += _LIMIT_STATEMENTS.format(
            statement=max(1, round(command_timeout_s * _CANCEL_LEAD * 1000)),
            lock=max(1, round(command_timeout_s * _LOCK_LEAD * 1000)),
        )
        self._free: list[asyncpg.Connection] = []
        self._used: set[asyncpg.Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(size)
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def connection(self, *, probe: bool = False) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """Reserve a connection for the block.

        Raises Overloaded if none is free in time. Exceptions of the driver in the block are raised as ValueRefused or
        DatabaseUnavailable. After any exception but ValueRefused, and after a cancellation, the connection is not used
        again. `probe`: try also while the database is known to be down.
        """
        if not probe:
            self.state.raise_if_down()
        return self._reserved() if self._limit_s is None else self._reserved_within(self._limit_s)

    @asynccontextmanager
    async def _reserved_within(self, limit_s: float) -> AsyncIterator[asyncpg.Connection]:
        limit = asyncio.timeout(limit_s)
        try:
            async with limit, self._reserved() as connection:
                yield connection
        except TimeoutError as error:
            if not limit.expired():
                raise
            failure = DatabaseUnavailable("the database did not answer in time", f"within {limit_s:g} s")
            self.state.record_failure(failure, unanswered=False)
            raise failure from error

    @asynccontextmanager
    async def _reserved(self) -> AsyncIterator[asyncpg.Connection]:
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
            if isinstance(translated, DatabaseUnavailable):
                unanswered = connection is None or isinstance(error, TimeoutError)
                self.state.record_failure(translated, unanswered=unanswered)
            raise translated from error
        finally:
            if connection is None:
                self._places.release()
            else:
                self._give_back(connection, interrupted=interrupted)
        if self.state.troubled:
            self.state.record_success()

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
            raise Overloaded(
                f"no connection to the database was free within {self._wait_s:g} s; repeat the request"
            ) from None

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
        """Close a connection whose task was cancelled or failed, and give back its place.

        The server may still execute the task's statement, or may have begun its transaction without the driver's
        knowledge. Closing, unlike terminating, first cancels the statement, which may hold locks. The place is free
        only afterwards: the server never has more processes for these Connections than there are places.
        """
        try:
            await _close(connection)
        finally:
            self._places.release()

    async def _connect(self) -> asyncpg.Connection:
        connection = await self._hosts.connect(
            command_timeout=self.command_timeout_s, statement_cache_size=self._statement_cache_size
        )
        try:
            await connection.execute(self._settings)
        except BaseException:
            connection.terminate()  # without its settings it must not be used
            raise
        return connection


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await asyncio.wait_for(connection.close(), CONNECT_TIMEOUT_S)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()
