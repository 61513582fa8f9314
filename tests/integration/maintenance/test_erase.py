"""Payloads go for good; the ledger says so, and nothing that came from them is shown any more."""

import json
from uuid import uuid4

import asyncpg
import pytest
from building import fact, head, new, report
from histories import at
from lineage_events import dataset, record, run_event
from partitions import LATER, RUNS, append, catalog, fill, holds, project_all

from service.domain.event import RunState, Subject
from service.errors import OperatorError
from service.ledger.events import read_streams
from service.maintenance import parquet_files
from service.maintenance.archive import archive_payloads
from service.maintenance.catalog_check import check_catalog
from service.maintenance.erase import erase_payloads
from service.maintenance.rebuild import rebuild_catalog
from service.maintenance.restore import restore_payloads
from service.payloads.contents import creator_content
from service.payloads.schemas import decode_create_run

BASE = "/api/v1"


@pytest.fixture
async def filled(db, connections):
    await fill(db, connections)
    return db


async def ok(response, status=200):
    assert response.status == status, await response.text()
    return await response.json()


SECRET = '{"args": {"email": "me@example.com"}, "nominalStartTime": "2024-01-01T00:00:00Z"}'


def said(of, minute, *, run=None, job=None, inputs=()):
    """Return an OpenLineage event with facets, inputs, outputs."""
    event = {
        "eventTime": at(minute).isoformat(),
        "producer": "tests",
        "run": {"runId": str(of), "facets": run or {}},
        "job": {"namespace": "etl", "name": "load", "facets": job or {}},
        "inputs": [{"namespace": "db", "name": name} for name in inputs],
    }
    return fact(of, RunState.RUNNING, minute, payload=json.dumps(event))


async def show(client, run=RUNS[0]):
    shown = await ok(await client.get(f"{BASE}/jobs/runs/{run}"))
    job = await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load"))
    return shown["facets"], job["facets"], [one["name"] for one in job["inputs"]]


async def test_erased_is_gone_from_run_and_job_and_what_stood_behind_it_is_back(dsn, connections, db, client):
    await append(connections, said(RUNS[0], 1, run={"a": {"v": 1}, "b": {"v": 1}}, job={"j": {"v": 1}}, inputs=["old"]))
    await append(connections, said(RUNS[0], 2, run={"a": {"v": 2}}, job={"j": {"v": 2}, "k": {}}, inputs=["new"]))
    assert await show(client) == ({"a": {"v": 2}, "b": {"v": 1}}, {"j": {"v": 2}, "k": {}}, ["new"])
    second = await head(db)
    assert (await erase_payloads(dsn, second, "article 17", "privacy")).removed == 1
    assert await show(client) == ({"a": {"v": 1}, "b": {"v": 1}}, {"j": {"v": 1}}, ["old"])
    await erase_payloads(dsn, RUNS[0], "article 17")
    assert await show(client) == ({}, {}, [])
    await holds(dsn)
    history = (await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}/events")))["events"]
    assert [(one["kind"], one["payload"] and one["payload"]["position"]) for one in history[2:]] == [
        ("erased", second),
        ("erased", second - 1),
    ]
    assert (history[2]["actor"], history[2]["payload"]["why"]) == ("privacy", "article 17")
    assert history[2]["payload"]["digest"] == history[1]["payloadDigest"]
    assert history[1]["payload"] is None


async def test_a_rebuilt_catalog_is_the_one_that_erasing_left(filled, dsn, connections):
    await project_all(connections)
    await erase_payloads(dsn, 25, "article 17")
    await erase_payloads(dsn, RUNS[1], "article 17")
    left = await catalog(filled)
    await rebuild_catalog(dsn)
    assert await catalog(filled) == left


async def test_args_and_nominal_times_go_and_the_run_stays_what_it_was(dsn, connections, client):
    body = SECRET.encode()
    created, _ = new(RUNS[0], body=body, content=creator_content(decode_create_run(body)))
    await append(connections, created, report(RUNS[0], "RUNNING", 1)[0]._replace(namespace="etl", job="load"))
    before = await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}"))
    await ok(await client.get(f"{BASE}/jobs"))
    await erase_payloads(dsn, RUNS[0], "article 17")
    after = await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}"))
    changed = {"args": {}, "nominalStartTime": None, "updatedAt": after["updatedAt"]}
    assert before["args"] == {"email": "me@example.com"}
    assert after == {**before, **changed}


@pytest.mark.parametrize("projected", ["nothing", "before", "between", "after"])
async def test_a_single_read_shows_nothing_that_is_erased_however_far_the_catalog_is(connections, db, projected):
    if projected != "nothing":
        await append(connections, fact(RUNS[1], None, 0))
    await append(connections, said(RUNS[0], 1, run={"a": {"v": 1}}))
    if projected in ("between", "after"):
        await project_all(connections)
    await append(connections, said(RUNS[0], 2, run={"a": {"v": 2}, "b": {}}))
    if projected == "after":
        await project_all(connections)
    await db.fetch("select * from runfold.erase_payloads(0, $1, 'why', null)", [await head(db)])
    [read] = await read_streams(connections, Subject.RUN, [RUNS[0]], [None])
    assert {name: facet.value for name, facet in read.registers.run_facets.items()} == {"a": b'{"v": 1}'}
    assert read.registers.position == await head(db)
    await project_all(connections)
    assert (await read_streams(connections, Subject.RUN, [RUNS[0]], [None]))[0].registers == read.registers


async def test_what_a_process_remembers_of_a_run_does_not_outlive_an_erasure(dsn, db, client):
    await ok(await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"}))
    await ok(await client.put(f"{BASE}/namespaces/etl/jobs/load", json={"type": "BATCH", "inputs": [], "outputs": []}))
    run = await ok(await client.post(f"{BASE}/namespaces/etl/jobs/load/runs", json=json.loads(SECRET)), 201)
    await db.fetch("select * from runfold.erase_payloads(0, $1, 'why', null)", [await head(db)])
    started = await ok(await client.post(f"{BASE}/jobs/runs/{run['id']}/start"))
    assert (started["state"], started["args"], started["nominalStartTime"]) == ("RUNNING", {}, None)
    await holds(dsn)


async def test_definitions_can_be_erased(dsn, db, client):
    await ok(await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "first"}))
    await ok(await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "second"}))
    inputs = [{"namespace": "db", "name": "secret"}]
    definition = {"type": "STREAM", "inputs": inputs, "outputs": [], "description": "secret"}
    await ok(await client.put(f"{BASE}/namespaces/etl/jobs/load", json=definition))
    end = await head(db)
    for position in (end - 1, end):
        await erase_payloads(dsn, position, "article 17")
    assert (await ok(await client.get(f"{BASE}/namespaces/etl")))["ownerName"] == "first"
    job = await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load"))
    assert (job["type"], job["inputs"], job["description"]) == ("BATCH", [], None)
    await holds(dsn)


async def test_an_inferred_end_stands_though_a_payload_is_erased(dsn, connections, client):
    await append(connections, said(RUNS[0], 1, run={"a": {}}))
    inferred = report(RUNS[0], "FAILED", 2)[0]._replace(namespace="etl", job="load", source="monitor")
    await append(connections, inferred)
    await erase_payloads(dsn, RUNS[0], "article 17")
    assert (await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}")))["state"] == "FAILED"


async def test_erasing_again_changes_nothing(filled, dsn):
    done = await erase_payloads(dsn, RUNS[0], "article 17")
    assert (len(done.positions), done.removed, done.copies) == (5, 5, [])
    end = await head(filled)
    assert (await erase_payloads(dsn, RUNS[0], "again")).removed == 0
    assert (await erase_payloads(dsn, 1, "again")).removed == 0
    assert await head(filled) == end


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (99, "There is no payload at position 99"),
        (uuid4(), "No event of a run .* came with a payload"),
        (26, "the ledger itself needs it"),
    ],
)
@pytest.mark.usefixtures("filled")
async def test_what_cannot_be_erased_is_said(dsn, tmp_path, what, sentence):
    await archive_payloads(dsn, LATER, tmp_path)
    with pytest.raises(OperatorError, match=sentence):
        await erase_payloads(dsn, what, "article 17")


async def test_an_archived_payload_is_restored_before_it_is_erased(filled, dsn, tmp_path):
    [old, *_] = await archive_payloads(dsn, LATER, tmp_path)
    with pytest.raises(OperatorError, match=rf"{old.file}. Bring it back first: runfold restore 3;"):
        await erase_payloads(dsn, 3, "article 17")
    await restore_payloads(dsn, 3)
    done = await erase_payloads(dsn, 3, "article 17")
    assert [copy.sha256 for copy in done.copies] == [old.sha256]
    [new, *_] = await archive_payloads(dsn, LATER, tmp_path)
    assert new.file != old.file  # the command says that the old file is to be deleted
    kept = [row.position for rows in parquet_files.read_rows(tmp_path / new.file) for row in rows]
    assert kept == [1, 2, *range(4, 11)]
    await holds(dsn)
    before = await catalog(filled)
    await rebuild_catalog(dsn)
    assert await catalog(filled) == before


async def test_a_payload_goes_only_once_the_ledger_says_so(filled):
    for change in ("delete from runfold.payloads where position = 1", "delete from runfold.payloads_0"):
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
            await filled.execute(change)
    await filled.fetch("select * from runfold.erase_payloads(0, '{1}', 'why', null)")
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
        await filled.execute("delete from runfold.payloads_0")
    assert await filled.fetchval("select count(*) from runfold.payloads where position <= 25") == 24


@pytest.mark.parametrize("erased", [[1], [2], [3], [4], [3, 2], [2, 3], [4, 3, 2, 1]], ids=str)
async def test_afterwards_the_catalog_is_what_the_ledger_makes_it(erased, connections, dsn, db):
    """Whether or not the erased event was the last one of its run that named datasets. Names stay; none may be lost."""
    run = uuid4()
    described = dataset("c", dataSource={"name": "warehouse", "uri": "db:"}, tags={"tags": [{"key": "pii"}]})
    await record(
        connections,
        run_event(inputs=["a"], run=run, kind="START"),
        run_event(inputs=["b"], run=run, kind="RUNNING", at=1),
        run_event(outputs=[described], run=run, at=2),
        run_event(run=run, kind="RUNNING", at=3),
    )
    await project_all(connections)
    for position in erased:
        await erase_payloads(dsn, position, "article 17")
    assert (await check_catalog(dsn)).differences == []
    if len(erased) < 4:
        await db.execute("delete from runfold.lineage_namespaces")
        assert [text.split()[0] for text in (await check_catalog(dsn)).differences] == ["lineage_namespaces"]
