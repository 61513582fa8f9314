"""/openapi.json: complete, valid, and equal to the routes and the answers of the service."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from record_examples import route_of

from service.auth.keys import Scope
from service.http.app import build_app
from service.http.handlers.ui import PAGES
from service.http.openapi import responses
from service.http.openapi.document import document, document_json, error_statuses
from service.http.openapi.pages import docs_page
from service.http.parameters import Location
from service.http.paths import REST
from service.http.route import ArrayOf
from service.http.routes import ROUTES
from service.settings import Settings

BASE = "/api/v1"


@pytest.fixture(scope="module")
def app():
    return build_app(Settings())


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return json.loads(document_json(ROUTES))


def test_the_document_is_valid_openapi_3_1(described):
    assert described["openapi"].startswith("3.1")
    errors = [error.message for error in OpenAPIV31SpecValidator(described).iter_errors()]
    assert errors == []


TABLE = {(route.method, route.path) for route in ROUTES}


def test_no_route_is_in_the_table_twice():
    assert len(ROUTES) == len(TABLE)


def test_the_router_has_the_routes_of_the_table_and_head_where_there_is_get(app):
    routed = {(route.method, route.resource.canonical) for route in app.router.routes()} - {("*", REST)}
    table = TABLE | {(route.method, route.path) for route in PAGES}
    assert routed == table | {("HEAD", path) for method, path in table if method == "GET"}


def test_the_document_has_the_routes_of_the_table(described):
    assert {(method.upper(), path) for path, methods in described["paths"].items() for method in methods} == TABLE


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_document_has_the_parameters_of_a_route(route, described):
    operation = described["paths"][route.path][route.method.lower()]
    assert [(each["in"], each["name"]) for each in operation.get("parameters", ())] == [
        *(("path", name) for name in route.path_parameters),
        *((parameter.location.value, parameter.name) for parameter in route.parameters),
    ]
    assert all(isinstance(parameter.location, Location) for parameter in route.parameters)


def test_an_error_that_names_a_time_to_wait_says_so(described):
    operations = [each for methods in described["paths"].values() for each in methods.values()]
    errors = [(status, each) for one in operations for status, each in one["responses"].items() if status >= "400"]
    assert {status for status, each in errors if "Retry-After" in each.get("headers", {})} == {"429", "503"}
    assert {status for status, each in errors if "Retry-After" not in each.get("headers", {})} & {"429", "503"} == set()


def test_a_route_that_records_nothing_needs_the_scope_read_at_most():
    assert {(route.method, route.path) for route in ROUTES if route.scope is Scope.WRITE} == {
        (method, path) for method, path in TABLE if method != "GET" and path != f"{BASE}/runs/lookup"
    }


def test_the_document_and_the_page_are_made_once():
    assert document(ROUTES) is document(ROUTES)
    assert document_json(ROUTES) is document_json(ROUTES)
    assert docs_page(ROUTES) is docs_page(ROUTES)


def test_every_operation_has_an_id_of_its_own(described):
    ids = [operation["operationId"] for methods in described["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


async def test_the_service_gives_the_document(client, described):
    response = await client.get("/openapi.json")
    assert response.content_type == "application/json"
    assert await response.json() == described


def lives(run: str, lost: str) -> Iterator[tuple[str, str, Any, int]]:
    """Yield method, path and body of requests, and the status that each should have."""
    job = {"type": "BATCH", "inputs": [{"namespace": "s3", "name": "in"}], "outputs": []}
    facet = {"_producer": "p", "_schemaURL": "s"}
    event = {
        "eventType": "START",
        "eventTime": "2024-01-01T00:00:00Z",
        "producer": "p",
        "run": {
            "runId": str(uuid4()),
            "facets": {"parent": facet | {"run": {"runId": run}, "job": {"namespace": "etl", "name": "load"}}},
        },
        "job": {"namespace": "etl", "name": "child"},
    }
    namespace = f"{BASE}/namespaces/etl"
    yield "PUT", namespace, {"ownerName": "me", "description": "d"}, 200
    yield "PUT", f"{namespace}/jobs/load", job, 200
    yield "POST", f"{namespace}/jobs/load/runs", {"id": run, "args": {"n": 1}}, 201
    yield "POST", f"{namespace}/jobs/load/runs", {"id": run, "args": {"n": 1}}, 200
    yield "POST", f"{namespace}/jobs/load/runs", {"id": run, "args": {"n": 2}}, 409
    yield "POST", f"{BASE}/jobs/runs/{run}/start", None, 200
    yield "POST", f"{BASE}/jobs/runs/{run}/complete", None, 200
    yield "POST", f"{BASE}/jobs/runs/{run}/fail", None, 409
    yield "POST", f"{BASE}/jobs/runs/{lost}/abort", None, 404
    yield "POST", f"{BASE}/jobs/runs/{run}/start?at=x", None, 400
    yield "GET", f"{BASE}/jobs/runs/{run}", None, 200
    yield "GET", f"{BASE}/jobs/runs/{run}/facets?type=run", None, 200
    yield "POST", f"{BASE}/runs/lookup", {"ids": [run, lost, "x"]}, 200
    yield "GET", f"{namespace}/jobs/load/runs", None, 200
    yield "POST", f"{BASE}/lineage", event, 201
    yield "POST", f"{BASE}/lineage", {"producer": 1}, 422
    yield "POST", f"{BASE}/lineage/batch", [event], 204
    yield "POST", f"{BASE}/lineage/batch", [event, {}], 200
    yield "GET", f"{BASE}/events/lineage", None, 200
    yield "GET", f"{BASE}/jobs/runs/{run}/children", None, 200
    yield "GET", f"{BASE}/jobs/runs/{run}/tree?limit=1", None, 200
    yield "GET", f"{BASE}/jobs/runs/{run}?knownAt=2999-01-01T00:00:00Z", None, 200
    yield "GET", f"{BASE}/jobs/runs/{run}/events", None, 200
    yield "GET", f"{BASE}/jobs/runs/{run}/events?limit=1", None, 200
    yield "GET", f"{BASE}/runs", None, 200
    yield "GET", f"{BASE}/runs?limit=1&state=COMPLETED", None, 200
    yield "GET", f"{BASE}/runs?sate=NEW", None, 400
    yield "GET", f"{BASE}/events?limit=2", None, 200
    yield "GET", f"{BASE}/events", None, 200
    yield "GET", f"{BASE}/events/count", None, 200
    yield "GET", f"{BASE}/ledger/head", None, 200
    yield "GET", f"{BASE}/search?q=load", None, 200
    for question in (
        "lineage?nodeId=job:etl:load&withParents=true",
        "lineage?nodeId=job:etl:load&validAt=2024-01-02T00:00:00Z",
        "column-lineage?nodeId=job:etl:load",
        f"runlineage/upstream?runId={run}",
        f"runlineage/downstream?runId={run}",
    ):
        yield "GET", f"{BASE}/{question}", None, 200
    for counted in ("lineage-events", "jobs", "datasets", "sources"):
        yield "GET", f"{BASE}/stats/{counted}?period=DAY", None, 200
    yield "GET", f"{BASE}/ledger/verify", None, 200
    yield "GET", f"{namespace}/jobs/load", None, 200
    yield "GET", f"{namespace}/jobs", None, 200
    yield "GET", f"{BASE}/jobs", None, 200
    yield "GET", namespace, None, 200
    yield "GET", f"{BASE}/namespaces", None, 200
    yield "DELETE", f"{namespace}/jobs/load", None, 200
    yield "DELETE", namespace, None, 200
    yield "GET", "/livez", None, 200
    yield "GET", "/readyz", None, 200


async def test_real_answers_are_what_the_document_says(client):
    for method, path, body, status in lives(str(uuid4()), str(uuid4())):
        response = await client.request(method, path, json=body)
        text = await response.read()
        assert response.status == status, (method, path, text)
        route = route_of(method, path.partition("?")[0])
        if status >= 400:
            assert status in error_statuses(route)
            msgspec.json.decode(text, type=responses.Problem)
            continue
        kind = route.answers[status]
        if isinstance(kind, ArrayOf):
            kind = list[kind.type]
        if kind is not None:
            assert response.content_type == "application/json"
            msgspec.json.decode(text, type=kind)
        else:
            assert text == b""


async def test_a_timestamp_in_an_answer_is_rfc_3339_in_utc(client):
    text = await (await client.get(f"{BASE}/namespaces/default")).text()
    assert json.loads(text)["createdAt"].endswith("Z")
