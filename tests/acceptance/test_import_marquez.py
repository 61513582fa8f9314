"""runfold import --marquez: what Marquez holds is in the ledger afterwards, once, whatever interrupts it."""

import json
import shlex
import signal
from datetime import datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from databases import copy, database, execute
from documents import blocks
from marquez_database import START, Marquez
from programs import program, run
from served import Served
from waiting import wait_until

from service.http.app import build_app
from service.settings import Settings

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
SECRET = "mysecret"
RUN = "5bf5d05f-86b6-4d05-8e1d-10ee667e37ba"


def event(kind="COMPLETE", run_id=RUN, minute=0, outputs=("written",), **more):
    return {
        "eventType": kind,
        "eventTime": f"2024-02-01T00:{minute:02}:00+00:00",
        "run": {"runId": run_id},
        "job": {"namespace": "etl", "name": "from events"},
        "outputs": [{"namespace": "lake", "name": name} for name in outputs],
        "producer": "https://example.com",
        "schemaURL": SCHEMA,
    } | more


@pytest.fixture
async def marquez(postgres):
    """A database of Marquez, and its address."""
    name = f"marquez_{uuid4().hex}"
    await execute(postgres, f"create database {name}")
    connection = await asyncpg.connect(database(postgres, name))
    made = await Marquez(connection).create()
    made.url = database(postgres, name)
    yield made
    await connection.close()
    await execute(postgres, f"drop database {name} with (force)")


async def fill(marquez):
    """Write what Marquez holds after events and requests of all kinds; return the ids of the runs of its run API."""
    await marquez.namespace("etl", "me", "what is mine")
    await marquez.event(event("START"))
    await marquez.event(event("COMPLETE", minute=1))
    await marquez.event(event(None, minute=2) | {"eventType": "OTHER"})
    await marquez.namespace("gone", "me", is_hidden=True)
    await marquez.source("default", "POSTGRESQL", "")
    await marquez.source("shop", "POSTGRESQL", f"postgresql://reader:{SECRET}@db:5432/shop", "orders")
    await marquez.tag("PII", "personal")
    await marquez.tag("bare")
    table = await marquez.dataset("shop", "orders", "shop", [("id", "INT"), ("email", None)], description="all orders")
    await marquez.dataset("shop", "deleted", "shop", is_hidden=True)
    stream = await marquez.dataset("shop", "topic", "shop", kind="STREAM")
    version = await marquez.db.fetchval("select current_version_uuid from datasets where uuid = $1", stream)
    await marquez.insert("stream_versions", dataset_version_uuid=version, schema_location="https://example.com/s")
    job = await marquez.job(
        "etl", "by hand", [("shop", "orders")], description="loads", current_location="https://example.com/j"
    )
    await marquez.job("etl", "deleted", is_hidden=True)
    tagged_at = datetime(2024, 3, 2)  # noqa: DTZ001  as the column has it
    pii = marquez.ids["tags", "PII"]
    field = marquez.ids["dataset_fields", ("shop", "orders", "email")]
    await marquez.insert("datasets_tag_mapping", dataset_uuid=table, tag_uuid=pii, tagged_at=tagged_at)
    await marquez.insert("dataset_fields_tag_mapping", dataset_field_uuid=field, tag_uuid=pii, tagged_at=tagged_at)
    await marquez.insert("jobs_tag_mapping", job_uuid=job, tag_uuid=pii, tagged_at=START)
    nominal = datetime(2024, 3, 1)  # noqa: DTZ001
    done = await marquez.run("etl", "by hand", ["RUNNING", "COMPLETED"], {"day": "1"}, nominal)
    failed = await marquez.run("etl", "by hand", ["RUNNING", "FAILED"])
    running = await marquez.run("etl", "by hand", ["RUNNING"])
    await marquez.run("etl", "invented parent", ["RUNNING"], external_id="of a parent facet")
    parent, child = (marquez.ids["jobs", ("etl", name)] for name in ("invented parent", "from events"))
    await marquez.db.execute("update jobs set parent_job_uuid = $1 where uuid = $2", parent, child)
    return done, failed, running


async def imported(tmp_path, dsn, url, *arguments):
    """Run the documented command; return the exit status, the result, and what was printed besides."""
    variable, line = blocks("docs/marquez.md", "Importing the database")
    assert variable.startswith("export RUNFOLD_MARQUEZ=")
    command = [url if word == "$RUNFOLD_MARQUEZ" else word for word in shlex.split(line, comments=True)[1:]]
    assert url in command
    options = "--database-url", dsn, "--checkpoint", tmp_path / "checkpoint", "--json"
    ended = await run(tmp_path / "log", *command, *options, *arguments)
    return ended.status, json.loads(ended.output) if ended.output else None, ended.errors


async def count(db):
    return await db.fetchval("select count(*) from runfold.events")


async def test_all_that_marquez_holds_is_recorded_once(tmp_path, dsn, db, marquez):
    await fill(marquez)
    status, result, errors = await imported(tmp_path, dsn, marquez.url)
    assert (status, errors, result["failures"], result["complete"]) == (0, "", [], True)
    rows = await db.fetch("select source, subject, kind, count(*) from runfold.events group by 1, 2, 3")
    assert {tuple(row)[:3]: row[3] for row in rows} == {
        ("import", "run", "transition"): 2,
        ("import", "run", "facts"): 1,
        ("api", "namespace", "defined"): 2,
        ("api", "source", "defined"): 1,
        ("api", "tag", "defined"): 2,
        ("api", "dataset", "defined"): 3,
        ("api", "job", "defined"): 2,
        ("api", "run", "transition"): 8,
        ("api", "job", "tagged"): 1,
        ("api", "dataset", "tagged"): 2,
        ("api", "namespace", "deleted"): 1,
        ("api", "job", "deleted"): 1,
        ("api", "dataset", "deleted"): 1,
    }
    actors = await db.fetch("select distinct source, actor from runfold.events")
    assert {tuple(row) for row in actors} == {("import", None), ("api", "marquez-import")}
    assert result["recorded"] == await count(db)
    for cursor in ("catalog_cursor", "lineage_cursor"):
        assert await db.fetchval(f"select max(position) from runfold.{cursor}") == result["recorded"]
    status, again, _ = await imported(tmp_path, dsn, marquez.url, "--restart")
    assert (status, again["recorded"], again["known"]) == (0, 0, result["recorded"])
    assert await count(db) == result["recorded"]


async def test_the_service_shows_what_marquez_showed(tmp_path, dsn, marquez, aiohttp_client):
    done, failed, running = await fill(marquez)
    assert (await imported(tmp_path, dsn, marquez.url))[0] == 0
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, projector="inline"))))

    async def get(path, status=200):
        async with client.get(f"/api/v1{path}") as response:
            assert response.status == status, path
            return await response.json()

    assert (await get("/namespaces/etl"))["description"] == "what is mine"
    assert (await get("/namespaces/gone"))["isHidden"]
    job = await get("/namespaces/etl/jobs/by%20hand")
    assert (job["description"], job["location"]) == ("loads", "https://example.com/j")
    assert job["inputs"] == [{"namespace": "shop", "name": "orders"}]
    assert {each["id"] for each in job["latestRuns"]} == {str(each) for each in (done, failed, running)}
    await get("/namespaces/etl/jobs/deleted", 404)
    await get("/namespaces/etl/jobs/invented%20parent", 404)
    first = await get(f"/jobs/runs/{done}")
    assert (first["state"], first["args"], first["nominalStartTime"]) == (
        "COMPLETED",
        {"day": "1"},
        "2024-03-01T00:00:00Z",
    )
    assert first["durationMs"] == 60_000
    assert [(await get(f"/jobs/runs/{each}"))["state"] for each in (failed, running, RUN)] == [
        "FAILED",
        "RUNNING",
        "COMPLETED",
    ]
    assert (await get("/events/lineage"))["totalCount"] == 3
    table = await get("/namespaces/shop/datasets/orders")
    assert (table["description"], table["sourceName"], table["tags"]) == ("all orders", "shop", ["PII"])
    assert [(field["name"], field["type"], field["tags"]) for field in table["fields"]] == [
        ("id", "INT", []),
        ("email", None, ["PII"]),
    ]
    assert (await get("/namespaces/shop/datasets/topic"))["schemaLocation"] == "https://example.com/s"
    await get("/namespaces/shop/datasets/deleted", 404)
    assert (await get("/sources/shop"))["connectionUrl"] == "postgresql://reader:***@db:5432/shop"
    assert {"name": "PII", "description": "personal"} in (await get("/tags"))["tags"]
    assert job["tags"] == ["PII"]
    assert [each["name"] for each in (await get("/search?q=orders&filter=DATASET"))["results"]] == ["orders"]
    graph = (await get("/lineage?nodeId=job:etl:from events"))["graph"]
    assert {node["id"] for node in graph} == {"job:etl:from events", "dataset:lake:written"}
    assert (await get("/namespaces/etl/jobs/from%20events"))["latestRun"]["id"] == RUN


async def test_events_that_came_since_are_added(tmp_path, dsn, db, marquez):
    for minute in range(5):
        await marquez.event(event("RUNNING", minute=minute), START + timedelta(hours=minute))
    assert (await imported(tmp_path, dsn, marquez.url))[1]["recorded"] == await count(db)
    before = await count(db)
    await marquez.event(event(minute=9), START + timedelta(hours=5))
    status, result, errors = await imported(tmp_path, dsn, marquez.url)
    assert (status, result["recorded"], result["known"]) == (0, 1, before - 4)  # the last event is read again
    assert "Events that Marquez received until 2024-03-01T04:00:00+00:00 are in the ledger" in errors
    assert await count(db) == before + 1


async def test_events_without_a_time_of_receipt_come_first(tmp_path, dsn, db, marquez):
    await marquez.event(event(minute=5))
    await marquez.event(event("START", minute=3))
    await marquez.db.execute("update lineage_events set created_at = null where event_type = 'START'")
    assert (await imported(tmp_path, dsn, marquez.url))[0] == 0
    rows = await db.fetch("select state from runfold.events where source = 'import' order by position")
    assert [row[0] for row in rows] == ["RUNNING", "COMPLETED"]


async def test_a_checkpoint_of_another_ledger_is_not_used(tmp_path, postgres, dsn, marquez):
    await marquez.event(event())
    assert (await imported(tmp_path, dsn, marquez.url))[1]["known"] == 0
    async with copy(postgres) as other:
        _, result, errors = await imported(tmp_path, other, marquez.url)
    assert (result["known"], errors) == (0, "")


async def test_an_import_that_was_killed_is_completed_by_the_next_one(tmp_path, dsn, db, marquez):
    await marquez.db.execute(
        "insert into lineage_events (event_time, event, created_at) select now(), jsonb_set($1::jsonb, '{run,runId}', "
        "to_jsonb(gen_random_uuid()::text)), now() + n * interval '1 s' from generate_series(1, 8000) n",
        json.dumps(event()),
    )
    options = "--marquez", marquez.url, "--database-url", dsn, "--checkpoint", tmp_path / "checkpoint"
    async with program(tmp_path / "log", "import", *options) as started:
        await wait_until(lambda: count(db), "an event is recorded")
        started.send(signal.SIGKILL)
        await started.end()
    assert 0 < await count(db) < 8_000
    status, result, _ = await imported(tmp_path, dsn, marquez.url)
    assert (status, result["complete"], result["recorded"] + result["known"]) == (0, True, 8_000)
    assert await count(db) == 8_000


async def test_what_cannot_be_taken_is_reported(tmp_path, dsn, marquez):
    await marquez.event(event())
    await marquez.event(event(minute=1) | {"eventTime": "2999-01-01T00:00:00Z"})
    await marquez.dataset("shop", "stream", kind="WAVE")
    await marquez.run("etl", "nested", ["RUNNING"], {"a": {"b": 1}})
    refused = tmp_path / "refused"
    status, result, errors = await imported(tmp_path, dsn, marquez.url, "--refused", refused)
    assert (status, result["refused"], result["complete"]) == (1, 3, True)
    reasons = {each["file"]: each["reason"] for each in result["failures"]}
    assert "ahead of the server's clock" in reasons["Marquez: events"]
    assert reasons["Marquez: datasets"].startswith("shop stream: ")
    assert "a string, a number or a boolean" in reasons["Marquez: runs"]
    assert all(reason in errors for reason in reasons.values())
    assert json.loads(refused.read_bytes())["eventTime"] == "2999-01-01T00:00:00Z"


async def test_passwords_are_recorded_as_they_are_and_never_shown(tmp_path, dsn, db, marquez):
    await fill(marquez)
    await marquez.db.execute("update sources set type = '' where name = 'shop'")  # refused, and so reported
    await marquez.source("other", "MYSQL", f"mysql://root:{SECRET}@db/x")
    ended = await run(
        tmp_path / "log",
        "import",
        *("--marquez", marquez.url, "--database-url", dsn, "--checkpoint", tmp_path / "checkpoint"),
    )
    assert (ended.status, "sources: 1 recorded, 0 known already, 1 could not be taken" in ended.output) == (1, True)
    assert SECRET not in ended.output + ended.errors + (tmp_path / "checkpoint").read_text()
    bodies = await db.fetch("select body::text from runfold.payloads")
    assert any(f"root:{SECRET}@db" in row[0] for row in bodies)


async def test_other_databases_are_refused(tmp_path, dsn, marquez):
    status, _, errors = await imported(tmp_path, dsn, dsn)
    assert (status, "This is not a database of Marquez" in errors) == (1, True)
    await marquez.db.execute("alter table jobs drop column simple_name")
    status, _, errors = await imported(tmp_path, dsn, marquez.url)
    assert (status, "jobs.simple_name is missing" in errors) == (1, True)
    unreachable = f"postgresql://me:{SECRET}@127.0.0.1:1/marquez"
    status, _, errors = await imported(tmp_path, dsn, unreachable)
    assert (status, "The database of Marquez, postgresql://me:***@127.0.0.1:1/marquez, cannot be used" in errors) == (
        1,
        True,
    )
    assert SECRET not in errors


@pytest.mark.parametrize("arguments", [(), ("--marquez", "postgresql:///x", "-")])
async def test_files_or_a_database_are_imported(tmp_path, dsn, arguments):
    ended = await run(tmp_path / "log", "import", *arguments, "--database-url", dsn)
    assert (ended.status, "Name files, or a database of Marquez" in ended.errors) == (2, True)
