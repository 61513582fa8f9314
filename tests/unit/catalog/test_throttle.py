"""Requests wait for the catalog, and bulk writers while it is far behind, and no longer than that."""

import asyncio

import pytest
from waiting import wait_until

from service.catalog.freshness import MAX_PENDING_BYTES, MAX_PENDING_EVENTS, CatalogFreshness, Pace
from service.database.connections import Connections


class ManualProjector:
    """Makes progress when a test calls on_progress."""

    def start(self, on_progress):
        self.on_progress = on_progress
        self.prioritized = []

    async def close(self):
        pass

    def notify_appended(self, position):
        pass

    def prioritize(self, position):
        self.prioritized.append(position)


@pytest.fixture
async def projector():
    return ManualProjector()


@pytest.fixture
async def catalog(projector):
    freshness = CatalogFreshness(projector, Connections(""))
    freshness.start()
    return freshness


async def a_moment():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_little_holds_nobody(catalog, projector):
    await catalog.throttle(100, MAX_PENDING_EVENTS, MAX_PENDING_BYTES)
    assert projector.prioritized == []


@pytest.mark.parametrize(("events", "size"), [(MAX_PENDING_EVENTS, 1), (1, MAX_PENDING_BYTES)])
async def test_too_much_waits_until_the_oldest_is_projected(catalog, projector, events, size):
    await catalog.throttle(100, events, size)
    waiting = asyncio.create_task(catalog.throttle(200, 1, 1))
    await a_moment()
    assert projector.prioritized == [100]
    projector.on_progress(99)
    await a_moment()
    assert not waiting.done()
    projector.on_progress(100)
    await asyncio.wait_for(waiting, 1)


async def test_a_request_waits_for_the_very_position(catalog, projector):
    waiting = asyncio.create_task(catalog.wait_for(100))
    await a_moment()
    projector.on_progress(99)
    await a_moment()
    assert not waiting.done()
    projector.on_progress(100)
    await asyncio.wait_for(waiting, 1)


async def test_a_catalog_that_stands_still_holds_nobody_for_ever(catalog, monkeypatch):
    monkeypatch.setattr("service.catalog.freshness._MAX_THROTTLE_S", 0.01)
    await asyncio.wait_for(catalog.throttle(100, MAX_PENDING_EVENTS + 1, 1), 5)


async def test_bulk_writers_pause_for_a_request_that_has_waited(catalog, projector, monkeypatch):
    monkeypatch.setattr("service.catalog.freshness._READER_PATIENCE_S", 0.0)
    await catalog.throttle(90, 1, 1)
    reader = asyncio.create_task(catalog.wait_for(95, 10))

    async def has_waited():
        return catalog._longest_wait_s() > 0

    await wait_until(has_waited, "the request has waited")
    writer = asyncio.create_task(catalog.throttle(100, 1, 1))
    await a_moment()
    projector.on_progress(94)
    await a_moment()
    assert not writer.done()
    projector.on_progress(95)
    await asyncio.wait_for(asyncio.gather(reader, writer), 1)


async def test_requests_that_are_answered_soon_hold_no_bulk_writer(catalog):
    reader = asyncio.create_task(catalog.wait_for(95, 10))
    await a_moment()
    await asyncio.wait_for(catalog.throttle(100, 1, 1), 1)
    reader.cancel()


def test_no_more_may_wait_than_is_projected_in_a_second():
    pace, position = Pace(), 0
    assert pace.max_pending == MAX_PENDING_EVENTS
    pace.observe(position, 0.0, is_busy=True)
    for now, each in enumerate((8_000, 3_000, 10, 12_000, 90_000), start=1):
        position += each
        pace.observe(position, float(now), is_busy=True)
        assert pace.max_pending == min(max(1_000, each), MAX_PENDING_EVENTS)


def test_what_has_caught_up_is_trusted_with_more():
    pace = Pace()
    for position, now in ((0, 0.0), (10, 1.0)):
        pace.observe(position, now, is_busy=True)
    assert pace.max_pending == 1_000
    for most in (2_000, 4_000, 8_000, 16_000, MAX_PENDING_EVENTS, MAX_PENDING_EVENTS):
        pace.observe(20, 1.1, is_busy=False)
        assert pace.max_pending == most
        pace.observe(30, 1.2, is_busy=True)
