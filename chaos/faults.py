"""What befalls the service while it is asked. Each returns once the fault is over; what was stopped goes on by then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any, NamedTuple

from chaos import processes
from chaos.waiting import Violation, until
from chaos.world import World

_GONE_S = 30.0
_LAST_WORDS = "The embedded PostgreSQL has ended by itself"
_HARM = 10
"""Statements or answers that must have come to harm before a proxy is told to stop."""


class Fault(NamedTuple):
    """What happens, given how many seconds a pause may take at most; whether the service must live through it."""

    name: str
    strike: Callable[[World, float], Coroutine[Any, Any, None]]
    survived: bool = True
    slow: bool = False
    """Takes up to a minute: strikes only where it is asked for by name."""
    applies: Callable[[World], bool] = lambda _world: True


async def kill_service(world: World, _longest: float) -> None:
    """End the service by kill -9; whatever supervises it starts it again."""
    world.service.kill()
    await world.service.ended(_GONE_S)
    # Workers and the embedded PostgreSQL are told of it by the kernel, and take a moment to go.
    await world.service.start(again=world.workers > 1)


async def stop_service(world: World, _longest: float) -> None:
    """SIGTERM; what is under way is answered, and it is started again."""
    await world.service.stop()
    await world.service.start()


async def kill_postmaster(world: World, _longest: float) -> None:
    """End the embedded PostgreSQL by kill -9: the service says so and ends, and is started again."""
    processes.send(world.postmaster, SIGKILL)
    status = await world.service.ended(_GONE_S)
    if status != 1 or _LAST_WORDS not in world.service.log:
        raise Violation(f"its PostgreSQL was killed, and the service left with {status}:\n{world.service.log[-2000:]}")
    await world.service.start()


async def kill_both(world: World, _longest: float) -> None:
    """End the service and PostgreSQL at once by kill -9, as when the power fails."""
    processes.send(world.postmaster, SIGKILL)
    await kill_service(world, _longest)


async def kill_server_beside(world: World, _longest: float) -> None:
    """End the PostgreSQL beside the service by kill -9 and start it again; the service waits for it."""
    processes.send(world.postmaster, SIGKILL)
    assert world.server is not None  # noqa: S101  it is beside
    world.server.restart()


async def kill_backend(world: World, _longest: float) -> None:
    """End one backend by kill -9: PostgreSQL ends all others, and recovers."""
    processes.send(world.random.choice(sorted(processes.backends(world.postmaster))), SIGKILL)


async def kill_worker(world: World, _longest: float) -> None:
    """End one worker by kill -9; another one follows."""
    await _until_replaced(world, _kill_one_worker(world))


async def kill_worker_in_need(world: World, longest: float) -> None:
    """End one worker by kill -9 while PostgreSQL is away: the one that follows finds it later."""
    async with world.proxy.refusing():
        killed = _kill_one_worker(world)
        await _some_time(world, longest)
    await _until_replaced(world, killed)


async def stop_in_need(world: World, _longest: float) -> None:
    """SIGTERM while PostgreSQL is away: it still ends in good order, and is started again afterwards."""
    async with world.proxy.refusing():
        await world.service.stop()
    await world.service.start()


async def stop_while_stalled(world: World, _longest: float) -> None:
    """SIGTERM while PostgreSQL does not answer: it still ends in good order, if not soon."""
    async with world.proxy.stalled():
        await world.service.stop()
    await world.service.start()


def _kill_one_worker(world: World) -> int:
    killed = world.random.choice(sorted(world.service.workers()))
    processes.send(killed, SIGKILL)
    return killed


async def _until_replaced(world: World, killed: int) -> None:
    async def replaced() -> bool:
        left = set(world.service.workers())
        return killed not in left and len(left) == world.workers

    await until(replaced, "a worker that was killed is followed by another", _GONE_S)


async def kill_helper(world: World, _longest: float) -> None:
    """End a process that helps a serving one by kill -9."""
    processes.send(world.random.choice(sorted(world.service.helpers())), SIGKILL)


async def pause_service(world: World, longest: float) -> None:
    """SIGSTOP of one of the service's processes, as when a machine is overcommitted."""
    async with _stopped([world.random.choice(sorted(world.service.own()))]):
        await _some_time(world, longest)


async def pause_backends(world: World, longest: float) -> None:
    """SIGSTOP of some backends, which may hold the ledger's lock."""
    found = sorted(processes.backends(world.postmaster))
    async with _stopped(world.random.sample(found, min(len(found), world.random.randrange(1, 6)))):
        await _some_time(world, longest)


async def pause_postgres(world: World, longest: float) -> None:
    """SIGSTOP of all of PostgreSQL, as when its disk hangs."""
    async with _stopped(processes.server_processes(world.postmaster)):
        await _some_time(world, longest)


async def terminate_some(world: World, _longest: float) -> None:
    """End some connections as an administrator would."""
    found = sorted(await world.database.connections())
    await world.database.terminate(world.random.sample(found, world.random.randrange(1, len(found) + 1)))


async def terminate_all(world: World, _longest: float) -> None:
    """End all connections, several times over."""
    for _ in range(3):
        await world.database.terminate(await world.database.connections())


async def lose_answers(world: World, _longest: float) -> None:
    """Cut connections after PostgreSQL has answered: what was committed, nobody was told."""
    async with world.proxy.harming("answers", 0.2):
        await _until_harmed(world)


async def cut_requests(world: World, _longest: float) -> None:
    """Cut connections while a statement is on its way."""
    async with world.proxy.harming("requests", 0.2):
        await _until_harmed(world)


async def cut_connections(world: World, _longest: float) -> None:
    """Cut every connection to PostgreSQL, several times."""
    for _ in range(3):
        world.proxy.cut()
        await _until_connected(world)


async def stall(world: World, longest: float) -> None:
    """Hold all that goes to and from PostgreSQL; it arrives late."""
    async with world.proxy.stalled():
        await _some_time(world, longest)


async def refuse(world: World, longest: float) -> None:
    """Cut every connection and take no new one."""
    async with world.proxy.refusing():
        await _some_time(world, longest)


async def _some_time(world: World, longest: float) -> None:
    """The length of a pause is the fault: mostly short, every fourth time as long as can be."""
    await asyncio.sleep(longest if world.random.random() < 0.25 else world.random.uniform(0.1, longest / 3))


async def _until_harmed(world: World) -> None:
    before = world.proxy.harm

    async def harmed() -> bool:
        return world.proxy.harm >= before + _HARM

    await until(harmed, "statements come to harm", _GONE_S)


async def _until_connected(world: World) -> None:
    async def connected() -> bool:
        return bool(await world.database.connections())

    await until(connected, "the service has connected again", _GONE_S)


@asynccontextmanager
async def _stopped(pids: Sequence[int]) -> AsyncIterator[None]:
    for pid in pids:
        processes.send(pid, SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            processes.send(pid, SIGCONT)


def _has_helpers(world: World) -> bool:
    return bool(world.service.helpers())


_ANYWHERE = (
    Fault("kill -9 of the service", kill_service, survived=False),
    Fault("SIGTERM and restart", stop_service, survived=False),
    Fault("kill -9 of a backend", kill_backend),
    Fault("kill -9 of a helping process", kill_helper, applies=_has_helpers),
    Fault("SIGSTOP of a process of the service", pause_service),
    Fault("SIGSTOP of backends", pause_backends),
    Fault("SIGSTOP of PostgreSQL", pause_postgres),
    Fault("pg_terminate_backend of some connections", terminate_some),
    Fault("pg_terminate_backend of all connections", terminate_all),
)
_EMBEDDED = (
    Fault("kill -9 of the postmaster", kill_postmaster, survived=False),
    Fault("kill -9 of service and postmaster", kill_both, survived=False),
)
_WORKERS = (Fault("kill -9 of a worker", kill_worker),)
_BESIDE = (
    Fault("kill -9 of the postmaster", kill_server_beside),
    Fault("answers lost in mid-commit", lose_answers),
    Fault("statements cut in mid-commit", cut_requests),
    Fault("all connections cut", cut_connections),
    Fault("connections stalled", stall),
    Fault("connections refused", refuse),
    Fault("kill -9 of a worker while connections are refused", kill_worker_in_need),
    Fault("SIGTERM and restart while connections are refused", stop_in_need, survived=False),
    Fault("SIGTERM and restart while connections are stalled", stop_while_stalled, survived=False, slow=True),
)


FAULTS = tuple(dict.fromkeys(fault.strike.__name__ for fault in (*_ANYWHERE, *_EMBEDDED, *_WORKERS, *_BESIDE)))
"""All names that --only takes."""


def faults_for(world: World) -> list[Fault]:
    """Return what can befall a world."""
    found = [*_ANYWHERE, *(_EMBEDDED if world.server is None else _BESIDE), *(_WORKERS if world.workers > 1 else ())]
    return [fault for fault in found if fault.applies(world)]
