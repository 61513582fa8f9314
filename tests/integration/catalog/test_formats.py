"""A catalog that a newer version of Runfold projects: this one reads it, waits for it, and writes nothing to it."""

import asyncio
from uuid import UUID

import pytest
from building import facts
from partitions import append, project_all
from test_catalog import a_history
from waiting import wait_until

from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.catalog.newer_catalog import NewerCatalog, request_projection
from service.domain.event import Subject
from service.ledger.events import append_events
from service.ledger.ledger_end import LedgerEnd
from service.ledger.ledger_registers import merge_from_ledger, read_registers
from service.ledger.ledger_watch import LedgerWatch
from service.ledger.stored_registers import FORMAT, HEADER, READABLE_FROM

NAMESPACE = "/api/v1/namespaces/etl"
JOB = f"{NAMESPACE}/jobs/load"
RUN = UUID(int=7, version=4)
TABLES = ("runs", "jobs", "namespaces")
NEWER = FORMAT + 1


async def project_as_newer(db, *, readable: bool):
    """Have the rows look as if a newer version had projected them, and say whether this one can read them."""
    header = bytes((NEWER, READABLE_FROM if readable else NEWER))
    for table in TABLES:
        rows = await db.fetch(f"select id, registers from runfold.{table}")
        for row in rows:
            fields = row["registers"].removeprefix(HEADER)
            await db.execute(f"update runfold.{table} set registers = $1 where id = $2", header + fields, row["id"])
    await db.execute("update runfold.catalog_cursor set format = $1", NEWER)


async def rows_of(db):
    return [tuple(row) for table in TABLES for row in await db.fetch(f"select * from runfold.{table} order by id")]


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_ledger_alone_gives_the_same_registers_of_any_run(pair, db, seed):
    drafts = list(a_history(seed))
    await append(pair, *drafts)
    await project_all(pair)
    rows = await db.fetch("select id, registers from runfold.runs")
    expected = await read_registers(pair, 0, Subject.RUN, rows)
    assert len(expected) == 25
    assert [await merge_from_ledger(pair, 0, Subject.RUN, row["id"]) for row in rows] == expected


async def answers_of(client):
    """Return what the service says of everything that the catalog has."""
    answers = {}
    for path in (NAMESPACE, JOB, f"{NAMESPACE}/jobs", f"{JOB}/runs", "/api/v1/namespaces", f"/api/v1/jobs/runs/{RUN}"):
        answer = await client.get(path)
        assert answer.status == 200, (path, await answer.text())
        answers[path] = await answer.json()
    return answers


async def fill(client):
    definition = {"type": "BATCH", "inputs": [], "outputs": [], "description": "as defined"}
    assert (await client.put(NAMESPACE, json={"ownerName": "ann"})).status == 200
    assert (await client.put(JOB, json=definition)).status == 200
    assert (await client.post(f"{JOB}/runs", json={"id": str(RUN), "runArgs": {"a": "b"}})).status == 201
    assert (await client.post(f"/api/v1/jobs/runs/{RUN}/start")).status == 200
    return await answers_of(client)


@pytest.mark.parametrize("readable", [True, False], ids=["readable", "not readable"])
async def test_rows_of_a_newer_version_are_answered_and_never_overwritten(client, db, readable):
    before = await fill(client)
    await project_as_newer(db, readable=readable)
    stored = await rows_of(db)
    assert await answers_of(client) == before
    answer = await client.post(f"/api/v1/jobs/runs/{RUN}/complete")
    assert (answer.status, (await answer.json())["state"]) == (200, "COMPLETED")
    assert (await client.post(f"/api/v1/jobs/runs/{RUN}/complete")).status == 200, "a repeat is recognised"
    assert (await client.post(f"/api/v1/jobs/runs/{RUN}/fail")).status == 409
    answer = await client.get(f"{JOB}/runs")
    assert answer.status == 503, "no process of the newer version projects"
    assert (await client.get(f"{JOB}/runs?stale=true")).status == 200
    assert await rows_of(db) == stored


async def test_readers_ask_the_newer_version_and_see_what_it_projects(client, db, connections):
    await fill(client)
    await db.execute("update runfold.catalog_cursor set format = $1", NEWER)
    assert (await client.post(f"{JOB}/runs", json={})).status == 201
    reading = asyncio.create_task(client.get(f"{JOB}/runs"))
    end = await db.fetchval("select position from runfold.ledger_head")

    async def asked():
        return await db.fetchval("select position from runfold.catalog_requests") == end

    await wait_until(asked, "it has asked for the position")
    await db.execute("update runfold.catalog_cursor set format = $1", FORMAT)
    await project_all(connections)
    await db.execute("update runfold.catalog_cursor set format = $1", NEWER)
    answer = await reading
    assert (answer.status, (await answer.json())["totalCount"]) == (200, 2)


async def test_a_process_learns_what_those_of_earlier_versions_ask_for(connections):
    await append(connections, *facts(3))
    asked = []
    watch = LedgerWatch(connections, LedgerEnd(), lambda _: None, asked.append)
    watch.start()
    for position, known in ((2, 2), (1, 2), (9, 3)):  # one beyond the end is from before the ledger lost its tail
        await request_projection(connections, position)
        asked.clear()

        async def learnt(known=known):
            return known in asked

        await wait_until(learnt, f"it knows of {known}")
    await watch.close()


async def test_a_page_that_was_read_before_a_newer_version_projected_is_not_written(connections, db):
    await append_events(connections, facts(3), [None] * 3)
    page = await CatalogProjection(connections).read_page(0, 100)
    await db.execute("update runfold.catalog_cursor set format = $1", NEWER)
    with pytest.raises(NewerCatalog, match=f"its format is {NEWER}, and this version's is {FORMAT}"):
        await CatalogProjection(connections).write_page(page)
    with pytest.raises(NewerCatalog):
        await project_next_page(CatalogProjection(connections))
    assert await rows_of(db) == []
