"""Builds OpenLineage events that name datasets, and records and projects them without a service."""

import json
from uuid import UUID, uuid4

from service.catalog.ledger_projection import project_next_page
from service.database.connections import Connections
from service.domain import timestamps
from service.ledger.events import append_events
from service.lineage.pages import LineageProjection
from service.payloads.openlineage import Origin, read_lineage_event

NAMESPACE = "ds"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"


def columns(*names: str, **types: str) -> dict:
    """Return a schema facet: columns without a type, and with one."""
    return {"fields": [{"name": name} for name in names] + [{"name": n, "type": t} for n, t in types.items()]}


def dataset(name: str, namespace: str = NAMESPACE, run_facets: dict | None = None, **facets) -> dict:
    """Return an input or output of an event."""
    found = {"namespace": namespace, "name": name}
    if facets:
        found["facets"] = facets
    return found | ({"inputFacets": run_facets, "outputFacets": run_facets} if run_facets else {})


def run_event(
    job: str = "load",
    inputs=(),
    outputs=(),
    *,
    at: int | str = 0,
    run: UUID | str | None = None,
    kind: str = "COMPLETE",
    namespace: str = "etl",
    **job_facets,
) -> dict:
    """Return a RunEvent; `at`: minutes after noon, or a time."""
    return {
        "eventType": kind,
        "eventTime": time(at),
        "run": {"runId": str(run or uuid4())},
        "job": {"namespace": namespace, "name": job, "facets": job_facets},
        "inputs": [_named(each) for each in inputs],
        "outputs": [_named(each) for each in outputs],
        "producer": "https://example.com",
        "schemaURL": SCHEMA + "RunEvent",
    }


def job_event(job: str, inputs=(), outputs=(), *, at: int | str = 0) -> dict:
    """Return a JobEvent."""
    event = run_event(job, inputs, outputs, at=at)
    return {key: value for key, value in event.items() if key not in ("run", "eventType")} | {
        "schemaURL": SCHEMA + "JobEvent"
    }


def dataset_event(name: str, *, at: int | str = 0, **facets) -> dict:
    """Return a DatasetEvent."""
    return {
        "eventTime": time(at),
        "dataset": dataset(name, **facets),
        "producer": "https://example.com",
        "schemaURL": SCHEMA + "DatasetEvent",
    }


def time(at: int | str) -> str:
    """Return a time of an event."""
    return at if isinstance(at, str) else f"2024-01-01T{12 + at // 60:02}:{at % 60:02}:00Z"


def _named(each: str | dict) -> dict:
    return dataset(each) if isinstance(each, str) else each


async def record(connections: Connections, *events: dict | str) -> None:
    """Append events to the ledger."""
    origin, now = Origin("openlineage"), timestamps.now()
    bodies = [event if isinstance(event, str) else json.dumps(event) for event in events]
    drafts = [read_lineage_event(body.encode(), origin, now) for body in bodies]
    await append_events(connections, drafts, [None] * len(drafts))


async def project(connections: Connections, page_size: int = 500) -> int:
    """Project datasets and lineage up to the head; return the position."""
    while True:
        page = await project_next_page(LineageProjection(connections), page_size)
        if not page.events:
            return page.position
