"""Samples the service's memory, files and connections over time, and checks that they stay within bounds."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from chaos import processes
from chaos.waiting import Violation
from chaos.world import World

EVERY_S = 1.0
MIB = 1024 * 1024

MEMORY_SHARE, MEMORY_MIB = 1.1, 32
"""Bound on the median memory in the last quarter: MEMORY_SHARE times that of the second quarter plus MEMORY_MIB."""

DESCRIPTORS, CONNECTIONS = 32, 8
"""How far the maximum of the last quarter may exceed the maximum of the second."""


class Sample(NamedTuple):
    """One sample: memory in bytes, open files, connections to PostgreSQL, events that are not projected yet."""

    memory: int
    descriptors: int
    connections: int
    lag: int


async def sample(world: World) -> Sample:
    """Take a sample over all processes of the service, without PostgreSQL's."""
    own = world.service.own()
    database = world.database
    return Sample(
        sum(map(processes.resident, own)),
        sum(map(processes.descriptors, own)),
        len(await database.connections()),
        await database.lag(),
    )


@asynccontextmanager
async def sampling(world: World, into: list[Sample]) -> AsyncIterator[None]:
    """Take samples at even intervals until the block ends."""
    task = asyncio.create_task(_sample(world, into), name="sampling")
    try:
        yield
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
    if not isinstance(ended, asyncio.CancelledError):
        raise Violation(f"sampling failed: {ended!r}")


async def _sample(world: World, into: list[Sample]) -> None:
    began, taken = time.monotonic(), 0
    while True:
        into.append(await sample(world))
        taken += 1
        await asyncio.sleep(max(0.0, began + taken * EVERY_S - time.monotonic()))


class Growth(NamedTuple):
    """A figure after the warm-up and at the end, and its upper bound."""

    name: str
    before: float
    after: float
    bound: float

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.before:,.0f} after the warm-up, {self.after:,.0f} at the end, bound {self.bound:,.0f}"
        )


def growth(samples: Sequence[Sample]) -> list[Growth]:
    """Compare the last quarter of the samples with the second. Raises Violation if there are too few samples."""
    quarter = len(samples) // 4
    if quarter < 2:
        raise Violation(f"{len(samples)} samples are too few")
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]

    def figures(part: Sequence[Sample], of: Callable[[Sample], int]) -> list[int]:
        return [of(each) for each in part]

    memory = [statistics.median(figures(part, lambda each: each.memory)) / MIB for part in (second, last)]
    files = [max(figures(part, lambda each: each.descriptors)) for part in (second, last)]
    links = [max(figures(part, lambda each: each.connections)) for part in (second, last)]
    return [
        Growth("memory in MiB", memory[0], memory[1], memory[0] * MEMORY_SHARE + MEMORY_MIB),
        Growth("open files", files[0], files[1], files[0] + DESCRIPTORS),
        Growth("connections to PostgreSQL", links[0], links[1], links[0] + CONNECTIONS),
    ]


def check_growth(grown: Sequence[Growth]) -> None:
    """Raise Violation for a figure beyond its bound."""
    for figure in grown:
        if figure.after > figure.bound:
            raise Violation(f"grown beyond its bound: {figure}")
