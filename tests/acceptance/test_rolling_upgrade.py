"""A service is upgraded, and goes back, replica by replica under load: no request fails, and nothing is lost.

The next version is a copy of this one with what most upgrades bring: a migration, and a register more.
"""

import asyncio
import shutil
import signal
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from uuid import uuid4

import aiohttp
import pytest
from programs import REPOSITORY, program_of
from waiting import wait_until

from service.database.migrations import newest_revision
from service.ledger.stored_registers import FORMAT

JOB = "/api/v1/namespaces/etl/jobs/load"
NEXT = f"{int(newest_revision()) + 1:04}"
MIGRATION = f"""
from alembic import op

revision, down_revision = "{NEXT}", "{newest_revision()}"
oldest_program = "{newest_revision()}"


def upgrade() -> None:
    op.execute("alter table runfold.runs add column added text")
"""


@pytest.fixture
def next_version(tmp_path):
    """A checkout of the next version."""
    checkout = tmp_path / "next"
    for name in ("service", "alembic"):
        shutil.copytree(REPOSITORY / name, checkout / name)
    (checkout / f"alembic/versions/{NEXT}_next.py").write_text(MIGRATION)
    stored_registers = checkout / "service/ledger/stored_registers.py"
    edit(stored_registers, f"FORMAT = {FORMAT}", f"FORMAT = {FORMAT + 1}")
    edit(stored_registers, "encode_registers(registers)", 'encode_registers((*registers, "added"))')
    edit(stored_registers, "if written <= current", "if written < current")  # its own rows have the field, too
    return checkout


def edit(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1, (file, old)
    file.write_text(text.replace(old, new))


class Load:
    """Clients that create, start, complete, read and list runs, and never repeat a request."""

    def __init__(self, session):
        self._session = session
        self._turns = count()
        self.replicas = []
        self.under_way = Counter()
        self.failures = []
        self.completed = []
        self.created = 0
        self.requests = 0

    async def call(self, method, path, **options):
        """Send a request to the next replica, as a load balancer would that knows which replicas there are."""
        url = self.replicas[next(self._turns) % len(self.replicas)].url
        self.under_way[url] += 1
        try:
            async with self._session.request(method, f"{url}{path}", **options) as answer:
                if answer.status >= 300:
                    self.failures.append((method, path, answer.status, await answer.text()))
                return await answer.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failures.append((method, path, repr(error)))
            return {}
        finally:
            self.under_way[url] -= 1
            self.requests += 1

    async def report_runs(self):
        while True:
            run_id = str(uuid4())
            await self.call("POST", f"{JOB}/runs", json={"id": run_id})
            self.created += 1
            await self.call("POST", f"/api/v1/jobs/runs/{run_id}/start")
            await self.call("GET", f"/api/v1/jobs/runs/{run_id}")
            await self.call("POST", f"/api/v1/jobs/runs/{run_id}/complete")
            self.completed.append(run_id)

    async def list_runs(self):
        while True:
            least = self.created
            listed = await self.call("GET", f"{JOB}/runs?limit=5")
            if listed.get("totalCount", 0) < least:
                self.failures.append(("a list lacks runs that were created before", least, listed))

    @asynccontextmanager
    async def going_on(self, *more):
        tasks = [asyncio.create_task(client) for client in (self.report_runs(), self.report_runs(), *more)]
        try:
            yield
            await self.goes_on()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def goes_on(self, requests=60):
        """Wait until some more requests were answered."""
        enough = self.requests + requests
        await until(lambda: self.requests >= enough or self.failures, "requests are answered")
        assert self.failures == []

    async def without(self, replica):
        """Send no more requests to a replica, and wait for those that are under way."""
        self.replicas.remove(replica)
        await until(lambda: self.under_way[replica.url] == 0, "the replica has no request")


async def until(condition, what):
    await wait_until(lambda: asyncio.sleep(0, condition()), what)


async def test_no_request_fails_while_a_service_is_upgraded_and_goes_back(next_version, dsn, db, tmp_path):
    logs = (tmp_path / f"log-{number}" for number in count())
    async with AsyncExitStack() as stack:
        load = Load(await stack.enter_async_context(aiohttp.ClientSession()))

        async def start(checkout):
            arguments = (next(logs), "serve", "--port", 0, "--database-url", dsn)
            replica = await stack.enter_async_context(program_of(checkout, *arguments))
            await replica.wait_until_ready()
            load.replicas.append(replica)
            return replica

        async def stop(replica):
            await load.without(replica)
            replica.send(signal.SIGTERM)
            assert (await replica.end()).status == 0

        async def executed(checkout, *arguments):
            async with program_of(checkout, next(logs), *arguments, "--database-url", dsn) as command:
                ended = await command.end()
            assert ended.status == 0, ended
            return ended.output

        old = await start(REPOSITORY)
        await load.call("PUT", "/api/v1/namespaces/etl", json={"ownerName": "ann"})
        await load.call("PUT", JOB, json={"type": "BATCH", "inputs": [], "outputs": []})
        async with load.going_on(load.list_runs()):
            await load.goes_on()
            assert await executed(next_version, "migrate") == f"The schema is at revision {NEXT}.\n"
            await load.goes_on()
            assert (await load.call("GET", "/readyz"))["status"] == "ready", "it stays in service"
            new = await start(next_version)
            taken_over = f"select true from runfold.catalog_cursor where format = {FORMAT + 1}"
            await wait_until(lambda: db.fetchval(taken_over), "the new version projects")
            await load.goes_on()
            await stop(old)
        assert "no longer projects the catalog, and waits for others" in old.log.read_text()

        async with load.going_on():
            await start(REPOSITORY)
            await load.goes_on()
            await stop(new)
        await executed(REPOSITORY, "rebuild")
        async with load.going_on(load.list_runs()):
            await load.goes_on()
        for run_id in load.completed:
            assert (await load.call("GET", f"/api/v1/jobs/runs/{run_id}"))["state"] == "COMPLETED"
        assert load.failures == []
        await executed(next_version, "verify", "--catalog")
