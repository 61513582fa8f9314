"""Parameters over HTTP: every route takes those of the table, each as often as the table says, and no other."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from building import head
from served import Served
from yarl import URL

from service.errors import RunfoldError
from service.http.app import build_app
from service.http.openapi.examples import main_example
from service.http.parameters import Location
from service.http.routes import ROUTES
from service.settings import Settings

BASE = "/api/v1"
pytestmark = pytest.mark.common


def name(route):
    return f"{route.method} {route.path}"


def bad_text(parameter):
    """Return a text that a parameter refuses; None where it takes any."""
    for text in ("", "?", "\0", "9" * 18):
        try:
            parameter.decode([text])
        except RunfoldError:
            return text
    return None


BY_ROUTE = pytest.mark.parametrize("route", [route for route in ROUTES if not route.any_query], ids=name)
ONCE = [
    (route, parameter)
    for route in ROUTES
    for parameter in route.parameters
    if parameter.location is Location.QUERY and not parameter.repeatable
]

BAD = [
    (route, parameter, bad)
    for route in ROUTES
    for parameter in route.parameters
    if parameter.location is Location.QUERY and (bad := bad_text(parameter)) is not None
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


async def test_a_malformed_parameter_is_refused_before_anything_is_looked_up(make_proxy, aiohttp_client):
    proxy = await make_proxy()
    client = await aiohttp_client(Served(build_app(Settings(database_url=proxy.dsn, auth="off"))))
    await proxy.stop()  # whatever is looked up is a 503
    wrong = []
    for route, parameter, bad in BAD:
        required = {each.name for each in route.parameters if each.required}
        example = parse_qsl(urlsplit(main_example(route).request.target).query)
        query = dict(pair for pair in example if pair[0] in required) | {parameter.name: bad}
        response, problem = await send(client, route, urlencode(query))
        if response.status not in {400, 422} or parameter.name not in problem["detail"]:
            wrong.append((name(route), parameter.name, response.status, problem["detail"]))
    assert "\n".join(map(str, wrong)) == ""


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
