"""Everything derived from the ledger can be forged by an UPDATE, and is found by comparing it with the ledger."""

import asyncio
import json

import asyncpg
import pytest
from building import fact, facts, new, report, unguarded
from click.testing import CliRunner
from databases import filled
from partitions import LATER, RUNS, append, fill, project_all

from service.audit import postings
from service.audit.bitmaps import CHUNK
from service.catalog.summarizer import summarize_next
from service.cli.main import cli
from service.database.connections import Connections
from service.errors import OperatorError
from service.maintenance import catalog_check
from service.maintenance.archive import archive_payloads
from service.maintenance.catalog_check import check_catalog
from service.maintenance.erase import erase_payloads
from service.maintenance.rebuild import rebuild_catalog
from service.maintenance.restore import restore_payloads

RUN = RUNS[0]

pytestmark = pytest.mark.copy_of("derived")


async def derive(dsn):
    """Make a catalog with runs in several states, summaries, an erased payload, and the postings of a chunk."""
    async with Connections(dsn) as connections:
        for run in (RUN, RUNS[2]):
            await append(connections, *(fact(run, "RUNNING", minute) for minute in range(300)))
        await append(connections, new(RUNS[1])[0])
        await project_all(connections)
        await append(connections, report(RUN, "COMPLETED", 500)[0]._replace(namespace="etl", job="load"))
        await append(connections, *facts(CHUNK))
        while await postings.post_next(connections):
            pass
        while await summarize_next(connections):
            pass
    await erase_payloads(dsn, 50, "article 17")


@pytest.fixture(scope="module")
def derived(postgres):
    with filled(postgres, derive) as name:
        yield name


async def verify(dsn, *options):
    arguments = ("verify", "--catalog", "--database-url", dsn, *options)
    return await asyncio.to_thread(CliRunner().invoke, cli, arguments)


async def test_a_catalog_as_the_projector_wrote_it_holds_and_nothing_is_left_behind(db, dsn):
    result = await verify(dsn)
    assert result.exit_code == 0, result.output
    assert "The catalog and the posting lists are what positions 1 to 8795 make them." in result.output
    assert await db.fetchval("select to_regnamespace('runfold_verify')") is None


async def test_rows_from_before_a_column_was_added_hold(db, dsn):
    await db.execute("update runfold.jobs set seen = null")
    assert (await check_catalog(dsn)).found == 0


FORGERIES = {
    "runs": f"update runfold.runs set state = 'FAILED' where id = '{RUN}'",
    "runs.registers": f"update runfold.runs set registers = registers || '\\x00' where id = '{RUN}'",
    "runs.removed": f"delete from runfold.runs where id = '{RUN}'",
    "runs.added": "insert into runfold.runs select gen_random_uuid(), position, job_id, namespace, job, state,"
    f" created_at, started_at, ended_at, parent_run, registers, since from runfold.runs where id = '{RUN}'",
    "jobs": "update runfold.jobs set hidden = not hidden",
    "namespaces": "update runfold.namespaces set name = 'other'",
    "run_summaries": "update runfold.run_summaries set registers = (select registers from runfold.runs limit 1)",
    "run_summaries.latest": "update runfold.run_summaries set latest = earliest",
    "run_summaries.added": "insert into runfold.run_summaries select id, 1, last_position, first_position, 2048,"
    " earliest, latest, registers from runfold.run_summaries",
    "run_summaries.removed": "delete from runfold.run_summaries where last_position < 200",
    "run_counts": "update runfold.run_counts set total = total + 1 where total > 0",
    "lineage_counts": "delete from runfold.lineage_counts where hour = (select max(hour) from runfold.lineage_counts)",
    "catalog_cursor": "update runfold.catalog_cursor set position = 1000000",
    "event_postings": "update runfold.event_postings set offsets = substr(offsets, 3), total = total - 1"
    " where total between 2 and 128",
    "event_postings.total": "update runfold.event_postings set total = total - 1 where facet = 4 and total > 8000",
    "event_postings.removed": "delete from runfold.event_postings where facet = 1",
    "event_postings.added": "insert into runfold.event_postings values (0, 0, 0, 2000000000, 8192, '')",
    "archives": "insert into runfold.archives values (0, 1, 10, 'f', 'd')",
}


TOGETHER = {
    "changed": [name for name in FORGERIES if "." not in name and name != "catalog_cursor"],
    "removed": [name for name in FORGERIES if name.endswith(".removed")],
    "added": [name for name in FORGERIES if name.endswith(".added")],
    "in parts": ["runs.registers", "run_summaries.latest", "event_postings.total"],
    "cursor": ["catalog_cursor"],
}


def test_every_forgery_is_made():
    assert sorted(name for names in TOGETHER.values() for name in names) == sorted(FORGERIES)


@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
async def test_each_forged_table_is_found_and_named(names, db, dsn, monkeypatch):
    monkeypatch.setattr(catalog_check, "_KEPT", 10_000)
    for name in names:
        await unguarded(db, FORGERIES[name])
    found = {text.replace(":", " ").split()[0] for text in (await check_catalog(dsn)).differences}
    assert found == {name.partition(".")[0] for name in names}


async def test_a_forged_catalog_is_status_1_and_rebuild_repairs_it_with_the_postings(db, dsn):
    for name in ("runs", "run_counts", "event_postings.removed"):
        await db.execute(FORGERIES[name])
    result = await verify(dsn, "--json")
    document = json.loads(result.output)
    assert (result.exit_code, document["ok"], document["catalog"]["ok"]) == (1, False, False)
    assert f"runs {RUN}: state differ" in document["catalog"]["differences"]
    await rebuild_catalog(dsn)
    assert (await verify(dsn)).exit_code == 0


async def test_many_differences_are_counted_and_the_first_are_named(db, dsn):
    await db.execute("update runfold.runs set parent_run = id")
    checked = await check_catalog(dsn)
    assert (checked.found, len(checked.differences)) == (CHUNK + 3, 20)


async def test_what_is_projected_meanwhile_does_no_harm(connections, dsn):
    async def report_on():
        for minute in range(30):
            await append(connections, *facts(20), fact(RUN, None, 1000 + minute))
            await project_all(connections)

    reporting = asyncio.create_task(report_on())
    assert (await check_catalog(dsn)).differences == []
    await reporting


@pytest.mark.copy_of("empty_ledger")
async def test_archives_are_read_from_their_files_and_compared(db, connections, dsn, tmp_path):
    await fill(db, connections)
    await archive_payloads(dsn, LATER, tmp_path)
    assert (await check_catalog(dsn)).differences == []
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="does not record an archive"):
        await db.execute("update runfold.archives set sha256 = 'x' where first = 11")
    await unguarded(db, "update runfold.archives set sha256 = 'x' where first = 11")
    assert (await check_catalog(dsn)).differences == [
        "archives of positions from 11: the row is not what the ledger records"
    ]
    (tmp_path / "payloads-0-1-10.parquet").rename(tmp_path / "moved")
    with pytest.raises(OperatorError, match="is missing"):
        await check_catalog(dsn)
    assert (await verify(dsn)).exit_code == 3
    (tmp_path / "moved").rename(tmp_path / "payloads-0-1-10.parquet")
    await restore_payloads(dsn)
    assert (await check_catalog(dsn)).differences == []
