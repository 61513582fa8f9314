"""Measures what docs/sizing.md says, CPU time, bytes, memory and connections: `python -m bench.sizing`."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import aiohttp

from bench.database import Database
from bench.programs import Program, runfold, serve
from bench.stage import ready
from service.embedded.postgres import attach

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 32
LOADS = (("one request an event, 226 bytes", 6_000, 0, False), ("lines, 226 bytes", 20_000, 0, True))
LARGE = ("lines, 5 KB", 3_000, 4_700, True)
SIZES = """
select coalesce(sum(pg_total_relation_size(oid)) filter (where relname ~ '^(events$|payloads|ledger)'), 0)::bigint,
       coalesce(sum(pg_total_relation_size(oid)) filter (where relname !~ '^(events$|payloads|ledger)'), 0)::bigint
  from pg_class
 where relnamespace = 'runfold'::regnamespace and relkind = 'r'
"""
SESSIONS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


def lines(runs: int, size: int) -> Iterator[bytes]:
    """Return the START and the COMPLETE of each run, of 226 bytes and `size` more."""
    producer = "https://example.com/producer"
    for number in range(runs):
        run = str(uuid4())
        facet = {"_producer": producer, "_schemaURL": producer, "text": "".join(uuid4().hex for _ in range(size // 32))}
        for kind, at in (("START", "00"), ("COMPLETE", "30")):
            event = {"eventType": kind, "eventTime": f"2026-01-01T00:00:{at}Z", "producer": producer}
            event |= {"run": {"runId": run, "facets": {"own": facet} if size else {}}}  # type: ignore[dict-item]
            yield json.dumps(event | {"job": {"namespace": "sizing", "name": f"job-{number % 100}"}}).encode()


async def send(http: aiohttp.ClientSession, events: list[bytes], *, batch: bool) -> None:
    """Send all events, as one batch or one by one."""
    if batch:
        headers = {"Content-Type": "application/x-ndjson"}
        async with http.post("/api/v1/lineage/batch", data=b"\n".join(events), headers=headers) as answer:
            answer.raise_for_status()
        return
    waiting = iter(events)

    async def client() -> None:
        for event in waiting:
            async with http.post("/api/v1/lineage", data=event, headers={"Content-Type": "application/json"}) as answer:
                answer.raise_for_status()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


async def main() -> None:
    """Print one line for each load."""
    with tempfile.TemporaryDirectory(prefix="rfb-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        service = await Program.start("service", [*runfold(), *serve(directory / "data")], directory)
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as http:
                await ready(http, service)
                dsn = await asyncio.to_thread(attach, directory / "data")
                assert dsn is not None  # noqa: S101  it answers
                database = await Database.connect(dsn)
                for load in (*LOADS, LARGE):
                    await measure(load, http, service, database)
                sessions = await database.connection.fetchval(SESSIONS)
                print(f"connections: {sessions}")
                await database.close()
        finally:
            await service.stop()


async def measure(
    load: tuple[str, int, int, bool], http: aiohttp.ClientSession, service: Program, database: Database
) -> None:
    """Measure a load: sent, recorded and projected."""
    label, runs, size, batch = load
    events = list(lines(runs, size))
    before, tables = service.usage(), await sizes(database)
    await send(http, events, batch=batch)
    async with http.get("/api/v1/namespaces/sizing/jobs?limit=1") as answer:
        await answer.read()
    await database.caught_up()
    after, tables_after = service.usage(), await sizes(database)
    cpu, cpu_postgres = after.cpu_s - before.cpu_s, after.cpu_postgres_s - before.cpu_postgres_s
    ledger, catalog = tables_after[0] - tables[0], tables_after[1] - tables[1]
    print(
        f"{label}: {len(events)} events of {sum(map(len, events)) // len(events)} bytes;"
        f" {len(events) / (cpu + cpu_postgres):.0f} events per CPU second"
        f" (service {cpu / len(events) * 1e6:.0f} us, PostgreSQL {cpu_postgres / len(events) * 1e6:.0f} us);"
        f" ledger {ledger // len(events)} bytes an event, catalog {catalog // runs} bytes a run;"
        f" memory {after.rss >> 20} MiB, PostgreSQL {after.rss_postgres >> 20} MiB"
    )


async def sizes(database: Database) -> tuple[int, int]:
    """Return the bytes of the ledger's tables and of the others, with their indexes."""
    row = await database.connection.fetchrow(SIZES)
    return row[0], row[1]


if __name__ == "__main__":
    asyncio.run(main())
