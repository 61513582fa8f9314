"""Connections to PostgreSQL. Only this module, hosts.py and failures.py handle the driver's exceptions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

import asyncpg

from service.database import sessions
from service.database.failures import translate
from service.database.hosts import CONNECT_TIMEOUT_S, hosts_of
from service.database.outages import DatabaseState
from service.database.sessions import CANCEL_LEAD, SessionSettings
from service.errors import DatabaseUnavailable, Overloaded

COMMAND_TIMEOUT_S = 10.0
"""Time limit of a statement; after it, it is unknown whether the statement was executed."""

_WAIT_S = 10.0


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
        """Take a PostgreSQL URL.

        statement_cache_size: prepared statements of a connection. 0: a pooler in transaction mode is in front of the
            server, which is found without it, too, if it tells clients other process ids than the server does.
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
            wait_s = limit_s * CANCEL_LEAD if wait_s is None else min(wait_s, limit_s * CANCEL_LEAD)
        self.state = state or DatabaseState()
        """Whether the database answers."""
        self._limit_s = limit_s
        self.size = size
        self._hosts = hosts_of(dsn)
        self._statement_cache_size = statement_cache_size
        self.command_timeout_s = command_timeout_s
        """Seconds after which a statement is given up."""
        self._wait_s = wait_s
        settings: dict[str, str] = {}
        settings |= {} if sequential_scans else sessions.INDEX_SCANS
        settings |= sessions.KEEP_PLANS if keep_plans else {}
        settings |= sessions.LIMIT_IDLE_TRANSACTIONS if limit_idle_transactions else {}
        settings |= sessions.BUILTINS_ONLY if builtins_only else {}
        self._settings = SessionSettings(settings, command_timeout_s)
        self._free: list[asyncpg.Connection] = []
        self._used: set[asyncpg.Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(size)
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def _pooled(self) -> bool:
        return self._hosts.pooled or not self._statement_cache_size

    def connection(
        self, *, probe: bool = False, autocommit: bool = False
    ) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """Reserve a connection for the block. Behind a pooler the block is a transaction, unless `autocommit`.

        Raises Overloaded if none is free in time. Exceptions of the driver in the block are raised as ValueRefused or
        DatabaseUnavailable. After any exception but ValueRefused, and after a cancellation, the connection is not used
        again. `probe`: try also while the database is known to be down.
        """
        if not probe:
            self.state.raise_if_down()
        options: dict[str, Any] | None = None if autocommit else {}
        return self._reserved(options) if self._limit_s is None else self._reserved_within(self._limit_s, options)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[asyncpg.Connection]:
        """Reserve a connection, as `connection` does, for a block that reads the database as it was when it began."""
        options = {"isolation": "repeatable_read", "readonly": True}
        reserved = self._reserved(options) if self._limit_s is None else self._reserved_within(self._limit_s, options)
        async with reserved as connection:
            if self._pooled:
                yield connection
                return
            async with connection.transaction(**options):
                yield connection

    @asynccontextmanager
    async def _reserved_within(
        self, limit_s: float, options: Mapping[str, Any] | None
    ) -> AsyncIterator[asyncpg.Connection]:
        limit = asyncio.timeout(limit_s)
        try:
            async with limit, self._reserved(options) as connection:
                yield connection
        except TimeoutError as error:
            if not limit.expired():
                raise
            failure = DatabaseUnavailable("the database did not answer in time", f"within {limit_s:g} s")
            self.state.record_failure(failure, unanswered=False)
            raise failure from error

    @asynccontextmanager
    async def _reserved(self, options: Mapping[str, Any] | None) -> AsyncIterator[asyncpg.Connection]:
        await self._wait_for_place()
        connection: asyncpg.Connection | None = None
        interrupted = True
        try:
            connection = await self._take()
            self._used.add(connection)
            if options is None or not self._pooled:
                yield connection
            else:
                async with self._settings.transaction(connection, **options):
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
        pooled = self._pooled
        connection = await self._hosts.connect(
            command_timeout=self.command_timeout_s, statement_cache_size=0 if pooled else self._statement_cache_size
        )
        try:
            if pooled or await self._settings.set_unless_pooled(connection):
                return connection
        except BaseException:
            connection.terminate()  # without its settings it must not be used
            raise
        await _close(connection)
        self._hosts.note_pooler()
        return await self._connect()


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await asyncio.wait_for(connection.close(), CONNECT_TIMEOUT_S)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()
