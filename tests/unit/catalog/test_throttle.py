"""Who records in bulk is held back while the catalog is far behind, and no longer than that."""

import asyncio

import pytest

from service.catalog.freshness import MOST_BYTES, MOST_EVENTS, CatalogFreshness


class ByHand:
    """Folds when told to."""

    def start(self, reached):
        self.reached = reached
        self.wanted = []

    async def close(self):
        pass

    def appended(self, position):
        pass

    def want(self, position):
        self.wanted.append(position)


@pytest.fixture
async def folds():
    return ByHand()


@pytest.fixture
async def catalog(folds):
    found = CatalogFreshness(folds, None)
    found.start()
    return found


async def a_moment():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_little_holds_nobody(catalog, folds):
    await catalog.throttle(100, MOST_EVENTS, MOST_BYTES)
    assert folds.wanted == []


@pytest.mark.parametrize(("events", "size"), [(MOST_EVENTS, 1), (1, MOST_BYTES)])
async def test_too_much_waits_until_the_oldest_is_folded(catalog, folds, events, size):
    await catalog.throttle(100, events, size)
    waiting = asyncio.create_task(catalog.throttle(200, 1, 1))
    await a_moment()
    assert folds.wanted == [100]
    folds.reached(99)
    await a_moment()
    assert not waiting.done()
    folds.reached(100)
    await asyncio.wait_for(waiting, 1)


async def test_a_catalog_that_stands_still_holds_nobody_for_ever(catalog, monkeypatch):
    monkeypatch.setattr("service.catalog.freshness._PATIENCE", 0.01)
    await asyncio.wait_for(catalog.throttle(100, MOST_EVENTS + 1, 1), 5)
