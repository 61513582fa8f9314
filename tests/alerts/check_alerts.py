"""What each alert warns of is provoked on a real service, and Prometheus sees it."""

import asyncio
import os
import resource
import signal
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import aiohttp
import asyncpg
import pytest
import yaml
from building import fact, held_head, unguarded
from databases import QUICK
from lineage_client import JSON, NDJSON, event
from lost_tail import put_back, save
from monitoring import DEPLOYED, prometheus
from programs import children_of, program, run, until_ended
from waiting import wait_until

from service.embedded.postgres import EmbeddedPostgres

WORKER, PROJECTOR = "service.server.workers", "service.lineage.projector_process"
SILENT = b'{"ownerName":"me","silentAfterSeconds":1}'
MORE_THAN_AT_ONCE = 250
"""Runs that are silent; 200 ends are inferred at once."""
SETTINGS = (
    "--workers",
    2,
    "--auth",
    "on",
    "--queue-capacity",
    25,
    "--database-timeout",
    2,
    "--pending-body-bytes",
    400_000,
)


class Service:
    """The service, its database, and a caller with a key of scope write."""

    def __init__(self, program, session, dsn):
        self.program = program
        self.session = session
        self.dsn = dsn

    async def post(self, path, data=None, headers=JSON, method="POST"):
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.session.request(
                method, f"{self.program.url}{path}", data=data, headers=headers
            ) as response:
                await response.read()
                return response.status

    async def event(self, run=None, state="RUNNING"):
        return await self.post("/api/v1/lineage", fact(run or uuid4(), state).payload)

    def workers(self):
        return self.program.children(WORKER)

    def projectors(self):
        return [each for worker in self.workers() for each in children_of(worker, PROJECTOR)]


async def kill_one_after_the_other(find, times):
    """Kill processes, each after the one before was replaced."""
    ended = set()
    for _ in range(times):

        async def another():
            return set(find()) - ended

        await wait_until(another, "there is a process to kill")
        victim = min(await another())
        os.kill(victim, signal.SIGKILL)
        await until_ended(victim)
        ended.add(victim)


async def large_body():
    for _ in range(50):
        yield b" " * 100_000
        await asyncio.sleep(0)


async def lag(service, monitoring):
    """Hold the locks on both cursors for as long as it takes; provoke more that needs no catalog."""
    holder = await asyncpg.connect(service.dsn)
    async with holder.transaction(isolation="repeatable_read"):
        await holder.execute("select from runfold.catalog_cursor, runfold.lineage_cursor for update")
        run = uuid4()
        assert await service.event(run) == 201
        assert await service.post(f"/api/v1/jobs/runs/{run}/complete") == 200
        for _ in range(300):
            assert await service.post(f"/api/v1/jobs/runs/{run}/fail") == 409
        await monitoring.expect("RunfoldConflicts")
        assert await service.post("/api/v1/lineage", large_body()) == 503
        await monitoring.expect("RunfoldRequestsRefused")
        await monitoring.expect(
            "RunfoldProjectorDown", "RunfoldCatalogLag", "RunfoldLineageLag", "RunfoldLongTransaction"
        )
    await holder.close()


async def be_silent(service, monitoring):
    """Start more runs than may be ended at once, in a namespace whose runs may be silent for a second."""
    assert await service.post("/api/v1/namespaces/silent", SILENT, method="PUT") == 200
    started = "\n".join(event("START", namespace="silent", run=str(uuid4())) for _ in range(MORE_THAN_AT_ONCE))
    assert await service.post("/api/v1/lineage/batch", started.encode(), NDJSON) == 204
    await monitoring.expect("RunfoldManySilentRuns")


def open_files(process):
    """Return the number of open files of a process."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


async def lack_files(service, monitoring):
    """Lower the limit on open files of both workers to a few more than they have."""
    limits = {worker: resource.prlimit(worker, resource.RLIMIT_NOFILE) for worker in service.workers()}
    for worker, (_, most) in limits.items():
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (open_files(worker) + 3, most))
    await monitoring.expect("RunfoldFileDescriptors")
    for worker, before in limits.items():
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)


async def hang(service, monitoring):
    """Stop one worker, then the other: Prometheus may be connected to either."""
    for worker in service.workers():
        os.kill(worker, signal.SIGSTOP)
        with suppress(pytest.fail.Exception):
            await monitoring.expect("RunfoldWorkersMissing", deadline=10)
        os.kill(worker, signal.SIGCONT)
    await monitoring.expect("RunfoldWorkersMissing", deadline=1)


async def replace(service, monitoring):
    await kill_one_after_the_other(service.projectors, 3)
    await monitoring.expect("RunfoldProjectorRestarts")
    await kill_one_after_the_other(service.workers, 3)
    await monitoring.expect("RunfoldWorkerRestarts")


async def overload(service, monitoring):
    """Let commits take a second, then none succeed, with more requests than the queues take."""
    for _ in range(3):
        async with held_head(service.dsn):
            slow = [asyncio.create_task(service.event()) for _ in range(4)]
            await asyncio.wait(slow, timeout=1)
        assert [await each for each in slow] == [201] * 4
    await monitoring.expect("RunfoldSlowCommits")

    async def repeat():
        while True:
            await service.event()

    async with held_head(service.dsn):
        callers = [asyncio.create_task(repeat()) for _ in range(120)]
        await monitoring.expect(
            "RunfoldQueueSaturated", "RunfoldErrors", "RunfoldAppendFailures", "RunfoldSlowRequests"
        )
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)


async def harm_the_database(service, monitoring):
    """Lose the end of the ledger, set its clock ahead, set an event aside, and refuse writes."""

    async def takes_an_event():
        return await service.event() == 201

    db = await asyncpg.connect(service.dsn)
    await save(db)
    for _ in range(5):
        await wait_until(takes_an_event, "an event is recorded")
    await put_back(db)
    await wait_until(takes_an_event, "an event is recorded")
    await monitoring.expect("RunfoldLedgerLoss")
    await unguarded(db, "update runfold.ledger_head set recorded_at = now() + interval '60 s'")
    await wait_until(takes_an_event, "an event is recorded")
    await monitoring.expect("RunfoldClockAhead")
    await db.execute(
        "insert into runfold.catalog_set_aside (log, position, subject, stream, left_out, reason)"
        " select log, position, subject, stream, 'event', 'a test' from runfold.events where position = 1"
    )
    await monitoring.expect("RunfoldEventsSetAside")
    name = await db.fetchval("select current_database()")
    await db.execute(f"alter database {name} set default_transaction_read_only = on")
    await db.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
    await monitoring.expect("RunfoldDatabaseNotWritable", "RunfoldSilenceMonitorDown")
    await db.close()


async def test_prometheus_sees_each_alert_when_its_condition_is_provoked(tmp_path):
    with EmbeddedPostgres(tmp_path / "postgres", settings=QUICK) as server:
        at = ("--database-url", server.dsn)
        keys = [
            (await run(tmp_path / "keys", "keys", "create", scope, "--scope", scope, *at))
            for scope in ("read", "write")
        ]
        read, write = (key.output.strip() for key in keys)
        async with (
            program(tmp_path / "stderr", "serve", "--port", 0, *at, *SETTINGS) as started,
            aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {write}"}, timeout=aiohttp.ClientTimeout(20)
            ) as session,
        ):
            await started.wait_until_ready()
            async with prometheus(tmp_path, started.url.removeprefix("http://"), read) as monitoring:
                await provoke(Service(started, session, server.dsn), monitoring, server)
    names = {
        rule["alert"]
        for group in yaml.safe_load((DEPLOYED / "runfold.rules.yml").read_text())["groups"]
        for rule in group["rules"]
    }
    assert monitoring.seen == names


async def provoke(service, monitoring, server):
    async def scraped_often():
        return await monitoring.scrapes() >= 5

    await wait_until(scraped_often, "the service is scraped")
    assert await monitoring.firing() <= {"RunfoldAbsent"}  # until the first scrape
    await lag(service, monitoring)
    await be_silent(service, monitoring)
    await lack_files(service, monitoring)
    await hang(service, monitoring)
    await replace(service, monitoring)
    await overload(service, monitoring)
    await harm_the_database(service, monitoring)
    server.stop()
    await monitoring.expect("RunfoldDatabaseDown")
    service.program.send(signal.SIGKILL)
    await monitoring.expect("RunfoldDown", "RunfoldAbsent")
