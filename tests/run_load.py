"""A steady load on the replicas of a service."""

import asyncio
import signal
from collections import Counter
from contextlib import asynccontextmanager
from itertools import count
from uuid import uuid4

import aiohttp
from waiting import wait_until

JOB = "/api/v1/namespaces/etl/jobs/load"


class Load:
    """Clients that create, start, complete, read and list runs. Only if `may_repeat`, they repeat what got a 503."""

    def __init__(self, session):
        self._session = session
        self._turns = count()
        self.may_repeat = False
        self.repeats = 0
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
                if answer.status == 503 and self.may_repeat:
                    self.repeats += 1
                elif answer.status < 300:
                    return await answer.json()
                else:
                    self.failures.append((method, path, answer.status, await answer.text()))
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failures.append((method, path, repr(error)))
        finally:
            self.under_way[url] -= 1
            self.requests += 1
        return await self.call(method, path, **options) if self.may_repeat and not self.failures else {}

    async def define(self):
        await self.call("PUT", "/api/v1/namespaces/etl", json={"ownerName": "ann"})
        await self.call("PUT", JOB, json={"type": "BATCH", "inputs": [], "outputs": []})

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

    async def use(self, replica):
        """Send requests to a replica, too, when it is ready."""
        await replica.wait_until_ready()
        self.replicas.append(replica)

    async def stop(self, replica):
        """Send no more requests to a replica, wait for those that are under way, and stop it."""
        self.replicas.remove(replica)
        await until(lambda: self.under_way[replica.url] == 0, "the replica has no request")
        replica.send(signal.SIGTERM)
        assert (await replica.end()).status == 0


async def until(condition, what):
    await wait_until(lambda: asyncio.sleep(0, condition()), what)
