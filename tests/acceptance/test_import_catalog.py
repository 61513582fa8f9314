"""After `runfold import`, lists show what was imported, with and without a service beside it."""

import json

import aiohttp
import pytest
from histories import at
from programs import program, run

from service.domain.ids import uuid7

EVENTS = 5_000


@pytest.fixture
def file(tmp_path):
    """A file of starts of runs of one job."""
    lines = [
        json.dumps(
            {
                "eventType": "START",
                "eventTime": at(number).isoformat(),
                "producer": "https://example.com/tests",
                "run": {"runId": str(uuid7())},
                "job": {"namespace": "etl", "name": "load"},
            }
        )
        for number in range(EVENTS)
    ]
    path = tmp_path / "events.ndjson"
    path.write_text("\n".join(lines))
    return path


async def imported(tmp_path, file, dsn):
    ended = await run(tmp_path / "import", "import", file, "--database-url", dsn)
    assert (ended.status, ended.errors) == (0, "")
    assert f"{EVENTS} events recorded" in ended.output


async def test_without_a_service_the_catalog_holds_the_events(dsn, db, tmp_path, file):
    await imported(tmp_path, file, dsn)
    assert await db.fetchval("select position from runfold.catalog_cursor") == EVENTS
    assert await db.fetchval("select count(*) from runfold.runs") == EVENTS


async def test_beside_an_idle_service_a_list_shows_the_events_when_the_import_ends(dsn, tmp_path, file):
    async with program(tmp_path / "stderr", "serve", "--port", 0, "--database-url", dsn) as service:
        await service.wait_until_ready()
        await imported(tmp_path, file, dsn)
        async with (
            aiohttp.ClientSession(service.url) as session,
            session.get("/api/v1/namespaces/etl/jobs/load/runs?limit=1&stale=true") as answer,
        ):
            assert (await answer.json())["totalCount"] == EVENTS
