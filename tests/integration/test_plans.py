"""What is read for every request is found by an index, also after the tables have grown under a cached plan."""

import re
from uuid import UUID, uuid4

import pytest
from building import fact, facts, new, report, unguarded

from service import ledger
from service.domain import Subject
from service.folding import fold_once
from service.link import load

GROW = """
insert into runfold.events (log, position, subject, stream, kind, state, transitioned_at, recorded_at, namespace, job,
                            source, fact, hash)
select 0, $1 + n, 'run', gen_random_uuid(), 'transition', 'RUNNING', now(), now(), 'etl', 'load', 'api',
       uuid_send(gen_random_uuid()), '\\x00'
  from generate_series(1, 50000) n
"""
GROW_CATALOG = """
insert into runfold.runs (id, position, job_id, namespace, job, state, created_at, registers)
select stream, position, gen_random_uuid(), 'etl', 'load', 'RUNNING', now(), '\\x00' from runfold.events
    on conflict do nothing
"""
SCANS = "select relname, seq_scan from pg_stat_user_tables where schemaname = 'runfold' and relname = any ($1)"
BIG = ["events", "runs"]


async def scans(link):
    async with link.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.execute("select")
        return {row[0]: row[1] for row in await connection.fetch(SCANS, BIG)}


async def grow(db, *, catalog=True):
    position = await db.fetchval("select position from runfold.ledger_head")
    await db.execute(GROW, position)
    await unguarded(db, "update runfold.ledger_head set position = position + 50000")
    if catalog:
        await db.execute(GROW_CATALOG)
    await db.execute("analyze runfold.events, runfold.runs")


async def use(link, runs):
    """Do what every request does, more often than it takes to have a generic plan."""
    for run in runs:
        drafts = [new(run)[0], report(run, "RUNNING")[0]._replace(namespace="etl", job="load"), *facts(3)]
        await ledger.append(link, drafts[:1], [0])
        await ledger.append(link, drafts[1:], [None] * 4)
        found = await ledger.read_streams(link, Subject.RUN, [run, uuid4()], [drafts[0].fact, None])
        assert found[0].known.position
        await ledger.head(link)


async def test_appends_and_reads_never_scan_a_table_however_it_grew(link, db):
    await use(link, [uuid4() for _ in range(8)])
    await grow(db)
    before = await scans(link)
    await use(link, [uuid4() for _ in range(20)])
    assert await scans(link) == before


async def test_a_long_run_is_read_from_where_the_catalog_has_it(link, db):
    run = uuid4()
    for minute in range(0, 3000, 500):
        await ledger.append(link, [fact(run, "RUNNING", minute + one) for one in range(500)], [None] * 500)
    while (await fold_once(link, 4000))[1]:
        pass
    await db.execute("analyze runfold.events, runfold.runs")
    before = await index_entries(link)
    for _ in range(10):
        await ledger.read_streams(link, Subject.RUN, [run], [None])
    assert await index_entries(link) - before < 100


async def index_entries(link):
    async with link.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.execute("select")
        return await connection.fetchval(
            "select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'events' and schemaname = 'runfold'"
        )


PARAMETERS = {
    "read_streams": ("int, uuid[], bytea[]", "0, array['{run}']::uuid[], array[null, '\\x00']::bytea[]"),
    "payloads": ("int, bigint[]", "0, array[1, 2]"),
    "head": ("int", "0"),
    "catalog_rows": ("uuid[]", "array['{run}']::uuid[]"),
    "latest_runs": ("uuid[], int", "array['{run}']::uuid[], 10"),
}


@pytest.mark.parametrize("statement", PARAMETERS)
async def test_a_plan_made_on_a_small_table_uses_its_keys_and_stays_when_it_has_grown(statement, link, db):
    run = uuid4()
    await ledger.append(link, [*facts(10), new(run)[0]], [None] * 11)
    await fold_once(link)
    types, values = PARAMETERS[statement]
    sql = load(statement, subject="run", catalog="runs").rstrip().rstrip(";")
    async with link.connection() as connection:
        await connection.execute(f"prepare small ({types}) as {sql}")
        call = f"small ({values.replace('{run}', str(UUID(int=run.int)))})"
        for _ in range(7):
            await connection.execute(f"execute {call}")
        small = await plan(connection, call)
        await grow(db)
        grown = await plan(connection, call)
    for found in (small, grown):
        assert not re.search(r"Seq Scan on (events|runs|payloads)", found), found
        assert "Index" in found or statement == "head", found
        if statement == "read_streams":
            assert {"events_pkey", "events_fact_key", "runs_pkey"} == set(re.findall(r"using (\w+)", found)), found


async def plan(connection, call):
    return "\n".join(row[0] for row in await connection.fetch(f"explain execute {call}"))


async def test_a_page_of_the_ledger_is_read_by_position(link, db):
    await ledger.append(link, facts(10), [None] * 10)
    await fold_once(link)
    await grow(db, catalog=False)
    before = await scans(link)
    assert (await fold_once(link, 100))[0] == 110
    assert await scans(link) == before
