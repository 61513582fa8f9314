"""Defines datasets, sources and tags over the API, and reports events that name datasets."""

import json
from urllib.parse import quote
from uuid import uuid4

from lineage_client import SCHEMA
from lineage_client import event as run_event
from yarl import URL

BASE = "/api/v1"
SOURCE = {"type": "POSTGRESQL", "connectionUrl": "postgresql://me:hidden@db.example/dw", "description": "the warehouse"}
NAMES = ["plain", "a b/c", "s3://bucket", "ü%2F?#", "PII", "pii", ".", "x" * 1024]


def at(path, *names):
    """Return a URL whose names may hold any character."""
    return URL(BASE + path.format(*(quote(name, safe="").replace(".", "%2E") for name in names)), encoded=True)


async def call(client, method, url, body=None, **request):
    """Return the status, the header Runfold-Recorded and the body of an answer."""
    async with client.request(method, url, json=body, **request) as response:
        return response.status, response.headers.get("Runfold-Recorded"), await response.json()


async def recorded(db, subject):
    rows = await db.fetch(
        "select e.*, p.body::text from runfold.events e left join runfold.payloads p using (log, position)"
        " where e.subject = $1 order by position",
        subject,
    )
    return [dict(row) for row in rows]


async def head(db):
    return str(await db.fetchval("select position from runfold.ledger_head"))


def facets(*fields, **more):
    return {"schema": {"fields": [dict(zip(("name", "type"), field, strict=False)) for field in fields]}} | more


def named(name, namespace="lake", inputs=None, outputs=None, **of_dataset):
    found = {"namespace": namespace, "name": name, "facets": of_dataset}
    return found | ({"inputFacets": inputs} if inputs else {}) | ({"outputFacets": outputs} if outputs else {})


async def report(client, kind="COMPLETE", minute=0, inputs=(), outputs=(), run=None, job="load", **run_facets):
    """Report an event of a run, and return the run's id."""
    run = run or uuid4()
    body = json.loads(run_event(kind, f"2024-02-01T00:{minute:02}:00Z", run, job, "etl", **run_facets))
    body |= {"inputs": list(inputs), "outputs": list(outputs)}
    assert (await client.post(f"{BASE}/lineage", json=body)).status == 201
    return run


async def tell(client, dataset, minute=0):
    body = {
        "eventTime": f"2024-02-01T00:{minute:02}:00Z",
        "dataset": dataset,
        "producer": "https://example.com",
        "schemaURL": SCHEMA + "DatasetEvent",
    }
    assert (await client.post(f"{BASE}/lineage", json=body)).status == 201
