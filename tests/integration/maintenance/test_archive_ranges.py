"""Small ledgers are archived early: what is old leaves a partition that newer payloads stay in."""

import asyncio
import json
from uuid import uuid4

import asyncpg
import pytest
from building import fact
from click.testing import CliRunner
from partitions import LATER, RUNS, append, catalog, fill, holds, project_all, time_of

from service.audit.evidence import open_evidence
from service.cli.main import cli
from service.domain.event import Kind, RunState, Subject
from service.ledger import archive_records
from service.ledger.archive_records import Archive
from service.ledger.events import read_payloads
from service.maintenance import archived_removal
from service.maintenance.archive import archive_payloads
from service.maintenance.archived_removal import read_partitions
from service.maintenance.catalog_check import check_catalog
from service.maintenance.erase import erase_payloads
from service.maintenance.rebuild import rebuild_catalog
from service.maintenance.restore import restore_payloads

BASE = "/api/v1"
PAYLOADS = "select array_agg(position order by position) from runfold.payloads"


@pytest.fixture
async def small(db, connections):
    """Thirty events of five runs, in a partition of a million positions."""
    for minute in range(30):
        await append(connections, fact(RUNS[minute % 5], RunState.RUNNING, minute))
    return db


async def spans(connections):
    return [(one.first, one.last) for one in await read_partitions(connections)]


async def ok(response):
    assert response.status == 200, await response.text()
    return await response.json()


async def test_a_ledger_of_thirty_events_is_archived_by_time(small, dsn, connections, client, tmp_path):
    bodies = await read_payloads(connections, range(1, 31))
    before = await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}"))
    [done] = await archive_payloads(dsn, await time_of(small, 20), tmp_path)
    assert (done.file, done.first, done.last, done.payloads) == ("payloads-0-1-19.parquet", 1, 19, 19)
    assert await small.fetchval(PAYLOADS) == [*range(20, 33)]  # the default namespace, and the record
    assert await spans(connections) == [(1, 1_000_000), (1_000_001, 2_000_000)]
    assert await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}")) == before
    history = (await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}/events")))["events"]
    assert [one.get("payloadArchived", {}).get("file") for one in history] == [done.file] * 4 + [None] * 2
    await holds(dsn)
    assert (await check_catalog(dsn)).differences == []
    derived = await catalog(small)
    await rebuild_catalog(dsn)
    assert await catalog(small) == derived
    assert [one.first for one in await restore_payloads(dsn, 7)] == [1]
    assert await read_payloads(connections, range(1, 31)) == bodies
    await holds(dsn)


async def test_each_run_archives_what_has_become_old_since(small, dsn, connections, tmp_path):
    for position, expected in ((11, [(1, 10)]), (11, []), (21, [(11, 20)]), (25, [(21, 24)])):
        done = await archive_payloads(dsn, await time_of(small, position), tmp_path)
        assert [(one.first, one.last) for one in done] == expected
        await holds(dsn)
    await restore_payloads(dsn, 15)
    await erase_payloads(dsn, 15, "article 17")
    done = await archive_payloads(dsn, await time_of(small, 28), tmp_path)
    assert [(one.first, one.last, one.payloads) for one in done] == [(11, 20, 9), (25, 27, 3)]
    await holds(dsn)
    await restore_payloads(dsn)
    assert len(await read_payloads(connections, range(1, 31))) == 29


async def test_the_records_of_archives_alone_are_never_archived(small, dsn, connections, tmp_path):
    key = fact(RUNS[0], None, 90)._replace(subject=Subject.KEY, stream=uuid4())
    await append(connections, key)
    await archive_payloads(dsn, LATER, tmp_path)
    assert await small.fetchval(PAYLOADS) == [31, 32]  # the key, and the record of the archive
    assert await archive_payloads(dsn, LATER, tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["payloads-0-1-31.parquet"]
    for position in (31, 32):
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
            await small.execute("delete from runfold.payloads where position = $1", position)
    await holds(dsn)


async def test_a_payload_leaves_only_once_the_ledger_records_its_archive(small, dsn, tmp_path):
    one = "delete from runfold.payloads where position = 3"
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
        await small.execute(one)
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="does not record an archive"):
        await small.execute("insert into runfold.archives values (0, 1, 10, 'f', 'd')")
    [done] = await archive_payloads(dsn, await time_of(small, 11), tmp_path)
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
        await small.execute("delete from runfold.payloads where position = 11")
    await restore_payloads(dsn)
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="does not record an archive"):
        await small.execute("insert into runfold.archives values (0, 1, 10, $1, $2)", done.file, done.sha256)
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
        await small.execute(one)


async def test_a_partition_is_replaced_only_when_all_of_it_is_archived(db, dsn, connections, tmp_path):
    await fill(db, connections)
    await archive_payloads(dsn, await time_of(db, 10), tmp_path)
    for names in ("{payloads_0}", "{payloads_1}", "{payloads_2}", "{payloads_0,payloads_2}", "{payloads}"):
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="not all archived"):
            await db.execute("select runfold.replace_archived_partitions($1::text::text[])", names)
    assert await db.fetchval(PAYLOADS) == [*range(10, 27)]


async def test_a_record_that_no_archive_made_keeps_nothing_from_being_archived(small, dsn, connections, tmp_path):
    forged = Archive("f", "d", "0" * 64, 1, 10, 10)
    await append(connections, archive_records.archive_draft(Kind.ARCHIVED, forged, None))
    bodies = await read_payloads(connections, range(1, 31))
    [done] = await archive_payloads(dsn, await time_of(small, 20), tmp_path)
    assert (done.first, done.last, done.payloads) == (1, 19, 19)
    await restore_payloads(dsn)
    assert await read_payloads(connections, range(1, 31)) == bodies


async def test_commands_hold_after_an_early_archive(small, dsn, connections, tmp_path):
    async def call(*arguments):  # commands have a loop of their own
        return await asyncio.to_thread(CliRunner().invoke, cli, [*arguments, "--database-url", dsn])

    await project_all(connections)
    export, later = tmp_path / "export", tmp_path / "later"
    exported = await call("export", "--output", str(export))
    assert exported.exit_code == 0, exported.output
    await archive_payloads(dsn, await time_of(small, 20), tmp_path)
    for command in (("doctor",), ("export", "--output", str(later))):
        assert (await call(*command)).exit_code == 0
    for file in (export, later):
        checked = await call("verify", "--against", str(file))
        assert checked.exit_code == 0, checked.output
    lines = [json.loads(line) for line in later.read_text().splitlines()]
    assert [line["payload"] is None for line in lines[:30]] == [True] * 19 + [False] * 11


async def test_emptied_partitions_become_one(db, dsn, connections, tmp_path):
    await fill(db, connections)
    for minute in range(30, 90):
        await append(connections, fact(RUNS[minute % 5], RunState.RUNNING, minute))
    assert await spans(connections) == [*((n, n + 9) for n in range(1, 81, 10)), (81, 100)]
    await archive_payloads(dsn, await time_of(db, 35), tmp_path)
    assert (await spans(connections))[:2] == [(1, 30), (31, 40)]
    await archive_payloads(dsn, await time_of(db, 75), tmp_path)
    assert (await spans(connections))[:3] == [(1, 70), (71, 80), (81, 100)]
    await restore_payloads(dsn)
    await holds(dsn)
    await archive_payloads(dsn, LATER, tmp_path)
    await holds(dsn)


async def test_partitions_that_were_emptied_before_are_merged(db, dsn, connections, tmp_path):
    await fill(db, connections)
    await archive_payloads(dsn, LATER, tmp_path)
    async with db.transaction():  # as an earlier version left them
        await db.execute("alter table runfold.payloads detach partition runfold.payloads_0")
        await db.execute("drop table runfold.payloads_0")
        for n in range(2):
            await db.execute(f"select runfold.create_payload_table('payloads_{n}')")
            await db.execute(f"select runfold.attach_payload_table('payloads_{n}', {n * 10 + 1}, {n * 10 + 10})")
    assert len(await spans(connections)) == 4
    assert await archive_payloads(dsn, LATER, tmp_path) == []
    assert (await spans(connections))[0] == (1, 20)
    await holds(dsn)


async def test_what_leaves_a_partition_makes_room_in_it(small, dsn, connections, tmp_path, monkeypatch):
    monkeypatch.setattr(archived_removal, "_PAYLOADS_AT_ONCE", 7)
    big = json.dumps({"facets": {"filler": "x" * 900}})
    for _ in range(3):
        await append(connections, *(fact(uuid4(), None, 1, payload=payload_of(big, number)) for number in range(200)))
        await archive_payloads(dsn, LATER, tmp_path)
    assert await small.fetchval("select pg_relation_size('runfold.payloads_0')") <= 2 * 200 * 1000


def payload_of(big, number):
    event = {"eventTime": "2024-01-01T00:00:00Z", "producer": f"p{number}", "run": {"runId": str(uuid4())}}
    return json.dumps({**event, "job": {"namespace": "etl", "name": "load"}, **json.loads(big)})


async def test_statements_of_maintenance_have_more_time_than_those_of_requests(dsn):
    async with open_evidence(dsn) as connections:
        ((limit,),) = await connections.fetch("select setting::int from pg_settings where name = 'statement_timeout'")
    assert limit > 600_000
