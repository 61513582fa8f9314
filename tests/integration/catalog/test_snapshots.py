"""Snapshots of long runs: what was known at a time is found without the whole history, and is what that would say."""

import json
from functools import reduce
from uuid import UUID

import pytest
from building import fact
from histories import at

from service.audit.ledger_reader import Audit
from service.audit.run_history import _known
from service.catalog.page_writer import fold_once
from service.catalog.projection import STRIDE
from service.database.connections import Lanes
from service.domain.event import RunState
from service.domain.run import merge, registers_of
from service.ledger.events import append_events
from service.maintenance.erase import erase
from service.maintenance.rebuild import rebuild

RUN, OTHER = UUID("00000000-0000-4000-8000-000000000001"), UUID("00000000-0000-4000-8000-000000000002")
COUNT = 3 * STRIDE + 10


@pytest.fixture
def audit(links):
    return Audit(Lanes(links[:2]))


def beat(minute, run=RUN):
    event = {
        "eventTime": at(minute).isoformat(),
        "producer": "tests",
        "run": {"runId": str(run), "facets": {f"facet{minute % 5}": {"beat": minute}}},
        "job": {"namespace": "etl", "name": "load"},
    }
    return fact(run, RunState.RUNNING, minute, payload=json.dumps(event))


async def append(link, drafts):
    await append_events(link, drafts, [None] * len(drafts))


async def fold_all(link, page_size=4000):
    while (await fold_once(link, page_size)).events:
        pass


async def snapshots(db, run=RUN):
    return [
        row[0] for row in await db.fetch("select position from runfold.run_snapshots where id = $1 order by 1", run)
    ]


async def known(audit, position):
    found, _missing = await _known(audit, RUN, position)
    return found


async def folded_from_the_first(audit, position):
    parts = [registers_of(told.event, told.content) async for told in audit.history(RUN, position)]
    return reduce(merge, parts) if parts else None


@pytest.mark.parametrize("page_size", [100, 4000])
async def test_a_snapshot_is_kept_every_so_many_events_of_a_run_whatever_the_pages(link, db, page_size):
    await append(link, [one for minute in range(COUNT) for one in (beat(minute), beat(minute, OTHER))])
    await fold_all(link, page_size)
    assert await snapshots(db) == [2 * STRIDE * n - 1 for n in (1, 2, 3)]
    assert await snapshots(db, OTHER) == [2 * STRIDE * n for n in (1, 2, 3)]


async def test_what_was_known_at_any_position_is_what_the_history_up_to_it_says(link, audit):
    await append(link, [beat((minute * 37) % COUNT) for minute in range(COUNT)])
    await fold_all(link)
    for position in (0, 1, STRIDE - 1, STRIDE, STRIDE + 1, 2 * STRIDE + 100, COUNT - 1, COUNT, COUNT + 5):
        assert await known(audit, position) == await folded_from_the_first(audit, position), position


async def test_no_more_than_a_stride_of_events_is_read(link, audit, monkeypatch):
    await append(link, [beat(minute) for minute in range(COUNT)])
    await fold_all(link)
    read = []
    history = audit.history

    async def counted(*arguments):
        async for one in history(*arguments):
            read.append(one)
            yield one

    monkeypatch.setattr(audit, "history", counted)
    for position in range(STRIDE, COUNT, 97):
        read.clear()
        await known(audit, position)
        assert len(read) < STRIDE


async def test_what_was_erased_is_in_no_snapshot_and_the_rest_stays(dsn, link, db, audit):
    await append(link, [beat(minute) for minute in range(COUNT)])
    await fold_all(link)
    erased = 2 * STRIDE - 1
    await erase(dsn, erased, "a law", "somebody")
    await fold_all(link)
    assert await snapshots(db) == [STRIDE]
    for position in (STRIDE + 10, 2 * STRIDE, 3 * STRIDE):
        found = await known(audit, position)
        assert found == await folded_from_the_first(audit, position)
        assert json.dumps({"beat": erased - 1}).encode() not in [facet.value for facet in found.run_facets.values()]


async def test_a_rebuilt_catalog_has_the_same_snapshots(dsn, link, db):
    await append(link, [beat(minute) for minute in range(COUNT)])
    await fold_all(link, 300)
    rows = "select * from runfold.run_snapshots order by id, position"
    before = [tuple(row) for row in await db.fetch(rows)]
    await rebuild(dsn)
    assert [tuple(row) for row in await db.fetch(rows)] == before
    assert len(before) == COUNT // STRIDE
