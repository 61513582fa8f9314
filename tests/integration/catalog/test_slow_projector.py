"""While the service refuses requests, its projectors take small pages and rest after each."""

import pytest
from building import facts
from waiting import wait_until

from service.catalog import projector as projectors
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.projector import Projector
from service.ledger.events import append_events
from service.lineage.projector_process import ProjectorProcess
from service.settings import Settings

EVENTS = 5


@pytest.fixture
async def resting(pair, monkeypatch):
    """A projector that rests for a minute after its first page of two of five events, and what it reports."""
    monkeypatch.setattr(projectors, "_SLOW_PAGE_EVENTS", 2)
    monkeypatch.setattr(projectors, "_REST", 1e6)
    monkeypatch.setattr(projectors, "_MAX_REST_S", 60.0)
    await append_events(pair, facts(EVENTS), [None] * EVENTS)
    projector, reported = Projector(CatalogProjection(pair)), []
    projector.pace(slow=True)
    projector.start(reported.append)
    await wait_until(lambda: rests(projector), "it rests")
    assert set(reported) == {0, 2}
    yield projector, reported
    await projector.close()


async def rests(projector):
    return bool(projector._turn._waiters)


async def test_it_goes_on_at_once_for_a_reader(resting):
    projector, reported = resting
    projector.prioritize(EVENTS)
    await wait_until(lambda: has(reported, EVENTS), "the reader is answered")


async def test_it_goes_on_when_it_may_be_fast_again(resting):
    projector, reported = resting
    projector.pace(slow=False)
    await wait_until(lambda: has(reported, EVENTS), "all is projected")


async def test_it_is_not_slow_with_too_many_events_to_project(resting, monkeypatch):
    projector, reported = resting
    monkeypatch.setattr(projectors, "_MAX_SLOW_EVENTS", 1)
    projector.notify_appended(EVENTS)
    projector.pace(slow=True)  # has it look again
    await wait_until(lambda: has(reported, EVENTS), "all is projected")


async def test_a_rest_ends(pair, monkeypatch):
    monkeypatch.setattr(projectors, "_SLOW_PAGE_EVENTS", 2)
    await append_events(pair, facts(EVENTS), [None] * EVENTS)
    projector, reported = Projector(CatalogProjection(pair)), []
    projector.pace(slow=True)
    projector.start(reported.append)
    await wait_until(lambda: has(reported, EVENTS), "all is projected")
    await projector.close()
    assert {2, 4} < set(reported)


async def test_the_process_of_the_projectors_is_told(dsn, connections):
    process, reported = ProjectorProcess(Settings(database_url=dsn)), []
    process.catalog.start(reported.append)
    try:
        await wait_until(lambda: has(reported, 0), "it has begun")
        process.catalog.pace(slow=True)
        count = 2 * projectors._SLOW_PAGE_EVENTS + 1
        await append_events(connections, facts(count), [None] * count)
        process.notify_appended(count)
        await wait_until(lambda: has(reported, count), "all is projected")
        assert {projectors._SLOW_PAGE_EVENTS, count - 1} < set(reported)
    finally:
        await process.close()


async def has(reported, position):
    return position in reported
