"""After `runfold import`, lists and graphs show what was imported, with and without a service beside it."""

import json

import aiohttp
import pytest
from histories import at
from lineage_events import record, run_event
from programs import program, run

from service.database.connections import Connections
from service.domain.ids import uuid7

EVENTS = 5_000


@pytest.fixture
def file(tmp_path):
    """A file of starts of runs of one job, which read and write datasets."""
    lines = [
        json.dumps(
            {
                "eventType": "START",
                "eventTime": at(number).isoformat(),
                "producer": "https://example.com/tests",
                "run": {"runId": str(uuid7())},
                "job": {"namespace": "etl", "name": "load"},
                "inputs": [{"namespace": "lake", "name": "raw"}],
                "outputs": [{"namespace": "lake", "name": f"table {number % 7}"}],
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


async def test_without_a_service_the_catalog_and_lineage_hold_the_events(dsn, db, tmp_path, file):
    await imported(tmp_path, file, dsn)
    for cursor in ("catalog_cursor", "lineage_cursor"):
        assert await db.fetchval(f"select position from runfold.{cursor}") == EVENTS
    assert await db.fetchval("select count(*) from runfold.runs") == EVENTS
    assert await db.fetchval("select count(*) from runfold.run_datasets") == EVENTS


async def test_an_import_shows_what_an_interrupted_one_recorded(dsn, db, tmp_path):
    """An import may end between recording and projecting; the next one finds all events known."""
    event = run_event(outputs=["a"])
    async with Connections(dsn, 1) as connections:
        await record(connections, event)
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    ended = await run(tmp_path / "import", "import", path, "--json", "--database-url", dsn)
    found = json.loads(ended.output)
    assert (found["recorded"], found["known"], found["catalogBehind"], found["lineageBehind"]) == (0, 1, 0, 0)
    assert await db.fetchval("select count(*) from runfold.runs") == 1
    assert await db.fetchval("select count(*) from runfold.datasets") == 1


async def test_what_could_not_be_projected_is_counted(dsn, db, tmp_path, file):
    """Lists show what was imported also where datasets and lineage cannot."""
    await db.execute("alter table runfold.lineage_cursor add check (position < 1000)")
    ended = await run(tmp_path / "import", "import", file, "--json", "--database-url", dsn)
    found = json.loads(ended.output)
    assert (found["catalogBehind"], found["lineageBehind"] > 0, found["complete"]) == (0, True, True)
    assert "datasets and lineage show them only up to position" in ended.errors


async def test_beside_an_idle_service_a_list_and_a_graph_show_the_events_when_the_import_ends(dsn, tmp_path, file):
    async with program(tmp_path / "stderr", "serve", "--port", 0, "--database-url", dsn) as service:
        await service.wait_until_ready()
        await imported(tmp_path, file, dsn)
        async with aiohttp.ClientSession(service.url) as session:
            async with session.get("/api/v1/namespaces/etl/jobs/load/runs?limit=1&stale=true") as answer:
                assert (await answer.json())["totalCount"] == EVENTS
            parameters = {"nodeId": "dataset:lake:raw", "edges": "all", "stale": "true"}
            async with session.get("/api/v1/lineage", params=parameters) as answer:
                assert len((await answer.json())["graph"]) == 1 + 1 + 7
