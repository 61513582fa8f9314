"""Lineage gives way: its pages wait while somebody waits for the catalog, unless somebody waits for lineage, too."""

import pytest
from building import facts
from waiting import wait_until

from service.catalog import projector as projectors
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.projector import Projector
from service.ledger.events import append_events
from service.lineage.pages import LineageProjection

EVENTS = 3


@pytest.fixture
async def both(pair, connections, monkeypatch):
    """The projectors of three events, of which that of the catalog is awaited and does not come to its end."""
    monkeypatch.setattr(projectors, "_GIVE_WAY_S", 60.0)
    catalog = Projector(CatalogProjection(pair))
    lineage = Projector(LineageProjection(connections), gives_way_to=catalog)
    catalog.prioritize(EVENTS)
    await append_events(pair, facts(EVENTS), [None] * EVENTS)
    yield catalog, lineage
    await lineage.close()
    await catalog.close()


async def start(lineage):
    """Start the projector; return the positions that it reports."""
    reported = []
    lineage.start(reported.append)
    lineage.notify_appended(EVENTS)
    return reported


async def waits(lineage):
    """Whether a page of the projector gives way."""
    return bool(lineage._turn._waiters)


async def test_a_page_waits_until_the_catalog_is_projected(both):
    catalog, lineage = both
    reported = await start(lineage)
    await wait_until(lambda: waits(lineage), "it gives way")
    assert set(reported) == {0}
    catalog.start(lambda _: None)
    await wait_until(lambda: is_in(reported), "it has its turn")


async def test_a_page_goes_on_when_somebody_waits_for_it(both):
    _, lineage = both
    reported = await start(lineage)
    await wait_until(lambda: waits(lineage), "it gives way")
    lineage.prioritize(EVENTS)
    await wait_until(lambda: is_in(reported), "it is projected")


async def test_a_page_waits_for_a_limited_time(both, monkeypatch):
    monkeypatch.setattr(projectors, "_GIVE_WAY_S", 0.01)
    reported = await start(both[1])
    await wait_until(lambda: is_in(reported), "it goes on")


async def is_in(reported):
    """Whether all events are projected."""
    return EVENTS in reported
