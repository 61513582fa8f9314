"""Connections: their number, who waits for them, and what becomes of broken, cancelled and closed ones."""

import asyncio

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from building import held_head
from waiting import wait_until

from service.database.connections import Connections
from service.database.sessions import SessionSettings
from service.errors import DatabaseUnavailable, Overloaded, ValueRefused
from service.http.app import build_app
from service.http.ledger_verification import MAX_CONCURRENT
from service.settings import CONNECTIONS, INLINE, Settings

PID = "select pg_backend_pid() as pid"
LOCK_HEAD = "select from runfold.ledger_head for update"
LONG = "select pg_sleep(600)"


async def pid_of(connections):
    return (await connections.fetch(PID))[0]["pid"]


def waits(db, query):
    """Return a condition: a session executes a query."""
    return lambda: db.fetchval("select 1 from pg_stat_activity where query = $1 and state = 'active'", query)


@pytest.fixture
async def hold(connections):
    """Hold the only connection in a task; the event lets it go."""
    go, held = asyncio.Event(), asyncio.Event()

    async def keep():
        async with connections.connection():
            held.set()
            await go.wait()

    task = asyncio.create_task(keep())
    await held.wait()
    yield go
    go.set()
    await task


async def test_many_tasks_share_no_more_connections_than_there_are(dsn, db):
    async with Connections(dsn, 3) as connections:
        pids = await asyncio.gather(*(pid_of(connections) for _ in range(100)))
        sessions = await db.fetchval("select count(*) from pg_stat_activity where pid = any ($1)", pids)
    assert len(set(pids)) == sessions == 3


async def test_a_connection_is_opened_when_it_is_needed_and_kept(dsn):
    async with Connections(dsn, 3) as connections:
        assert await pid_of(connections) == await pid_of(connections)
        assert len(connections._free) == 1


async def test_who_waits_too_long_is_overloaded(dsn):
    async with Connections(dsn, wait_s=0.01) as connections, connections.connection():
        with pytest.raises(Overloaded):
            await connections.fetch("select 1")
    async with Connections(dsn, wait_s=0.01) as connections:
        assert await connections.fetch("select 1")


async def test_those_that_wait_get_the_connection_in_the_order_in_which_they_came(connections, hold):
    order = []

    async def use(number):
        async with connections.connection():
            order.append(number)

    tasks = [asyncio.create_task(use(number)) for number in range(10)]
    await asyncio.sleep(0)  # all of them wait
    hold.set()
    tasks.append(asyncio.create_task(use(10)))
    await asyncio.gather(*tasks)
    assert order == list(range(11))


async def test_a_waiter_that_is_cancelled_gives_its_place_back(connections, hold):
    waiter, next_one = (asyncio.create_task(connections.fetch("select 1")) for _ in range(2))
    await asyncio.sleep(0)
    waiter.cancel()
    hold.set()
    assert await next_one
    with pytest.raises(asyncio.CancelledError):
        await waiter


@pytest.mark.usefixtures("hold")
async def test_a_waiter_that_is_cancelled_when_its_place_comes_free_passes_it_on(connections):
    waiter, next_one = (asyncio.create_task(connections.fetch("select 1")) for _ in range(2))
    await asyncio.sleep(0)
    connections._places.release()  # the waiter has the place, and has not run yet
    waiter.cancel()
    await asyncio.wait([waiter])
    assert waiter.cancelled()
    assert await next_one
    await connections._places.acquire()


async def test_a_connection_that_cannot_be_opened_gives_its_place_back(tmp_path):
    connections = Connections(f"postgresql://runfold@/none?host={tmp_path}", wait_s=0)
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable, match="does not answer"):
            await connections.fetch("select 1")
    assert not connections._places.locked()


async def test_a_connection_that_is_cancelled_while_it_opens_gives_its_place_back(dsn):
    async with Connections(dsn, wait_s=0) as connections:
        task = asyncio.create_task(connections.fetch("select 1"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert await connections.fetch("select 1")


async def test_a_connection_without_its_settings_is_not_used(dsn, monkeypatch):
    async with Connections(dsn) as connections:
        monkeypatch.setattr(connections, "_settings", SessionSettings({"work_mem": "no size"}, 1.0))
        with pytest.raises(ValueRefused):
            await connections.fetch("select 1")
        assert connections._free == []


async def test_a_broken_connection_is_replaced(connections, db):
    before = await pid_of(connections)
    await db.execute("select pg_terminate_backend($1)", before)
    await wait_until(lambda: is_closed(connections._free[0]), "the driver has noticed")
    assert await pid_of(connections) != before


async def is_closed(connection):
    return connection.is_closed()


async def test_a_connection_that_breaks_in_use_is_replaced(connections, db):
    before = await pid_of(connections)
    running = asyncio.create_task(connections.fetch(LONG))
    await wait_until(waits(db, LONG), "it runs")
    await db.execute("select pg_terminate_backend($1)", before)
    with pytest.raises(DatabaseUnavailable, match="was lost"):
        await running
    assert await pid_of(connections) != before


async def test_after_an_error_of_the_database_the_connection_is_replaced(connections):
    before = await pid_of(connections)
    with pytest.raises(DatabaseUnavailable):
        await connections.fetch("select from no_such_table")
    assert await pid_of(connections) != before


async def test_after_a_refused_value_the_connection_is_kept(connections):
    before = await pid_of(connections)
    with pytest.raises(ValueRefused):
        await connections.fetch("select $1::int", 2**40)
    assert await pid_of(connections) == before


async def test_a_statement_whose_task_is_cancelled_is_cancelled_before_its_place_is_free(connections, db):
    before = await pid_of(connections)
    task = asyncio.create_task(connections.fetch(LONG))
    await wait_until(waits(db, LONG), "it runs")
    task.cancel()
    await asyncio.wait([task])
    assert await pid_of(connections) != before
    assert not await db.fetchval("select 1 from pg_stat_activity where pid = $1", before)


async def test_a_transaction_whose_begin_is_cancelled_swallows_nothing(connections, db, monkeypatch):
    """The server has begun the transaction, and the driver does not know it."""
    await db.execute("create table written (a int)")
    await pid_of(connections)
    execute = connections._free[0].execute

    async def cancelled_execute(query, *arguments):
        await execute(query, *arguments)
        raise asyncio.CancelledError

    monkeypatch.setattr(asyncpg.Connection, "execute", lambda _, query: cancelled_execute(query))
    with pytest.raises(asyncio.CancelledError):
        await use_transaction(connections)
    monkeypatch.undo()
    await connections.fetch("insert into written values (1)")
    assert await db.fetchval("select count(*) from written") == 1


async def use_transaction(connections):
    async with connections.connection() as connection, connection.transaction():
        pass


async def test_a_begin_that_is_cancelled_on_its_way_swallows_nothing(connections, db):
    await db.execute("create table written (a int)")
    for steps in range(1, 9):
        await pid_of(connections)
        task = asyncio.create_task(use_transaction(connections))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await connections.fetch("insert into written values (1)")
        assert await db.fetchval("select count(*) from written") == steps


async def test_a_transaction_that_is_cancelled_twice_keeps_no_lock(connections, dsn, db):
    """The second cancellation hits the rollback."""

    async def lock():
        async with connections.connection() as connection, connection.transaction():
            await connection.execute(LOCK_HEAD)
            await connection.execute(LONG)

    task = asyncio.create_task(lock())
    await wait_until(waits(db, LONG), "it holds the lock")
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    async with asyncio.timeout(30), held_head(dsn):
        assert await connections.fetch("select 1")


async def test_closing_cuts_what_is_in_use(dsn, db):
    connections = Connections(dsn, 2)
    running = asyncio.create_task(connections.fetch(LONG))
    await wait_until(waits(db, LONG), "it runs")
    await connections.fetch("select 1")
    await connections.close()
    with pytest.raises(DatabaseUnavailable):
        await running
    assert (connections._free, connections._used) == ([], set())


async def test_after_closing_none_is_opened(dsn):
    connections = Connections(dsn)
    opening = asyncio.create_task(connections.fetch("select 1"))
    waiting = asyncio.create_task(connections.fetch("select 1"))
    await asyncio.sleep(0)
    await connections.close()
    for task in (opening, waiting):
        with pytest.raises(DatabaseUnavailable, match="are closed"):
            await task
    assert (connections._free, connections._used) == ([], set())


async def test_closing_does_not_wait_for_a_server_that_does_not_answer(make_proxy, monkeypatch):
    monkeypatch.setattr("service.database.connections.CONNECT_TIMEOUT_S", 0.05)
    connections = (await make_proxy()).connections()
    await connections.fetch("select 1")
    monkeypatch.setattr(asyncpg.Connection, "close", never)
    free = connections._free[0]
    await connections.close()
    assert free.is_closed()


async def never(*_):
    await asyncio.Event().wait()


async def test_an_error_of_a_file_in_the_block_is_not_the_databases(connections, tmp_path):
    async def read():
        async with connections.connection() as connection:
            await connection.fetch("select 1")
            (tmp_path / "no such file").read_text()

    with pytest.raises(FileNotFoundError):
        await read()
    assert await connections.fetch("select 1")


async def test_a_deadline_around_a_statement_is_the_callers(connections, db):
    async def read():
        async with connections.connection() as connection, asyncio.timeout(0.05):
            await connection.fetch(LONG)

    with pytest.raises(TimeoutError):
        await read()
    assert await connections.fetch("select 1")
    assert not await waits(db, LONG)()


@pytest.fixture
def made(monkeypatch):
    """Return the sizes of the Connections that are made from now on."""
    sizes = []
    make = Connections.__init__

    def record(self, *arguments, **named):
        make(self, *arguments, **named)
        sizes.append(self.size)

    monkeypatch.setattr(Connections, "__init__", record)
    return sizes


async def test_a_process_and_its_children_open_as_many_connections_as_room_is_made_for(made, dsn):
    verifying = 2 * MAX_CONCURRENT  # the projector runs in this process, so that its connections are counted
    async with TestClient(TestServer(build_app(Settings(database_url=dsn, projector=INLINE)))) as client:
        assert (await client.get("/readyz")).status == 200
    assert sum(made) + verifying == CONNECTIONS


async def test_statements_that_are_given_up_leave_no_backends_behind(dsn, db):
    backends = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    async with Connections(dsn, 2, command_timeout_s=0.2) as connections, db.transaction():
        await db.execute("lock table runfold.events in access exclusive mode")
        for _ in range(5):
            reads = (connections.fetch("select count(*) from runfold.events") for _ in range(4))
            results = await asyncio.gather(*reads, return_exceptions=True)
            assert {type(result) for result in results} == {DatabaseUnavailable}
            assert await db.fetchval(backends) <= 2


async def test_a_statement_whose_client_does_not_cancel_it_is_ended_by_the_server(dsn, db, monkeypatch):
    """A client that is cut off, or whose cancellation is lost, cannot end its statement."""
    monkeypatch.setattr(asyncpg.Connection, "_cancel_current_command", lambda *_: None)
    async with Connections(dsn, command_timeout_s=1.0) as connections:
        with pytest.raises(DatabaseUnavailable, match="cancelled a statement"):
            await connections.fetch(LONG)
        assert not await waits(db, LONG)()


async def test_a_block_is_limited_with_the_wait_for_its_connection(dsn):
    async with Connections(dsn, limit_s=0.3) as connections:
        began = asyncio.get_running_loop().time()
        reads = (connections.fetch("select pg_sleep(0.2)") for _ in range(5))
        results = await asyncio.gather(*reads, return_exceptions=True)
        assert asyncio.get_running_loop().time() - began < 2
        kinds = {type(result) for result in results}
        assert kinds <= {list, DatabaseUnavailable, Overloaded}
        assert kinds != {list}
        assert await connections.fetch("select 1")
