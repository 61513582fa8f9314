"""The service behind PgBouncer in transaction mode, where each transaction gets another session of the server.

`make test-pooler` installs PgBouncer, if it is missing, and runs these tests.
"""

import asyncio
from contextlib import AsyncExitStack
from itertools import count

import aiohttp
import pytest
from building import facts
from partitions import LATER
from pgbouncer import pgbouncer
from programs import program, run
from run_load import JOB, Load

from service.database import migrations
from service.database.connections import Connections
from service.errors import DatabaseUnavailable, OperatorError, ValueRefused
from service.ledger.events import append_events
from service.maintenance.locks import exclusive_maintenance

NAMES = ("jit", "enable_seqscan", "enable_bitmapscan", "plan_cache_mode", "search_path", "row_security",
         "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "tcp_keepalives_idle")  # fmt: skip
SETTINGS = f"select name, setting from pg_settings where name in {NAMES} order by name"


@pytest.fixture
async def pooler(postgres):
    async with pgbouncer(postgres) as started:
        yield started


@pytest.fixture
def pooled_dsn(pooler, dsn):
    return pooler.dsn(dsn)


async def settings_in(dsn, **options):
    """Return what the settings are while a connection is used."""
    async with Connections(dsn, **options) as connections:
        return [tuple(row) for row in await connections.fetch(SETTINGS)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sequential_scans": True, "keep_plans": True, "limit_idle_transactions": True},
        {"builtins_only": True, "command_timeout_s": 3600.0},
    ],
    ids=str,
)
async def test_settings_hold_in_each_use_and_none_is_left_behind(pooled_dsn, dsn, options):
    async with Connections(pooled_dsn, statement_cache_size=0) as others, others.connection(autocommit=True) as other:
        fresh = [tuple(row) for row in await other.fetch(SETTINGS)]
    direct = [row for row in await settings_in(dsn, **options) if not row[0].startswith("tcp_")]
    for _ in range(6):
        found = await settings_in(pooled_dsn, **options)
        assert [row for row in found if not row[0].startswith("tcp_")] == direct
    async with Connections(pooled_dsn, statement_cache_size=0) as others, others.connection(autocommit=True) as other:
        for _ in range(6):
            assert [tuple(row) for row in await other.fetch(SETTINGS)] == fresh


async def test_a_use_is_one_transaction_and_a_refused_value_rolls_it_back(pooled_dsn, db):
    async with Connections(pooled_dsn) as connections:
        with pytest.raises(ValueRefused):  # noqa: PT012  the whole use of the connection is tested
            async with connections.connection() as connection:
                await connection.execute("create table public.left_behind ()")
                await connection.fetchval("select $1::int2", 2**40)
        async with connections.connection() as connection:
            await connection.execute("create table public.kept ()")
    assert await db.fetchval("select array[to_regclass('left_behind'), to_regclass('kept')]::text[]") == [None, "kept"]


async def test_a_lock_of_maintenance_excludes_others_through_the_pooler_and_beside_it(pooled_dsn, dsn):
    for held, wanted in ((pooled_dsn, pooled_dsn), (pooled_dsn, dsn), (dsn, pooled_dsn)):
        async with exclusive_maintenance(held):
            with pytest.raises(OperatorError, match="is under way"):
                async with exclusive_maintenance(wanted):
                    pytest.fail("both hold it")
        async with exclusive_maintenance(wanted):
            pass


async def test_processes_migrate_one_after_the_other_and_owners_commands_work(pooler, empty_dsn, tmp_path):
    url = ("--database-url", pooler.dsn(empty_dsn))
    ended = await asyncio.gather(*(run(tmp_path / f"log-{number}", "migrate", *url) for number in range(3)))
    assert {each.output for each in ended} == {f"The schema is at revision {migrations.newest_revision()}.\n"}
    async with Connections(pooler.dsn(empty_dsn)) as connections:
        await append_events(connections, facts(30), [None] * 30)
    logs = (tmp_path / f"command-{number}" for number in count())
    for command in (
        ("doctor",),
        ("keys", "create", "x", "--scope", "read"),
        ("rebuild",),
        ("erase", "3", "--why", "x", "--yes"),
        ("verify", "--catalog"),
        ("archive", "--before", LATER.isoformat(), "--to", tmp_path / "archives"),
        ("restore",),
        ("verify", "--catalog"),
        ("export", "--output", tmp_path / "exported"),
    ):
        done = await run(next(logs), *command, *url)
        assert done.status == 0, (command, done)


async def test_a_pool_without_transactions_is_named_with_what_to_set(postgres, dsn):
    async with pgbouncer(postgres, mode="statement") as statements, Connections(statements.dsn(dsn)) as connections:
        with pytest.raises(DatabaseUnavailable, match="set its pool mode to transaction or session"):
            await connections.fetch("select 1")


async def test_replicas_restart_and_sessions_end_under_load(pooled_dsn, db, tmp_path):
    """No request fails while replicas are replaced. Sessions that are ended under load lose nothing."""
    logs = (tmp_path / f"log-{number}" for number in count())
    async with AsyncExitStack() as stack:
        load = Load(await stack.enter_async_context(aiohttp.ClientSession()))

        async def start():
            arguments = (next(logs), "serve", "--port", 0, "--database-url", pooled_dsn)
            replica = await stack.enter_async_context(program(*arguments))
            await load.use(replica)
            return replica

        first, second = await start(), await start()
        assert "a connection pooler is in front of the database" in first.log.read_text()
        await load.define()
        async with load.going_on(load.list_runs()):
            await load.goes_on()
            await load.stop(first)
            await load.goes_on()
            await start()
            await load.goes_on()
            await load.stop(second)
        third = load.replicas[0]
        assert "Traceback" not in third.log.read_text()

        load.may_repeat = True
        ending = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database()"
        async with load.going_on(load.list_runs()):
            for _ in range(5):
                assert await db.fetchval(f"{ending} and pid <> pg_backend_pid()")
                await load.goes_on()
        assert (await load.call("GET", f"{JOB}/runs"))["totalCount"] >= load.created
        for run_id in load.completed:
            assert (await load.call("GET", f"/api/v1/jobs/runs/{run_id}"))["state"] == "COMPLETED"
        assert load.failures == []
    assert (await run(next(logs), "verify", "--catalog", "--database-url", pooled_dsn)).status == 0
