"""While a transaction stays open, old row versions cannot be removed. What an append reads must not grow with them."""

import json
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest
from building import fact
from lineage_events import columns, dataset, record, run_event

from service.catalog.ledger_projection import project_next_page
from service.catalog.statements import LIVE_STATEMENTS
from service.catalog.statements import TABLES as CATALOG_TABLES
from service.database.connections import Connections
from service.database.statements import load
from service.ledger.events import LOG, append_events
from service.ledger.stored_registers import FORMAT
from service.lineage.pages import projections
from service.lineage.statements import TABLES as LINEAGE_TABLES

BATCHES = 1000
"""Appends between two measurements; in the ledger before the first one, too, so that its indexes have their depth."""

MARGIN = 8
"""Pages that a statement may read more, for deeper indexes. 1,000 versions of the head are 12 pages."""

# Batches of one event, each in a transaction of its own.
PUSH = """
create procedure public.push(n int) language plpgsql as $$
begin
    for i in 1..n loop
        perform runfold.append_events(0, array[public.draft()]);
        commit;
    end loop;
end
$$;
create function public.draft() returns runfold.draft language sql volatile as $$
    select row('run', gen_random_uuid(), 'facts', null, clock_timestamp(), 'etl', 'load', null, 'api', null,
               uuid_send(gen_random_uuid()), null, null, null, null)::runfold.draft
$$;
"""
APPEND = "select runfold.append_events(0, array[public.draft()])"


@asynccontextmanager
async def open_snapshot(dsn):
    """Hold a snapshot as pg_dump does, or a session that was forgotten."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.fetchval("select position from runfold.ledger_head")
            yield connection
    finally:
        await connection.close()


async def pages_read(connection, statement, *arguments):
    """Execute a statement, roll it back, and return the number of pages that it and the functions it calls read."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        text = await connection.fetchval(f"explain (analyze, buffers, format json) {statement}", *arguments)
    finally:
        await transaction.rollback()
    plan = json.loads(text)[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@pytest.fixture
async def service_connection(dsn, db):
    """A connection with the settings of those that append; its plans are made while the tables are empty."""
    await db.execute(PUSH)
    async with Connections(dsn, keep_plans=True) as opened, opened.connection() as connection:
        yield connection


async def test_an_append_reads_as_many_pages_after_thousands_of_batches(dsn, db, service_connection):
    await pages_read(service_connection, APPEND)
    await db.execute(f"call push({BATCHES})")
    async with open_snapshot(dsn):
        first = await pages_read(service_connection, APPEND)
        for _ in range(3):
            await db.execute(f"call push({BATCHES})")
        await db.execute("analyze runfold.ledger_head")
        await pages_read(service_connection, APPEND)  # plans anew, which reads pages, too
        assert await pages_read(service_connection, APPEND) <= first + MARGIN


READS = {
    "head": ("int", "0"),
    "ledger_ends": ("int", "0"),
    "settle": ("int", "0"),
    "position_at": ("int, timestamptz", "0, now() + interval '1 hour'"),
    "known_at": ("int, timestamptz", "0, now() + interval '1 hour'"),
}


@pytest.mark.parametrize("name", READS)
async def test_the_head_is_read_from_its_newest_version(name, dsn, db, service_connection):
    types, values = READS[name]
    await service_connection.execute(f"prepare reading ({types}) as {load(name)}")
    await service_connection.execute(f"execute reading ({values})")
    await db.execute("call push(10)")
    async with open_snapshot(dsn):
        first = await pages_read(service_connection, f"execute reading ({values})")
        await db.execute(f"call push({BATCHES})")
        await db.execute("analyze runfold.ledger_head")
        await service_connection.execute(f"execute reading ({values})")  # plans anew, which reads pages, too
        assert await pages_read(service_connection, f"execute reading ({values})") <= first + MARGIN


async def test_a_head_is_found_though_later_appends_were_rolled_back(db, service_connection):
    await db.execute("call push(3)")
    for _ in range(5):
        await pages_read(service_connection, APPEND)
    row = await service_connection.fetchrow(load("head"), 0)
    assert row["position"] == await db.fetchval("select position from runfold.ledger_head") == 3
    await db.execute("call push(1)")
    assert await db.fetchval("select array_agg(position) from runfold.ledger_head") == [4]


A_JOB = UUID(int=1)
PAGES = 2000
"""Pages of the catalog, each of which moves the cursor and the counters: 17 pages of versions of a counter."""


def a_page(number):
    """Return the arguments of write_page for a page that changes no job and no namespace, and one counter of runs."""
    return *([()] * 15), [A_JOB], ["NEW"], [1], number, LOG, number - 1, FORMAT


@pytest.fixture
async def projected(dsn, db, connections):
    """Write pages while a snapshot is open; return the catalog's statements with their arguments, before and after."""
    event = fact(uuid4(), "RUNNING")
    await append_events(connections, [event], [None])
    statements = {
        "read the cursor": (LIVE_STATEMENTS.cursor, lambda _: (LOG,)),
        "lock the cursor": (LIVE_STATEMENTS.lock, lambda _: (LOG,)),
        "write a page": (LIVE_STATEMENTS.write_page, a_page),
        "count OpenLineage events": (LIVE_STATEMENTS.lineage_counts, lambda number: (LOG, 0, number)),
        "count the runs of a job": (load("count_runs_of_job"), lambda _: (A_JOB, ["NEW", "RUNNING"])),
        "the lag": (load("lag"), lambda _: (LOG,)),
    }

    async with Connections(dsn) as projector, projector.connection() as connection, open_snapshot(dsn):

        async def measured(number):
            return {
                name: await pages_read(connection, sql, *arguments(number))
                for name, (sql, arguments) in statements.items()
            }

        async def write_page(number):
            await db.execute(LIVE_STATEMENTS.write_page, *a_page(number))
            await db.execute(LIVE_STATEMENTS.lineage_counts, LOG, 0, number)

        for number in range(1, 11):
            await write_page(number)
        before = await measured(11)
        for number in range(11, PAGES + 1):
            await write_page(number)
        await db.execute(
            "analyze runfold.lineage_counts, runfold.run_counts, runfold.catalog_cursor"
        )  # few rows, many pages
        yield before, await measured(PAGES + 1)


async def test_a_page_of_the_catalog_reads_as_many_pages_after_thousands_of_them(projected, db):
    before, after = projected
    assert {name: pages for name, pages in after.items() if pages > before[name] + MARGIN} == {}
    assert await db.fetchval(load("count_runs_of_job"), A_JOB, ["NEW", "NEW", "FAILED"]) == PAGES
    assert [tuple(row) for row in await db.fetch("select total, position from runfold.run_counts")] == [(PAGES, PAGES)]
    counted = await db.fetch("select total, position from runfold.lineage_counts")
    assert [tuple(row) for row in counted] == [(PAGES, PAGES)] * 2  # of the namespace, of all


BETWEEN, MEASURED = 160, 10
"""Pages of one event: between two measurements, and those of each."""

GROWTH = 3
"""Pages of a table that a page of the projection may read more."""

DERIVED = [*CATALOG_TABLES, *LINEAGE_TABLES]
READ_BY_EVERY_VERSION = {"search_entries"}
"""Tables for which the rule does not hold: docs/decisions/0018-newest-version-first.md says why."""

PAGES_READ = """
select t.relname, t.heap_blks_read + t.heap_blks_hit as pages
  from pg_statio_user_tables t where t.schemaname = 'runfold' and t.relname = any ($1)
"""


def an_event():
    """Return an event of a run of its own that tells all that events tell of one job and its datasets."""
    mapping = {"fields": {"id": {"inputFields": [{"namespace": "ds", "name": "raw", "field": "id"}]}}}
    tags = {"tags": [{"key": "pii", "value": "yes", "source": "test"}]}
    told = {"schema": columns(id="bigint"), "dataSource": {"name": "warehouse", "uri": "postgres://warehouse"}}
    output = dataset("orders", columnLineage=mapping, tags=tags, **told)
    return run_event("load", [dataset("raw", **told)], [output], tags=tags)


async def test_a_page_reads_as_many_pages_of_every_table_after_hundreds_that_change_the_same_rows(dsn, db, connections):
    for table in DERIVED:  # where autovacuum has been, a page tries several pages of a table for a new row
        await db.execute(f"alter table runfold.{table} set (autovacuum_enabled = off)")

    async with Connections(dsn) as projector, open_snapshot(dsn):

        async def project(rounds):
            for _ in range(rounds):
                await record(connections, an_event())
                for projection in projections(projector):
                    await project_next_page(projection, 1)
            async with projector.connection() as connection:
                await connection.execute("select pg_stat_force_next_flush()")
                await connection.execute("select")
                return {row["relname"]: row["pages"] for row in await connection.fetch(PAGES_READ, DERIVED)}

        begun = await project(MEASURED)
        first = growth(begun, await project(MEASURED))
        middle = await project(BETWEEN)
        await db.execute("analyze")  # few rows, many pages
        last = growth(middle, await project(MEASURED))
    grown = {name: (first[name], last[name]) for name in last if last[name] > first[name] + GROWTH * MEASURED}
    assert set(grown) - READ_BY_EVERY_VERSION == set(), str(grown)
    assert {"jobs", "namespaces", "sources", "tags", "lineage_edges"} <= {name for name in first if first[name]}


def growth(before, after):
    return {name: pages - before[name] for name, pages in after.items()}
