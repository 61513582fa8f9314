"""Summaries of long runs: what they answer is what all events say, in any order of arrival and after any erasure."""

import asyncio
from functools import partial
from uuid import uuid4

import long_runs
import pytest
from building import facts
from histories import at
from hypothesis import given, settings
from hypothesis import strategies as st
from long_runs import Report
from partitions import LATER, small_partitions
from waiting import wait_until

from alembic import command
from service.audit.event_lines import PositionRange
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.audit.run_history import RunHistory
from service.audit.run_verdicts import RunVerdicts
from service.catalog import summarizer
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.catalog.projector import Projector
from service.catalog.summarizer import LIVE_SUMMARIES, summarize_next
from service.database import migrations
from service.database.statements import load
from service.domain.event import RunState
from service.domain.registers import FACET_LIMITS
from service.ledger.events import append_events, read_head
from service.maintenance import rebuild, second_tables
from service.maintenance.archive import archive_payloads
from service.maintenance.catalog_check import check_catalog
from service.maintenance.erase import erase_payloads
from service.maintenance.rebuild import rebuild_catalog
from service.maintenance.restore import restore_payloads

ERASE = "select * from runfold.erase_payloads(0, $1, 'a law', 'somebody')"
ERASABLE = """
select e.position from runfold.events e join runfold.payloads p using (log, position)
 where e.stream = $1 and e.kind <> 'erased' order by e.position
"""
SEEN = """
select max(level) as level, count(distinct id) as runs,
       (select count(*) from runfold.events where kind = 'erased') as erasures
  from runfold.run_summaries
"""
SUMMARIES = "select * from runfold.run_summaries order by id, level, last_position"
DUE = LIVE_SUMMARIES._replace(due=load("due_run", least="4"))


@pytest.fixture
def small(monkeypatch):
    """Make summaries of few events."""
    for name, value in {"LEAF_EVENTS": 4, "FANOUT": 2, "_STEP_LEAVES": 3}.items():
        monkeypatch.setattr(summarizer, name, value)
    for module in (rebuild, second_tables):
        due = load("due_run", schema=module.SCHEMA, least="4")
        statements = module._STATEMENTS
        monkeypatch.setattr(
            module, "_STATEMENTS", statements._replace(summaries=statements.summaries._replace(due=due))
        )
    monkeypatch.setattr("service.audit.run_verdicts._NEXT_EVENTS", 2)
    for module in ("service.catalog.summarizer", "service.ledger.run_summaries"):
        monkeypatch.setattr(f"{module}._BYTES", 500)


@pytest.fixture
def limits():
    before = FACET_LIMITS.count, FACET_LIMITS.size
    yield FACET_LIMITS
    FACET_LIMITS.set(*before)


class Story:
    """A run whose events are appended, projected, summarized and erased in some order."""

    def __init__(self, connections, db):
        self.run = uuid4()
        self._connections = connections
        self._db = db
        self._number = 0

    async def append(self, reports):
        drafts = []
        for report in reports:
            drafts += [report.draft(self.run, self._number), *facts(1)]
            self._number += 1
        if drafts:
            await append_events(self._connections, drafts, [None] * len(drafts))

    async def project(self, page_size, pages=10**6):
        while pages and (await project_next_page(CatalogProjection(self._connections), page_size)).events:
            pages -= 1

    async def summarize(self, steps=10**6, statements=DUE):
        while steps and await summarize_next(self._connections, statements):
            steps -= 1

    async def erase(self, share):
        positions = [row[0] for row in await self._db.fetch(ERASABLE, self.run)]
        if positions:
            await self._db.execute(ERASE, [positions[int(share * (len(positions) - 1))]])


stories = st.tuples(
    long_runs.histories,
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 30)),
            st.tuples(st.just("project"), st.integers(1, 40), st.integers(1, 4)),
            st.tuples(st.just("project"), st.integers(1, 300), st.just(10**6)),
            st.tuples(st.just("summarize"), st.integers(1, 3)),
            st.tuples(st.just("erase"), st.floats(0, 1)),
        ),
        min_size=4,
        max_size=14,
    ),
)


async def live(story, reports, steps):
    left = list(reports)
    for name, *arguments in steps:
        if name == "append":
            taken, left = left[: arguments[0]], left[arguments[0] :]
            await story.append(taken)
        else:
            await getattr(story, name)(*arguments)
    await story.append(left)


async def examine(connections, run, upto):
    """Compare answers about a run with those of all of its events."""
    reader = LedgerReader(connections)
    history = RunHistory(reader)
    everything = await long_runs.read_all(connections, run, upto)
    positions = [entry.event.position for entry in everything]
    for position in {*positions[:: 1 + len(positions) // 2], *positions[-1:]}:
        entries = [entry for entry in everything if entry.event.position <= position]
        merged, _ = await history.known(run, position)
        assert merged.registers == long_runs.known(entries)
        for minute in (-1, 7, 25):
            found, _ = await history._valid(run, position, at(minute))
            assert found == long_runs.valid(entries, at(minute))
        after = positions[len(entries) // 3]
        assert await reader.count(EventFilters(run=run), PositionRange(0, position)) == len(entries)
        assert await reader.count(EventFilters(run=run), PositionRange(after, position)) == sum(
            after < entry.event.position for entry in entries
        )
        await compare_verdicts(history, run, entries, step=6 + position % 9)


async def compare_verdicts(history, run, entries, step):
    expected = long_runs.judged(entries)
    positions = list(expected)
    in_order = RunVerdicts(history, run, positions[-1])
    after = 0
    for last in [*positions[step - 1 : -1 : step], positions[-1]]:
        for verdicts in (in_order, RunVerdicts(history, run, positions[-1])):
            found = await verdicts.judge(after, last)
            assert {position: one.verdict for position, one in found.items()} == {
                position: verdict for position, verdict in expected.items() if after < position <= last
            }
            assert not any(one.incomplete for one in found.values())
        after = last


BOUNDS = [(1000, 10**6), (3, 10**6), (1000, 60)]
"""Of facets: no bound is met, there are too many, they are too large."""


@pytest.mark.usefixtures("small")
async def test_any_history_gives_the_same_answers_by_its_summaries(connections, db, limits):
    @settings(max_examples=8)
    @given(stories)
    def collected(story):
        cases.append(story)

    cases = []
    await asyncio.to_thread(collected)
    for number, (reports, steps) in enumerate(cases):
        limits.set(*BOUNDS[number % 3])
        story = Story(connections, db)
        await live(story, reports, steps)
        await examine(connections, story.run, (await read_head(connections)).position)
        await story.project(100)
        await story.summarize()
        await story.erase(0.5)
        upto = (await read_head(connections)).position
        await examine(connections, story.run, upto)
        await story.project(100)
        await examine(connections, story.run, upto)
    seen = await db.fetchrow(SEEN)
    assert (seen["level"] >= 3, seen["runs"] > 3, seen["erasures"] > 3) == (True, True, True)


BEAT = Report(RunState.RUNNING, 0, ("a",), 1, None, nominal=False, source="openlineage")
SUMMARIZED = "select coalesce(max(last_position), 0) from runfold.run_summaries where id = $1"
SINCE = "select since from runfold.runs where id = $1"


def beats(count, first=0):
    return [BEAT._replace(minute=first + number) for number in range(count)]


@pytest.mark.parametrize("page_size", [70, 4000])
async def test_summaries_are_the_same_whatever_the_pages_also_after_a_rebuild(connections, db, dsn, page_size):
    story = Story(connections, db)
    await story.append(beats(300))
    await story.project(page_size)
    await story.summarize(statements=LIVE_SUMMARIES)
    before = [tuple(row) for row in await db.fetch(SUMMARIES)]
    assert [row[:3] for row in before] == [(story.run, 0, 255), (story.run, 0, 511)]
    assert await db.fetchval(SINCE, story.run) == 300 - 256
    await rebuild_catalog(dsn)
    assert [tuple(row) for row in await db.fetch(SUMMARIES)] == before
    assert await db.fetchval(SINCE, story.run) == 300 - 256
    assert (await check_catalog(dsn)).differences == []


@pytest.mark.usefixtures("small")
async def test_an_erased_payload_is_in_no_summary(connections, db, dsn):
    story = Story(connections, db)
    secret = BEAT._replace(facets=("secret",), size=50)
    await story.append([*beats(9), secret, *beats(9, 10)])
    await story.project(100)
    await story.summarize()
    holding = "select count(*) from runfold.run_summaries where position('secret'::bytea in registers) > 0"
    assert await db.fetchval(holding) == 3
    await erase_payloads(dsn, 19, "a law", "somebody")
    assert await db.fetchval(holding) == 0
    await examine(connections, story.run, (await read_head(connections)).position)


@pytest.mark.usefixtures("small")
async def test_what_is_erased_while_it_is_summarized_is_in_no_summary(connections, db, monkeypatch):
    story = Story(connections, db)
    await story.append(beats(8))
    await story.project(100)
    leaves = summarizer._Reader.leaves

    async def erased_meanwhile(*arguments):
        read = await leaves(*arguments)
        await story.erase(0.5)
        await story.project(100)
        return read

    with monkeypatch.context() as slow:
        slow.setattr(summarizer._Reader, "leaves", erased_meanwhile)
        assert not await summarize_next(connections, DUE)
    assert await db.fetchval(SUMMARIZED, story.run) == 0
    await story.summarize()
    await examine(connections, story.run, (await read_head(connections)).position)


@pytest.mark.usefixtures("small")
async def test_a_run_that_cannot_be_summarized_is_left_alone_until_a_rebuild(connections, db, dsn, monkeypatch, caplog):
    async def fail(*_):
        raise ValueError("no")

    broken, other = Story(connections, db), Story(connections, db)
    await broken.append(beats(20))
    await other.append(beats(10))
    await other.project(100)
    with monkeypatch.context() as failing:
        failing.setattr(summarizer._Reader, "leaves", fail)
        assert await summarize_next(connections, DUE)
    assert f"run {broken.run} cannot be summarized" in caplog.text
    await broken.append(beats(20, 20))
    await broken.project(5)
    await broken.summarize()
    assert (await db.fetchval(SUMMARIZED, broken.run), await db.fetchval(SUMMARIZED, other.run) > 0) == (0, True)
    await examine(connections, broken.run, (await read_head(connections)).position)
    await rebuild_catalog(dsn)
    assert await db.fetchval(SUMMARIZED, broken.run) > 0


@pytest.mark.usefixtures("small")
async def test_an_archived_payload_stays_in_summaries_and_an_older_one_is_read_from_its_file(
    connections, db, dsn, tmp_path
):
    await db.execute(small_partitions(10))
    early, later = Story(connections, db), Story(connections, db)
    await early.append([BEAT._replace(facets=("b",))])  # not summarized yet when it is archived
    await later.append([BEAT._replace(facets=("c",)), *beats(7, 1)])
    await early.project(100)
    await later.summarize()
    await archive_payloads(dsn, LATER, tmp_path)
    await early.append(beats(9, 10))
    await early.project(100)
    await early.summarize()
    history = RunHistory(LedgerReader(connections))
    past = await history.run_at(later.run, None, at(7))
    assert ("c" in past.run.run_facets, past.archived) == (True, {})
    past = await history.run_at(early.run, None, at(19))
    assert (sorted(past.run.run_facets), list(past.archived.values())) == (["a"], [[1]])
    assert (await check_catalog(dsn)).differences == []
    await restore_payloads(dsn)
    await rebuild_catalog(dsn)
    await examine(connections, early.run, (await read_head(connections)).position)
    await examine(connections, later.run, (await read_head(connections)).position)


async def test_a_run_that_had_snapshots_is_summarized_by_the_next_projector(pair, db, dsn):
    story = Story(pair, db)
    await story.append(beats(300))
    await story.project(100)
    await asyncio.to_thread(command.downgrade, migrations._config(dsn), "0015")
    await db.execute("update runfold.runs set since = 44 where id = $1", story.run)
    await db.execute("insert into runfold.run_snapshots select id, 511, registers from runfold.runs where since = 44")
    await asyncio.to_thread(migrations.upgrade, dsn)
    projector = Projector(CatalogProjection(pair))
    projector.start(lambda _: None)
    try:
        await wait_until(
            partial(db.fetchval, "select since = 44 from runfold.runs where id = $1", story.run), "summaries"
        )
    finally:
        await projector.close()
    assert await db.fetchval(SUMMARIZED, story.run) == 511
    assert (await check_catalog(dsn)).differences == []
