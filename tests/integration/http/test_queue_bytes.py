"""The memory of waiting payloads, which --queue-bytes bounds: what an answered request held is subtracted exactly."""

import json
from uuid import uuid4

import pytest
from scraping import value

BASE = "/api/v1"

CHARACTERS = pytest.mark.parametrize("text", ["plain", "é", "→", "🦆"])
"""Of each width that Python stores text with."""


async def send(client, method, path, body):
    raw = json.dumps(body, ensure_ascii=False).encode()
    async with client.request(method, BASE + path, data=raw, headers={"Content-Type": "application/json"}) as response:
        assert response.status in {200, 201}, await response.text()


@CHARACTERS
async def test_payloads_of_any_characters_leave_nothing_in_the_queue_nor_less(client, text):
    await send(client, "PUT", "/namespaces/etl", {"ownerName": text})
    await send(client, "PUT", "/sources/s", {"type": text, "connectionUrl": "postgresql://host/db"})
    table = {"type": "DB_TABLE", "physicalName": text, "sourceName": "s"}
    await send(client, "PUT", "/namespaces/etl/datasets/t", table)
    await send(
        client, "PUT", "/namespaces/etl/jobs/load", {"type": "BATCH", "inputs": [], "outputs": [], "location": text}
    )
    await send(client, "POST", "/namespaces/etl/jobs/load/runs", {"args": {"name": text}})
    event = {
        "eventType": "START",
        "eventTime": "2024-01-01T00:00:00Z",
        "producer": text,
        "run": {"runId": str(uuid4())},
        "job": {"namespace": "etl", "name": text},
    }
    await send(client, "POST", "/lineage", event)
    assert await value(client, "runfold_queue_bytes") == 0
