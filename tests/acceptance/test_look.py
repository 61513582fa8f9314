"""The commands that show runs and events: runs, show, tail."""

import asyncio
import json
import re
import signal
from uuid import uuid4

import pytest
from building import fact, report
from lineage_events import columns, dataset, project, record, run_event
from programs import program, run
from served import Served

from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.http.app import build_app
from service.ledger.events import append_events
from service.settings import Settings


@pytest.fixture
def log(tmp_path):
    return tmp_path / "stderr"


@pytest.fixture
async def known(connections):
    """A run that completed and one that runs, of a job with a control character in its name."""
    ids = uuid4(), uuid4()
    facts = [fact(ids[0], "RUNNING", 1), fact(ids[0], "COMPLETED", 2), fact(ids[1], "RUNNING", 3, job="a\x1b[31m")]
    await append_events(connections, facts, [None] * len(facts))
    return ids


async def test_runs_are_listed_newest_first_and_by_state(known, dsn, connections, log):
    behind = await run(log, "runs", "--database-url", dsn)
    assert (behind.status, behind.output) == (0, "")
    assert "The catalog is 3 events behind the ledger" in behind.errors
    await project_next_page(CatalogProjection(connections))
    ended = await run(log, "runs", "--database-url", dsn)
    assert (ended.status, ended.errors) == (0, "")
    first, second = ended.output.splitlines()
    assert first.startswith(f"{known[1]}  RUNNING ")
    assert second.startswith(f"{known[0]}  COMPLETED")
    assert second.endswith("etl load")
    assert "\x1b" not in ended.output
    listed = json.loads((await run(log, "runs", "--state", "COMPLETED", "--json", "--database-url", dsn)).output)
    assert [(found["id"], found["job"]["name"]) for found in listed] == [(str(known[0]), "load")]
    assert json.loads((await run(log, "runs", "--job", "none", "--json", "--database-url", dsn)).output) == []
    none = await run(log, "runs", "--job", "none", "--database-url", dsn)
    assert (none.status, none.output, none.errors) == (0, "", "No run matches.\n")


async def test_contradicting_ends_and_second_lives_are_found_and_shown(connections, dsn, log):
    spark, twice = uuid4(), uuid4()
    facts = [fact(spark, "RUNNING", 1), fact(spark, "FAILED", 2), fact(spark, "COMPLETED", 3, job="other")]
    again = report(twice, "RUNNING", 9)[0].of_job("etl", "load")
    await append_events(connections, [*facts, fact(twice, "FAILED", 5), again], [None] * 5)
    await project_next_page(CatalogProjection(connections))
    for option, line in (
        ("--contradicted", f"{spark}  COMPLETED .*  etl load  \\(also FAILED at 2024-01-01T12:02:00Z\\)"),
        ("--restarted", f"{twice}  FAILED .*  etl load  \\(restarted at 2024-01-01T12:09:00Z\\)"),
    ):
        ended = await run(log, "runs", option, "--database-url", dsn)
        assert re.fullmatch(line, ended.output.rstrip()), ended.output
    shown = (await run(log, "show", spark, "--database-url", dsn)).output
    assert "also ended 2024-01-01T12:02:00Z FAILED\n" in shown
    assert "also job   etl other\n" in shown
    assert "restarted  2024-01-01T12:09:00Z\n" in (await run(log, "show", twice, "--database-url", dsn)).output


async def test_a_run_is_shown_with_its_latest_events(known, dsn, log):
    ended = await run(log, "show", known[0], "--events", 1, "--database-url", dsn)
    assert (ended.status, ended.errors) == (0, "")
    assert "state      COMPLETED" in ended.output
    assert "events     2, the latest 1:" in ended.output
    assert ended.output.splitlines()[-1].split()[:2] == ["2", "COMPLETED"]
    shown = json.loads((await run(log, "show", known[0], "--json", "--database-url", dsn)).output)
    assert shown["run"]["state"] == "COMPLETED"
    assert [event["position"] for event in shown["latest"]] == [1, 2]
    for other in (str(uuid4()), "nightly-2026-11-27"):
        missing = await run(log, "show", other, "--database-url", dsn)
        assert (missing.status, missing.output) == (1, "")
        assert f"There is no run {other} in the ledger." in missing.errors


async def test_runs_are_as_the_api_shows_them_with_what_they_read_and_wrote(connections, dsn, log, aiohttp_client):
    reader, writer = uuid4(), uuid4()
    written = dataset("orders", schema=columns(id="int"), run_facets={"outputStatistics": {"rowCount": 3}})
    events = run_event("fill", outputs=[written], run=writer), run_event("sum", inputs=["orders"], run=reader, at=1)
    await record(connections, *events)
    await project_next_page(CatalogProjection(connections))
    listed = json.loads((await run(log, "runs", "--json", "--database-url", dsn)).output)
    assert [(each["datasetsOmitted"], each["outputDatasetVersions"]) for each in listed] == [(True, [])] * 2
    await project(connections)
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    answered = [await (await client.get(f"/api/v1/jobs/runs/{each}")).json() for each in (reader, writer)]
    assert [len(each["inputDatasetVersions"] + each["outputDatasetVersions"]) for each in answered] == [1, 1]
    assert json.loads((await run(log, "runs", "--json", "--database-url", dsn)).output) == answered
    shown = json.loads((await run(log, "show", writer, "--json", "--database-url", dsn)).output)
    assert shown["run"] == answered[1]


async def test_tail_prints_the_latest_events_and_follows(known, dsn, connections, log):
    ended = await run(log, "tail", "-n", 2, "--database-url", dsn)
    assert [line.split()[0] for line in ended.output.splitlines()] == ["2", "3"]
    assert str(known[0]) in ended.output
    assert "\x1b" not in ended.output
    async with program(log, "tail", "-n", 1, "-f", "--json", "--database-url", dsn) as following:
        assert json.loads(await following.process.stdout.readline())["position"] == len(known) + 1
        await append_events(connections, [fact(known[1], "COMPLETED", 4)], [None])
        async with asyncio.timeout(10):
            assert json.loads(await following.process.stdout.readline())["state"] == "COMPLETED"
        following.send(signal.SIGINT)
        ended = await following.end()
    assert (ended.status, ended.errors) == (130, "")


async def test_rebuild_prints_json_for_scripts(known, dsn, log):
    ended = await run(log, "rebuild", "--json", "--database-url", dsn)
    assert json.loads(ended.output) == {"position": len(known) + 1}
