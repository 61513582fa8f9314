"""Payloads leave the database for files, come back, or go for good; all that was said of runs and jobs goes on."""

import asyncio
import json
import signal
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import pytest

from building import events, fact, head, new, report, unguarded
from conftest import REPOSITORY
from histories import at
from service import archives, ledger, parquet
from service.archiving import archive
from service.content import creator_content
from service.domain import RunState, Subject
from service.erasing import erase
from service.folding import fold_once
from service.rebuild import rebuild
from service.restoring import restore
from service.rights import CannotDo
from service.schemas import decode_create_run
from service.verify import verify

LATER = datetime.now(UTC) + timedelta(days=1)
BASE = "/api/v1"
SIZE = 10
SMALL_PARTITIONS = f"""
    create or replace function runfold.payload_partition_size() returns bigint language sql immutable
        as 'select {SIZE}::bigint';
    drop table runfold.payloads_0, runfold.payloads_1;
    select runfold.ensure_payload_partition(0), runfold.ensure_payload_partition(1);
"""
RUNS = [UUID(int=number, version=4) for number in range(1, 6)]
PAYLOADS = "select array_agg(position order by position) from runfold.payloads"


@pytest.fixture
async def small(db):
    """Partitions of ten positions."""
    await db.execute(SMALL_PARTITIONS)
    return db


async def append(link, *drafts):
    return await ledger.append(link, drafts, [None] * len(drafts))


async def fold_all(link):
    while (await fold_once(link))[1]:
        pass


@pytest.fixture
async def filled(small, link):
    """Twenty-five events of five runs, a payload with each; two partitions are full."""
    for minute in range(SIZE * 5 // 2):
        await append(link, fact(RUNS[minute % 5], RunState.RUNNING, minute))
    return small


async def views(link):
    return [one.registers for one in await ledger.read_streams(link, Subject.RUN, RUNS, [None] * 5)]


async def catalog(db):
    tables = ("runs", "jobs", "namespaces")
    return [tuple(row) for table in tables for row in await db.fetch(f"select * from runfold.{table} order by id")]


async def ok(response, status=200):
    assert response.status == status, await response.text()
    return await response.json()


async def example_says(dsn):
    command = (sys.executable, "-I", REPOSITORY / "docs/verify_example.py", dsn)
    program = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    return (await program.communicate())[0].decode().strip()


async def holds(dsn):
    verdict = await verify(dsn)
    assert verdict.ok, verdict
    assert await example_says(dsn) == "the ledger holds"


async def test_whole_partitions_go_to_files_that_the_ledger_names(filled, dsn, link, tmp_path):
    before = await views(link)
    bodies = await ledger.payloads(link, range(1, 26))
    done = await archive(dsn, LATER, tmp_path)
    assert [(one.first, one.last, one.payloads) for one in done] == [(1, 10, 10), (11, 20, 10)]
    assert await filled.fetchval(PAYLOADS) == [*range(21, 28)]  # the two records are the 26th and the 27th
    assert [(row["subject"], row["kind"]) for row in (await events(filled))[25:]] == [("ledger", "archived")] * 2
    for one in done:
        path = tmp_path / one.file
        assert parquet.digest_of(path) == one.sha256
        for row in [row for rows in parquet.read(path) for row in rows]:
            assert bodies[row.position] == row.body
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(one.file for one in done)
    assert await views(link) == before
    await holds(dsn)


async def test_what_is_young_or_not_full_stays(filled, dsn, tmp_path):
    assert await archive(dsn, datetime(2020, 1, 1, tzinfo=UTC), tmp_path) == []
    edge = await filled.fetchval("select recorded_at from runfold.events where position = 11")
    assert [one.last for one in await archive(dsn, edge, tmp_path)] == [10]
    assert [one.last for one in await archive(dsn, LATER, tmp_path)] == [20]
    assert await archive(dsn, LATER, tmp_path) == []


async def test_the_service_goes_on_with_archived_payloads(filled, dsn, link, client, tmp_path):
    run, run_path = str(RUNS[0]), f"{BASE}/jobs/runs/{RUNS[0]}"
    views_before = await ok(await client.get(run_path))
    job_before = await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load"))
    done = await archive(dsn, LATER, tmp_path)
    assert await ok(await client.get(run_path)) == views_before
    assert await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load")) == job_before
    history = (await ok(await client.get(f"{run_path}/events")))["events"]
    assert (history[0]["payload"], history[0]["payloadArchived"]) == (None, {"file": done[0].file, "sha256": done[0].sha256})
    assert history[-1]["payload"]["run"]["runId"] == run
    assert "payloadArchived" not in history[-1]
    page = (await ok(await client.get(f"{BASE}/events?limit=20")))["events"]
    assert [one["payloadArchived"]["file"] for one in page] == [done[0].file] * 10 + [done[1].file] * 10
    assert (await ok(await client.get(f"{BASE}/events/lineage")))["totalCount"] == 25
    again = fact(RUNS[0], RunState.RUNNING, 0)
    assert (await append(link, again)).positions == [1]  # told again, it is still known
    ended = await ok(await client.post(f"{run_path}/complete"))
    assert (ended["state"], ended["facets"]) == ("COMPLETED", views_before["facets"])
    where = await archives.archived_where(link, [1, 20, 21])
    assert where == {1: (done[0].file, done[0].sha256), 20: (done[1].file, done[1].sha256)}


async def test_appending_goes_on_over_many_partitions(filled, dsn, link, tmp_path):
    for minute in range(30, 80):
        await append(link, fact(RUNS[minute % 5], RunState.RUNNING, minute))
        if minute % 20 == 0:
            await archive(dsn, LATER, tmp_path)
    await holds(dsn)


@pytest.mark.parametrize("sql", ["delete from {}", "update {} set body = '{{}}'", "truncate {}"])
async def test_what_stays_of_an_archived_partition_can_be_changed_no_more_than_before(filled, dsn, link, tmp_path, sql):
    await append(link, fact(RUNS[0], None, 90)._replace(subject=Subject.KEY, stream=uuid4()), *map(fact, RUNS, [None] * 5))
    await archive(dsn, LATER, tmp_path)
    for minute in range(10):
        await append(link, fact(RUNS[0], None, 100 + minute))
    await archive(dsn, LATER, tmp_path)
    assert await filled.fetchval("select count(*) from runfold.payloads_2") == 3  # a key's, and two records
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
        await filled.execute(sql.format("runfold.payloads_2"))


async def test_rebuild_reads_archived_payloads_from_their_files(filled, dsn, link, tmp_path):
    await fold_all(link)
    before = await catalog(filled)
    done = await archive(dsn, LATER, tmp_path)
    await rebuild(dsn)
    assert await catalog(filled) == before
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / done[1].file).rename(tmp_path / "elsewhere" / done[1].file)
    with pytest.raises(CannotDo, match=rf"{done[1].file} is missing: it has the payloads of positions 11 to 20"):
        await rebuild(dsn)
    (tmp_path / done[0].file).rename(tmp_path / "elsewhere" / done[0].file)
    await rebuild(dsn, directory=tmp_path / "elsewhere")
    assert await catalog(filled) == before


async def test_a_file_that_was_altered_is_not_taken(filled, dsn, tmp_path):
    done = await archive(dsn, LATER, tmp_path)
    path = tmp_path / done[0].file
    path.write_bytes(path.read_bytes() + b" ")
    for attempt in (rebuild(dsn), restore(dsn)):
        with pytest.raises(CannotDo, match="is not the file that was archived"):
            await attempt
    assert await filled.fetchval("select min(position) from runfold.payloads") == 21


async def test_restore_brings_payloads_back_to_the_byte(filled, dsn, link, tmp_path):
    bodies = await ledger.payloads(link, range(1, 26))
    await archive(dsn, LATER, tmp_path)
    assert [one.first for one in await restore(dsn, 5)] == [1]
    assert await ledger.payloads(link, range(11)) == {n: bodies[n] for n in range(1, 11)}
    assert [one.first for one in await restore(dsn)] == [11]
    assert await restore(dsn) == []
    assert await ledger.payloads(link, range(1, 26)) == bodies
    assert [row["kind"] for row in (await events(filled))[25:]] == ["archived"] * 2 + ["restored"] * 2
    await holds(dsn)
    again = await archive(dsn, LATER, tmp_path)
    assert [one.first for one in again] == [1, 11]
    await holds(dsn)


async def test_a_payload_that_is_merely_missing_does_not_verify(filled, dsn, tmp_path):
    await archive(dsn, LATER, tmp_path)
    await unguarded(filled, "delete from runfold.payloads where position = 21")
    assert (await verify(dsn))[5:] == (21, "its payload is missing, and no archive nor erasure of it is recorded")
    assert await example_says(dsn) == "position 21 has another payload"


async def test_a_payload_that_was_altered_is_not_archived(filled, dsn, tmp_path):
    await unguarded(filled, "update runfold.payloads set body = '{}' where position = 15")
    with pytest.raises(CannotDo, match="position 15 is not the one"):
        await archive(dsn, LATER, tmp_path)
    assert await filled.fetchval(PAYLOADS) == [*range(11, 27)]  # the first partition was fine, and its record is there


async def test_two_that_move_payloads_do_not_meet(filled, dsn, link, tmp_path):
    async with archives.alone(link):
        for attempt in (archive(dsn, LATER, tmp_path), restore(dsn), rebuild(dsn)):
            with pytest.raises(CannotDo, match="under way"):
                await attempt


# Killed at a step, run again.
KILLED = """
import asyncio, os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from service.archiving import archive
from service.restoring import restore
def step(what, _archive):
    if what == sys.argv[2]:
        os.kill(os.getpid(), 9)
dsn, path = sys.argv[1], Path(sys.argv[3])
later = datetime.now(UTC) + timedelta(days=1)
asyncio.run(archive(dsn, later, path, step) if sys.argv[4] == "archive" else restore(dsn, None, path, step))
"""


async def killed(dsn, step, path, command):
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, dsn, step, str(path), command), cwd=REPOSITORY
    )
    assert await program.wait() == -signal.SIGKILL


async def retried(work):
    """PostgreSQL may take a moment to notice that a client is gone."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await work()
            except CannotDo as error:
                assert "under way" in str(error)  # noqa: PT017
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("step", ["written", "checked", "named", "dropped", "recorded"])
async def test_an_archive_that_is_killed_loses_nothing_and_can_be_run_again(filled, dsn, link, tmp_path, step):
    bodies = await ledger.payloads(link, range(1, 26))
    await killed(dsn, step, tmp_path, "archive")
    gone = 10 if step == "recorded" else 0
    assert await ledger.payloads(link, range(1, 26)) == {n: body for n, body in bodies.items() if n > gone}
    await holds(dsn)
    await retried(partial(archive, dsn, LATER, tmp_path))
    assert await filled.fetchval("select min(position) from runfold.payloads") == 21
    assert [row["kind"] for row in await events(filled)][25:] == ["archived"] * 2
    await holds(dsn)
    await restore(dsn)
    assert await ledger.payloads(link, range(1, 26)) == bodies


@pytest.mark.parametrize("step", ["put", "recorded"])
async def test_a_restore_that_is_killed_loses_nothing_and_can_be_run_again(filled, dsn, link, tmp_path, step):
    bodies = await ledger.payloads(link, range(1, 26))
    await archive(dsn, LATER, tmp_path)
    await killed(dsn, step, tmp_path, "restore")
    await holds(dsn)
    await retried(partial(restore, dsn))
    assert await ledger.payloads(link, range(1, 26)) == bodies
    await holds(dsn)


# Erasing.

SECRET = '{"args": {"email": "me@example.com"}, "nominalStartTime": "2024-01-01T00:00:00Z"}'


def said(run, minute, *, job="load", **parts):
    """Return an OpenLineage event with facets, inputs, outputs."""
    event = {
        "eventTime": at(minute).isoformat(),
        "producer": "tests",
        "run": {"runId": str(run), "facets": parts.get("run", {})},
        "job": {"namespace": "etl", "name": job, "facets": parts.get("job", {})},
        "inputs": [{"namespace": "db", "name": name} for name in parts.get("inputs", [])],
    }
    return fact(run, RunState.RUNNING, minute, job=job, payload=json.dumps(event))


async def show(client, run=RUNS[0]):
    shown = await ok(await client.get(f"{BASE}/jobs/runs/{run}"))
    job = await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load"))
    return shown["facets"], job["facets"], [one["name"] for one in job["inputs"]]


async def test_erased_is_gone_from_run_and_job_and_what_stood_behind_it_is_back(dsn, link, client):
    await append(link, said(RUNS[0], 1, run={"a": {"v": 1}, "b": {"v": 1}}, job={"j": {"v": 1}}, inputs=["old"]))
    await append(link, said(RUNS[0], 2, run={"a": {"v": 2}}, job={"j": {"v": 2}, "k": {}}, inputs=["new"]))
    assert await show(client) == ({"a": {"v": 2}, "b": {"v": 1}}, {"j": {"v": 2}, "k": {}}, ["new"])
    assert (await erase(dsn, 2, "article 17", "privacy")).removed == 1
    assert await show(client) == ({"a": {"v": 1}, "b": {"v": 1}}, {"j": {"v": 1}}, ["old"])
    await erase(dsn, RUNS[0], "article 17")
    assert await show(client) == ({}, {}, [])
    await holds(dsn)
    history = (await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}/events")))["events"]
    assert [(one["kind"], one["payload"] and one["payload"]["position"]) for one in history[2:]] == [
        ("erased", 2),
        ("erased", 1),
    ]
    assert (history[2]["actor"], history[2]["payload"]["why"]) == ("privacy", "article 17")
    assert history[2]["payload"]["digest"] == history[1]["payloadDigest"]
    assert history[1]["payload"] is None


async def test_a_rebuilt_catalog_is_the_one_that_erasing_left(filled, dsn, link):
    await fold_all(link)
    await erase(dsn, 25, "article 17")
    await erase(dsn, RUNS[1], "article 17")
    left = await catalog(filled)
    await rebuild(dsn)
    assert await catalog(filled) == left


async def test_args_and_nominal_times_go_and_the_run_stays_what_it_was(dsn, link, client):
    body = SECRET.encode()
    created, _ = new(RUNS[0], body=body, said=creator_content(decode_create_run(body)))
    await append(link, created, report(RUNS[0], "RUNNING", 1)[0]._replace(namespace="etl", job="load"))
    before = await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}"))
    await ok(await client.get(f"{BASE}/jobs"))
    await erase(dsn, RUNS[0], "article 17")
    after = await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}"))
    changed = {"args": {}, "nominalStartTime": None, "updatedAt": after["updatedAt"]}
    assert before["args"] == {"email": "me@example.com"}
    assert after == {**before, **changed}


@pytest.mark.parametrize("folded", ["nothing", "before", "between", "after"])
async def test_a_single_read_shows_nothing_that_is_erased_however_far_the_catalog_is(link, db, folded):
    if folded != "nothing":
        await append(link, fact(RUNS[1], None, 0))
    await append(link, said(RUNS[0], 1, run={"a": {"v": 1}}))
    if folded in ("between", "after"):
        await fold_all(link)
    await append(link, said(RUNS[0], 2, run={"a": {"v": 2}, "b": {}}))
    if folded == "after":
        await fold_all(link)
    await db.fetch("select * from runfold.erase_payloads(0, $1, 'why', null)", [await head(db)])
    [read] = await ledger.read_streams(link, Subject.RUN, [RUNS[0]], [None])
    assert {name: facet.value for name, facet in read.registers.run_facets.items()} == {"a": b'{"v": 1}'}
    assert read.registers.position == await head(db)
    await fold_all(link)
    assert (await ledger.read_streams(link, Subject.RUN, [RUNS[0]], [None]))[0].registers == read.registers


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
    for row in [row for row in await events(db) if row["payload_digest"]][1:]:
        await erase(dsn, row["position"], "article 17")
    assert (await ok(await client.get(f"{BASE}/namespaces/etl")))["ownerName"] == "first"
    job = await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load"))
    assert (job["type"], job["inputs"], job["description"]) == ("BATCH", [], None)
    await holds(dsn)


async def test_an_inferred_end_stands_though_a_payload_is_erased(dsn, link, client):
    await append(link, said(RUNS[0], 1, run={"a": {}}))
    inferred = report(RUNS[0], "FAILED", 2)[0]._replace(namespace="etl", job="load", source="monitor")
    await append(link, inferred)
    await erase(dsn, 1, "article 17")
    assert (await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}")))["state"] == "FAILED"


async def test_erasing_again_changes_nothing(filled, dsn):
    done = await erase(dsn, RUNS[0], "article 17")
    assert (len(done.positions), done.removed, done.copies) == (5, 5, [])
    end = await head(filled)
    assert (await erase(dsn, RUNS[0], "again")).removed == 0
    assert (await erase(dsn, 1, "again")).removed == 0
    assert await head(filled) == end


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (99, "There is no payload at position 99"),
        (uuid4(), "No event of a run .* came with a payload"),
        (26, "the ledger itself leans on"),
    ],
)
async def test_what_cannot_be_erased_is_said(filled, dsn, tmp_path, what, sentence):
    await archive(dsn, LATER, tmp_path)
    with pytest.raises(CannotDo, match=sentence):
        await erase(dsn, what, "article 17")


async def test_an_archived_payload_is_restored_before_it_is_erased(filled, dsn, link, tmp_path):
    [old, _] = await archive(dsn, LATER, tmp_path)
    with pytest.raises(CannotDo, match=rf"{old.file}. Bring it back first: runfold restore 3;"):
        await erase(dsn, 3, "article 17")
    await restore(dsn, 3)
    done = await erase(dsn, 3, "article 17")
    assert [copy.sha256 for copy in done.copies] == [old.sha256]
    await archive(dsn, LATER, tmp_path)
    kept = [row.position for rows in parquet.read(tmp_path / old.file) for row in rows]
    assert kept == [1, 2, *range(4, 11)]
    await holds(dsn)
    before = await catalog(filled)
    await rebuild(dsn)
    assert await catalog(filled) == before


async def test_an_archive_in_the_making_takes_nothing_along_that_is_erased_meanwhile(filled, dsn, tmp_path):
    def step(what, one):
        if what == "named" and one.first == 1 and not erased:
            erased.append(True)
            asyncio.run_coroutine_threadsafe  # noqa: B018
            other.append(loop.create_task(erase(dsn, 3, "article 17")))

    erased, other, loop = [], [], asyncio.get_running_loop()
    done = await archive(dsn, LATER, tmp_path, step)
    await asyncio.gather(*other, return_exceptions=True)
    kept = [row.position for rows in parquet.read(tmp_path / done[0].file) for row in rows]
    recorded = await filled.fetchval("select runfold.is_erased(0, 3)")
    assert (3 in kept) is not recorded


async def test_a_payload_goes_only_once_the_ledger_says_so(filled):
    for change in ("delete from runfold.payloads where position = 1", "delete from runfold.payloads_0"):
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
            await filled.execute(change)
    await filled.fetch("select * from runfold.erase_payloads(0, '{1}', 'why', null)")
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
        await filled.execute("delete from runfold.payloads_0")
    assert await filled.fetchval("select count(*) from runfold.payloads where position <= 25") == 24


async def test_without_pyarrow_a_sentence_says_what_to_install(filled, dsn, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(CannotDo, match=r"pip install 'runfold\[parquet\]'"):
        await archive(dsn, LATER, tmp_path)
