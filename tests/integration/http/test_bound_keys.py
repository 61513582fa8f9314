"""No route tells an API key that is bound to namespaces anything of others, and none lets it record anything there."""

import asyncio
import dataclasses
import json
from datetime import UTC, datetime
from itertools import product
from urllib.parse import quote
from uuid import uuid4

import msgspec
import pytest
from served import Served
from tenants import (
    A_LINEAGE,
    A_RUN,
    B_LINEAGE,
    B_RUN,
    BASE,
    BOTH,
    DATASET,
    JOB,
    MARK,
    SECRETS,
    SOURCE,
    UNKNOWN,
    A,
    B,
    dataset,
    fill,
    job_event,
    lineage,
    make_keys,
    ok,
)

from service.auth.keys import Scope
from service.domain.dataset_versions import job_version_id, version_defined_by
from service.domain.event import SOURCES, DatasetName, JobName, Kind, RunState
from service.http.app import build_app
from service.http.route import Reach, Route
from service.http.routes import ROUTES
from service.payloads.command_records import dataset_content
from service.payloads.schemas import PutDataset
from service.settings import Settings

NOWHERE = "nobody-ever"
"""The name of a namespace that was never recorded; as a twin of B's it is answered alike."""

STREAM = f"{BASE}/events/stream"
ACCEPTED = ("application/json", "application/x-ndjson", "text/csv")

DEFINED = dataset_content(
    DatasetName(A, "orders"), msgspec.convert(DATASET, PutDataset), datetime(2024, 1, 1, tzinfo=UTC), b""
).definition

PATH_VALUES = {
    "namespace": (A, B),
    "job": ("load",),
    "dataset": ("orders",),
    "field": ("id",),
    "version": (
        str(version_defined_by(DatasetName(A, "orders"), DEFINED)),
        str(version_defined_by(DatasetName(B, "orders"), DEFINED)),
        str(job_version_id(JobName(A, "load"), [], [DatasetName(A, "orders")], None)),
    ),
    "source": (f"source-{MARK}",),
    "tag": ("PII",),
    "id": (A_RUN, A_LINEAGE, B_RUN, BOTH),
    "code": ("outside-namespaces",),
}
NODES = tuple(
    node
    for team in (A, B)
    for node in (f"job:{team}:lineage", f"dataset:{team}:table of {team}", f"dataset:{team}:shared")
)
QUERY_VALUES = {
    "namespace": (A, B),
    "job": ("load",),
    "run": (A_RUN, B_RUN, BOTH),
    "kind": (",".join(Kind),),
    "state": (",".join(RunState), "COMPLETED"),
    "lastRunStates": ("COMPLETED",),
    "actor": ("key-a", f"key-{MARK}", "operator"),
    "source": (",".join(SOURCES),),
    "cursor": ("start",),
    "order": ("asc", "desc"),
    "sortDirection": ("asc",),
    "type": ("run", "job"),
    "name": ("team", "o", "load", "source"),
    "limit": ("1", "100"),
    "offset": ("1",),
    "stale": ("true",),
    "contradicted": ("true", "false"),
    "restarted": ("true", "false"),
    "parent": (A_RUN, B_RUN),
    "minDurationMs": ("0",),
    "maxDurationMs": ("86400000",),
    "from": ("1",),
    "to": ("2",),
    "at": ("2024-02-01T00:00:30Z",),
    "period": ("day", "week"),
    "q": ("load", MARK, "table of"),
    "filter": ("job", "dataset"),
    "sort": ("name", "update_at"),
    "before": ("2999-01-01", "2999-01-01T00:00:00Z"),
    "after": ("2020-01-01", "2020-01-01T00:00:00Z"),
    "timezone": ("Asia/Kolkata",),
    "nodeId": NODES,
    "runId": (A_RUN, A_LINEAGE, B_RUN, B_LINEAGE, BOTH),
    "depth": ("0", "20"),
    "direction": ("up", "down"),
    "edges": ("all",),
    "withParents": ("true",),
    "withDownstream": ("true",),
    "brief": ("true",),
}
"""Values of query parameters; of all others, each is a time."""
TIMES = ("2024-02-01T00:00:30Z",)

BODIES = {
    ("PUT", "/namespaces/{namespace}"): [{"ownerName": "me"}],
    ("PUT", "/namespaces/{namespace}/jobs/{job}"): [JOB],
    ("PUT", "/namespaces/{namespace}/datasets/{dataset}"): [DATASET, DATASET | {"runId": B_RUN}],
    ("PUT", "/sources/{source}"): [SOURCE],
    ("PUT", "/tags/{tag}"): [{"description": "a tag"}],
    ("POST", "/namespaces/{namespace}/jobs/{job}/runs"): [
        {"id": UNKNOWN, "args": {"a": 1}},
        {"id": B_RUN, "args": {"who": B}},
        {"id": BOTH},
    ],
    ("POST", "/runs/lookup"): [{"ids": [run]} for run in (A_RUN, B_RUN, BOTH)],
    ("POST", "/lineage"): [
        lineage(B, UNKNOWN),
        lineage(B, A_RUN),
        lineage(A, B_RUN, "FAIL", 5, "load"),
        lineage(A, B_LINEAGE, None, 0, "lineage", stolen={"a": 1}),
        dataset(B),
        job_event(B),
    ],
}
BODIES["POST", "/lineage/batch"] = [BODIES["POST", "/lineage"], [lineage(A, B_RUN), lineage(A, A_LINEAGE)]]


@pytest.fixture
async def world(dsn, connections, aiohttp_client):
    """A service that holds what both teams recorded, and the headers of all keys."""
    made = await make_keys(connections)
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, projector="inline"))))
    await fill(client, made)
    return client, made


def paths(route):
    """Yield all paths of a route with values for its names."""
    names = route.path_parameters
    for values in product(*(PATH_VALUES[name] for name in names)):
        path = route.path
        for name, value in zip(names, values, strict=True):
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        yield path


def queries(route):
    """Yield queries: without parameters unless some are needed, then with each value of each parameter."""
    query = [parameter for parameter in route.parameters if parameter.location == "query"]
    needed = {each.name: QUERY_VALUES[each.name][0] for each in query if each.required}
    yield needed
    for each in query:
        for value in QUERY_VALUES.get(each.name, TIMES):
            yield needed | {each.name: value}


def requests():
    """Yield every kind of request of every route, as method, path, query, headers and body."""
    for route in ROUTES:
        for path, query in product(paths(route), queries(route)):
            if route.method == "GET":
                streams = route.path == f"{BASE}/events"
                for accepted in ACCEPTED if streams else ACCEPTED[:1]:
                    yield route, "GET", path, query, {"Accept": accepted}, None
                if not query:
                    yield route, "HEAD", path, query, {}, None
            elif route.body is not None:
                for body in BODIES[route.method, route.path.removeprefix(BASE)]:
                    yield route, route.method, path, query, {}, body
            else:
                yield route, route.method, path, query, {}, None


async def answer(client, headers, request):
    """Return the status, the headers and the body of an answer; of a stream, what comes up to its first pause."""
    _route, method, path, query, more, body = request
    content = {} if body is None else {"json": body}
    async with client.request(
        method, path, params=query, headers=headers | more, allow_redirects=False, **content
    ) as response:
        if path == STREAM and method == "GET" and response.status == 200:
            text = await first_events(response)
        else:
            text = await response.text()
        kept = {name: value for name, value in response.headers.items() if name not in ("Date", "X-Request-ID")}
        return response.status, kept, text


async def first_events(response):
    """Return what a stream sends until nothing comes any more: the events that exist are sent at once."""
    received = b""
    try:
        while True:
            async with asyncio.timeout(0.05):
                received += await response.content.readany()
    except TimeoutError:
        return received.decode()


def twin(value):
    """Return a part of a request or of an answer with names and ids that nobody recorded in place of team B's.

    So it is for the run of both, where it is not a filter of events: those of team A are its own.
    """
    text = json.dumps(value)
    for name, fake in ((B, NOWHERE), (MARK, "nobody"), *((run, UNKNOWN) for run in (*SECRETS[1:], BOTH))):
        text = text.replace(name, fake)
    return json.loads(text)


async def evidence(db):
    """Return what is recorded of team B and of the run of both."""
    return await db.fetch(
        "select position, hash from runfold.events where namespace = $1 or stream = any ($2::uuid[]) order by 1",
        B,
        [B_RUN, B_LINEAGE, BOTH],
    )


def is_write(request):
    return request[1] in ("PUT", "POST", "DELETE") and request[0].path != f"{BASE}/runs/lookup"


def without_length(headers):
    return {name: value for name, value in headers.items() if name != "Content-Length"}


async def test_no_answer_to_a_read_tells_anything_of_others(world):
    """What names something that others recorded is answered as if nobody had ever recorded it."""
    client, made = world
    statuses = {}
    for request in requests():
        if is_write(request):
            continue
        route, method, path, query, more, body = request
        status, headers, text = await answer(client, made.a, request)
        statuses.setdefault(route, set()).add(status)
        where = f"{method} {path} {query} {body}: {status} {text}"
        replaced = [path, query if BOTH in query.values() else twin(query), body if body is None else twin(body)]
        replaced[0] = twin(path)
        if replaced != [path, query, body]:
            fake = await answer(client, made.a, (route, method, *replaced[:2], more, replaced[2]))
            assert twin([status, without_length(headers), text]) == [fake[0], without_length(fake[1]), fake[2]], where
        else:
            assert not any(secret in f"{headers}{text}" for secret in SECRETS), where
    assert statuses.keys() == {route for route in ROUTES if not is_write((route, route.method))}
    for route, found in statuses.items():
        assert found == {403} if route.reach is Reach.ALL else found & {200, 302}, route


async def test_no_write_to_others_records_anything_or_tells_what_exists(world, db):
    client, made = world
    before, walked = await evidence(db), set()
    for request in requests():
        if not is_write(request):
            continue
        route, method, path, query, more, body = request
        walked.add((route.method, route.path))
        if not any(text in json.dumps([path, body]) for text in (B, *SECRETS, BOTH)):
            continue
        status, headers, text = await answer(client, made.a, request)
        assert "Runfold-Recorded" not in headers
        where = f"{method} {path} {body}: {status} {text}"
        if route.path == f"{BASE}/lineage/batch":
            assert status == 200, where
            report = json.loads(text)
            assert report["summary"]["retriable"] == 0
            assert report["summary"]["successful"] == sum(event == lineage(A, A_LINEAGE) for event in body)
        elif "runs/{id}" in route.path or (B not in path and "runId" in (body or ())):
            assert status == 404, where
            fake = await answer(client, made.a, (route, method, *twin([path, query]), more, twin(body)))
            assert twin([status, text]) == [fake[0], fake[2]]
        else:
            assert status == 403, where
            assert json.loads(text)["type"] == "/errors/outside-namespaces"
        told = twin([headers, text])
        assert told == json.loads(json.dumps(told).replace(MARK, "")), where
        assert "run" not in json.loads(text), where
    assert walked == {(route.method, route.path) for route in ROUTES if is_write((route, route.method))}
    assert await evidence(db) == before


async def test_what_others_record_changes_no_answer(world):
    """Neither positions nor times in answers about the past tell that, or when, others recorded something."""
    client, made = world
    asked = [
        *(f"/jobs/runs/{A_RUN}?{name}=2100-01-01T00:00:00Z" for name in ("knownAt", "validAt")),
        "/events?until=2100-01-01T00:00:00Z",
    ]

    async def answers():
        found = []
        for path in asked:
            async with client.get(BASE + path, headers=made.a | {"Accept": "application/x-ndjson"}) as response:
                kept = {name: value for name, value in response.headers.items() if name != "Date"}
                found.append((response.status, kept, await response.text()))
        return found

    before = await answers()
    assert all(status == 200 for status, _, _ in before)
    await ok(client, "POST", "/lineage", made.b, json=lineage(B, str(uuid4())))
    assert await answers() == before


async def test_a_stream_goes_on_with_what_is_the_keys_own(world):
    client, made = world
    async with client.get(f"{BASE}/events/stream", headers=made.a) as response:
        assert b"from position" in await response.content.readuntil(b"\n\n")
        for number in range(5):
            await ok(client, "POST", "/lineage", made.b, json=lineage(B, str(uuid4()), minute=number))
            await ok(client, "POST", "/lineage", made.a, json=lineage(A, A_LINEAGE, None, number, number={"n": number}))
            frame = (await response.content.readuntil(b"\n\n")).decode()
            assert f'"number": {{"n": {number}}}' in frame
            assert MARK not in frame


async def test_answers_are_shared_among_keys_that_see_the_same_only(world):
    client, made = world
    shared = {"Cache-Control": "max-age=3"}
    for headers in (made.operator, made.b, made.a, made.operator, made.a):
        assert await ok(client, "GET", "/runs", headers | shared) == await ok(client, "GET", "/runs", headers)


async def test_the_operator_and_team_b_see_what_team_a_does_not(world):
    """What the walk looks for is there."""
    client, made = world
    for headers in (made.operator, made.b):
        for path in ("/namespaces", "/jobs", "/runs", "/events", "/events/lineage", f"/jobs/runs/{B_RUN}/events"):
            assert MARK in json.dumps(await ok(client, "GET", path, headers)), path
    assert MARK in json.dumps(await ok(client, "GET", f"/jobs/runs/{BOTH}", made.operator))


def test_a_route_without_a_decision_on_bound_keys_cannot_be_made():
    fields = {
        field.name: getattr(ROUTES[0], field.name) for field in dataclasses.fields(Route) if field.name != "reach"
    }
    with pytest.raises(TypeError, match="reach"):
        Route(**fields)
    assert {route.reach for route in ROUTES if route.scope is Scope.OPEN} == {Reach.NO_DATA}
    assert Reach.NO_DATA not in {route.reach for route in ROUTES if route.scope is not Scope.OPEN}
