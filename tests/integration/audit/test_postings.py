"""Postings answer as a scan of the ledger would, wherever events lie: posted, not yet posted, on the edges."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from building import facts
from histories import NOON
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import wait_until

from service.audit.bitmaps import CHUNK
from service.audit.event_lines import PositionRange, ReadOrder, TextFormat
from service.audit.filters import EVERYTHING, EventFilters, FilteredFields
from service.audit.ledger_reader import LedgerReader
from service.audit.postings import _POSTINGS, _terms, post_next, read_ends
from service.database.connections import Connections
from service.domain.binding import NOWHERE, parse_binding
from service.ledger.events import LOG, append_events

TOTAL = 2 * CHUNK + 700

NAMESPACES, JOBS, ACTORS = (None, "etl", "late"), (None, "load", "rare"), (None, "ann", "bob")
BINDINGS = (None, NOWHERE, *map(parse_binding, (["etl"], ["l*"], ["et*", "late"], ["other", "o*"])))

_FILL = """
insert into runfold.events
select 0, i, 'run', ('00000000-0000-0000-0000-' || lpad((i % 9)::text, 12, '0'))::uuid,
       case when i % 7 = 0 then 'facts' else 'transition' end,
       case when i % 7 = 0 then null when i % 1001 = 3 then 'ABORTED' when i % 2 = 0 then 'RUNNING' else 'NEW' end,
       $2::timestamptz, $2::timestamptz + (i / 3) * interval '1 second',
       case when i > 12000 then 'late' else 'etl' end, case when i % 3001 = 0 then 'rare' else 'load' end, null,
       case when i % 5 = 0 then 'openlineage' else 'api' end, case i % 3 when 0 then 'ann' when 1 then 'bob' end,
       decode(lpad(to_hex(i), 32, '0'), 'hex'), null, null, sha256(i::text::bytea)
  from generate_series(1, $1::int) i
"""

filters = st.builds(
    EventFilters,
    namespace=st.sampled_from(NAMESPACES),
    job=st.sampled_from(JOBS),
    run=st.none() | st.integers(0, 9).map(lambda n: UUID(int=n)),
    kinds=st.sampled_from([None, ("facts",), ("transition",), ("facts", "transition", "deleted")]),
    states=st.sampled_from([None, ("ABORTED",), ("NEW",), ("RUNNING", "ABORTED"), ("COMPLETED",)]),
    actor=st.sampled_from(ACTORS),
    sources=st.sampled_from([None, ("api",), ("openlineage",), ("api", "openlineage")]),
    since=st.none(),
    until=st.none(),
    within=st.sampled_from(BINDINGS),
)
edges = st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, TOTAL])
places = st.integers(0, TOTAL) | edges


@pytest.fixture
async def filled(db):
    await db.execute("set session_replication_role = replica")  # or the ledger refuses what was not appended
    await db.execute(_FILL, TOTAL, NOON)
    await db.execute(
        "update runfold.ledger_head set position = $1, hash = sha256('x'), recorded_at = $2",
        TOTAL,
        NOON + timedelta(seconds=TOTAL // 3),
    )
    await db.execute("set session_replication_role = origin; analyze runfold.events")
    rows = await db.fetch(
        "select subject, stream, kind, state, source, namespace, job, actor from runfold.events order by position"
    )
    return [FilteredFields(*row) for row in rows]


@pytest.fixture
async def audit(dsn):
    async with Connections(dsn, 2) as opened:
        yield LedgerReader(opened)


async def post_all(connections):
    while await post_next(connections):
        pass


async def examine(audit, traits, cases):
    """Hold each case against a scan of what is in the ledger."""
    for wanted, after, upto, limit in cases:
        span = PositionRange(after, max(after, upto))
        expected = [n for n in range(span.after + 1, span.upto + 1) if wanted.match(traits[n - 1])]
        assert await audit.count(wanted, span) == len(expected)
        for order in ReadOrder:
            in_order = expected if order is ReadOrder.OLDEST_FIRST else expected[::-1]
            page = await audit.collect(wanted, span, limit, order)
            assert [line.position for line in page.lines] == in_order[:limit]
            assert page.done or page.rest.upto - page.rest.after < span.upto - span.after
            rest = await audit.collect(wanted, page.rest, 1000, order)
            assert [line.position for line in rest.lines] == in_order[limit : limit + 1000]


async def test_any_filter_anywhere(filled, audit, connections):
    @settings(max_examples=60)
    @given(st.lists(st.tuples(filters, places, places, st.integers(1, 300)), max_size=4))
    def collected(more):
        cases.extend(more)

    cases = []
    await asyncio.to_thread(collected)
    await examine(audit, filled, cases[: len(cases) // 4])
    await post_next(connections)
    await examine(audit, filled, cases[len(cases) // 4 : len(cases) // 2])
    await post_all(connections)
    await examine(audit, filled, cases[len(cases) // 2 :])


async def test_the_first_and_the_last_event_of_a_range_are_in_it(filled, audit, connections):
    await post_all(connections)
    for upto in (100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK):
        for after in (upto - 50, upto - 1):
            kinds = {filled[after].kind, filled[upto - 1].kind}
            await examine(audit, filled, [(EventFilters(kinds=(kind,)), after, upto, 100) for kind in kinds])


@pytest.mark.usefixtures("filled")
async def test_only_full_chunks_are_posted_and_only_once(db, connections):
    await post_all(connections)
    assert (await read_ends(db)).posted == 2 * CHUNK
    before = await db.fetchval("select count(*) from runfold.event_postings")
    await post_all(connections)
    assert await db.fetchval("select count(*) from runfold.event_postings") == before


@pytest.mark.usefixtures("filled", "client")
async def test_the_service_posts_by_itself(db):
    async def posted():
        return (await read_ends(db)).posted == 2 * CHUNK

    await wait_until(posted, "the service posts what is full")


@pytest.mark.usefixtures("filled")
async def test_a_stream_of_pages_is_the_whole_in_both_forms(audit):
    for form in TextFormat:
        positions = [
            line.position
            async for page in audit.pages(EVERYTHING, PositionRange(0, TOTAL), form)
            for line in page.lines
        ]
        assert positions == list(range(1, TOTAL + 1))


@pytest.mark.usefixtures("filled")
async def test_times_become_positions(audit):
    for seconds in (0, 1, 77, TOTAL // 3):
        time = NOON + timedelta(seconds=seconds)
        known = await audit.known_at(time)
        assert known.position == min(TOTAL, seconds * 3 + 2)
        span = await audit.span(time, time + timedelta(seconds=1))
        assert [n for n in range(span.after + 1, span.upto + 1) if n // 3 == seconds] == list(
            range(max(1, seconds * 3), min(TOTAL, seconds * 3 + 2) + 1)
        )


async def test_a_page_of_large_payloads_ends_early(audit, connections, monkeypatch):
    for module in ("event_lines", "ledger_reader"):
        monkeypatch.setattr(f"service.audit.{module}.PAGE_BYTES", 1000)
    drafts = facts(20)
    appended = await append_events(connections, drafts, [None] * len(drafts))
    span = PositionRange(0, max(appended.positions))
    page = await audit.collect(EVERYTHING, span, 100)
    assert 0 < len(page.lines) < len(drafts)
    assert not page.done
    positions = [line.position async for page in audit.pages(EVERYTHING, span) for line in page.lines]
    assert positions == list(range(1, len(drafts) + 1))
    filtered = [line.position async for page in audit.pages(EventFilters(job="load"), span) for line in page.lines]
    assert filtered == positions


@pytest.mark.parametrize(
    "facet",
    [EventFilters(namespace="etl"), EventFilters(states=("ABORTED",)), EventFilters(actor="ann", kinds=("facts",))],
)
@pytest.mark.usefixtures("filled")
async def test_every_filter_goes_by_the_postings_index(db, connections, facet):
    await post_all(connections)
    await db.execute("set enable_seqscan = off")
    statement = await db.prepare(_POSTINGS)
    plan = str(await statement.explain(LOG, *_terms(facet), 0, 1))
    assert "event_postings_pkey" in plan
    assert "Seq Scan" not in plan
