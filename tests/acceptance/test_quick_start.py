"""The requests of README.md, word by word, and the demo that it names."""

import asyncio
import json
import subprocess

import aiohttp
import asyncpg
from documents import blocks
from programs import run
from scraping import scrape
from waiting import wait_until

from service.settings import Settings


def test_the_requests_of_the_readme_show_a_run_that_is_running(server):
    lines = blocks("README.md", "Quick start")
    requests = [line.replace("http://localhost:5000", server.url) for line in lines if line.startswith("curl")]
    answers = [
        json.loads(subprocess.run(["bash", "-c", f"{line} --fail -s"], check=True, capture_output=True).stdout)
        for line in requests
    ]
    assert len(answers) == 4
    example = json.loads("".join(line for line in lines if line.startswith(("{", " "))))
    assert example.keys() == answers[-1].keys()
    own = {"createdAt", "updatedAt"}
    assert {name: answers[-1][name] for name in example.keys() - own} == {
        name: example[name] for name in example.keys() - own
    }


async def test_definitions_wait_as_long_as_the_database_may_take_and_the_demo_repeats_a_503(server, tmp_path):
    async def refused():
        async with aiohttp.ClientSession(server.url) as session:
            return any(dict(labels).get("status") == "503" for _, labels in await scrape(session))

    loop = asyncio.get_running_loop()
    connection = await asyncpg.connect(server.dsn)
    try:
        async with connection.transaction():
            await connection.execute("lock table runfold.jobs in access exclusive mode")
            began = loop.time()
            demo = asyncio.create_task(run(tmp_path / "stderr", "demo", "--url", server.url))
            await wait_until(refused, "a request has been refused")
            assert loop.time() - began > Settings().database_timeout
        ended = await demo
    finally:
        await connection.close()
    assert (ended.status, ended.errors) == (0, "")
    assert "complete the run that is still running" in ended.output
