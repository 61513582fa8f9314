"""Three questions beside the rates: a run with a long history, a list while events come in, memory."""

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
    """A run with 10,000 events beside one with three, in requests a second at 64 connections."""

    events: int
    get: float
    get_of_three: float
    start: float
    start_of_three: float
    complete_ms: float
    complete_of_three_ms: float

    @property
    def get_ratio(self) -> float:
        """Reads of the long run to reads of the short one."""
        return self.get / self.get_of_three

    @property
    def start_ratio(self) -> float:
        """Starts of the long run to those of the short one; repeated, so judged but not recorded again."""
        return self.start / self.start_of_three


@dataclass(frozen=True)
class ListUnderLoad:
    """The list of a job's runs while events for that job come in."""

    p50_ms: float
    p99_ms: float
    lists: int
    refused: int
    events_a_second: float
    idle_p50_ms: float


@dataclass(frozen=True)
class Memory:
    """Resident memory in bytes, at a number of runs."""

    runs: int
    service: int
    postgres: int


async def hot_run(stage: Stage) -> Hot:
    """Compare a run of 10,000 heartbeats with one of as good as none."""
    short, hot = await stage.create(), await stage.create()
    for run, heartbeats in ((short, 1), (hot, HOT_EVENTS - 2)):
        await stage.post(f"{RUN.format(run)}/start")
        await _beat(stage, run, heartbeats)
    await stage.folded()
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


async def _beat(stage: Stage, run: UUID, count: int) -> None:
    small = next(iter(templates()))
    headers = {"Content-Type": "application/x-ndjson"}
    async with stage.http.post(BATCH, data=small.heartbeats(run, count), headers=headers) as answer:
        if answer.status != 204:
            raise WrongAnswersError(f"{count} heartbeats: {answer.status} {await answer.text()}")


async def _rate(stage: Stage, method: str, path: str, run: UUID) -> float:
    # As many lines as threads: each thread has a slice.
    load = stage.load(CONNECTIONS)
    result = await stage.wrk.by_id(stage.service.port, load, method, path, [run] * load.threads)
    if not result.clean:
        raise WrongAnswersError(f"{method} {path} of one run: {result}")
    return result.rate


async def list_under_load(stage: Stage) -> ListUnderLoad:
    """Ask for a job's newest runs while starts of its runs come in, 5,000 a second."""
    seconds = 3 if stage.options.quick else 10
    ids = await stage.database.clone(await stage.create(), PACE * (seconds + 2))
    await stage.folded()
    path = f"{RUNS}?limit=20"
    idle = await stage.wrk.constant(stage.service.port, Load(1, 1, LISTS_A_SECOND), "GET", path)
    load = Load(CONNECTIONS, seconds + 1, PACE)
    before = await stage.database.head()
    starting = asyncio.create_task(stage.wrk.by_id(stage.service.port, load, "POST", f"{RUN}/start", ids))
    await stage.database.goes_on(before)
    lists = await stage.wrk.constant(stage.service.port, Load(1, seconds, LISTS_A_SECOND), "GET", path)
    starts = await starting
    if not starts.clean or starts.exhausted:
        raise WrongAnswersError(f"starts while lists were asked for: {starts}")
    await stage.folded()
    return ListUnderLoad(lists.p50_ms, lists.p99_ms, lists.requests, lists.refused, starts.rate, idle.p50_ms)


async def memory(stage: Stage) -> Memory:
    """Create runs until there are 100,000, then look."""
    await stage.folded()
    while not stage.options.quick and await stage.database.runs() < MEMORY_RUNS:
        await stage.wrk.constant(stage.service.port, Load(CONNECTIONS, 3), "POST", RUNS, RUN_BODY)
        await stage.folded()
    usage = stage.service.usage()
    return Memory(await stage.database.runs(), usage.rss, usage.rss_postgres)
