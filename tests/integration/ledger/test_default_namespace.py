"""The namespace `default` is there from the first start on, once."""

import asyncio

from served import Served

from service.http.app import build_app
from service.settings import Settings

DEFAULT = "/api/v1/namespaces/default"
DESCRIPTION = (
    "The default global namespace for dataset, job, and run metadata not belonging to a user-specified namespace."
)


async def test_the_namespace_default_is_defined(client):
    found = await (await client.get(DEFAULT)).json()
    assert (found["ownerName"], found["description"], found["isHidden"]) == ("anonymous", DESCRIPTION, False)


async def test_several_replicas_that_start_at_once_define_it_once(dsn, aiohttp_client, db):
    await asyncio.gather(*(aiohttp_client(Served(build_app(Settings(database_url=dsn)))) for _ in range(5)))
    assert await db.fetchval("select count(*) from runfold.events") == 1


async def test_what_was_made_of_it_since_stands(client, dsn, aiohttp_client):
    await client.put(DEFAULT, json={"ownerName": "us"})
    later = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    assert (await (await later.get(DEFAULT)).json())["ownerName"] == "us"


async def test_it_stays_deleted(client, dsn, aiohttp_client):
    await client.delete(DEFAULT)
    later = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    assert (await (await later.get(DEFAULT)).json())["isHidden"] is True
