"""`runfold serve`: real processes, real signals."""

import asyncio
import os
import resource
import signal
import socket

import aiohttp
import asyncpg
import pytest
from building import held_head
from programs import command_line, program, run, until_ended
from waiting import wait_until

from service.embedded.postgres import FEWEST_CONNECTIONS, attach
from service.settings import CONNECTIONS

STOPPING = "stopping: answering requests in progress"


@pytest.fixture
def log(tmp_path):
    return tmp_path / "stderr"


@pytest.fixture
def serving(dsn, log):
    """Start the service on a free port and the test's database."""
    return lambda *arguments: program(log, "serve", "--port", 0, "--database-url", dsn, *arguments)


async def get(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def is_answered(url):
    try:
        return (await get(url))[0] == 200
    except aiohttp.ClientError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
async def test_it_says_where_it_answers_and_leaves_with_0_when_told_to(number, workers, serving):
    async with serving("--workers", workers) as service:
        await service.wait_until_ready()
        assert (await get(f"{service.url}/livez"))[0] == 200
        assert (await get(f"{service.url}/readyz"))[0] == 200
        service.send(number)
        status, output, errors = await service.end()
    assert (status, output) == (0, "")
    assert "Traceback" not in errors
    assert "Ctrl-C or SIGTERM stops it" in service.said
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(f"{service.url}/livez")


WAITING = "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"


@pytest.mark.parametrize("workers", [1, 2])
async def test_what_is_under_way_is_answered_before_it_leaves(workers, serving, log, dsn, db):
    async with serving("--workers", workers) as service, aiohttp.ClientSession() as session:
        await service.wait_until_ready()
        async with held_head(dsn):
            url = f"{service.url}/api/v1/namespaces/etl"
            under_way = asyncio.create_task(session.put(url, json={"ownerName": "me"}))
            await wait_until(lambda: db.fetchval(WAITING), "the append waits for the lock")
            service.send(signal.SIGTERM)
            await wait_until(lambda: asyncio.sleep(0, STOPPING in log.read_text()), "it has begun to stop")
            assert not under_way.done()
        async with await under_way as response:
            assert response.status == 200
        assert (await service.end()).status == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_while_it_drains_it_is_not_ready_and_answers(workers, serving, log):
    """No proxy that has noticed sends requests over connections that are about to be closed."""
    async with serving("--workers", workers, "--drain", 2) as service, aiohttp.ClientSession() as session:
        await service.wait_until_ready()
        service.send(signal.SIGTERM)
        await wait_until(lambda: asyncio.sleep(0, "not ready any more" in log.read_text()), "it drains")
        async with session.get(f"{service.url}/readyz") as response:
            assert (response.status, (await response.json())["detail"]) == (503, "service: it is stopping")
        async with session.put(f"{service.url}/api/v1/namespaces/etl", json={"ownerName": "me"}) as response:
            assert response.status == 200
        assert (await service.end()).status == 0


async def test_a_port_in_use_is_told_in_a_sentence_before_a_database_is_started(log, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = await run(log, "serve", "--port", port, "--data-dir", tmp_path / "data")
    sentence = f"Error: Port {port} of 127.0.0.1 is in use by another program; give another one, for example"
    assert (ended.status, ended.output) == (1, "")
    assert ended.errors.startswith(sentence)
    assert len(ended.errors.splitlines()) == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("workers", [1, 2])
async def test_two_services_never_share_a_port(workers, serving, dsn, tmp_path):
    async with serving("--workers", workers) as service:
        await service.wait_until_ready()
        arguments = ("serve", "--port", service.port, "--workers", workers, "--database-url", dsn)
        ended = await run(tmp_path / "second", *arguments)
    assert ended.status == 1
    assert "in use by another program" in ended.errors


@pytest.mark.parametrize("auth", ["auto", "off"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104  that it is refused is the point
async def test_beyond_this_machine_it_refuses_to_serve_without_authentication(host, auth, dsn, log):
    ended = await run(log, "serve", "--host", host, "--port", 0, "--auth", auth, "--database-url", dsn)
    assert ended.status == 2
    assert ended.output == ""
    assert "--auth on, or --insecure" in ended.errors
    assert len(ended.errors.splitlines()) == 1


@pytest.mark.parametrize("way_out", [("--insecure",), ("--auth", "on")])
async def test_beyond_this_machine_there_are_two_ways_out(way_out, serving):
    async with serving("--host", "0.0.0.0", *way_out) as service:  # noqa: S104
        await service.wait_until_ready()
        assert (await get(f"http://127.0.0.1:{service.port}/livez"))[0] == 200


async def test_a_worker_that_dies_is_followed_by_another(serving, log):
    async with serving("--workers", 2) as service:
        await service.wait_until_ready()
        first, second = service.children("service.server.workers")
        os.kill(first, signal.SIGKILL)

        async def replaced():
            now = set(service.children("service.server.workers"))
            return second in now and len(now - {first}) == 2

        await wait_until(replaced, "there are two again")
        for _ in range(20):
            assert (await get(f"{service.url}/readyz"))[0] == 200
        service.send(signal.SIGTERM)
        assert (await service.end()).status == 0
    assert f"worker {first} ended with -9 and is replaced" in log.read_text()


async def test_a_worker_that_cannot_be_started_for_a_while_is_started_later(serving, log):
    """As where memory or processes have run out, so that the kernel ends a worker and refuses to start another."""
    async with serving("--workers", 2) as service:
        await service.wait_until_ready()
        first, second = service.children("service.server.workers")
        parent = service.process.pid
        limits = resource.prlimit(parent, resource.RLIMIT_NOFILE)
        resource.prlimit(parent, resource.RLIMIT_NOFILE, (3, limits[1]))
        os.kill(first, signal.SIGKILL)

        async def told():
            return "a worker cannot be started, which is tried again" in log.read_text()

        await wait_until(told, "it has tried, and says why that has failed")
        resource.prlimit(parent, resource.RLIMIT_NOFILE, limits)

        async def replaced():
            now = set(service.children("service.server.workers"))
            return second in now and len(now - {first}) == 2

        await wait_until(replaced, "there are two again")
        service.send(signal.SIGTERM)
        assert (await service.end()).status == 0


async def test_workers_die_with_their_parent(serving):
    async with serving("--workers", 2) as service:
        await service.wait_until_ready()
        workers = service.children("service.server.workers")
        assert len(workers) == 2
        service.send(signal.SIGKILL)
        for worker in workers:
            await until_ended(worker)


async def test_no_worker_shows_the_database_s_address_to_who_lists_processes(serving):
    async with serving("--workers", 2) as service:
        await service.wait_until_ready()
        workers = service.children("service.server.workers")
        assert len(workers) == 2
        for worker in workers:
            assert "postgresql://" not in command_line(worker)


async def test_without_a_database_url_it_owns_an_embedded_one(log, tmp_path):
    data = tmp_path / "data"
    arguments = ("serve", "--port", 0, "--data-dir", data)
    async with program(log, *arguments) as service:
        await service.wait_until_ready()
        assert f"the embedded PostgreSQL in {data}" in service.said
        assert (await get(f"{service.url}/readyz"))[0] == 200

        second = await run(tmp_path / "second", *arguments)
        assert second.status == 1
        assert f"owned by process {service.process.pid}" in second.errors
        assert "Traceback" not in second.errors

        verified = await run(tmp_path / "verify", "verify", "--data-dir", data)
        assert verified.status == 0, "verify attaches to the database that runs"

        service.send(signal.SIGTERM)
        assert (await service.end()).status == 0
    assert not (data / "postgres/postmaster.pid").exists()


@pytest.mark.parametrize("workers", [1, 2])
async def test_if_its_embedded_database_ends_so_does_the_service(workers, log, tmp_path):
    async with program(log, "serve", "--port", 0, "--workers", workers, "--data-dir", tmp_path / "data") as service:
        await service.wait_until_ready()
        (postmaster,) = service.children("postgres -D")
        os.kill(postmaster, signal.SIGKILL)
        ended = await service.end()
    assert ended.status == 1
    assert "The embedded PostgreSQL has ended by itself" in ended.errors
    assert "Traceback" not in ended.errors


async def test_a_database_that_does_not_answer_is_told_in_a_sentence_without_its_password(log):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://me:secret@127.0.0.1:{nobody.getsockname()[1]}/runfold"
        ended = await run(log, "serve", "--port", 0, "--database-wait", 0, "--database-url", url)
    assert ended.status == 1
    assert len(ended.errors.splitlines()) == 1
    assert "me:***@127.0.0.1" in ended.errors
    assert "secret" not in ended.errors


async def test_what_is_no_database_url_is_used_wrongly(log):
    ended = await run(log, "serve", "--database-url", "mysql://localhost/runfold")
    assert ended.status == 2
    assert "it must begin with postgresql://" in ended.errors


async def test_an_environment_variable_sets_what_no_flag_does(dsn, log):
    async with program(log, "serve", RUNFOLD_PORT="0", DATABASE_URL=dsn, RUNFOLD_ACCESS_LOG="1") as service:
        await service.wait_until_ready()
        await get(f"{service.url}/livez")
        await wait_until(lambda: asyncio.sleep(0, "GET /livez 200" in log.read_text()), "the access log has it")


async def test_the_embedded_postgresql_takes_as_many_connections_as_the_workers_need(log, tmp_path):
    data_dir = tmp_path / "data"
    async with program(log, "serve", "--port", 0, "--workers", 5, "--data-dir", data_dir) as service:
        await service.wait_until_ready()
        db = await asyncpg.connect(attach(data_dir))
        most = int(await db.fetchval("show max_connections"))
        await db.close()
        service.send(signal.SIGTERM)
        assert (await service.end()).status == 0
    assert most > 5 * CONNECTIONS > FEWEST_CONNECTIONS
