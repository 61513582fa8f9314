"""What a question about a run costs does not depend on how many events the run has."""

import asyncio
import json
from uuid import UUID

import pytest
from building import fact
from histories import at
from long_runs import judged, known, read_all, valid

from service.audit.event_lines import PositionRange
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.audit.run_history import RunHistory
from service.audit.run_verdicts import RunVerdicts
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.catalog.summarizer import summarize_next
from service.domain.event import RunState
from service.ledger.events import append_events

RUN = UUID("00000000-0000-4000-8000-000000000001")
PATH = f"/api/v1/jobs/runs/{RUN}"
LENGTH = 5_000
MIDDLE = LENGTH // 2 + 77
A_PART = 1_800
"""Index entries and rows that a question may read, of more than 10,000 that the run has."""

READ = """
select (select sum(idx_tup_read) from pg_stat_user_indexes where schemaname = 'runfold')
     + (select sum(seq_tup_read) from pg_stat_user_tables where schemaname = 'runfold')
"""


def beat(number):
    facets = {"progress": {"number": number}}
    if number % 500 == 0:
        facets[f"rare{number // 500 % 3}"] = {"text": "x" * 100}
    event = {
        "eventTime": at(number).isoformat(),
        "eventType": "START" if number in {1, 2000} else "RUNNING",
        "producer": "tests",
        "run": {"runId": str(RUN), "facets": facets},
        "job": {"namespace": "etl", "name": "load"},
    }
    state = RunState.COMPLETED if number in {1500, LENGTH - 1} else RunState.RUNNING
    return fact(RUN, state, number, payload=json.dumps(event))


async def append(connections, numbers):
    for start in range(0, len(numbers), 1000):
        drafts = [beat(number) for number in numbers[start : start + 1000]]
        await append_events(connections, drafts, [None] * len(drafts))
    while (await project_next_page(CatalogProjection(connections))).events:
        pass


async def summarize(connections, db):
    while await summarize_next(connections):
        pass
    await db.execute("vacuum analyze")


class Cost:
    """Counts what the only connection reads within a block."""

    def __init__(self, connections):
        self._connections = connections

    async def _read(self):
        async with self._connections.connection() as connection:
            await connection.execute("select pg_stat_force_next_flush()")
            await connection.execute("select")
            return await connection.fetchval(READ)

    async def __aenter__(self):
        self._before = await self._read()
        return self

    async def __aexit__(self, *_):
        self.entries = await self._read() - self._before


async def test_each_question_reads_a_part_of_the_run_that_nearly_came_in_order(connections, db):
    await append(connections, sorted(range(LENGTH), key=lambda number: number + number * 37 % 9))
    await summarize(connections, db)
    reader = LedgerReader(connections)
    history = RunHistory(reader)
    everything = await read_all(connections, RUN, LENGTH)
    verdicts = judged(everything)
    assert {verdict.attempt for verdict in verdicts.values()} == {1, 2}

    async with Cost(connections) as cost:
        merged, _ = await history.known(RUN, MIDDLE)
    assert merged.registers == known([entry for entry in everything if entry.event.position <= MIDDLE])
    assert cost.entries < A_PART

    async with Cost(connections) as cost:
        registers, _ = await history._valid(RUN, LENGTH, at(MIDDLE))
    assert registers == valid(everything, at(MIDDLE))
    assert cost.entries < A_PART

    for after in (0, 1000, MIDDLE, LENGTH - 3):
        async with Cost(connections) as cost:
            found = await RunVerdicts(history, RUN, LENGTH).judge(after, after + 3)
        assert {position: one.verdict for position, one in found.items()} == {
            position: verdicts[position] for position in range(after + 1, after + 4)
        }
        assert cost.entries < A_PART, after

    async with Cost(connections) as cost:
        assert await reader.count(EventFilters(run=RUN), PositionRange(1000, MIDDLE)) == MIDDLE - 1000
        assert [event.position for event in await reader.last_of_run(RUN, MIDDLE, 2)] == [MIDDLE, MIDDLE - 1]
    assert cost.entries < A_PART


async def test_a_run_that_came_in_no_order_and_has_no_summaries_is_read_while_others_have_their_turns(pair):
    await append(pair, [number * 1_777 % LENGTH for number in range(LENGTH)])
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    history = RunHistory(LedgerReader(pair))
    everything = await read_all(pair, RUN, LENGTH)
    counting = asyncio.create_task(count_turns())
    registers, _ = await history._valid(RUN, LENGTH, at(MIDDLE))
    counting.cancel()
    assert registers == valid(everything, at(MIDDLE))
    assert turns > 20


@pytest.mark.parametrize("is_summarized", [False, True])
async def test_pages_of_a_long_history_are_what_the_whole_answer_has(client, connections, db, is_summarized):
    await append(connections, range(1_000))
    if is_summarized:
        await summarize(connections, db)
    whole = await (await client.get(f"{PATH}/events")).json()
    assert (len(whole["events"]), whole["next"]) == (1_000, None)
    paged, cursor = [], "start"
    while cursor:
        answer = await client.get(f"{PATH}/events", params={"limit": "333", "cursor": cursor})
        page = await answer.json()
        paged += page["events"]
        cursor = page["next"]
    assert paged == whole["events"]
    none = await (await client.get(f"{PATH}/events", params={"cursor": "now"})).json()
    assert (none["events"], none["next"]) == ([], None)
