"""What is read for every request is found by an index, also after the tables have grown under a cached plan."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from building import fact, facts, new, report, unguarded
from databases import filled
from histories import NOON, at
from partitions import project_catalog

from service.audit import event_lines, ledger_reader, postings
from service.audit.bitmaps import CHUNK
from service.audit.event_lines import PositionRange, ReadOrder, TextFormat
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.audit.postings import post_next
from service.catalog.queries import EVERY
from service.catalog.run_search import Order, RunFilters, RunOrder, RunSearch
from service.database.connections import Connections
from service.database.statements import load
from service.domain.event import RunState, Subject
from service.domain.ids import job_id
from service.ledger.events import append_events, read_head, read_streams

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
# Runs that were created and never started.
GROW_RUNS = """
insert into runfold.runs (id, position, job_id, namespace, job, state, created_at, registers)
select gen_random_uuid(), $2::int * (n + 10), gen_random_uuid(), 'etl', 'load', 'NEW',
       $1::timestamptz + n * interval '1 second', '\\x00'
  from generate_series(1, 50000) n
"""
SCANS = "select relname, seq_scan from pg_stat_user_tables where schemaname = 'runfold' and relname = any ($1)"
BIG = ["events", "runs", "run_jobs", "event_postings"]
READ = "select sum(idx_tup_read) from pg_stat_user_indexes where relname = any ($1) and schemaname = 'runfold'"
A_FEW = 100
"""Index entries that a short answer may cost, of tens of thousands that there are."""


async def scans(connections):
    async with connections.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.execute("select")
        return {row[0]: row[1] for row in await connection.fetch(SCANS, [*BIG, "ledger_head"])}


async def grow(db, *, catalog=True):
    position = await db.fetchval("select position from runfold.ledger_head")
    await db.execute(GROW, position)
    await unguarded(db, "update runfold.ledger_head set position = position + 50000, recorded_at = now()")
    if catalog:
        await db.execute(GROW_CATALOG)
    await db.execute("analyze runfold.events, runfold.runs")


async def use(connections, runs):
    """Do what every request does, more often than it takes to have a generic plan."""
    for run in runs:
        drafts = [new(run)[0], report(run, "RUNNING")[0]._replace(namespace="etl", job="load"), *facts(3)]
        await append_events(connections, drafts[:1], [0])
        await append_events(connections, drafts[1:], [None] * 4)
        found = await read_streams(connections, Subject.RUN, [run, uuid4()], [drafts[0].fact, None])
        assert found[0].known.position
        await read_head(connections)


async def test_appends_and_reads_never_scan_a_table_however_it_grew(connections, db):
    await use(connections, [uuid4() for _ in range(8)])
    await grow(db)
    before = await scans(connections)
    await use(connections, [uuid4() for _ in range(20)])
    assert await scans(connections) == before


async def test_a_long_run_is_read_from_where_the_catalog_has_it(connections, db):
    run = uuid4()
    for minute in range(0, 3000, 500):
        await append_events(connections, [fact(run, "RUNNING", minute + one) for one in range(500)], [None] * 500)
    while (await project_catalog(connections, 4000)).events:
        pass
    await db.execute("analyze runfold.events, runfold.runs")
    before = await index_entries(connections)
    for _ in range(10):
        await read_streams(connections, Subject.RUN, [run], [None])
    assert await index_entries(connections) - before < 100


async def index_entries(connections, *tables):
    async with connections.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.execute("select")
        return await connection.fetchval(READ, tables or ["events"])


PARAMETERS = {
    "read_streams": ("int, uuid[], bytea[]", "0, array['{run}']::uuid[], array[null, '\\x00']::bytea[]"),
    "recorded_transitions": (
        "int, uuid[], text[], timestamptz[], bytea[]",
        "0, array['{run}']::uuid[], array['FAILED'], array[now()], array['\\x00']::bytea[]",
    ),
    "payloads": ("int, bigint[]", "0, array[1, 2]"),
    "head": ("int", "0"),
    "catalog_rows": ("uuid[]", "array['{run}']::uuid[]"),
    "latest_runs": ("uuid[], int", "array['{run}']::uuid[], 10"),
    "due_run": ("int", "0"),
}


async def test_plans_made_on_small_tables_use_keys_and_stay_when_the_tables_have_grown(connections, db):
    run = uuid4()
    await append_events(connections, [*facts(10), new(run)[0]], [None] * 11)
    await project_catalog(connections)
    async with connections.connection() as connection:
        calls = {}
        for statement, (types, values) in PARAMETERS.items():
            parts = {"subject": "run", "catalog": "runs", "version": "offset 0", "least": "128", "visible_run": EVERY}
            sql = load(statement, **parts).rstrip().rstrip(";")
            calls[statement] = await prepare(connection, sql, types, values.replace("{run}", str(run)))
        small = {statement: await plan(connection, call) for statement, call in calls.items()}
        await grow(db)
        grown = {statement: await plan(connection, call) for statement, call in calls.items()}
    for statement, found in (*small.items(), *grown.items()):
        assert not re.search(r"Seq Scan on (events|runs|payloads)", found), found
        assert "Index" in found, found
        if statement == "head":
            assert "Index Scan Backward using ledger_head_pkey" in found, found
        if statement == "read_streams":
            assert {"events_pkey", "events_fact_key", "runs_pkey"} == set(re.findall(r"using (\w+)", found)), found
        if statement == "recorded_transitions":
            assert {"events_fact_key", "events_of_keys"} == set(re.findall(r"using (\w+)", found)), found


async def prepare(connection, sql, types, values):
    """Prepare a statement, execute it more often than it takes to have a generic plan, and return the call."""
    name = f"small_{uuid4().hex}"
    await connection.execute(f"prepare {name} ({types}) as {sql}")
    for _ in range(7):
        await connection.execute(f"execute {name} ({values})")
    return f"{name} ({values})"


FILTERS = "int, bigint, bigint, int, bigint, text[], text[], text[], text, text, text, text[]"
ANY = "null, null, null, null, null, null, null"
COUNTED = "int, bigint, bigint, text[], text[], text[], text, text, text, text[]"
A_RUN = "'00000000-0000-0000-0000-000000000001'"
AUDITED = {
    "a page of the ledger": (
        event_lines.BY_RANGE[TextFormat.JSON, ReadOrder.OLDEST_FIRST],
        FILTERS,
        f"0, 3, 9, 5, 1000, {ANY}",
        {"events_position_key"},
    ),
    "a page as CSV": (
        event_lines.BY_RANGE[TextFormat.CSV, ReadOrder.OLDEST_FIRST],
        FILTERS,
        f"0, 3, 9, 5, 1000, {ANY}",
        {"events_position_key"},
    ),
    "a page of a run": (
        event_lines.BY_STREAM[TextFormat.JSON, ReadOrder.OLDEST_FIRST],
        f"{FILTERS}, uuid",
        f"0, 0, 9, 5, 1000, {ANY}, {A_RUN}",
        {"events_pkey"},
    ),
    "events at positions": (
        event_lines.BY_POSITIONS[TextFormat.JSON, ReadOrder.OLDEST_FIRST],
        f"{FILTERS}, bigint[]",
        f"0, 0, 9, 5, 1000, {ANY}, array[2, 7]",
        {"events_position_key"},
    ),
    "a page, newest first": (
        event_lines.BY_RANGE[TextFormat.JSON, ReadOrder.NEWEST_FIRST],
        FILTERS,
        f"0, 3, 9, 5, 1000, {ANY}",
        {"events_position_key"},
    ),
    "a page of a run, newest first": (
        event_lines.BY_STREAM[TextFormat.JSON, ReadOrder.NEWEST_FIRST],
        f"{FILTERS}, uuid",
        f"0, 0, 9, 5, 1000, {ANY}, {A_RUN}",
        {"events_pkey"},
    ),
    "postings": (
        postings._POSTINGS,
        "int, smallint[], text[], int, int",
        "0, array[1, 5], array['etl', 'RUNNING'], 0, 3",
        {"event_postings_pkey"},
    ),
    "postings counted": (
        postings._TOTAL,
        "int, smallint, text[], int, int",
        "0, 1::smallint, array['etl'], 0, 3",
        {"event_postings_pkey"},
    ),
    "events counted": (ledger_reader._COUNT_RANGE, COUNTED, f"0, 3, 9, {ANY}", {"events_position_key"}),
    "events of a run counted": (
        ledger_reader._COUNT_STREAM,
        f"{COUNTED}, uuid",
        f"0, 3, 9, {ANY}, {A_RUN}",
        {"events_pkey"},
    ),
    "where the log ended": (ledger_reader._KNOWN_AT, "int, timestamptz", "0, now()", {"events_position_key"}),
}


async def test_what_auditors_ask_has_one_plan_by_its_key_before_and_after_the_tables_grew(connections, db):
    await append_events(connections, facts(10), [None] * 10)
    async with connections.connection() as connection:
        calls = {
            question: await prepare(connection, sql.rstrip(), types, values)
            for question, (sql, types, values, _) in AUDITED.items()
        }
        small = {question: await plan(connection, call) for question, call in calls.items()}
        await grow(db)
        grown = {question: await plan(connection, call) for question, call in calls.items()}
    for question, found in (*small.items(), *grown.items()):
        assert not re.search(r"Seq Scan on (events|payloads|event_postings)", found), f"{question}: {found}"
        assert set(re.findall(r"using (event\w+)", found)) == AUDITED[question][3], f"{question}: {found}"


RUN = UUID(int=7)
RARE = EventFilters(
    namespace="rare", job="seldom", run=RUN, kinds=("facts",), states=("ABORTED",), actor="ann", sources=("monitor",)
)


async def hide(dsn):
    """Append one event that is like no other, between tens of thousands."""
    draft = fact(RUN, "ABORTED")._replace(kind="facts", namespace="rare", job="seldom", actor="ann", source="monitor")
    async with Connections(dsn, 2) as connections, connections.connection() as connection:
        await grow(connection, catalog=False)
        await append_events(connections, [draft], [None])
        await grow(connection, catalog=False)
        while await post_next(connections):
            pass
        await connection.execute("vacuum analyze runfold.events, runfold.event_postings")


@pytest.fixture(scope="module")
def haystack(postgres):
    with filled(postgres, hide) as name:
        yield name


@pytest.fixture
async def needle(db):
    """Where the one event is, and when it was recorded."""
    return tuple(await db.fetchrow("select position, recorded_at from runfold.events where actor = 'ann'"))


@pytest.mark.copy_of("haystack")
@pytest.mark.parametrize("field", [field for field in EventFilters._fields if field != "within"])
async def test_every_filter_of_events_finds_the_one_among_many_by_an_index(field, needle, connections):
    position, recorded_at = needle
    reading = LedgerReader(connections)
    tick = timedelta(microseconds=1)
    bounds = {"since": recorded_at, "until": recorded_at + tick}
    wanted = EventFilters(**{field: bounds[field] if field in bounds else getattr(RARE, field)})
    before, entries = await scans(connections), await index_entries(connections, *BIG)
    span = await reading.span(wanted.since, wanted.until)
    if field == "until":
        span = PositionRange(span.upto - 1, span.upto)
    posted = PositionRange(span.after, min(span.upto, 12 * CHUNK))
    page = await reading.collect(wanted, posted, 1)
    assert [line.position for line in page.lines] == [position]
    assert await reading.count(wanted, posted) == (posted.upto - posted.after if field in bounds else 1)
    assert await scans(connections) == before
    assert await index_entries(connections, *BIG) - entries < A_FEW


@pytest.mark.copy_of("haystack")
async def test_filters_together_are_as_quick_as_the_rarest(needle, connections):
    reading = LedgerReader(connections)
    wanted = EventFilters(kinds=("transition", "facts"), states=("RUNNING", "ABORTED"), actor="ann")
    before, entries = await scans(connections), await index_entries(connections, "events")
    page = await reading.collect(wanted, PositionRange(0, 12 * CHUNK), 100)
    assert [line.position for line in page.lines] == [needle[0]]
    assert await scans(connections) == before
    assert await index_entries(connections, "events") - entries < A_FEW


STARTED, ENDED, LENGTH = at(-1_000), at(-900), timedelta(minutes=100)
SEARCHES = RunFilters(
    states=("ABORTED",),
    namespace="rare",
    job="seldom",
    started_after=STARTED,
    running_at=at(-950),
    updated_before=datetime(9999, 1, 1, tzinfo=UTC),
    updated_after=NOON,
    ended_before=at(-899),
    **dict.fromkeys(("started_before", "ended_after"), ENDED),
    **dict.fromkeys(("contradicted", "restarted", "inferred"), True),
    parent=RUN,
    length_after=LENGTH,
    length_before=LENGTH * 1.01,
    sort=RunOrder.DURATION,
)


async def among_runs(dsn, position_step):
    async with Connections(dsn, 2) as connections, connections.connection() as connection:
        for state, time in (("RUNNING", STARTED), ("FAILED", at(-950)), ("ABORTED", ENDED), ("RUNNING", at(-800))):
            await append_events(connections, [report(RUN, state, time)[0].of_job("rare", "seldom")], [None])
        await project_catalog(connections)
        await connection.execute("update runfold.runs set inferred = true, parent_run = id")
        await connection.execute(GROW_RUNS, NOON, position_step)
        await connection.execute("analyze runfold.runs")


@pytest.fixture(scope="module")
def one_run_before_others(postgres):
    with filled(postgres, partial(among_runs, position_step=1)) as name:
        yield name


@pytest.fixture(scope="module")
def one_run_after_others(postgres):
    """The others were updated before it."""
    with filled(postgres, partial(among_runs, position_step=-1)) as name:
        yield name


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize(
    "field",
    [
        pytest.param(
            field,
            marks=pytest.mark.copy_of("one_run_after_others" if field == "updated_after" else "one_run_before_others"),
        )
        for field in RunFilters._fields
    ],
)
async def test_every_filter_of_runs_finds_the_one_among_many_by_an_index(field, order, connections):
    before, entries = await scans(connections), await index_entries(connections, "runs")
    found = await RunSearch(connections).runs(RunFilters(**{field: getattr(SEARCHES, field)}), None, 100, order)
    assert [(run.id, run.registers.state) for run in found.runs] == [(RUN, RunState.ABORTED)]
    assert await scans(connections) == before
    assert await index_entries(connections, "runs") - entries < A_FEW


GROW_RUNS_OF_JOB = """
insert into runfold.runs (id, position, job_id, namespace, job, state, created_at, registers)
select gen_random_uuid(), 2, $1, 'etl', 'load', 'RUNNING', $2::timestamptz - n * interval '1 second', '\\x00'
  from generate_series(1, 50000) n
"""
GROW_NAMED = """
insert into runfold.run_jobs (job_id, run_id, created_at)
select $1, r.id, r.created_at from runfold.runs r where r.position = 2
"""


@pytest.mark.parametrize("statement", ["a page of a job's runs", "the latest runs of jobs"])
async def test_the_newest_runs_of_a_job_are_found_by_its_indexes_also_where_they_are_other_jobs_runs(
    statement, connections, db
):
    own, named = job_id("etl", "load"), job_id("etl", "clean")
    await db.execute(GROW_RUNS_OF_JOB, own, NOON)
    await db.execute(GROW_NAMED, named)
    await db.execute("vacuum analyze runfold.runs, runfold.run_jobs")
    sql, before = {
        "a page of a job's runs": (load("list_runs_of_job", visible_run=EVERY), lambda job: (job, None, 10, 20)),
        "the latest runs of jobs": (load("latest_runs", visible_run=EVERY), lambda job: ([job], 10)),
    }[statement]
    scanned = await scans(connections)
    for job in (own, named):
        entries = await index_entries(connections, "runs", "run_jobs")
        async with connections.connection() as connection:
            rows = await connection.fetch(sql, *before(job))
        assert len(rows) == 10
        assert await index_entries(connections, "runs", "run_jobs") - entries < 2 * A_FEW
    assert await scans(connections) == scanned


async def plan(connection, call):
    return "\n".join(row[0] for row in await connection.fetch(f"explain execute {call}"))


async def test_a_page_of_the_ledger_is_read_by_position(connections, db):
    await append_events(connections, facts(10), [None] * 10)
    await project_catalog(connections)
    await grow(db, catalog=False)
    before = await scans(connections)
    assert (await project_catalog(connections, 100)).position == 110
    assert await scans(connections) == before
