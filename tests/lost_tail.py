"""Puts a database back to an earlier state while the service runs, as a failover does that loses the tail."""

import asyncio

import asyncpg
from waiting import DEADLINE_S

_TABLES = """
select c.relname from pg_class c
 where c.relnamespace = 'runfold'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1
"""


async def save(db: asyncpg.Connection) -> None:
    """Copy every table of Runfold."""
    await db.execute("create schema saved")
    for row in await db.fetch(_TABLES):
        await db.execute(f"create table saved.{row['relname']} as table runfold.{row['relname']}")


async def put_back(db: asyncpg.Connection) -> None:
    """Put the copies back in one transaction, and end every other connection to the database."""
    tables = [row["relname"] for row in await db.fetch(_TABLES)]
    async with asyncio.timeout(DEADLINE_S):
        while not await _put_back(db, tables):
            pass
    await db.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )


async def _put_back(db: asyncpg.Connection, tables: list[str]) -> bool:
    """Put the copies back unless the service is ahead with its locks on the tables, in another order."""
    try:
        async with db.transaction():
            await db.execute("set local session_replication_role = replica")
            for name in tables:
                await db.execute(f"lock table runfold.{name}")
                await db.execute(f"delete from runfold.{name}")
                await db.execute(f"insert into runfold.{name} select * from saved.{name}")
    except asyncpg.DeadlockDetectedError:
        return False
    return True
