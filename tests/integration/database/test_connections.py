"""How many connections to the database a process of the service opens: what is made room for is what is made."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from service.database.connections import Link, Pool
from service.http.app import build_app
from service.http.handlers import ledger
from service.settings import CONNECTIONS, INSIDE, Settings


@pytest.fixture
def made(monkeypatch):
    """Count links and the connections of pools from now on."""
    sizes = []
    link, pool = Link.__init__, Pool.__init__

    def make_link(self, *arguments, **named):
        sizes.append(1)
        link(self, *arguments, **named)

    def make_pool(self, *arguments, **named):
        pool(self, *arguments, **named)
        sizes.append(self._arguments["max_size"])

    monkeypatch.setattr(Link, "__init__", make_link)
    monkeypatch.setattr(Pool, "__init__", make_pool)
    return sizes


async def test_a_process_and_its_children_open_as_many_connections_as_room_is_made_for(made, dsn):
    verifying = 2 * ledger._AT_ONCE  # and what would fold apart folds here, to be counted
    async with TestClient(TestServer(build_app(Settings(database_url=dsn, folding=INSIDE)))) as client:
        assert (await client.get("/readyz")).status == 200
    assert sum(made) + verifying == CONNECTIONS
