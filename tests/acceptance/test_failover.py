"""The real program when an asynchronous standby is promoted that has not received the last events."""

import asyncio
import tempfile
from pathlib import Path

import aiohttp
from programs import program
from proxy import Proxy
from standby import PRIMARY_SETTINGS, standby
from waiting import DEADLINE_S, wait_until

from service.database import migrations
from service.embedded.postgres import EmbeddedPostgres

NAMESPACES = "/api/v1/namespaces"


async def put(session, name):
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with session.put(f"{NAMESPACES}/{name}", json={"ownerName": "ann"}) as answer:
                if answer.status != 503:
                    assert answer.status == 200, await answer.text()
                    return


async def names(session):
    async with session.get(f"{NAMESPACES}?limit=100") as answer:
        assert answer.status == 200, await answer.text()
        return {namespace["name"] for namespace in (await answer.json())["namespaces"]}


async def test_lists_go_on_after_a_failover_that_lost_the_tail(tmp_path):
    with (
        tempfile.TemporaryDirectory() as sockets,
        EmbeddedPostgres(tmp_path / "primary", settings=PRIMARY_SETTINGS) as primary,
    ):
        await asyncio.to_thread(migrations.upgrade, primary.dsn)
        proxy = Proxy(primary.dsn, Path(sockets))
        await proxy.listen()
        async with standby(tmp_path / "primary", primary.dsn) as follower:
            await follower.wait_until_ready()
            arguments = ("serve", "--port", 0, "--database-url", proxy.dsn)
            async with program(tmp_path / "log", *arguments) as service:
                await service.wait_until_ready()
                async with aiohttp.ClientSession(service.url) as session:
                    await put(session, "before")
                    kept = await names(session)
                    await follower.cut_off()
                    for number in range(30):
                        await put(session, f"lost-{number}")
                    assert len(await names(session)) == len(kept) + 30
                    await proxy.stop()
                    await follower.promote()
                    proxy.connect_to(follower.dsn)
                    await proxy.listen()
                    await put(session, "after")
                    assert await names(session) == kept | {"after"}

                    async def counted():
                        async with session.get("/metrics") as answer:
                            return "runfold_ledger_losses_total 1.0" in await answer.text()

                    await wait_until(counted, "the loss is counted")
                assert "are lost" in service.log.read_text()
        await proxy.close()
