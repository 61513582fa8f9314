"""When the projector projects: late while events accumulate, at once for a reader."""

import pytest
from building import facts
from waiting import wait_until

from service.catalog import projector as projectors
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.projector import Projector
from service.ledger.events import append_events


@pytest.fixture
async def progress(pair, monkeypatch):
    """A projector that lets events accumulate for a minute, and the positions that it reports."""
    monkeypatch.setattr(projectors, "_QUIET_S", 60.0)
    monkeypatch.setattr(projectors, "_MAX_DELAY_S", 60.0)
    reported = []
    projector = Projector(CatalogProjection(pair))
    projector.start(reported.append)
    yield projector, reported
    await projector.close()


async def test_a_reader_is_not_kept_waiting_while_events_accumulate(progress, connections):
    projector, reported = progress

    async def reports(position):
        return position in reported

    await wait_until(lambda: reports(0), "it has begun")
    await append_events(connections, facts(3), [None] * 3)
    projector.notify_appended(3)
    await wait_until(lambda: waits(projector), "it waits for more events")
    assert 3 not in reported
    projector.prioritize(3)
    await wait_until(lambda: reports(3), "it has projected them")


async def waits(projector):
    """Whether the projector has taken note of the events."""
    return not projector._wake.is_set()
