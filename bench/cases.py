"""Three further measurements: a run with a long history, a list under load, and memory."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.batch import PATH as BATCH
from bench.events import templates
from bench.operations import WrongAnswersError
from bench.stage import RUN, RUN_BODY, RUNS
from bench.wrk import Load

if TYPE_CHECKING:
    from uuid import UUID

    from bench.stage import Stage

HOT_EVENTS = 10_000
CONNECTIONS = 64
PACE = 5_000
LISTS_A_SECOND = 20
MEMORY_RUNS = 100_000


@dataclass(frozen=True)
class Hot:
    """A run with 10,000 events compared with one with three, in requests per second at 64 connections."""

    events: int
    get: float
    get_of_three: float
    start: float
    start_of_three: float
    complete_ms: float
    complete_of_three_ms: float

    @property
    def get_ratio(self) -> float:
        """The rate of reads of the long run relative to the short one."""
        return self.get / self.get_of_three

    @property
    def start_ratio(self) -> float:
        """The rate of repeated starts (decided, not recorded) of the long run relative to the short one."""
        return self.start / self.start_of_three


@dataclass(frozen=True)
class ListUnderLoad:
    """The list of a job's runs while runs of that job are started."""

    p50_ms: float
    p99_ms: float
    lists: int
    refused: int
    events_a_second: float
    idle_p50_ms: float


@dataclass(frozen=True)
class Memory:
    """Resident memory in bytes with a number of runs in the catalog."""

    runs: int
    service: int
    postgres: int


async def hot_run(stage: Stage) -> Hot:
    """Compare a run with 10,000 events, nearly all of them heartbeats, with a run of three events."""
    short, hot = await stage.create(), await stage.create()
    for run, heartbeats in ((short, 1), (hot, HOT_EVENTS - 2)):
        await stage.post(f"{RUN.format(run)}/start")
        await _send_heartbeats(stage, run, heartbeats)
    await stage.caught_up()
    rates: dict[tuple[str, UUID], list[float]] = {}
    for _ in range(stage.options.rounds):
        for method, path in (("GET", RUN), ("POST", f"{RUN}/start")):
            for run in (hot, short):
                rates.setdefault((method, run), []).append(await _rate(stage, method, path, run))
    median = {key: statistics.median(values) for key, values in rates.items()}
    return Hot(
        events=HOT_EVENTS,
        get=median["GET", hot],
        get_of_three=median["GET", short],
        start=median["POST", hot],
        start_of_three=median["POST", short],
        complete_ms=await stage.post(f"{RUN.format(hot)}/complete"),
        complete_of_three_ms=await stage.post(f"{RUN.format(short)}/complete"),
    )


async def _send_heartbeats(stage: Stage, run: UUID, count: int) -> None:
    small = next(iter(templates()))
    headers = {"Content-Type": "application/x-ndjson"}
    async with stage.http.post(BATCH, data=small.heartbeats(run, count), headers=headers) as answer:
        if answer.status != 204:
            raise WrongAnswersError(f"{count} heartbeats: {answer.status} {await answer.text()}")


async def _rate(stage: Stage, method: str, path: str, run: UUID) -> float:
    # One id per thread: each thread takes its slice of the ids.
    load = stage.load(CONNECTIONS)
    result = await stage.wrk.by_id(stage.service.port, load, method, path, [run] * load.threads)
    if not result.clean:
        raise WrongAnswersError(f"{method} {path} of one run: {result}")
    return result.rate


async def list_under_load(stage: Stage) -> ListUnderLoad:
    """Read a job's newest runs while 5,000 of its runs per second are started."""
    seconds = 3 if stage.options.quick else 10
    ids = await stage.database.clone(await stage.create(), PACE * (seconds + 2))
    await stage.caught_up()
    path = f"{RUNS}?limit=20"
    idle = await stage.wrk.constant(stage.service.port, Load(1, 1, LISTS_A_SECOND), "GET", path)
    load = Load(CONNECTIONS, seconds + 1, PACE)
    before = await stage.database.head()
    starting = asyncio.create_task(stage.wrk.by_id(stage.service.port, load, "POST", f"{RUN}/start", ids))
    await stage.database.wait_for_append(before)
    lists = await stage.wrk.constant(stage.service.port, Load(1, seconds, LISTS_A_SECOND), "GET", path)
    starts = await starting
    if not starts.clean or starts.exhausted:
        raise WrongAnswersError(f"starts while lists were read: {starts}")
    await stage.caught_up()
    return ListUnderLoad(lists.p50_ms, lists.p99_ms, lists.requests, lists.refused, starts.rate, idle.p50_ms)


async def memory(stage: Stage) -> Memory:
    """Create runs until there are 100,000, then return the memory in use."""
    await stage.caught_up()
    while not stage.options.quick and await stage.database.runs() < MEMORY_RUNS:
        await stage.wrk.constant(stage.service.port, Load(CONNECTIONS, 3), "POST", RUNS, RUN_BODY)
        await stage.caught_up()
    usage = stage.service.usage()
    return Memory(await stage.database.runs(), usage.rss, usage.rss_postgres)
