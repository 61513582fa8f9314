"""With several workers, each scrape shows the whole service, whatever becomes of a worker."""

import asyncio
import os
import signal
from importlib.metadata import version

import aiohttp
import pytest
from programs import program, until_ended
from scraping import scrape
from waiting import wait_until

ANSWERED = ("runfold_http_requests_total", (("method", "GET"), ("route", "/livez"), ("status", "200")))
WORKERS = 3


@pytest.fixture
async def service(dsn, tmp_path):
    arguments = ("serve", "--port", 0, "--database-url", dsn, "--workers", WORKERS)
    async with program(tmp_path / "stderr", *arguments) as started:
        await started.wait_until_ready()
        yield started


async def get(url, times):
    """Send requests over connections of their own, which the kernel spreads over the workers."""
    for _ in range(times):
        async with aiohttp.ClientSession(url) as session, session.get("/livez") as response:
            assert response.status == 200


async def scraped(url):
    async with aiohttp.ClientSession(url) as session:
        return await scrape(session)


async def test_any_worker_answers_for_all_and_counters_never_fall(service):
    assert (await scraped(service.url))["runfold_workers_answering", ()] == WORKERS
    await get(service.url, 40)
    # Every worker is asked at least once in so many scrapes over connections of their own, and some at the same time.
    for found in await asyncio.gather(*(scraped(service.url) for _ in range(30))):
        assert found[ANSWERED] == 40
        assert found["runfold_queue_capacity", ()] == 10_000 * WORKERS
        assert found["runfold_build_info", (("version", version("runfold")),)] == 1
        assert found["runfold_workers", ()] == found["runfold_workers_answering", ()] == WORKERS

    stopped, killed, _ = service.children("service.server.workers")
    os.kill(killed, signal.SIGKILL)
    await until_ended(killed)

    async def replaced():
        found = await scraped(service.url)
        assert found[ANSWERED] == 40
        return found["runfold_worker_restarts_total", ()] == 1 and found["runfold_workers_answering", ()] == WORKERS

    await wait_until(replaced, "another worker has taken its place")
    await get(service.url, 10)
    before = await scraped(service.url)
    assert before[ANSWERED] == 50

    os.kill(stopped, signal.SIGSTOP)

    async def represented():
        """Scrape over several connections at once: the kernel gives some of them to the worker that hangs."""
        scrapes = (asyncio.wait_for(scraped(service.url), 5) for _ in range(6))
        found = [each for each in await asyncio.gather(*scrapes, return_exceptions=True) if isinstance(each, dict)]
        assert all(each[ANSWERED] == 50 for each in found)
        return any(each["runfold_workers_answering", ()] == WORKERS - 1 for each in found)

    await wait_until(represented, "its last report represents the worker that hangs")
    os.kill(stopped, signal.SIGCONT)
    found = await scraped(service.url)
    assert found[ANSWERED] == 50
    assert found["runfold_workers_answering", ()] == WORKERS
    service.send(signal.SIGTERM)
    assert (await service.end()).status == 0
