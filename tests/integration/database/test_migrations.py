"""Migrations up and down, and their SQL."""

import asyncio
import sys

import pytest
from asyncpg import connect
from databases import execute
from programs import REPOSITORY

from alembic import command
from service.database import migrations

SHAPE = """
select 'column', table_name || '.' || column_name, data_type || coalesce(column_default, '') || is_nullable
  from information_schema.columns where table_schema = 'runfold'
union all
select 'constraint', conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'runfold'::regnamespace
union all
select 'index', indexname, indexdef from pg_indexes where schemaname = 'runfold'
union all
select 'function', proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'runfold'::regnamespace
union all
select 'trigger', tgname || tgrelid::regclass, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all
select 'revision', version_num, '' from runfold_version
order by 1, 2, 3
"""


async def shape(dsn):
    connection = await connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(SHAPE)]
    finally:
        await connection.close()


async def schemas(dsn):
    connection = await connect(dsn)
    try:
        return await connection.fetchval("select count(*) from pg_namespace where nspname = 'runfold'")
    finally:
        await connection.close()


async def upgrade(dsn):
    await asyncio.to_thread(migrations.upgrade, dsn)


async def test_the_schema_comes_goes_and_comes_again(empty_dsn):
    await upgrade(empty_dsn)
    first = await shape(empty_dsn)
    await asyncio.to_thread(command.downgrade, migrations._config(empty_dsn), "base")
    assert await schemas(empty_dsn) == 0
    await upgrade(empty_dsn)
    assert await shape(empty_dsn) == first
    assert ("revision", migrations.newest_revision(), "") in first


async def test_migrating_again_changes_nothing(empty_dsn):
    await upgrade(empty_dsn)
    first = await shape(empty_dsn)
    await upgrade(empty_dsn)
    assert await shape(empty_dsn) == first


async def test_replicas_that_start_together_migrate_one_after_the_other(empty_dsn):
    program = "import sys; from service.database.migrations import upgrade; upgrade(sys.argv[1])"
    replicas = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", program, empty_dsn, cwd=REPOSITORY) for _ in range(3)
    ]
    assert [await replica.wait() for replica in replicas] == [0, 0, 0]
    assert await schemas(empty_dsn) == 1


async def test_the_sql_alone_makes_the_same_schema(empty_dsn, dsn):
    await execute(empty_dsn, await asyncio.to_thread(migrations.upgrade_sql))
    assert await shape(empty_dsn) == await shape(dsn)


REFUSE = """
create function refuse() returns trigger language plpgsql as $$
begin if new.version_num = '0014' then raise 'refused'; end if; return new; end$$;
create trigger refused before update on runfold_version for each row execute function refuse()
"""


async def test_each_migration_and_its_revision_are_one_transaction(empty_dsn):
    await asyncio.to_thread(migrations.upgrade, empty_dsn, "0012")
    await execute(empty_dsn, REFUSE)
    with pytest.raises(Exception, match="refused"):
        await upgrade(empty_dsn)
    found = await shape(empty_dsn)
    assert ("revision", "0013", "") in found
    assert [name for kind, name, _ in found if kind == "index" and name.startswith("runs_contradicted")] == []
    assert await noted(empty_dsn) == "Runfold, revision 0013"
    await execute(empty_dsn, "drop trigger refused on runfold_version; drop function refuse")
    await upgrade(empty_dsn)
    assert ("revision", migrations.newest_revision(), "") in await shape(empty_dsn)
    assert await noted(empty_dsn) == f"Runfold, revision {migrations.newest_revision()}"


async def noted(dsn):
    connection = await connect(dsn)
    try:
        return await connection.fetchval("select obj_description('runfold'::regnamespace, 'pg_namespace')")
    finally:
        await connection.close()


async def test_a_migration_that_fails_leaves_nothing_behind(empty_dsn):
    await execute(empty_dsn, "create schema runfold; create table runfold.run_counts ()")
    with pytest.raises(Exception, match="run_counts"):
        await upgrade(empty_dsn)
    connection = await connect(empty_dsn)
    tables = await connection.fetch("select tablename from pg_tables where schemaname = 'runfold'")
    await connection.close()
    assert [row["tablename"] for row in tables] == ["run_counts"]
