"""/openapi.json: whole, valid, and true of what the service answers."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.http.app import build_app
from service.http.openapi import responses
from service.http.openapi.document import document, routes_of
from service.http.openapi.operations import OPERATIONS
from service.http.paths import OPEN, READING
from service.settings import Settings

BASE = "/api/v1"


@pytest.fixture(scope="module")
def app():
    return build_app(Settings())


@pytest.fixture(scope="module")
def described(app) -> dict[str, Any]:
    return document(app)


def test_the_document_is_valid_openapi_3_1(described):
    assert described["openapi"].startswith("3.1")
    errors = [error.message for error in OpenAPIV31SpecValidator(json.loads(json.dumps(described))).iter_errors()]
    assert errors == []


def test_every_route_is_described_and_nothing_else(app):
    """Add what is missing to service/operations.py."""
    assert {(method, path) for method, path, _ in routes_of(app)} == set(OPERATIONS)


def test_every_route_is_in_the_document(app, described):
    paths = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert paths == {(method, path) for method, path, _ in routes_of(app)}


def test_paths_that_need_no_or_less_of_a_key_are_routes(app):
    assert {path for _, path, _ in routes_of(app)} >= OPEN | READING


def test_every_operation_has_an_id_of_its_own(described):
    ids = [operation["operationId"] for methods in described["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


async def test_the_service_gives_the_document(client, described):
    response = await client.get("/openapi.json")
    assert response.content_type == "application/json"
    assert await response.json() == json.loads(json.dumps(described))


def lives(run: str, lost: str) -> Iterator[tuple[str, str, Any, int]]:
    """What is asked, with which body, and the status it should have."""
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
        operation = OPERATIONS[method, template(client.app, method, path)]
        if status >= 400:
            assert status in operation.errors
            msgspec.json.decode(text, type=responses.Problem)
            continue
        kind = operation.answers[status]
        if isinstance(kind, type):
            assert response.content_type == "application/json"
            msgspec.json.decode(text, type=kind)
        else:
            assert text == b""


def template(app, method: str, path: str) -> str:
    """Find the route of a path: the one that a fixed part fits before a variable one."""
    parts = path.partition("?")[0].split("/")

    def fits(route: str) -> bool:
        wanted = route.split("/")
        return len(wanted) == len(parts) and all(
            w.startswith("{") or w == p for w, p in zip(wanted, parts, strict=True)
        )

    found = [route for asked, route, _ in routes_of(app) if asked == method and fits(route)]
    return min(found, key=lambda route: route.count("{"))


async def test_a_timestamp_in_an_answer_is_rfc_3339_in_utc(client):
    text = await (await client.get(f"{BASE}/namespaces/default")).text()
    assert json.loads(text)["createdAt"].endswith("Z")
