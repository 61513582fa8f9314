"""Sends OpenLineage events to the service, and reads what was recorded of them."""

import io
import json
from pathlib import Path
from uuid import uuid4

PEER = Path(__file__).parent / "data" / "peer"
RUN = "5bf5d05f-86b6-4d05-8e1d-10ee667e37ba"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = {"Content-Encoding": "gzip"}
LINEAGE = "/api/v1/lineage"
BATCH = "/api/v1/lineage/batch"
EVENTS = "/api/v1/events/lineage"


def event(event_type="START", at="2024-02-01T00:00:00Z", run=RUN, job="job", namespace="ns", **facets) -> str:
    return json.dumps(
        {
            "eventType": event_type,
            "eventTime": at,
            "run": {"runId": str(run), "facets": facets},
            "job": {"namespace": namespace, "name": job},
            "producer": "https://example.com",
            "schemaURL": SCHEMA + "RunEvent",
        }
    )


def many(count: int) -> list[str]:
    return [event(run=uuid4()) for _ in range(count)]


async def send(client, body, path=LINEAGE, headers=JSON):
    data = io.BytesIO(body.encode() if isinstance(body, str) else body) if isinstance(body, str | bytes) else body
    async with client.post(path, data=data, headers=headers) as response:
        return response.status, await response.read()


async def get(client, path, **parameters):
    async with client.get(path, params=parameters) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def head(db) -> int:
    return await db.fetchval("select position from runfold.ledger_head")


async def bodies(db) -> list[str]:
    return [row[0] for row in await db.fetch("select body::text from runfold.payloads order by position")]


async def recorded_events(db) -> int:
    return await db.fetchval("select count(*) from runfold.events where source = 'openlineage'")
