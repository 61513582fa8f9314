"""A real PostgreSQL for the whole session, a database of its own for every test, and the real program."""

import asyncio
import logging
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import uvloop
from aiohttp.test_utils import TestClient, TestServer
from databases import QUICK, TEMPLATE, copy, database, execute, fast_directory, filled
from hypothesis import HealthCheck, Phase, settings
from introspection import introspect_once
from proxy import Proxy
from served import Served, Visitor, served_in_thread
from services import Service, serve
from waiting import DEADLINE_S

from service.database import migrations
from service.database.connections import Connections
from service.embedded.postgres import EmbeddedPostgres
from service.http.app import build_app
from service.settings import Settings

settings.register_profile(
    "runfold",
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile(  # of `make mutants`: that an example fails is enough
    "first-failure", settings.get_profile("runfold"), phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("runfold")
introspect_once()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the event loop of asynchronous tests: that of `runfold serve`."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    """Undo what commands that run in this process set: they replace the handlers of the root logger, and its level."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A server of our own, with the schema in a template database."""
    with (
        tempfile.TemporaryDirectory(prefix="runfold-tests-", dir=fast_directory()) as directory,
        EmbeddedPostgres(Path(directory) / "data", settings=QUICK) as server,
    ):
        template = database(server.dsn, TEMPLATE)
        asyncio.run(execute(server.dsn, f"create database {TEMPLATE}"))
        migrations.upgrade(template)
        yield server.dsn


@pytest.fixture
async def empty_dsn(postgres: str) -> AsyncIterator[str]:
    """A database without a schema."""
    name = f"test_{uuid4().hex}"
    await execute(postgres, f"create database {name}")
    yield database(postgres, name)
    await execute(postgres, f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def empty_ledger() -> str:
    return TEMPLATE


@pytest.fixture
def template(request: pytest.FixtureRequest) -> str:
    """Return what the test's database is a copy of: an empty ledger, or what the marker copy_of says."""
    marker = request.node.get_closest_marker("copy_of")
    return request.getfixturevalue(marker.args[0] if marker else "empty_ledger")


@pytest.fixture(scope="module")
def common_ledger() -> str:
    """Return what the database that tests of a module share is a copy of; a module may have a fixture of its own."""
    return TEMPLATE


@pytest.fixture(scope="module")
def common_dsn(postgres: str, common_ledger: str) -> Iterator[str]:
    with filled(postgres, template=common_ledger) as name:
        yield database(postgres, name)


@pytest.fixture(scope="module")
def common_server(common_dsn: str) -> Iterator[TestServer]:
    with served_in_thread(common_dsn) as server:
        yield server


@pytest.fixture
def common(request: pytest.FixtureRequest) -> TestServer | None:
    """Return the service that tests with the marker `common` share, and with it their database."""
    return request.getfixturevalue("common_server") if request.node.get_closest_marker("common") else None


@pytest.fixture
async def dsn(request: pytest.FixtureRequest, postgres: str, template: str, common: TestServer) -> AsyncIterator[str]:
    """A fresh database with the schema in it, or that of the marker `common`."""
    if common:
        yield request.getfixturevalue("common_dsn")
        return
    async with copy(postgres, template) as address:
        yield address


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test to its database."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close(timeout=5)


@pytest.fixture
async def connections(dsn: str) -> AsyncIterator[Connections]:
    opened = Connections(dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def pair(dsn: str) -> AsyncIterator[Connections]:
    async with Connections(dsn, 2) as opened:
        yield opened


@pytest.fixture
async def six_connections(dsn: str) -> AsyncIterator[list[Connections]]:
    """Connections of one each, as six processes have them."""
    opened = [Connections(dsn) for _ in range(6)]
    yield opened
    for one in opened:
        await one.close()


@pytest.fixture
async def client(dsn: str, common: TestServer, aiohttp_client) -> AsyncIterator[TestClient]:
    """A client of the service, which runs in this process."""
    if common is None:
        yield await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
        return
    async with Visitor(common) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def server(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The real program on a database of its own, for all tests of a module."""
    name = f"server_{uuid4().hex}"
    asyncio.run(execute(postgres, f"create database {name} template {TEMPLATE} strategy file_copy"))
    service = serve(database(postgres, name), tmp_path_factory.mktemp("server") / "log")
    yield service
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(DEADLINE_S) == 0
    asyncio.run(execute(postgres, f"drop database {name} with (force)"))


@pytest.fixture
async def make_proxy(dsn: str) -> AsyncIterator[Callable[[], Awaitable[Proxy]]]:
    """Proxies for the test's database that can break connections."""
    with tempfile.TemporaryDirectory() as directory:
        proxies: list[Proxy] = []

        async def make() -> Proxy:
            proxy = Proxy(dsn, Path(directory))
            await proxy.listen()
            proxies.append(proxy)
            return proxy

        yield make
        for proxy in proxies:
            await proxy.close()
