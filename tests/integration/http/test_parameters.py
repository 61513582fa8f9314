"""Parameters over HTTP: every route takes those of the table, each as often as the table says, and no other."""

from urllib.parse import urlsplit

import pytest
from building import head
from served import Served
from yarl import URL

from service.http.app import build_app
from service.http.openapi.examples import main_example
from service.http.parameters import Location
from service.http.routes import ROUTES
from service.settings import Settings

BASE = "/api/v1"
pytestmark = pytest.mark.common


def name(route):
    return f"{route.method} {route.path}"


BY_ROUTE = pytest.mark.parametrize("route", [route for route in ROUTES if not route.any_query], ids=name)
ONCE = [
    (route, parameter)
    for route in ROUTES
    for parameter in route.parameters
    if parameter.location is Location.QUERY and not parameter.repeatable
]


async def send(client, route, query):
    """Send the request of a route's example with another query."""
    request = main_example(route).request
    url = URL(f"{urlsplit(request.target).path}?{query}", encoded=True)
    response = await client.request(route.method, url, json=request.body, headers=request.headers)
    return response, await response.json()


@BY_ROUTE
async def test_a_parameter_that_a_route_does_not_take_is_refused_and_nothing_is_recorded(client, db, route):
    before = await head(db)
    response, problem = await send(client, route, "unheard-of=1")
    assert (response.status, problem["type"]) == (400, "/errors/malformed")
    assert "'unheard-of'" in problem["detail"]
    taken = [parameter.name for parameter in route.parameters if parameter.location is Location.QUERY]
    assert problem["detail"].endswith(f"these are: {', '.join(taken)}" if taken else "this route takes none")
    assert await head(db) == before


@pytest.mark.parametrize(("route", "parameter"), ONCE, ids=lambda value: getattr(value, "path", "") or value.name)
async def test_a_parameter_that_is_given_twice_is_refused_and_nothing_is_recorded(client, db, route, parameter):
    before = await head(db)
    response, problem = await send(client, route, f"{parameter.name}=1&{parameter.name}=1")
    assert (response.status, problem["detail"]) == (400, f"parameter {parameter.name} is given more than once")
    assert await head(db) == before


async def test_a_header_that_is_given_twice_is_refused(client):
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    response = await client.post(f"{BASE}/jobs/runs/870492da-ecfb-4be0-91b9-9a89ddd3db90/start", headers=headers)
    assert response.status == 400
    assert "more than once" in (await response.json())["detail"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/errors/conflict"])
async def test_a_head_request_is_checked_too(client, path):
    assert (await client.head(f"{path}?x=1")).status == 400


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/livez", 405)])
async def test_what_has_no_route_is_answered_as_such_whatever_its_parameters(client, method, path, status):
    assert (await client.request(method, f"{path}?x=1")).status == status


async def test_a_request_without_a_key_learns_nothing_of_parameters(dsn, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth="on"))))
    assert (await client.get(f"{BASE}/jobs?x=1")).status == 401
    assert (await client.get("/livez?x=1")).status == 400


@pytest.mark.parametrize("stale", ["", "1", "yes", "True", "tru"])
@pytest.mark.parametrize("path", ["/namespaces", "/namespaces/default", "/jobs", "/runs"])
async def test_stale_is_true_or_false(client, path, stale):
    response = await client.get(f"{BASE}{path}", params={"stale": stale})
    assert response.status == 400
    assert "stale must be true or false" in (await response.json())["detail"]
    for word in ("false", "true"):  # the first waits for the catalog
        assert (await client.get(f"{BASE}{path}", params={"stale": word})).status == 200


async def test_an_empty_query_is_no_query(client):
    for query in ("", "&", "&&"):
        assert (await client.get(URL(f"/livez?{query}", encoded=True))).status == 200
