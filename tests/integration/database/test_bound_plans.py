"""What others record does not slow down the lists of an API key that is bound to namespaces."""

from functools import partial
from itertools import product
from uuid import UUID, uuid4

import pytest
from building import fact, unguarded
from histories import at

from service.audit.event_lines import PositionRange, ReadOrder
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.audit.postings import post_next
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.catalog.lineage_events import LineageEventReader, LineageFilter
from service.catalog.queries import CatalogQueries, JobFilter, Slice
from service.catalog.run_search import Order, RunFilters, RunSearch
from service.catalog.run_tree import Extent, RunTrees
from service.domain.binding import parse_binding
from service.domain.event import JobName
from service.domain.registers import EPOCH
from service.ledger.events import append_events

OTHERS = 40_000
GROW = f"""
insert into runfold.events (log, position, subject, stream, kind, state, transitioned_at, recorded_at, namespace, job,
                            source, fact, hash)
select 0, $1 + n, 'run', gen_random_uuid(), 'transition', 'RUNNING', $2::timestamptz + n * interval '1 second', now(),
       'other ' || n % 5000, 'load', 'openlineage', uuid_send(gen_random_uuid()), '\\x00'
  from generate_series(1, {OTHERS}) n
"""
GROW_CATALOG = """
insert into runfold.runs (id, position, job_id, namespace, job, state, created_at, started_at, ended_at, registers)
select e.stream, e.position, gen_random_uuid(), e.namespace, e.job,
       case when e.position % 2 = 0 then 'RUNNING' else 'COMPLETED' end, e.transitioned_at, e.transitioned_at,
       case when e.position % 2 = 1 then e.transitioned_at + interval '1 second' end, '\\x00'
  from runfold.events e where e.namespace like 'other %'
"""
GROW_NAMES = """
insert into runfold.namespaces (id, position, name, hidden, registers)
select gen_random_uuid(), 1, 'other ' || n, false, '\\x00' from generate_series(0, 4999) n
"""
GROW_JOBS = """
insert into runfold.jobs (id, position, namespace_id, namespace, name, hidden, updated_at, registers)
select gen_random_uuid(), 1, gen_random_uuid(), 'other ' || n % 5000, 'load', false, now(), '\\x00'
  from generate_series(1, 20000) n
"""
READ = """
select coalesce(sum(seq_tup_read), 0) + coalesce(sum(idx_tup_fetch), 0) from pg_stat_user_tables
 where relname = any ('{events,runs,jobs,run_jobs,lineage_counts}')
"""
BINDING = parse_binding(["own-*"])
NAMESPACE, JOB, PARENT = "own-team", "load", UUID(int=1)
MOST = 400
"""Rows that a list may read, of tens of thousands that there are."""

UNPOSTED = 8192
"""Events that may not be posted yet; any filter reads them."""


@pytest.fixture
async def among_others(db, connections):
    """A ledger with 20 runs in a namespace of the key, which came before those of 5,000 others."""
    drafts = []
    for number in range(10, 30):
        for state, minute in (("RUNNING", number), ("COMPLETED", number + 1)):
            draft = fact(UUID(int=number), state, minute)
            drafts.append(draft._replace(namespace=NAMESPACE, parent_run=PARENT, fact=uuid4().bytes))
    await append_events(connections, drafts, [None] * len(drafts))
    while (await project_next_page(CatalogProjection(connections))).events:
        pass
    await db.execute(GROW, len(drafts), at(0))
    await unguarded(db, "update runfold.ledger_head set position = $1, recorded_at = now()", len(drafts) + OTHERS)
    await db.execute("update runfold.catalog_cursor set position = $1", len(drafts) + OTHERS)
    for statement in (GROW_CATALOG, GROW_NAMES, GROW_JOBS):
        await db.execute(statement)
    while await post_next(connections):
        pass
    await db.execute("vacuum analyze")


def searches(connections):
    """Yield each search for runs by the filter that decides its order, and the number of runs that it finds."""
    search = RunSearch(connections)
    for order, field in product(Order, ("started_after", "updated_after", "ended_after", "job", "namespace", "states")):
        value = {"job": JOB, "namespace": NAMESPACE, "states": ("COMPLETED",)}.get(field, EPOCH)
        yield f"{field} {order}", partial(search.runs, RunFilters(**{field: value}), None, 5, order, BINDING), 5
    yield "running at", partial(search.runs, RunFilters(running_at=at(15)), None, 5, Order.DESC, BINDING), 1
    yield "contradicted", partial(search.runs, RunFilters(contradicted=True), None, 5, Order.DESC, BINDING), 0


@pytest.mark.usefixtures("among_others")
async def test_a_list_reads_what_is_the_keys_own_and_little_else(connections):
    queries, lineage, ledger = CatalogQueries(connections), LineageEventReader(connections), LedgerReader(connections)
    head = (await ledger.head()).position
    filters, span = EventFilters(within=BINDING), PositionRange(0, head)

    async def lineage_list(**bounds):
        restricted = await lineage.restrict(LineageFilter(None, bounds.get("after"), bounds.get("before")), BINDING)
        found = await lineage.positions(restricted, Slice(5, 3), descending=True)
        return found, await lineage.count(restricted)

    lists = {
        "jobs": (queries.jobs(JobFilter(None, None, None), Slice(5, 0), BINDING), 1),
        "jobs by state": (queries.jobs(JobFilter(None, ["COMPLETED"], None), Slice(5, 0), BINDING), 1),
        "runs of a job": (queries.runs_of_job(JobName(NAMESPACE, JOB), None, Slice(5, 0), BINDING), 20),
        "children": (lineage.children(PARENT, Slice(5, 0), BINDING), 20),
        "lineage": (lineage_list(), 40),
        "lineage between": (lineage_list(after=at(9), before=at(1_000_000)), 40),
    }
    for name, (asked, total) in lists.items():
        before = await rows_read(connections)
        assert (await asked)[1] == total, name
        assert await rows_read(connections) - before < MOST, name
    for name, search, count in searches(connections):
        before = await rows_read(connections)
        found = (await search()).runs
        assert len(found) == count, name
        assert all(PARENT.int < run.id.int < 30 for run in found)
        assert await rows_read(connections) - before < MOST, name
    before = await rows_read(connections)
    tree = await RunTrees(connections).read(UUID(int=15), Extent(8, 8), None, 5, BINDING)
    assert (tree.root, len(tree.runs), tree.following) == (PARENT, 5, tree.runs[-1].id)
    assert await rows_read(connections) - before < MOST, "tree"
    for name, asked, most in (
        ("a page of events", ledger.collect(filters, span, 5), MOST),
        ("the newest events", ledger.collect(filters, span, 5, ReadOrder.NEWEST_FIRST), MOST + UNPOSTED),
        ("events counted", ledger.count(filters, span), MOST + UNPOSTED),
    ):
        before = await rows_read(connections)
        found = await asked
        assert found == 40 if isinstance(found, int) else len(found.lines) == 5, name
        assert await rows_read(connections) - before < most, name


async def rows_read(connections):
    async with connections.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.execute("select")
        return await connection.fetchval(READ)
