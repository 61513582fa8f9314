"""Two teams in one ledger: team A, whose API key is bound to its namespaces, and team B, of which A must learn nothing.

All that team B records has MARK in it: names, values, the name of its key. Its run ids are in SECRETS.
"""

import json
from typing import NamedTuple

from lineage_client import SCHEMA

from service.auth import keys
from service.domain.binding import parse_binding

BASE = "/api/v1"
MARK = "zebra"
A, A2, B = "team-a", "team-a/spark", f"team-b-{MARK}"
PATTERNS = ["team-a", "team-a/*"]

A_RUN = "aaaaaaaa-0000-4000-8000-000000000001"
A_CHILD = "aaaaaaaa-0000-4000-8000-000000000002"
A_LINEAGE = "aaaaaaaa-0000-4000-8000-000000000003"
B_RUN = "bbbbbbbb-0000-4000-8000-000000000001"
B_CHILD = "bbbbbbbb-0000-4000-8000-000000000002"
"""A run of team B that names a run of team A as its parent."""
B_LINEAGE = "bbbbbbbb-0000-4000-8000-000000000003"
BOTH = "cccccccc-0000-4000-8000-000000000001"
"""A run of which the operator reported events of both teams."""
UNKNOWN = "dddddddd-0000-4000-8000-000000000001"
SECRETS = (MARK, B_RUN, B_CHILD, B_LINEAGE)
"""What must occur in nothing that team A gets."""

JOB = {"type": "BATCH", "inputs": [], "outputs": []}
DATASET = {"type": "DB_TABLE", "physicalName": "orders", "sourceName": "any", "fields": [{"name": "id"}]}
SOURCE = {"type": "POSTGRESQL", "connectionUrl": f"postgresql://{MARK}.example/dw"}


class Keys(NamedTuple):
    """Headers of requests: of the operator, whose key is for all namespaces, and of both teams."""

    operator: dict[str, str]
    a: dict[str, str]
    b: dict[str, str]


async def make_keys(connections) -> Keys:
    """Create the keys of the operator and of both teams."""
    bindings = {"operator": None, "key-a": parse_binding(PATTERNS), f"key-{MARK}": parse_binding([B])}
    secrets = [await keys.create_key(connections, name, "write", binding=binding) for name, binding in bindings.items()]
    return Keys(*({"Authorization": f"Bearer {secret}"} for secret in secrets))


def lineage(namespace, run, event_type="START", minute=0, job="lineage", parent=None, **facets) -> dict:
    """Return an OpenLineage event of a run."""
    if parent is not None:
        facets["parent"] = {"run": {"runId": parent}, "job": {"namespace": namespace, "name": "parent"}}
    event = {
        "eventType": event_type,
        "eventTime": f"2024-02-01T00:{minute:02}:00Z",
        "run": {"runId": run, "facets": facets},
        "job": {"namespace": namespace, "name": job, "facets": {"owner": {"of": namespace}}},
        "producer": "https://example.com",
        "schemaURL": SCHEMA + "RunEvent",
    }
    if event_type is None:
        del event["eventType"]
    return event


def dataset(namespace) -> dict:
    """Return an OpenLineage event of a dataset in a namespace."""
    return {
        "eventTime": "2024-02-01T00:00:00Z",
        "dataset": {"namespace": namespace, "name": f"table of {namespace}"},
        "producer": "https://example.com",
        "schemaURL": SCHEMA + "DatasetEvent",
    }


def job_event(namespace) -> dict:
    """Return an OpenLineage event of a job in a namespace."""
    return {
        "eventTime": "2024-02-01T00:00:00Z",
        "job": {"namespace": namespace, "name": "job event"},
        "producer": "https://example.com",
        "schemaURL": SCHEMA + "JobEvent",
    }


def job_of(namespace) -> dict:
    """Return the definition of a job that writes a dataset in its namespace."""
    return JOB | {"description": f"job of {namespace}", "outputs": [{"namespace": namespace, "name": "orders"}]}


async def ok(client, method, path, headers, **request):
    """Send a request that must succeed; return what it answers."""
    async with client.request(method, BASE + path, headers=headers, **request) as response:
        text = await response.text()
        assert response.status < 300, (method, path, response.status, text)
        return json.loads(text) if text else None


async def fill(client, made: Keys) -> None:
    """Record what both teams do, each with its own key, and a run that the operator reports for both."""
    teams = ((A, made.a, A_RUN, A_CHILD, A_LINEAGE), (B, made.b, B_RUN, B_CHILD, B_LINEAGE))
    for namespace, headers, run, child, reported in teams:
        team = f"/namespaces/{namespace}"
        await ok(client, "PUT", team, headers, json={"ownerName": f"owner of {namespace}", "description": namespace})
        await ok(client, "PUT", f"{team}/jobs/load", headers, json=job_of(namespace))
        body = {"id": run, "args": {"who": namespace}}
        await ok(client, "POST", f"{team}/jobs/load/runs", headers | {"Idempotency-Key": namespace}, json=body)
        await ok(client, "POST", f"/jobs/runs/{run}/start?at=2024-02-01T00:00:00Z", headers)
        await ok(client, "POST", f"/jobs/runs/{run}/complete?at=2024-02-01T00:01:00Z", headers)
        parent = A_RUN  # of both: a run of team B names one of team A
        events = [lineage(namespace, child, parent=parent), lineage(namespace, child, "FAIL", 1, parent=parent)]
        for event in (*events, lineage(namespace, reported, note={"text": namespace}), dataset(namespace)):
            await ok(client, "POST", "/lineage", headers, json=event)
        batch = [job_event(namespace), lineage(namespace, reported, None, 2, more={"text": namespace})]
        await ok(client, "POST", "/lineage/batch", headers, json=batch)
        await ok(client, "POST", f"{team}/jobs/load/tags/PII", headers)
        await ok(client, "PUT", f"{team}/datasets/orders", headers, json=DATASET | {"description": namespace})
        await ok(client, "POST", f"{team}/datasets/orders/fields/id/tags/{namespace}", headers)
        written = lineage(namespace, reported, None, 3) | {"outputs": [{"namespace": A, "name": "orders"}]}
        await ok(client, "POST", "/lineage", headers, json=written)  # team B writes a dataset of team A
    await ok(client, "PUT", f"/sources/source-{MARK}", made.operator, json=SOURCE)
    await ok(client, "PUT", f"/tags/tag-{MARK}", made.operator, json={"description": MARK})
    await ok(client, "POST", "/lineage", made.operator, json=lineage(A, BOTH, job="load", ours={"text": A}))
    await ok(client, "POST", "/lineage", made.operator, json=lineage(B, BOTH, "COMPLETE", 1, "load", theirs={"of": B}))
