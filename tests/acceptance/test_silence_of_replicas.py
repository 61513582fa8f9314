"""Silent runs with the real program: one monitor among replicas, and another one after kill -9."""

import signal
from uuid import uuid4

import asyncpg
from aiohttp import ClientSession
from lineage_client import BATCH, NDJSON, event
from programs import program
from scraping import scrape
from waiting import wait_until

ENDS = "select stream::text from runfold.events where source = 'monitor'"


async def post(url: str, *runs: str) -> None:
    lines = "\n".join(event(run=one) for one in runs)
    async with ClientSession(url) as client, client.post(BATCH, data=lines, headers=NDJSON) as answer:
        assert answer.status == 204, await answer.text()


async def is_active(url: str) -> bool:
    async with ClientSession(url) as client:
        return (await scrape(client))["runfold_silence_monitor_active", ()] == 1


async def test_one_of_two_replicas_looks_and_the_other_one_takes_over_when_it_is_killed(dsn, tmp_path):
    serve = ("serve", "--port", "0", "--database-url", dsn, "--silent-after", "1s")
    db = await asyncpg.connect(dsn)

    async def inferred(*runs: str) -> None:
        async def all_of_them() -> bool:
            return set(runs) <= {row["stream"] for row in await db.fetch(ENDS)}

        await wait_until(all_of_them, "the ends of silent runs are inferred")

    first, second = [str(uuid4()) for _ in range(20)], [str(uuid4()) for _ in range(20)]
    async with program(tmp_path / "one", *serve) as one, program(tmp_path / "two", *serve, "--workers", "2") as two:
        await one.wait_until_ready()
        await two.wait_until_ready()
        await post(one.url, *first)
        await inferred(*first)
        active, other = (one, two) if await is_active(one.url) else (two, one)
        assert not await is_active(other.url)
        active.send(signal.SIGKILL)
        await active.process.wait()
        await post(other.url, *second)
        await inferred(*second)
        assert await is_active(other.url)
        other.send(signal.SIGTERM)
        assert (await other.end()).status == 0
    assert sorted(row["stream"] for row in await db.fetch(ENDS)) == sorted(first + second), "each of them once"
    assert await db.fetchval("select holder is null from runfold.silence_monitor"), "the next one need not wait"
    await db.close()
