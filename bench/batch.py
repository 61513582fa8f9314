"""A large shuffled batch of OpenLineage events, beside raw COPY of the very rows that it became."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.operations import WrongAnswersError

if TYPE_CHECKING:
    from pathlib import Path

    from bench.database import Database
    from bench.events import Template
    from bench.programs import Program
    from bench.stage import Stage

PATH = "/api/v1/lineage/batch"
ANSWER_S = 300
CAUGHT_UP_S = 120
WATCH_S = 0.05
BLOCK = 1024 * 1024

# Keys, indexes, storage and compression of the service's own tables; no triggers, no partitions.
COPIES = """
drop schema if exists bench_copy cascade;
create schema bench_copy;
create table bench_copy.events (like runfold.events including all);
create table bench_copy.payloads (like runfold.payloads_0 including all);
"""
ROWS = "select * from runfold.{} where log = 0 and position > $1"
LEDGER = """
select pg_total_relation_size('runfold.events') as events,
       (select sum(pg_total_relation_size(relid))
          from pg_partition_tree('runfold.payloads'))::bigint as payloads,
       (select sum(pg_total_relation_size('runfold.' || name))
          from unnest(array['runs', 'jobs', 'namespaces', 'run_counts']) as name)::bigint as catalog
"""


@dataclass(frozen=True)
class Batch:
    """What one batch came to; bytes on disk are bytes an event, tables with their indexes."""

    events: int
    seconds: float
    copy_seconds: float
    caught_up_s: float
    memory_growth: int
    disk_events: float
    disk_payloads: float
    disk_catalog: float
    disk_copied_payloads: float

    @property
    def rate(self) -> float:
        """Events a second, from the first byte sent to the answer."""
        return self.events / self.seconds

    @property
    def to_copy(self) -> float:
        """How fast that is beside raw COPY."""
        return self.copy_seconds / self.seconds

    @property
    def disk_ratio(self) -> float:
        """Payloads as recorded to payloads as copied."""
        return self.disk_payloads / self.disk_copied_payloads


async def measure(stage: Stage, template: Template, runs: int) -> Batch:
    """Send a batch of two events a run, check that all of it was recorded, copy its rows."""
    file = stage.directory / "batch.ndjson"
    await asyncio.to_thread(template.write_shuffled, file, runs)
    await stage.folded()
    position, before = await stage.database.head(), await _sizes(stage.database)
    seconds, growth = await _watched(stage.service, file)
    caught_up = await stage.database.caught_up(CAUGHT_UP_S)
    await _check(stage.database, position, runs)
    after = await _sizes(stage.database)
    copy_seconds, copied = await _copy(stage, position)
    events = 2 * runs
    grown = {name: (size - before[name]) / events for name, size in after.items()}
    return Batch(
        events=events,
        seconds=seconds,
        copy_seconds=copy_seconds,
        caught_up_s=caught_up,
        memory_growth=growth,
        disk_events=grown["events"],
        disk_payloads=grown["payloads"],
        disk_catalog=grown["catalog"],
        disk_copied_payloads=copied / events,
    )


async def _watched(service: Program, file: Path) -> tuple[float, int]:
    """Send the file; return seconds, and by how many bytes the service's memory grew at most meanwhile."""
    at_first = service.usage().rss
    highest = at_first
    sending = asyncio.create_task(asyncio.to_thread(_send, service.port, file))
    while not sending.done():
        await asyncio.wait([sending], timeout=WATCH_S)
        highest = max(highest, service.usage().rss)
    return await sending, highest - at_first


def _send(port: int, file: Path) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S, blocksize=BLOCK)
    headers = {"Content-Type": "application/x-ndjson", "Content-Length": str(file.stat().st_size)}
    began = time.perf_counter()
    with file.open("rb") as lines:
        connection.request("POST", PATH, lines, headers)
        answer = connection.getresponse()
        body = answer.read()
    seconds = time.perf_counter() - began
    connection.close()
    if answer.status != 204 and not (answer.status == 200 and json.loads(body).get("status") == "success"):
        raise WrongAnswersError(f"POST {PATH}: {answer.status} {body[:1000]!r}")
    return seconds


async def _check(database: Database, position: int, runs: int) -> None:
    for state in ("RUNNING", "COMPLETED"):
        recorded = await database.count(state, position)
        if recorded != runs:
            raise WrongAnswersError(f"{runs} {state} events sent, {recorded} recorded")


async def _sizes(database: Database) -> dict[str, int]:
    return dict(await database.connection.fetchrow(LEDGER))


async def _copy(stage: Stage, position: int) -> tuple[float, int]:
    """Copy the rows after `position` out, then back in; return seconds of that, and bytes of payloads."""
    connection = stage.database.connection
    await connection.execute(COPIES)
    files = {table: stage.directory / f"{table}.copy" for table in ("events", "payloads")}
    for table, file in files.items():
        await connection.copy_from_query(ROWS.format(table), position, output=file, format="binary")
    began = time.perf_counter()
    for table, file in files.items():
        await connection.copy_to_table(table, schema_name="bench_copy", source=file, format="binary")
    seconds = time.perf_counter() - began
    size = await connection.fetchval("select pg_total_relation_size('bench_copy.payloads')")
    for file in files.values():
        await asyncio.to_thread(file.unlink)
    return seconds, int(size)
