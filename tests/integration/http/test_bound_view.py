"""A bound API key sees the ledger as if it held only what belongs to the key's namespaces."""

import asyncio
import json
import re
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Served
from tenants import BASE, JOB, dataset, job_event, lineage, ok

from service.auth import keys
from service.database import migrations
from service.database.connections import Connections
from service.domain.binding import parse_binding
from service.http.app import build_app
from service.settings import Settings

INSIDE, OUTSIDE = ("team-a", "team-a/é", "x*y"), ("team-b", "team-a2", "xzy")
BINDING = parse_binding(["team-a", "team-a/*", "x\\*y", "default"])
JOBS = ("load", "clean")
RUNS = {
    INSIDE: [str(UUID(int=number)) for number in range(1, 5)],
    OUTSIDE: [str(UUID(int=number)) for number in range(101, 104)],
}
"""A run belongs to one side, and on each side to any of its namespaces, also to several."""

TIMED = {"createdAt", "updatedAt", "recordedAt", "position", "hash", "next", "asOf", "supersededBy", "reason", "fact"}
"""Members that differ between two ledgers: times of recording, and positions."""

NOW = re.compile(r"20(?!24-02-01)\d\d-\d\d-\d\dT.*")


def at(minute):
    return f"2024-02-01T00:{minute:02}:00Z"


@st.composite
def actions(draw):
    """Return what is sent: method, path and body, and whether it is of the key's namespaces."""
    side = draw(st.sampled_from((INSIDE, OUTSIDE)))
    namespace, job, run = (draw(st.sampled_from(values)) for values in (side, JOBS, RUNS[side]))
    minute = draw(st.integers(0, 9))
    path = f"/namespaces/{quote(namespace, safe='')}"
    parent = draw(st.none() | st.sampled_from(RUNS[INSIDE] + RUNS[OUTSIDE]))
    kind = draw(st.sampled_from(["START", "COMPLETE", "FAIL", None]))
    event = lineage(namespace, run, kind, minute, job, parent, told={"of": minute, "kind": kind})
    verb = draw(st.sampled_from(["start", "complete", "fail", "abort"]))
    return (
        side is INSIDE,
        *draw(
            st.sampled_from(
                [
                    ("PUT", path, {"ownerName": f"owner {minute}"}),
                    ("PUT", f"{path}/jobs/{job}", JOB | {"description": str(minute)}),
                    ("POST", f"{path}/jobs/{job}/runs", {"id": run, "args": {"minute": minute}}),
                    ("POST", f"/jobs/runs/{run}/{verb}?at={at(minute)}", None),
                    ("POST", "/lineage", dataset(namespace)),
                    ("POST", "/lineage", job_event(namespace)),
                    ("DELETE", f"{path}/jobs/{job}", None),
                    ("DELETE", path, None),
                    *[("POST", "/lineage", event)] * 8,
                ]
            )
        ),
    )


def questions_on_names():
    """Yield what is asked of namespaces and jobs, of the key's and of others."""
    names = [quote(name, safe="") for name in (*INSIDE, *OUTSIDE)]
    for path in ("/namespaces", "/jobs", "/jobs/latest-runs", *(f"/namespaces/{name}/jobs" for name in names)):
        yield from (path, f"{path}?limit=2&offset=1")
    yield from (
        "/jobs?lastRunStates=RUNNING,FAILED",
        "/jobs/latest-runs?lastRunStates=FAILED",
        f"/namespaces/{names[0]}/jobs?lastRunStates=COMPLETED",
    )
    for name in names:
        yield f"/namespaces/{name}"
        yield f"/runs?namespace={name}&updatedAfter=2020-01-01T00:00:00Z"
        yield f"/events?namespace={name}&limit=3"
        yield f"/events/lineage?namespace={name}&limit=2&before={at(5)}"
        for job in JOBS:
            path = f"/namespaces/{name}/jobs/{job}"
            yield from (path, f"{path}/runs?limit=2", f"{path}/runs?state=RUNNING,COMPLETED&offset=1")


def questions_across():
    """Yield what is asked of all runs and events."""
    yield from (
        "/events?limit=3",
        "/events?order=desc",
        "/events/count?source=api,openlineage",
        "/events/lineage",
        "/runs?limit=2",
    )
    for query in ("job=load", "kind=transition", "source=openlineage", "state=RUNNING"):
        yield from (f"/events?{query}", f"/events/count?{query}")
    for query in ("limit=3&offset=2", f"after={at(3)}&sortDirection=asc", f"before={at(6)}&after={at(1)}"):
        yield f"/events/lineage?{query}"
    for query in (
        *(
            "job=load",
            "state=FAILED",
            "contradicted=true",
            "restarted=true",
            "contradicted=false",
            "inferred=true",
            "inferred=false",
        ),
        *(
            f"startedAfter={at(2)}",
            f"startedBefore={at(5)}",
            f"endedAfter={at(3)}",
            "updatedAfter=2020-01-01T00:00:00Z",
        ),
    ):
        yield from (f"/runs?limit=2&{query}", f"/runs?order=asc&{query}", f"/runs?runningAt={at(4)}&{query}")
    yield from (f"/runs?limit=2&runningAt={at(minute)}" for minute in range(1, 9, 2))


def questions_on_runs():
    """Yield what is asked of each run."""
    for run in RUNS[INSIDE] + RUNS[OUTSIDE]:
        path = f"/jobs/runs/{run}"
        yield from (path, f"{path}?validAt={at(4)}", f"{path}/children?limit=1", f"{path}/events")
        yield from (f"{path}/tree", f"{path}/tree?above=1&depth=1", f"{path}/tree?above=0&limit=2")
        yield from (f"{path}/facets?type=job", f"/events?run={run}", f"/events/count?run={run}")


def comparable(value):
    """Return an answer without what depends on the ledger; definitions and creations have the time of recording."""
    if isinstance(value, dict):
        return {name: comparable(part) for name, part in value.items() if name not in TIMED}
    if isinstance(value, str) and NOW.fullmatch(value):
        return "now"
    return [comparable(part) for part in value] if isinstance(value, list) else value


async def read(client, headers, path):
    """Return the status and what is answered; of a list with cursors, the items of all of its pages."""
    items, cursor = [], ""
    while True:
        async with client.get(f"{BASE}{path}{cursor}", headers=headers) as response:
            answer, status = await response.json(), response.status
        if status != 200 or "next" not in answer or path.startswith("/jobs/"):
            return status, comparable(answer)
        (listed,) = (value for value in answer.values() if isinstance(value, list))
        items += [comparable(item) for item in listed if item.get("subject") != "key"]  # of no namespace
        if answer["next"] is None:
            return status, items
        cursor = f"{'&' if '?' in path else '?'}cursor={answer['next']}"


@pytest.fixture
async def ledgers(dsn, empty_dsn, connections, aiohttp_client):
    """A ledger with everything, and one that holds the bound namespaces only; and headers for both."""
    await asyncio.to_thread(migrations.upgrade, empty_dsn)
    served = [
        await aiohttp_client(Served(build_app(Settings(database_url=each, projector="inline", auth="on"))))
        for each in (dsn, empty_dsn)
    ]
    secrets = {"bound": await keys.create_key(connections, "bound", "read", binding=BINDING)}
    secrets["whole"] = await keys.create_key(connections, "operator", "write")
    async with Connections(empty_dsn) as part:
        secrets["part"] = await keys.create_key(part, "operator", "write")
    return served, {name: {"Authorization": f"Bearer {secret}"} for name, secret in secrets.items()}


async def test_a_bound_key_sees_what_a_ledger_with_its_namespaces_alone_would_show(ledgers):
    (whole, part), headers = ledgers
    rounds = []

    @given(st.lists(actions(), min_size=80, max_size=100))
    @settings(max_examples=1)
    def generate(generated):
        rounds.append(generated)

    generate()
    for sent in rounds:
        for inside, method, path, body in sent:
            content = {} if body is None else {"json": body}
            for client, key in ((whole, "whole"), (part, "part")) if inside else ((whole, "whole"),):
                async with client.request(method, BASE + path, headers=headers[key], **content) as response:
                    assert response.status < 500
        for question in (*questions_on_names(), *questions_across(), *questions_on_runs()):
            found, expected = await read(whole, headers["bound"], question), await read(part, headers["part"], question)
            assert found == expected, question
    looked_up = {"ids": RUNS[INSIDE] + RUNS[OUTSIDE]}
    answers = [
        await ok(client, "POST", "/runs/lookup", headers[key], json=looked_up)
        for client, key in ((whole, "bound"), (part, "part"))
    ]
    assert comparable(answers[0]) == comparable(answers[1])
    exported = []
    for client, key in ((whole, "bound"), (part, "part")):
        path = f"{BASE}/events?namespace=team-a"
        async with client.get(path, headers=headers[key] | {"Accept": "application/x-ndjson"}) as response:
            exported.append([comparable(json.loads(line)) for line in (await response.text()).splitlines()])
    assert exported[0] == exported[1]


async def test_what_lies_between_its_runs_shortens_no_page(ledgers):
    """Half of the runs are of several teams, or of others, and lie between those that the key may see."""
    (client, _), headers = ledgers
    parent, *runs = (str(UUID(int=number)) for number in range(1, 14))
    await ok(client, "POST", "/lineage", headers["whole"], json=lineage("team-a", parent, "START", 0, "all"))
    for minute, run in enumerate(runs, 1):
        namespaces = (("team-a",), ("team-a", "team-b"), ("team-b",), ("team-b", "team-a"))[minute % 4]
        for namespace in namespaces:
            sent = lineage(namespace, run, "START", minute, "load", parent)
            await ok(client, "POST", "/lineage", headers["whole"], json=sent)
    mine = runs[3::4][::-1]
    for path, total in (
        ("/runs?job=load&count=100&", "count"),
        ("/namespaces/team-a/jobs/load/runs?", "totalCount"),
        (f"/jobs/runs/{parent}/children?", "totalCount"),
    ):
        listed = await ok(client, "GET", f"{path}limit=2", headers["bound"])
        assert [run["id"] for run in listed["runs"]] == mine[:2], path
        assert listed[total] == len(mine), path
    job = await ok(client, "GET", "/namespaces/team-a/jobs/load", headers["bound"])
    assert [run["id"] for run in job["latestRuns"]] == mine
