"""Measures start, complete, create and get, one competitor after the other, in rounds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bench.stage import RUN, RUN_BODY, RUNS, Sample, Stage, sample_of
from bench.wrk import Load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from uuid import UUID

    from bench.programs import Program
    from bench.wrk import Result

WARM_UP_S = 1
MARGIN = 1.6
EXACT = 2_000
CREATING, CREATES_A_SECOND = 64, 5_000
START_UNCACHED = "start, read first"
"""Starts of runs that are not in the run cache of the process: created by another process, or long ago."""

INITIAL_RATE = {True: 4_000, False: 15_000}
"""Starts per second to prepare ids for before the first measurement; True: at most 8 connections."""


class WrongAnswersError(Exception):
    """An answer was not what it had to be."""


class Runs(NamedTuple):
    """NEW runs: `cached` were created through the measured process, `uncached` past it."""

    cached: list[UUID]
    uncached: list[UUID]


@dataclass
class Acknowledged:
    """Starts that were answered 200, and RUNNING events in the ledger, over all rounds.

    wrk stops while requests are under way, at most one per connection. They may be recorded; wrk does not count them.
    """

    acknowledged: int = 0
    recorded: int = 0
    under_way: int = 0

    def add(self, acknowledged: int, recorded: int, under_way: int) -> None:
        """Add one measurement. Raises WrongAnswersError if an acknowledged start is missing or recorded twice."""
        if not acknowledged <= recorded <= acknowledged + under_way:
            raise WrongAnswersError(
                f"{acknowledged} starts acknowledged, {recorded} recorded, at most {under_way} under way"
            )
        self.acknowledged += acknowledged
        self.recorded += recorded
        self.under_way += under_way


@dataclass
class Operations:
    """Runs the rounds; `starts` compares the ledger with what was acknowledged."""

    stage: Stage
    transaction: Program
    starts: Acknowledged = field(default_factory=Acknowledged)
    disk_ms: list[float] = field(default_factory=list)
    """Milliseconds to make a page durable, before each round."""
    _rates: dict[int, float] = field(default_factory=dict)
    _pattern: UUID | None = None

    async def run(self, connections: int) -> AsyncIterator[Sample]:
        """Measure all operations at a number of connections, after a warm-up whose results are discarded."""
        await self._warm_up(connections)
        for number in range(self.stage.options.rounds):
            runs = await self._prepare(connections, self.stage.options.seconds)
            self.disk_ms.append(await self.stage.disk_ms())
            for step in self._steps(number, connections, runs):
                await self.stage.caught_up()
                sample = await step()
                check(sample)
                yield sample

    def _steps(self, number: int, connections: int, runs: Runs) -> list[Callable[[], Awaitable[Sample]]]:
        """Return the measurements of a round; in every second round the competitors run in the opposite order."""
        at = (number, connections)
        starts = [partial(self._start, name, *at, runs.cached) for name in ("bare", "transaction", "service")]
        creates = [partial(self._create, name, *at) for name in ("bare", "service")]
        gets = [partial(self._get, name, *at, runs.cached) for name in ("bare", "service")]
        if number % 2:
            for turns in (starts, creates, gets):
                turns.reverse()
        uncached = partial(self._start, "service", *at, runs.uncached, operation=START_UNCACHED)
        return [*starts, uncached, partial(self._complete, *at, runs.cached), *creates, *gets]

    async def _warm_up(self, connections: int) -> None:
        runs = await self._prepare(connections, WARM_UP_S)
        for name in ("bare", "transaction", "service"):
            sample = await self._start(name, -1, connections, runs.cached, WARM_UP_S)
            if name == "service":
                self._rates[connections] = sample.result.rate

    async def _prepare(self, connections: int, seconds: float) -> Runs:
        """Create enough new runs of both kinds for one measurement of starts each."""
        rate = self._rates.get(connections) or INITIAL_RATE[connections <= 8]
        count = int(rate * MARGIN * seconds) + 1_000
        if self._pattern is None:
            self._pattern = await self.stage.create()
        uncached = await self.stage.database.clone(self._pattern, count)
        await self.stage.caught_up()
        cached = await self._create_runs(count)
        await self.stage.database.seed_transaction(cached)
        await self.stage.caught_up()
        return Runs(cached, uncached)

    async def _create_runs(self, count: int) -> list[UUID]:
        """Create runs through the service, as a scheduler does before it starts them; return the newest first.

        The run cache of a process does not hold runs created long ago; at this rate, that is some seconds.
        """
        before = await self.stage.database.head()
        port = self.stage.service.port
        while len(ids := await self.stage.database.created(before)) < count:
            seconds = max(1, round((count - len(ids)) / CREATES_A_SECOND))
            created = await self.stage.wrk.constant(port, Load(CREATING, seconds), "POST", RUNS, RUN_BODY)
            if not created.clean:
                raise WrongAnswersError(f"creates: {created}")
        return ids[: -count - 1 : -1]

    async def _start(
        self,
        competitor: str,
        number: int,
        connections: int,
        ids: Sequence[UUID],
        seconds: float | None = None,
        operation: str = "start",
    ) -> Sample:
        program = self._program(competitor)
        load = self.stage.load(connections, seconds)
        before = await self.stage.database.head()
        measuring = self.stage.wrk.by_id(program.port, load, "POST", f"{RUN}/start", ids)
        sample = await self._sample(number, operation, competitor, connections, measuring)
        if competitor == "service":
            self._rates[connections] = max(sample.result.rate, self._rates.get(connections, 0))
            recorded = await self.stage.database.count("RUNNING", before)
            self.starts.add(sample.result.requests, recorded, connections)
        return sample

    def _complete(self, number: int, connections: int, ids: Sequence[UUID]) -> Awaitable[Sample]:
        load = self.stage.load(connections)
        measuring = self.stage.wrk.by_id(self.stage.service.port, load, "POST", f"{RUN}/complete", ids)
        return self._sample(number, "complete", "service", connections, measuring)

    def _create(self, competitor: str, number: int, connections: int) -> Awaitable[Sample]:
        load = self.stage.load(connections)
        measuring = self.stage.wrk.constant(self._program(competitor).port, load, "POST", RUNS, RUN_BODY)
        return self._sample(number, "create", competitor, connections, measuring)

    def _get(self, competitor: str, number: int, connections: int, ids: Sequence[UUID]) -> Awaitable[Sample]:
        load = self.stage.load(connections)
        measuring = self.stage.wrk.by_id(self._program(competitor).port, load, "GET", RUN, ids)
        return self._sample(number, "get", competitor, connections, measuring)

    async def _sample(
        self, number: int, operation: str, competitor: str, connections: int, measuring: Awaitable[Result]
    ) -> Sample:
        measured = await self.stage.watch(self._program(competitor), measuring)
        return sample_of((number, operation, competitor, connections), measured)

    def _program(self, competitor: str) -> Program:
        return {"bare": self.stage.bare, "service": self.stage.service, "transaction": self.transaction}[competitor]

    async def exactly(self, count: int = EXACT, clients: int = 32) -> tuple[int, int]:
        """Start runs with a client that waits for every answer; return (acknowledged as RUNNING, recorded)."""
        ids = await self._create_runs(count)
        before = await self.stage.database.head()
        waiting = iter(ids[:count])
        acknowledged = sum(await asyncio.gather(*(self._client(waiting) for _ in range(clients))))
        recorded = await self.stage.database.count("RUNNING", before)
        if acknowledged != recorded or acknowledged != count:
            raise WrongAnswersError(f"{count} starts, {acknowledged} acknowledged, {recorded} recorded")
        return acknowledged, recorded

    async def _client(self, ids: Iterator[UUID]) -> int:
        acknowledged = 0
        for run in ids:
            async with self.stage.http.post(f"{RUN.format(run)}/start") as answer:
                view = await answer.json()
                acknowledged += answer.status == 200 and view["state"] == "RUNNING" and view["id"] == str(run)
        return acknowledged


def check(sample: Sample) -> None:
    """Raise WrongAnswersError unless every answer was 2xx and, where needed, every request had its own id."""
    where = f"{sample.operation} by {sample.competitor} at {sample.connections} connections, round {sample.round}"
    if not sample.result.clean:
        raise WrongAnswersError(f"{where}: {sample.result}")
    if (
        sample.result.exhausted
        and sample.operation in ("start", START_UNCACHED, "complete")
        and sample.competitor == "service"
    ):
        raise WrongAnswersError(f"{where}: the ids were used up, so some requests were repetitions")
