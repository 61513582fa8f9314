"""How many connections to the database a process of the service opens: what is made room for is what is made."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from service.database.connections import Connections
from service.http.app import build_app
from service.http.ledger_verification import MAX_CONCURRENT
from service.settings import CONNECTIONS, INLINE, Settings


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
    verifying = 2 * MAX_CONCURRENT  # and what would fold apart folds here, to be counted
    async with TestClient(TestServer(build_app(Settings(database_url=dsn, projector=INLINE)))) as client:
        assert (await client.get("/readyz")).status == 200
    assert sum(made) + verifying == CONNECTIONS
