"""Puts a database back to an earlier state while the service runs, as a failover does that loses the tail."""

import asyncpg

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
    async with db.transaction():
        await db.execute("set local session_replication_role = replica")
        for row in await db.fetch(_TABLES):
            name = row["relname"]
            await db.execute(f"lock table runfold.{name}")
            await db.execute(f"delete from runfold.{name}")
            await db.execute(f"insert into runfold.{name} select * from saved.{name}")
    await db.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
