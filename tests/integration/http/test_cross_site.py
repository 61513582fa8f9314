"""Without authentication: what a web page can make a browser send is refused, what programs send is not."""

import pytest
from lineage_client import JSON, LINEAGE, event
from served import Served

from service.http.app import build_app
from service.http.cross_site import CrossSiteGuard
from service.settings import Settings

READ, WRITE = "/api/v1/namespaces", "/api/v1/namespaces/etl"
BODY = {"ownerName": "me"}
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104


@pytest.fixture
async def serve(dsn, aiohttp_client):
    async def start(**settings):
        return await aiohttp_client(Served(build_app(Settings(database_url=dsn, **settings))))

    return start


@pytest.mark.parametrize(
    "host", ["evil.test", "evil.test:5000", "127.0.0.1.evil.test", "10.0.0.7", "localhost.evil", "[", ""]
)
async def test_a_foreign_host_is_refused_everywhere_but_where_nothing_is_told(client, host):
    for path in (READ, "/api/v1/events", "/metrics", "/nowhere"):
        answer = await client.get(path, headers={"Host": host})
        assert (answer.status, (await answer.json())["type"]) == (403, "/errors/cross-site")
    assert (await client.put(WRITE, json=BODY, headers={"Host": host})).status == 403
    for path in ("/livez", "/readyz", "/docs"):
        assert (await client.get(path, headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:5000", "127.0.0.1:1", "127.8.8.8", "[::1]:5000", "a.localhost."]
)
async def test_loopback_has_many_names(client, host):
    assert (await client.get(READ, headers={"Host": host})).status == 200
    assert (await client.put(WRITE, json=BODY, headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    ("listening_on", "host", "known"),
    [
        (EVERY_ADDRESS, "10.0.0.7:5000", True),
        ("::", "[fd00::7]:5000", True),
        (EVERY_ADDRESS, "runfold:5000", False),
        ("10.0.0.7", "10.0.0.7:5000", True),
        ("10.0.0.7", "10.0.0.8:5000", False),
        ("runfold.internal", "Runfold.Internal:5000", True),
    ],
)
def test_the_address_that_is_listened_on_is_known(listening_on, host, known):
    assert CrossSiteGuard(listening_on, "")._is_known(host) is known


async def test_further_names_can_be_allowed(serve):
    client = await serve(allowed_hosts="runfold, proxy.test:8443")
    for host, status in (("runfold", 200), ("RUNFOLD:1", 200), ("proxy.test:8443", 200), ("proxy.test", 403)):
        assert (await client.get(READ, headers={"Host": host})).status == status
    client = await serve(allowed_hosts="*")
    assert (await client.get(READ, headers={"Host": "anything.test"})).status == 200
    foreign = {"Host": "anything.test", "Origin": "http://evil.test"}
    assert (await client.put(WRITE, json=BODY, headers=foreign)).status == 403


OWN = {"Host": "localhost:5000"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:5000"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:5000"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://page.test"}, 200),
        ({"Origin": "http://page.test:8080"}, 200),
    ],
)
async def test_a_page_of_another_origin_cannot_write(serve, headers, status):
    client = await serve(allowed_hosts="page.test")
    assert (await client.put(WRITE, json=BODY, headers=OWN | headers)).status == status
    created = await client.post(LINEAGE, data=event(), headers=JSON | OWN | headers)
    assert created.status == (201 if status == 200 else 403)
    assert (await client.get(READ, headers=OWN | headers)).status == 200


async def test_with_authentication_the_key_decides(serve):
    client = await serve(auth="on")
    answer = await client.get(READ, headers={"Host": "evil.test", "Origin": "http://evil.test"})
    assert answer.status == 401
