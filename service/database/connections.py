"""A connection to PostgreSQL that comes back by itself. The one place where the driver's exceptions are translated."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from service.errors import Malformed, Overloaded, Unavailable

_log = logging.getLogger(__name__)

COMMAND_TIMEOUT = 10.0
"""Seconds a statement may take before its outcome counts as unknown."""

_CONNECT_TIMEOUT = 5.0

# A plan made on a small table stays cached while the table grows: docs/decisions/0003-plans-that-stay-good.md.
_SETTINGS = "set enable_seqscan = off; set jit = off;"
# What a machine that vanished holds locked is free after a minute, not after two hours.
_SETTINGS += "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3;"
_NEVER_IDLE = "set idle_in_transaction_session_timeout = '30s';"
_KEEP_PLANS = "set plan_cache_mode = force_generic_plan;"


class Refused(Exception):
    """PostgreSQL will not take a value: what was sent is at fault, and sending it again will not help."""


class Unreachable(Exception):
    """The database did not answer, or not in time: a statement under way may have been carried out or not."""


def load(name: str, **names: str) -> str:
    """Return a statement of service/sql, its {placeholders} filled in with names of our own."""
    text = (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    for placeholder, value in names.items():
        text = text.replace("{" + placeholder + "}", value)
    return text


_BROKEN = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What the driver raises, apart from what the server says; the second when a dead connection confuses it."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's exceptions into Refused and Unreachable."""
    try:
        yield
    except (asyncpg.DataError, asyncpg.ProgramLimitExceededError, UnicodeEncodeError) as error:
        raise Refused(str(error)) from error
    except (asyncpg.PostgresError, *_BROKEN) as error:
        _log.warning("database: %s: %s", type(error).__name__, error)
        raise Unreachable(str(error) or type(error).__name__) from error


async def _leave_as_it_is(_connection: asyncpg.Connection) -> None:
    """Reset nothing."""


class Pool:
    """Connections for lists, which are many and may be slow."""

    def __init__(self, dsn: str, *, size: int = 4, statement_cache_size: int = 100) -> None:
        """Take a PostgreSQL URL and how many connections there may be."""
        self._arguments = {"dsn": dsn, "max_size": size, "statement_cache_size": statement_cache_size}
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Give a free connection; errors as Link gives them."""
        with translated():
            async with self._opening:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        **self._arguments,
                        min_size=0,
                        reset=_leave_as_it_is,
                        timeout=_CONNECT_TIMEOUT,
                        command_timeout=COMMAND_TIMEOUT,
                    )
            # Nothing here changes a session, so there is nothing to reset, which would be a round trip more.
            async with self._pool.acquire(timeout=_CONNECT_TIMEOUT) as connection:
                yield connection

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:  # noqa: ANN401  what asyncpg takes
        """Return the rows of a statement. Raises Malformed for an argument PostgreSQL refuses, and Unavailable."""
        try:
            async with self.connection() as connection:
                rows: list[Any] = await connection.fetch(statement, *arguments)
                return rows
        except Refused as error:
            raise Malformed(f"a parameter cannot be used: {error}") from error
        except Unreachable as error:
            raise Unavailable(f"the database does not answer: {error}") from error

    async def close(self) -> None:
        """Close all; a server that does not answer is left behind."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), _CONNECT_TIMEOUT)
        except (asyncpg.PostgresError, OSError, TimeoutError):
            pool.terminate()


class Link:
    """One connection, opened when first used and again after it broke. Not for use by two tasks at once."""

    def __init__(
        self,
        dsn: str,
        *,
        statement_cache_size: int = 100,
        keep_plans: bool = False,
        never_idle: bool = False,
        command_timeout: float = COMMAND_TIMEOUT,
    ) -> None:
        """Take a PostgreSQL URL; behind a transaction pooler statement_cache_size must be 0.

        `keep_plans` is for the few statements on single streams, whose plans do not depend on their arguments: planning
        one anew costs more than executing it. `never_idle` is for transactions that hold what others wait for.
        """
        self._dsn = dsn
        self._cache = statement_cache_size
        self._timeout = command_timeout
        self._settings = _SETTINGS + (_KEEP_PLANS if keep_plans else "") + (_NEVER_IDLE if never_idle else "")
        self._connection: asyncpg.Connection | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Give the connection; whatever the driver raises inside comes out as Refused or Unreachable."""
        try:
            with translated():
                yield await self._open()
        except Unreachable:
            self._drop()
            raise

    async def _open(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=_CONNECT_TIMEOUT,
            command_timeout=self._timeout,
            statement_cache_size=self._cache,
        )
        try:
            await connection.execute(self._settings)
        except BaseException:
            connection.terminate()  # without its settings it must not be used
            raise
        return connection

    def _drop(self) -> None:
        """Have done with a connection whose state nobody knows; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    async def close(self) -> None:
        """Close; a server that does not answer is left behind."""
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed():
            return
        try:
            await asyncio.wait_for(connection.close(), _CONNECT_TIMEOUT)
        except (asyncpg.PostgresError, OSError, TimeoutError):
            connection.terminate()


_PATIENCE_S = 10.0


class Lanes:
    """Raises Unavailable where the database does not answer, Overloaded where no connection comes free."""

    def __init__(self, links: Sequence[Link]) -> None:
        """Take the connections; whoever opened them closes them."""
        self._free: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        for link in links:
            self._free.put_nowait(link)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Give a connection."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                link = await self._free.get()
        except TimeoutError:
            raise Overloaded("too many are reading the ledger; nothing is lost, ask again") from None
        try:
            async with link.connection() as connection:
                yield connection
        except Unreachable as error:
            raise Unavailable(f"the database does not answer: {error}") from error
        finally:
            self._free.put_nowait(link)
