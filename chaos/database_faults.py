"""Faults of the database alone: locks, long transactions, a full disk, clocks. Each returns once it is undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg

from chaos.database import NAME
from chaos.waiting import Violation, until
from chaos.world import World
from service.database.connections import COMMAND_TIMEOUT_S
from service.lineage.projector_process import CONNECTIONS_OF_PROJECTOR, PROJECTORS
from service.settings import CONNECTIONS

_SOME = 20
"""Requests that must be answered 503 while nothing can be recorded, before the fault ends."""

_MANY = 200
"""Requests that must be answered while a transaction is open."""

_NOTICED_S = 30.0

_GIVEN_UP_S = COMMAND_TIMEOUT_S + 2.0
"""Seconds after which no statement waits any more, but those of projectors, which may take longer."""

_LOCK = "lock table runfold.events in access exclusive mode"
_CONTENT = "select count(*) as events, max(position) as last, max(recorded_at) as at from runfold.events where log = 0"
_FUNCTION = "select pg_get_functiondef('runfold.append_events(int, runfold.draft[])'::regprocedure)"
_AHEAD = "select h.recorded_at - clock_timestamp() from runfold.ledger_head h where h.log = 0"
_CLOCK = "clock_timestamp()"
_FAR_S, _NEAR_S = 7_200, 3
"""How far a clock is ahead: more than `--max-clock-lead` allows, and a little."""


@asynccontextmanager
async def _connected(world: World) -> AsyncIterator[asyncpg.Connection]:
    settings = {"application_name": NAME}
    connection = await asyncpg.connect(world.database.dsn, timeout=10, command_timeout=60, server_settings=settings)
    try:
        yield connection
    finally:
        connection.terminate()


async def _until_counted(world: World, name: str, count: int, seconds: float) -> None:
    """Wait until the clients have counted an outcome some more times."""
    counts = world.load.tally.counts
    wanted = counts[name] + count

    async def counted() -> bool:
        world.load.raise_errors()
        return counts[name] >= wanted

    await until(counted, f"{count} more requests are {name}", seconds)


async def lock_events(world: World, longest: float) -> None:
    """Lock the table of events: the service opens no more connections than otherwise, and gives up statements."""
    async with _connected(world) as connection, connection.transaction():
        await connection.execute(_LOCK)
        end = asyncio.get_running_loop().time() + world.random.uniform(longest / 3, 2 * longest)
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.2)
            open_ = len(await world.database.connections())
            if open_ > CONNECTIONS * world.workers:
                raise Violation(f"while runfold.events is locked, the service has {open_} connections")
            waiting = await world.database.waiting(_GIVEN_UP_S)
            if waiting > PROJECTORS * CONNECTIONS_OF_PROJECTOR * world.workers:
                raise Violation(
                    f"{waiting} statements wait for the lock, more than {_GIVEN_UP_S:.0f} s after they began"
                )


async def open_snapshot(world: World, longest: float) -> None:
    """Keep a repeatable-read transaction open, as a backup does: appends go on, and it sees the same rows."""
    async with _connected(world) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        before = await connection.fetchrow(_CONTENT)
        end = asyncio.get_running_loop().time() + world.random.uniform(longest / 3, longest)
        await _until_counted(world, "answered", _MANY, _NOTICED_S)
        await asyncio.sleep(max(0.0, end - asyncio.get_running_loop().time()))
        after = await connection.fetchrow(_CONTENT)
    if before != after:
        raise Violation(f"an open snapshot saw {before} and then {after}: rows were changed in place")
    if await world.database.head() <= after["last"]:
        raise Violation("while a transaction was open, nothing was recorded")


async def fill_disk(world: World, _longest: float) -> None:
    """Take all space of PostgreSQL's disk: appends are answered 503, /readyz too; then give it back.

    PostgreSQL may end by itself when it can write no more of its log; then it is started again, as an operator would.
    """
    assert world.server is not None  # noqa: S101  see has_disk
    assert world.server.disk is not None  # noqa: S101  see has_disk
    world.server.disk.fill()
    try:
        await _until_counted(world, "503", _SOME, 60.0)
        await until(world.service.is_unready, "/readyz is not 200 while the disk is full", _NOTICED_S)
    finally:
        world.server.disk.free()
    if not world.server.is_alive():
        world.server.restart()


def has_disk(world: World) -> bool:
    """Return whether PostgreSQL has a disk that can be filled."""
    return world.server is not None and world.server.disk is not None


async def clock_far_ahead(world: World, longest: float) -> None:
    """Set the database's clock two hours ahead: nothing is recorded, and requests are answered 503."""
    async with _connected(world) as connection, _clock_ahead(connection, _FAR_S):
        await _until_counted(world, "503", _SOME, _NOTICED_S)
        await asyncio.sleep(world.random.uniform(0.1, longest / 3))
        ahead = await connection.fetchval(_AHEAD)  # times of recording never decrease
    if ahead > timedelta(seconds=_NEAR_S):
        raise Violation(f"an event was recorded {ahead} ahead of the machine's clock")


async def clock_ahead(world: World, _longest: float) -> None:
    """Set the database's clock a little ahead and back again: events go on to be recorded, at times in their order."""
    async with _connected(world) as connection:
        async with _clock_ahead(connection, _NEAR_S):
            await _until_counted(world, "acknowledged", _SOME, _NOTICED_S)
        await _until_counted(world, "acknowledged", _SOME, _NOTICED_S)
        await asyncio.sleep(_NEAR_S)


@asynccontextmanager
async def _clock_ahead(connection: asyncpg.Connection, seconds: int) -> AsyncIterator[None]:
    """Within the block, append_events reads a clock that is ahead.

    Only the function is changed: PostgreSQL itself reads the clock of the machine, which other programs use, too.
    """
    function = await connection.fetchval(_FUNCTION)
    if function.count(_CLOCK) != 1:
        raise Violation(f"append_events reads the clock {function.count(_CLOCK)} times, not once")
    await connection.execute(function.replace(_CLOCK, f"({_CLOCK} + interval '{seconds} seconds')"))
    try:
        yield
    finally:
        await connection.execute(function)
