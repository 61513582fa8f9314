"""Snapshots of long runs: what was known at a time is found without the whole history, and is what that would say."""

import json
from functools import reduce
from uuid import UUID

import pytest
from building import fact
from histories import at

from service.audit.ledger_reader import LedgerReader
from service.audit.run_history import RunHistory
from service.catalog.page_writer import project_next_page
from service.catalog.projection import SNAPSHOT_INTERVAL
from service.domain.event import RunState
from service.domain.run import merge_runs, run_registers_of
from service.ledger.events import append_events
from service.maintenance.erase import erase_payloads
from service.maintenance.rebuild import rebuild_catalog

RUN, OTHER = UUID("00000000-0000-4000-8000-000000000001"), UUID("00000000-0000-4000-8000-000000000002")
COUNT = 3 * SNAPSHOT_INTERVAL + 10


@pytest.fixture
def audit(pair):
    return LedgerReader(pair)


def beat(minute, run=RUN):
    event = {
        "eventTime": at(minute).isoformat(),
        "producer": "tests",
        "run": {"runId": str(run), "facets": {f"facet{minute % 5}": {"beat": minute}}},
        "job": {"namespace": "etl", "name": "load"},
    }
    return fact(run, RunState.RUNNING, minute, payload=json.dumps(event))


async def append(connections, drafts):
    await append_events(connections, drafts, [None] * len(drafts))


async def project_all(connections, page_size=4000):
    while (await project_next_page(connections, page_size)).events:
        pass


async def snapshots(db, run=RUN):
    return [
        row[0] for row in await db.fetch("select position from runfold.run_snapshots where id = $1 order by 1", run)
    ]


async def known(audit, position):
    found, _missing = await RunHistory(audit)._known(RUN, position)
    return found


async def merged_from_the_first(audit, position):
    parts = [run_registers_of(entry.event, entry.content) async for entry in audit.history(RUN, position)]
    return reduce(merge_runs, parts) if parts else None


@pytest.mark.parametrize("page_size", [100, 4000])
async def test_a_snapshot_is_kept_every_so_many_events_of_a_run_whatever_the_pages(connections, db, page_size):
    await append(connections, [one for minute in range(COUNT) for one in (beat(minute), beat(minute, OTHER))])
    await project_all(connections, page_size)
    assert await snapshots(db) == [2 * SNAPSHOT_INTERVAL * n - 1 for n in (1, 2, 3)]
    assert await snapshots(db, OTHER) == [2 * SNAPSHOT_INTERVAL * n for n in (1, 2, 3)]


async def test_what_was_known_at_any_position_is_what_the_history_up_to_it_says(connections, audit):
    await append(connections, [beat((minute * 37) % COUNT) for minute in range(COUNT)])
    await project_all(connections)
    for position in (
        0,
        1,
        SNAPSHOT_INTERVAL - 1,
        SNAPSHOT_INTERVAL,
        SNAPSHOT_INTERVAL + 1,
        2 * SNAPSHOT_INTERVAL + 100,
        COUNT - 1,
        COUNT,
        COUNT + 5,
    ):
        assert await known(audit, position) == await merged_from_the_first(audit, position), position


async def test_no_more_than_a_stride_of_events_is_read(connections, audit, monkeypatch):
    await append(connections, [beat(minute) for minute in range(COUNT)])
    await project_all(connections)
    read = []
    history = audit.history

    async def counted(*arguments):
        async for one in history(*arguments):
            read.append(one)
            yield one

    monkeypatch.setattr(audit, "history", counted)
    for position in range(SNAPSHOT_INTERVAL, COUNT, 97):
        read.clear()
        await known(audit, position)
        assert len(read) < SNAPSHOT_INTERVAL


async def test_what_was_erased_is_in_no_snapshot_and_the_rest_stays(dsn, connections, db, audit):
    await append(connections, [beat(minute) for minute in range(COUNT)])
    await project_all(connections)
    erased = 2 * SNAPSHOT_INTERVAL - 1
    await erase_payloads(dsn, erased, "a law", "somebody")
    await project_all(connections)
    assert await snapshots(db) == [SNAPSHOT_INTERVAL]
    for position in (SNAPSHOT_INTERVAL + 10, 2 * SNAPSHOT_INTERVAL, 3 * SNAPSHOT_INTERVAL):
        found = await known(audit, position)
        assert found == await merged_from_the_first(audit, position)
        assert json.dumps({"beat": erased - 1}).encode() not in [facet.value for facet in found.run_facets.values()]


async def test_what_is_erased_is_not_known_although_the_catalog_has_it_still(connections, db, audit):
    await append(connections, [beat(1), beat(2)])
    await project_all(connections)
    await db.fetch("select * from runfold.erase_payloads(0, $1, 'why', null)", [2])
    found = await known(audit, 2)
    assert found == await merged_from_the_first(audit, 2)
    assert set(found.run_facets) == {"facet1"}


async def test_a_rebuilt_catalog_has_the_same_snapshots(dsn, connections, db):
    await append(connections, [beat(minute) for minute in range(COUNT)])
    await project_all(connections, 300)
    rows = "select * from runfold.run_snapshots order by id, position"
    before = [tuple(row) for row in await db.fetch(rows)]
    await rebuild_catalog(dsn)
    assert [tuple(row) for row in await db.fetch(rows)] == before
    assert len(before) == COUNT // SNAPSHOT_INTERVAL
