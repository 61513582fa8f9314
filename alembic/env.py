"""Runs the migrations over asyncpg, one process at a time."""

import asyncio
from collections.abc import Collection
from functools import partial
from importlib.metadata import version
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from alembic import context
from service.database.connections import Connections
from service.database.hosts import hosts_of

_LOCK = 0x52554E464F4C44  # "RUNFOLD" in ASCII. Replicas that start at the same time migrate one after the other.

_LONGEST_S = 7 * 86_400.0
"""Seconds that a process waits for another one's migrations."""

_NOTE_REVISION = """
do $$ begin
    if exists (select from pg_namespace where nspname = 'runfold' and pg_has_role(nspowner, 'usage')) then
        execute concat('comment on schema runfold is ',
                       quote_literal('Runfold, revision ' || (select version_num from runfold_version)));
    end if;
end $$
"""
"""Notes the revision in a comment on the schema, which a dump of the schema alone contains (decision record 0024)."""

_RESTORE_REVISION = """
do $$
declare
    comment text := obj_description(to_regnamespace('runfold'), 'pg_namespace');
    noted text := substring(comment from '^Runfold, revision (\\w+)$');
begin
    if to_regclass('runfold_version') is null and to_regclass('runfold.events') is not null and noted is not null then
        create table runfold_version (version_num varchar(32) constraint runfold_version_pkc primary key,
                                      oldest_program varchar(32), migrated_by text);
        insert into runfold_version (version_num) values (noted);
    end if;
end $$
"""
"""Creates the table of the revision from that comment, after a dump of the schema alone was restored."""


_DECLARED_SINCE = "0015"
"""The revision that added the columns in which a schema says which programs may use it, and which one migrated it."""


def _note_revision(*, heads: Collection[str], **_step: object) -> None:
    """Note the revision that a migration has reached, and which programs may use it, in its transaction."""
    context.execute(_NOTE_REVISION)
    revision = max(heads, default="")
    if revision >= _DECLARED_SINCE:
        context.execute(
            f"update runfold_version set oldest_program = '{_oldest_program(revision)}',"
            f" migrated_by = '{version('runfold')}'"
        )


def _oldest_program(revision: str) -> str:
    """Return the lowest revision of the programs that every migration up to a revision lets go on.

    A migration without a declaration lets none go on.
    """
    scripts = [script for script in context.script.walk_revisions() if script.revision <= revision]
    return max(getattr(script.module, "oldest_program", script.revision) for script in scripts)


# Each migration is a transaction of its own: the lock that adds a column is not held while an index is made,
# and readers wait for a moment only.
_OPTIONS: dict[str, Any] = {
    "version_table": "runfold_version",
    "transaction_per_migration": True,
    "on_version_apply": _note_revision,
}


def _migrate(connection: Connection) -> None:
    connection.execute(text(_RESTORE_REVISION))
    connection.commit()
    context.configure(connection=connection, **_OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


async def _online() -> None:
    dsn = context.config.attributes["dsn"]
    # The lock is held by a transaction of its own: a session's lock would not survive a connection pooler.
    async with Connections(dsn, command_timeout_s=_LONGEST_S) as held, held.connection() as lock, lock.transaction():
        await lock.execute(f"set local idle_in_transaction_session_timeout = 0; select pg_advisory_xact_lock({_LOCK})")
        # Poolers mix up prepared statements of equal names.
        arguments = {
            "async_creator_fn": partial(hosts_of(dsn).connect, statement_cache_size=0),
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"runfold_{uuid4()}",
        }
        engine = create_async_engine("postgresql+asyncpg://", connect_args=arguments, poolclass=pool.NullPool)
        try:
            async with engine.connect() as connection:
                await connection.run_sync(_migrate)
        finally:
            await engine.dispose()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, **_OPTIONS)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(_online())
