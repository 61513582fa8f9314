"""Payloads leave the database for files and come back; all that was said of runs and jobs goes on."""

import asyncio
import errno
import os
import sys
import threading
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from building import events, fact, unguarded
from histories import at
from partitions import LATER, RUNS, append, catalog, example_says, fill, holds, project_all, time_of

from service.audit.verification import verify_ledger
from service.domain.event import RunState, Subject
from service.errors import OperatorError
from service.ledger import archive_records
from service.ledger.events import read_payloads, read_streams
from service.maintenance import locks, parquet_files
from service.maintenance.archive import archive_payloads
from service.maintenance.erase import erase_payloads
from service.maintenance.locks import exclusive_maintenance
from service.maintenance.rebuild import rebuild_catalog
from service.maintenance.restore import restore_payloads

BASE = "/api/v1"
PAYLOADS = "select array_agg(position order by position) from runfold.payloads"


@pytest.fixture
async def filled(db, connections):
    await fill(db, connections)
    return db


@pytest.fixture
async def old(filled):
    """The time before which the payloads of the two full partitions were recorded."""
    return await time_of(filled, 21)


async def views(connections):
    return [one.registers for one in await read_streams(connections, Subject.RUN, RUNS, [None] * 5)]


async def ok(response, status=200):
    assert response.status == status, await response.text()
    return await response.json()


async def test_whole_partitions_go_to_files_that_the_ledger_names(filled, dsn, connections, tmp_path, old):
    before = await views(connections)
    bodies = await read_payloads(connections, range(1, 26))
    done = await archive_payloads(dsn, old, tmp_path)
    assert [(one.first, one.last, one.payloads) for one in done] == [(1, 10, 10), (11, 20, 10)]
    assert await filled.fetchval(PAYLOADS) == [*range(21, 28)]  # the two records are the 26th and the 27th
    assert [(row["subject"], row["kind"]) for row in (await events(filled))[25:]] == [("ledger", "archived")] * 2
    for one in done:
        path = tmp_path / one.file
        assert parquet_files.digest_of(path) == one.sha256
        for row in [row for rows in parquet_files.read_rows(path) for row in rows]:
            assert bodies[row.position] == row.body
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(one.file for one in done)
    assert await views(connections) == before
    await holds(dsn)


async def test_what_is_young_stays(filled, dsn, tmp_path, old):
    assert await archive_payloads(dsn, datetime(2020, 1, 1, tzinfo=UTC), tmp_path) == []
    assert [one.last for one in await archive_payloads(dsn, await time_of(filled, 11), tmp_path)] == [10]
    assert [one.last for one in await archive_payloads(dsn, old, tmp_path)] == [20]
    assert await archive_payloads(dsn, old, tmp_path) == []


@pytest.mark.usefixtures("filled")
async def test_the_service_goes_on_with_archived_payloads(dsn, connections, client, tmp_path, old):
    run, run_path = str(RUNS[0]), f"{BASE}/jobs/runs/{RUNS[0]}"
    views_before = await ok(await client.get(run_path))
    job_before = await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load"))
    done = await archive_payloads(dsn, old, tmp_path)
    assert await ok(await client.get(run_path)) == views_before
    assert await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load")) == job_before
    history = (await ok(await client.get(f"{run_path}/events")))["events"]
    assert (history[0]["payload"], history[0]["payloadArchived"]) == (
        None,
        {"file": done[0].file, "sha256": done[0].sha256},
    )
    assert history[-1]["payload"]["run"]["runId"] == run
    assert "payloadArchived" not in history[-1]
    page = (await ok(await client.get(f"{BASE}/events?limit=20")))["events"]
    assert [one["payloadArchived"]["file"] for one in page] == [done[0].file] * 10 + [done[1].file] * 10
    listed = await ok(await client.get(f"{BASE}/events/lineage?limit=8&offset=2"))
    assert (listed["totalCount"], len(listed["events"])) == (25, 3)
    assert listed["archived"] == [{"file": done[1].file, "sha256": done[1].sha256, "positions": [*range(16, 21)]}]
    assert "archived" not in await ok(await client.get(f"{BASE}/events/lineage?limit=5"))
    again = fact(RUNS[0], RunState.RUNNING, 0)
    assert (await append(connections, again)).positions == [1]  # told again, it is still known
    ended = await ok(await client.post(f"{run_path}/complete"))
    assert (ended["state"], ended["facets"]) == ("COMPLETED", views_before["facets"])
    where = await archive_records.locate_payloads(connections, [1, 20, 21])
    assert where == {1: (done[0].file, done[0].sha256), 20: (done[1].file, done[1].sha256)}


async def test_of_a_moment_of_the_past_it_is_said_which_archived_payloads_could_not_count(
    filled, dsn, client, tmp_path, old
):
    run = f"{BASE}/jobs/runs/{RUNS[0]}"  # positions 1, 6, 11, 16, 21
    recorded = await filled.fetchval("select recorded_at from runfold.events where position = 16")
    times = ({"knownAt": recorded.isoformat()}, {"validAt": at(15).isoformat()})
    before = [await ok(await client.get(run, params=asked)) for asked in times]
    assert [("minute" in view["facets"], "archived" in view["asOf"]) for view in before] == [(True, False)] * 2
    done = await archive_payloads(dsn, old, tmp_path)
    files = [
        {"file": one.file, "sha256": one.sha256, "positions": positions}
        for one, positions in zip(done, ([1, 6], [11, 16]), strict=True)
    ]
    for asked in times:
        view = await ok(await client.get(run, params=asked))
        assert (view["state"], view["facets"], view["asOf"]["archived"]) == ("RUNNING", {}, files)
    early = await ok(await client.get(run, params={"validAt": at(7).isoformat()}))
    assert [file["positions"] for file in early["asOf"]["archived"]] == [[1, 6]]
    assert "archived" not in (await ok(await client.get(run, params={"knownAt": LATER.isoformat()})))["asOf"]
    await restore_payloads(dsn)
    assert [(await ok(await client.get(run, params=asked)))["facets"] for asked in times] == [
        view["facets"] for view in before
    ]


@pytest.mark.usefixtures("filled")
async def test_a_verdict_without_an_archived_payload_is_called_incomplete(dsn, client, tmp_path, old):
    await archive_payloads(dsn, old, tmp_path)
    events = (await ok(await client.get(f"{BASE}/jobs/runs/{RUNS[0]}/events")))["events"]
    assert [event["verdict"]["incomplete"] for event in events] == [True] * 4 + [False]


@pytest.mark.usefixtures("filled")
async def test_appending_goes_on_over_many_partitions(dsn, connections, tmp_path):
    for minute in range(30, 80):
        await append(connections, fact(RUNS[minute % 5], RunState.RUNNING, minute))
        if minute % 20 == 0:
            await archive_payloads(dsn, LATER, tmp_path)
    await holds(dsn)


@pytest.mark.parametrize("sql", ["delete from {}", "update {} set body = '{{}}'", "truncate {}"])
async def test_what_stays_of_an_archived_partition_can_be_changed_no_more_than_before(
    filled, dsn, connections, tmp_path, sql, old
):
    await append(connections, fact(RUNS[0], None, 90)._replace(subject=Subject.KEY, stream=uuid4()))
    await archive_payloads(dsn, old, tmp_path)
    for minute in range(10):
        await append(connections, fact(RUNS[0], None, 100 + minute))
    await archive_payloads(dsn, LATER, tmp_path)
    assert await filled.fetchval("select count(*) from runfold.payloads_0") == 3  # a key's, and two records
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="append-only"):
        await filled.execute(sql.format("runfold.payloads_0"))


async def test_rebuild_reads_archived_payloads_from_their_files(filled, dsn, connections, tmp_path, old):
    await project_all(connections)
    before = await catalog(filled)
    done = await archive_payloads(dsn, old, tmp_path)
    await rebuild_catalog(dsn)
    assert await catalog(filled) == before
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / done[1].file).rename(tmp_path / "elsewhere" / done[1].file)
    with pytest.raises(OperatorError, match=rf"{done[1].file} is missing: it has the payloads of positions 11 to 20"):
        await rebuild_catalog(dsn)
    (tmp_path / done[0].file).rename(tmp_path / "elsewhere" / done[0].file)
    await rebuild_catalog(dsn, directory=tmp_path / "elsewhere")
    assert await catalog(filled) == before


async def test_a_file_that_was_altered_is_not_taken(filled, dsn, tmp_path, old):
    done = await archive_payloads(dsn, old, tmp_path)
    path = tmp_path / done[0].file
    path.write_bytes(path.read_bytes() + b" ")
    for attempt in (rebuild_catalog(dsn), restore_payloads(dsn)):
        with pytest.raises(OperatorError, match="is not the file that was archived"):
            await attempt
    assert await filled.fetchval("select min(position) from runfold.payloads") == 21


async def test_restore_brings_payloads_back_to_the_byte(filled, dsn, connections, tmp_path, old):
    bodies = await read_payloads(connections, range(1, 26))
    await archive_payloads(dsn, old, tmp_path)
    assert [one.first for one in await restore_payloads(dsn, 5)] == [1]
    assert await read_payloads(connections, range(11)) == {n: bodies[n] for n in range(1, 11)}
    assert [one.first for one in await restore_payloads(dsn)] == [11]
    assert await restore_payloads(dsn) == []
    assert await read_payloads(connections, range(1, 26)) == bodies
    assert [row["kind"] for row in (await events(filled))[25:]] == ["archived"] * 2 + ["restored"] * 2
    await holds(dsn)
    again = await archive_payloads(dsn, old, tmp_path)
    assert [one.first for one in again] == [1, 11]
    await holds(dsn)


async def test_a_payload_that_is_merely_missing_does_not_verify(filled, dsn, tmp_path, old):
    await archive_payloads(dsn, old, tmp_path)
    await unguarded(filled, "delete from runfold.payloads where position = 21")
    assert (await verify_ledger(dsn))[5:] == (
        21,
        "its payload is missing, and no archive nor erasure of it is recorded",
    )
    assert await example_says(dsn) == "position 21 has another payload"


async def test_a_payload_that_was_altered_is_not_archived(filled, dsn, connections, tmp_path, old):
    await project_all(connections)
    await unguarded(filled, "update runfold.payloads set body = '{}' where position = 15")
    with pytest.raises(OperatorError, match="position 15 is not the one"):
        await archive_payloads(dsn, old, tmp_path)
    assert await filled.fetchval(PAYLOADS) == [*range(11, 27)]  # the first partition was fine, and its record is there


@pytest.mark.usefixtures("filled")
async def test_two_that_move_payloads_do_not_meet(dsn, tmp_path, old):
    async with exclusive_maintenance(dsn):
        for attempt in (archive_payloads(dsn, old, tmp_path), restore_payloads(dsn), rebuild_catalog(dsn)):
            with pytest.raises(OperatorError, match="under way"):
                await attempt


async def test_an_archive_in_the_making_takes_nothing_along_that_is_erased_meanwhile(filled, dsn, tmp_path, old):
    def step(what, one):
        if what == "named" and one.payloads == 10 and one.first == 1:
            other = threading.Thread(target=lambda: asyncio.run(erase_payloads(dsn, 3, "article 17")))
            other.start()
            other.join()

    done = await archive_payloads(dsn, old, tmp_path, step)
    kept = [row.position for rows in parquet_files.read_rows(tmp_path / done[0].file) for row in rows]
    assert kept == [1, 2, *range(4, 11)]
    assert await filled.fetchval("select runfold.is_erased(0, 3)")
    await holds(dsn)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(one.file for one in done)


async def test_an_archive_waits_for_who_reads_payloads_and_lets_appends_pass(
    filled, dsn, connections, tmp_path, monkeypatch, old
):
    monkeypatch.setattr(locks, "_LOCK_TIMEOUT", "set local lock_timeout = '50ms'")
    monkeypatch.setattr(locks, "_RETRY_DELAY_S", 0.05)
    reading = filled.transaction()
    await reading.start()
    await filled.fetch("select from runfold.payloads")
    working = asyncio.create_task(archive_payloads(dsn, old, tmp_path))
    for minute in range(5):
        await append(connections, fact(RUNS[0], RunState.RUNNING, 50 + minute))
    assert not working.done()
    await reading.rollback()
    assert [one.last for one in await working][:2] == [10, 20]
    assert await filled.fetchval("select min(position) from runfold.payloads") == 21
    await holds(dsn)


async def test_an_archive_whose_payloads_are_read_too_long_says_so_and_removes_them_later(
    filled, dsn, tmp_path, monkeypatch, old
):
    monkeypatch.setattr(locks, "_LOCK_TIMEOUT", "set local lock_timeout = '50ms'")
    monkeypatch.setattr(locks, "_ATTEMPTS", 1)
    async with filled.transaction():
        await filled.fetch("select from runfold.payloads")
        with pytest.raises(OperatorError, match="positions 1 to 10 are archived, but still in the database, too"):
            await archive_payloads(dsn, old, tmp_path)
    assert await filled.fetchval(PAYLOADS) == [*range(1, 27)]
    await holds(dsn)
    with pytest.raises(OperatorError, match="Bring it back first"):
        await erase_payloads(dsn, 3, "article 17")
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="cannot be erased"):
        await filled.fetch("select * from runfold.erase_payloads(0, '{3}', 'why', null)")
    assert [one.first for one in await archive_payloads(dsn, old, tmp_path)] == [11]
    assert await filled.fetchval("select min(position) from runfold.payloads") == 21
    await holds(dsn)


async def test_a_disk_that_is_full_is_said_with_the_file_and_nothing_is_archived(
    filled, dsn, tmp_path, monkeypatch, old
):
    def fsync(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        with pytest.raises(
            OperatorError, match=rf"^{tmp_path}/\S+\.part cannot be written: No space left on device\.$"
        ):
            await archive_payloads(dsn, old, tmp_path)
    assert not list(tmp_path.iterdir())
    assert await filled.fetchval(PAYLOADS) == [*range(1, 26)]
    await holds(dsn)


@pytest.mark.usefixtures("filled")
async def test_an_error_while_a_row_group_is_written_names_the_file(dsn, tmp_path, monkeypatch, old):
    def write_table(_writer, _table):
        raise OSError(errno.ENOSPC, "Error writing bytes to file")

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", write_table)
    monkeypatch.setattr(parquet_files, "_ROW_GROUP_BYTES", 1)
    with pytest.raises(OperatorError, match=rf"^{tmp_path}/\S+\.part cannot be written: No space left on device\.$"):
        await archive_payloads(dsn, old, tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert len(await archive_payloads(dsn, old, tmp_path)) == 2


@pytest.mark.usefixtures("filled")
async def test_a_directory_that_cannot_be_made_is_named(dsn, tmp_path, old):
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match=rf"^{tmp_path}/file/archives cannot be used: Not a directory\.$"):
        await archive_payloads(dsn, old, tmp_path / "file" / "archives")


@pytest.mark.usefixtures("filled")
async def test_an_archive_that_cannot_be_read_is_named(dsn, tmp_path, monkeypatch, old):
    [first, _] = await archive_payloads(dsn, old, tmp_path)

    def unreadable(*_):
        raise OSError(errno.EIO, "Input/output error")

    for function in ("file_digest", "_row_group"):
        with monkeypatch.context() as patched:
            patched.setattr(parquet_files, function, unreadable)
            for attempt in (restore_payloads(dsn, 1), rebuild_catalog(dsn)):
                with pytest.raises(
                    OperatorError, match=rf"^{tmp_path / first.file} cannot be read: Input/output error"
                ):
                    await attempt
    assert [one.first for one in await restore_payloads(dsn, 1)] == [1]


@pytest.mark.usefixtures("filled")
async def test_without_pyarrow_a_sentence_says_what_to_install(dsn, tmp_path, monkeypatch, old):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(OperatorError, match=r"pip install 'runfold\[parquet\]'"):
        await archive_payloads(dsn, old, tmp_path)
