"""Errors of a real PostgreSQL, each with its own message."""

import asyncio
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
import pytest
from building import held_head
from databases import database, execute
from waiting import wait_until

from service.database.connections import Connections
from service.errors import DatabaseUnavailable, ValueRefused

LONG = "select pg_sleep(600)"


def with_settings(dsn, **settings):
    """Return the address of the database for a session with some settings."""
    return dsn + "".join(f"&{name}={value}" for name, value in settings.items())


def as_role(dsn, role, password=""):
    parts = urlsplit(dsn)
    login = f"{role}:{password}" if password else role
    return parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}").geturl()


def data_directory(dsn):
    """Return the directory of the server, which is also that of its socket."""
    return Path(parse_qs(urlsplit(dsn).query)["host"][0]).resolve()


async def failure(dsn, statement, **options):
    """Return the error of a statement on a connection of its own."""
    async with Connections(dsn, **options) as connections:
        with pytest.raises(DatabaseUnavailable) as caught:
            await connections.fetch(statement)
    return caught.value


@pytest.fixture
async def role(dsn):
    """A role without any right, and what its attributes are set with."""
    name = f"role_{uuid4().hex}"
    await execute(dsn, f"create role {name} login")
    yield name
    await execute(dsn, f"drop owned by {name}; drop role {name}")


@pytest.mark.parametrize(
    ("statement", "sqlstate", "message"),
    [
        ("select runfold.no_such_function()", "42883", "run: runfold migrate"),
        ("select from runfold.no_such_table", "42P01", "run: runfold migrate"),
        ("select no_such_column from runfold.events", "42703", "run: runfold migrate"),
        ("create table no_such_schema.filled ()", "3F000", "run: runfold migrate"),
        ("select null::runfold.no_such_type", "42704", "run: runfold migrate"),
        ("delete from runfold.events", "55000", "append-only"),
        ("insert into runfold.payloads values (0, -1, '{}')", "23514", "violate a constraint"),
        ("do $$ begin raise exception 'oh'; end $$", "P0001", "a function in the database failed"),
        ("select pg_terminate_backend(pg_backend_pid())", "08003", "was lost"),
        ("select pg_cancel_backend(pg_backend_pid())", "57014", "cancelled a statement"),
        ("select pg_read_file('/no/such/file')", "58P01", "cannot read or write its files"),
    ],
)
async def test_a_statement_that_fails_says_why(dsn, statement, sqlstate, message):
    error = await failure(dsn, statement)
    assert error.sqlstate == sqlstate
    assert message in error.detail
    assert error.reason not in error.detail


@pytest.mark.parametrize(
    ("settings", "statement", "sqlstate", "message"),
    [
        ({"default_transaction_read_only": "on"}, "create table filled ()", "25006", "is read-only"),
        ({"statement_timeout": "20ms"}, LONG, "57014", "cancelled a statement"),
        (
            {"temp_file_limit": "64", "work_mem": "64"},
            "select count(*) from (select g from generate_series(1, 100000) g order by g desc offset 0) s",
            "53400",
            "limit of its configuration",
        ),
    ],
)
async def test_a_statement_that_a_setting_forbids_says_so(dsn, settings, statement, sqlstate, message):
    error = await failure(with_settings(dsn, **settings), statement)
    assert error.sqlstate == sqlstate
    assert message in error.detail


async def test_a_missing_right_is_named(dsn, role):
    error = await failure(as_role(dsn, role), "select from runfold.events")
    assert (error.sqlstate, "lacks a right" in error.detail) == ("42501", True)


async def test_a_lock_that_is_not_free_in_time_is_named(dsn):
    async with held_head(dsn):
        error = await failure(with_settings(dsn, lock_timeout="20ms"), "select from runfold.ledger_head for update")
    assert (error.sqlstate, "was not free in time" in error.detail) == ("55P03", True)


async def test_a_deadlock_is_named(dsn):
    settings = with_settings(dsn, deadlock_timeout="10ms")
    async with Connections(settings) as one, Connections(settings) as other:

        async def lock(connections, first, second, ready, go):
            async with connections.connection() as connection:
                await connection.execute(f"select pg_advisory_lock({first})")
                ready.set()
                await go.wait()
                await connection.execute(f"select pg_advisory_lock({second})")

        first, second = asyncio.Event(), asyncio.Event()
        results = await asyncio.gather(
            lock(one, 1, 2, first, second), lock(other, 2, 1, second, first), return_exceptions=True
        )
    (error,) = [result for result in results if result is not None]
    assert (error.sqlstate, "in a deadlock" in error.detail) == ("40P01", True)


async def test_a_statement_that_takes_too_long_is_cancelled_by_the_server(dsn):
    error = await failure(dsn, LONG, command_timeout_s=1.0)
    assert (error.sqlstate, "it took too long" in error.detail) == ("57014", True)


async def test_more_connections_than_are_taken_are_named(dsn, role):
    await execute(dsn, f"alter role {role} connection limit 0")
    error = await failure(as_role(dsn, role), "select 1")
    assert (error.sqlstate, "takes no more connections" in error.detail) == ("53300", True)


async def test_a_role_that_does_not_exist_or_may_not_log_in_is_refused(dsn, role):
    assert (await failure(as_role(dsn, "nobody_at_all"), "select 1")).detail == "the database refuses the login"
    await execute(dsn, f"alter role {role} nologin")
    error = await failure(as_role(dsn, role), "select 1")
    assert (error.sqlstate, error.detail) == ("28000", "the database refuses the login")


@pytest.fixture
async def asked_for_a_password(postgres, dsn, db, role):
    """A role that must log in with a password."""
    rules = data_directory(postgres) / "pg_hba.conf"
    before = await asyncio.to_thread(rules.read_text)
    await db.execute(f"alter role {role} password 'right'")
    await asyncio.to_thread(rules.write_text, f"local all {role} scram-sha-256\n{before}")
    await db.execute("select pg_reload_conf()")
    await wait_until(lambda: is_refused(as_role(dsn, role, "wrong")), "the rule is in force")
    yield role
    await asyncio.to_thread(rules.write_text, before)
    await db.execute("select pg_reload_conf()")


async def test_a_wrong_password_is_refused(dsn, asked_for_a_password):
    error = await failure(as_role(dsn, asked_for_a_password, "wrong"), "select 1")
    assert (error.sqlstate, error.detail) == ("28P01", "the database refuses the login")


async def is_refused(dsn):
    try:
        connection = await asyncpg.connect(dsn)
    except asyncpg.InvalidPasswordError:
        return True
    await connection.close()
    return False


async def test_a_missing_database_is_named(dsn):
    error = await failure(database(dsn, "no_such_database"), "select 1")
    assert (error.sqlstate, error.detail) == ("3D000", "the database does not exist")


async def test_a_server_that_is_not_there_does_not_answer(tmp_path):
    error = await failure(f"postgresql://runfold@/none?host={tmp_path}", "select 1")
    assert (error.sqlstate, error.detail) == (None, "the database does not answer")


async def test_a_port_that_nobody_listens_on_does_not_answer(unused_tcp_port):
    error = await failure(f"postgresql://runfold@127.0.0.1:{unused_tcp_port}/none", "select 1")
    assert error.detail == "the database does not answer"


async def test_a_host_that_does_not_exist_is_named():
    error = await failure("postgresql://runfold@no-such-host.invalid/none", "select 1")
    assert error.detail == "the host name of the database cannot be resolved"


async def test_a_connection_that_breaks_in_the_middle_was_lost(make_proxy, db):
    proxy = await make_proxy()
    running = asyncio.create_task(proxy.connections().fetch(LONG))
    await wait_until(lambda: db.fetchval("select 1 from pg_stat_activity where query = $1", LONG), "it runs")
    await proxy.stop()
    with pytest.raises(DatabaseUnavailable) as caught:
        await running
    assert (caught.value.sqlstate, caught.value.detail) == ("08003", "the connection to the database was lost")


async def test_a_transaction_that_is_idle_for_too_long_is_ended(dsn):
    async def stay_in_transaction(connections):
        async with connections.connection() as connection:
            await connection.execute("begin")
            await wait_until(lambda: is_closed(connection), "the server has ended it")
            await connection.execute("select 1")

    async with Connections(with_settings(dsn, idle_in_transaction_session_timeout="10ms")) as connections:
        with pytest.raises(DatabaseUnavailable) as caught:
            await stay_in_transaction(connections)
        assert caught.value.detail == "the connection to the database was lost"
        assert (await connections.fetch("select 1 as one"))[0]["one"] == 1


async def is_closed(connection):
    return connection.is_closed()


async def test_a_schema_that_changes_under_a_prepared_statement_is_named(dsn, connections):
    await execute(dsn, "create table changed (a int)")

    async def select_before_and_after():
        async with connections.connection() as connection:
            await connection.fetch("select * from changed")
            await execute(dsn, "alter table changed add b int")
            async with connection.transaction():
                await connection.fetch("select * from changed")

    with pytest.raises(DatabaseUnavailable, match="schema changed while a statement was prepared") as caught:
        await select_before_and_after()
    assert caught.value.sqlstate == "0A000"


async def test_prepared_statements_that_are_gone_point_to_a_pooler(connections):
    async def select_again():
        async with connections.connection() as connection:
            await connection.fetch("select 1")
            await connection.execute("deallocate all")
            await connection.fetch("select 1")

    with pytest.raises(DatabaseUnavailable, match="--statement-cache-size 0"):
        await select_again()


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("select $1::text", "a\0b"),
        ("select $1::int", 2**40),
        ("select $1::text::json", "{"),
        ("select repeat($1, 2000000000)", "long"),
        ("insert into runfold.namespaces values (gen_random_uuid(), 1, $1, false, '')", "\ud800"),
    ],
)
async def test_a_value_that_cannot_be_stored_is_refused(connections, statement, value):
    with pytest.raises(ValueRefused, match="a value cannot be used"):
        await connections.fetch(statement, value)
    assert await connections.fetch("select 1")


@pytest.fixture
async def small_tablespace(postgres):
    """A tablespace on a file system of one megabyte, which root can mount."""
    name = f"small_{uuid4().hex}"
    with tempfile.TemporaryDirectory() as directory, small_disk(directory, data_directory(postgres)) as location:
        await execute(postgres, f"create tablespace {name} location '{location}'")
        yield name
        await execute(postgres, f"drop tablespace {name}")


@contextmanager
def small_disk(directory, data):
    owner = data.stat()
    mount = ["mount", "-t", "tmpfs", "-o", f"size=1m,mode=700,uid={owner.st_uid},gid={owner.st_gid}", "none", directory]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


async def test_a_full_disk_is_named(dsn, small_tablespace):
    await execute(dsn, f"create table filled (text text) tablespace {small_tablespace}")
    error = await failure(dsn, "insert into filled select repeat('x', 1000) from generate_series(1, 2000)")
    await execute(dsn, "drop table filled")
    assert (error.sqlstate, error.detail) == ("53100", "the database's disk is full")
