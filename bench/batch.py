"""Measures a large shuffled batch of OpenLineage events, and raw COPY of the rows that were recorded for it."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
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
LIST_PAUSE_S = 0.25
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
    """The figures of one batch; disk figures are bytes per event, of tables with their indexes."""

    events: int
    seconds: float
    copy_seconds: float
    caught_up_s: float
    memory_growth: int
    slowest_list_s: float
    lists_refused: int
    disk_events: float
    disk_payloads: float
    disk_catalog: float
    disk_copied_payloads: float

    @property
    def rate(self) -> float:
        """Events per second, from the first byte sent to the answer."""
        return self.events / self.seconds

    @property
    def to_copy(self) -> float:
        """The speed relative to raw COPY."""
        return self.copy_seconds / self.seconds

    @property
    def disk_ratio(self) -> float:
        """The size of the recorded payloads relative to the copied ones."""
        return self.disk_payloads / self.disk_copied_payloads


@dataclass(frozen=True)
class Sent:
    """A batch that was sent: its events, and the seconds from the first byte to the answer."""

    events: int
    seconds: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


async def send(stage: Stage, template: Template, runs: int) -> Sent:
    """Send a batch with two events per run, and check that all of them are recorded; lists are asked for meanwhile."""
    file = stage.directory / "batch.ndjson"
    await asyncio.to_thread(template.write_shuffled, file, runs)
    position = await stage.database.head()
    listing = asyncio.create_task(_list_repeatedly(stage))
    seconds, _ = await _send_and_watch(stage.service, file)
    listing.cancel()
    await listing
    await _check(stage.database, position, runs)
    return Sent(2 * runs, seconds)


async def measure(stage: Stage, template: Template, runs: int) -> Batch:
    """Send a batch with two events per run, check that all of them are recorded, and COPY the rows."""
    file = stage.directory / "batch.ndjson"
    await asyncio.to_thread(template.write_shuffled, file, runs)
    await stage.caught_up()
    position, before = await stage.database.head(), await _sizes(stage.database)
    listing = asyncio.create_task(_list_repeatedly(stage))
    seconds, growth = await _send_and_watch(stage.service, file)
    listing.cancel()
    slowest, refused = await listing
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
        slowest_list_s=slowest,
        lists_refused=refused,
        disk_events=grown["events"],
        disk_payloads=grown["payloads"],
        disk_catalog=grown["catalog"],
        disk_copied_payloads=copied / events,
    )


async def _send_and_watch(service: Program, file: Path) -> tuple[float, int]:
    """Send the file; return the seconds, and the largest growth of the service's memory in bytes meanwhile."""
    before = service.usage().rss
    highest = before
    sending = asyncio.create_task(asyncio.to_thread(_send, service.port, file))
    while not sending.done():
        await asyncio.wait([sending], timeout=WATCH_S)
        highest = max(highest, service.usage().rss)
    return await sending, highest - before


async def _list_repeatedly(stage: Stage) -> tuple[float, int]:
    """List runs until cancelled; return the seconds of the slowest answer, and the number of those that are not 200."""
    slowest, refused = 0.0, 0
    with suppress(asyncio.CancelledError):
        while True:
            began = time.perf_counter()
            async with stage.http.get("/api/v1/runs", params={"limit": "20"}) as answer:
                await answer.read()
            slowest = max(slowest, time.perf_counter() - began)
            refused += answer.status != HTTPStatus.OK
            await asyncio.sleep(LIST_PAUSE_S)
    return slowest, refused


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
    """COPY rows after `position` to files and back; return the seconds of the latter and the payloads' bytes."""
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
