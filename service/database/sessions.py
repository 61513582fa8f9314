"""What Runfold sets in sessions of PostgreSQL, and how it finds a connection pooler in between.

Without a pooler, a connection is one session: settings are made once, and stay. A pooler in transaction mode gives each
transaction a session that other clients use before and after: there settings are made in each transaction, and end with
it (docs/decisions/0038-poolers.md).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg

from service.database.failures import translate
from service.errors import DatabaseUnavailable

CANCEL_LEAD, _LOCK_LEAD = 0.9, 0.85
"""Parts of the time limit after which the server itself ends a statement, and a wait for a lock: else its process would
go on after the client has given up, and hold its place among `max_connections`."""

_ALWAYS = {"jit": "off"}
# The locks of a client machine that vanished are released after a minute, not after two hours.
_OF_THE_CONNECTION = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
# A plan made on a small table stays cached while the table grows: docs/decisions/0003-plans-that-stay-good.md. A bitmap
# scan reads all old versions of a row to find its newest one: 0018-newest-version-first.md.
INDEX_SCANS = {"enable_seqscan": "off", "enable_bitmapscan": "off"}
KEEP_PLANS = {"plan_cache_mode": "force_generic_plan"}
# For verification: no function, operator or type but PostgreSQL's own is found, and no policy hides rows silently.
BUILTINS_ONLY = {"search_path": "pg_catalog, pg_temp", "row_security": "off"}
LIMIT_IDLE_TRANSACTIONS = {"idle_in_transaction_session_timeout": "30s"}

# Every name is qualified: the search path of the role is in force until this has set another. A limit, in milliseconds,
# that the operator has set for the role or the database stays where it is lower. 0 rows: {condition} does not hold.
_SET = """
select pg_catalog.set_config(w.name, case
           when w.is_limit and s.setting operator(pg_catalog.<>) '0'
           then least(s.setting::int, w.value::int)::pg_catalog.text else w.value end, {is_local})
  from (values {values}) as w (name, value, is_limit)
  join pg_catalog.pg_settings s on s.name operator(pg_catalog.=) w.name
 where {condition}
"""


async def open_cursor(connection: asyncpg.Connection, statement: str, *arguments: Any, prefetch: int) -> Any:  # noqa: ANN401
    """Return the rows of a statement, to iterate over in the current transaction.

    A cursor needs a prepared statement with a name, and the driver's names are equal in all processes: behind a pooler,
    another client's would be met.
    """
    prepared = await connection.prepare(statement, name=f"runfold_{uuid4().hex}")
    return prepared.cursor(*arguments, prefetch=prefetch)


class SessionSettings:
    """Settings, by their names, and the time limit of a statement in seconds."""

    def __init__(self, settings: Mapping[str, str], timeout_s: float) -> None:
        """Take settings besides those that every session gets."""
        limits = {"statement_timeout": timeout_s * CANCEL_LEAD, "lock_timeout": timeout_s * _LOCK_LEAD}
        rows = [f"('{name}', '{value}', false)" for name, value in {**_ALWAYS, **settings}.items()]
        rows += [f"('{name}', '{max(1, round(1000 * seconds))}', true)" for name, seconds in limits.items()]
        self._of_transaction = _SET.format(values=", ".join(rows), is_local="true", condition="true")
        rows += [f"('{name}', '{value}', false)" for name, value in _OF_THE_CONNECTION.items()]
        self._values = ", ".join(rows)

    async def set_unless_pooled(self, connection: asyncpg.Connection) -> bool:
        """Make the settings for the session of a connection, unless a pooler gave it; return whether there is none.

        Then the server's process is not the one that the client was told when it connected: poolers cannot tell it,
        because it changes.
        """
        condition = f"pg_catalog.pg_backend_pid() operator(pg_catalog.=) {connection.get_server_pid()}"
        status = await connection.execute(_SET.format(values=self._values, is_local="false", condition=condition))
        return not status.endswith(" 0")

    @asynccontextmanager
    async def transaction(self, connection: asyncpg.Connection, **options: Any) -> AsyncIterator[None]:  # noqa: ANN401
        """Make the block a transaction with these settings. `options`: those of asyncpg's transactions.

        After an exception for which the connection is closed (connections.py), closing ends the transaction.
        """
        transaction = connection.transaction(**options)
        await transaction.start()
        await connection.execute(self._of_transaction)
        try:
            yield
        except Exception as error:
            translated = translate(error)
            if translated is not None and not isinstance(translated, DatabaseUnavailable):
                await transaction.rollback()
            raise
        await transaction.commit()
