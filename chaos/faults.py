"""The faults that strike the service under load. Each function returns once its fault is over and undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any, NamedTuple

from chaos import processes
from chaos.database_faults import clock_ahead, clock_far_ahead, fill_disk, has_disk, lock_events, open_snapshot
from chaos.key_faults import hide_keys, revoke_key
from chaos.waiting import Violation, until
from chaos.world import World

_GONE_S = 30.0
_POSTGRES_ENDED = "The embedded PostgreSQL has ended by itself"
_HARM = 10
"""Statements or answers that the proxy must have cut before the fault ends."""


class Fault(NamedTuple):
    """A fault. `strike` gets the world and the longest pause in seconds; `survived`: the service must survive it."""

    name: str
    strike: Callable[[World, float], Coroutine[Any, Any, None]]
    survived: bool = True
    slow: bool = False
    """Takes up to a minute, so it strikes only if --only names it."""
    applies: Callable[[World], bool] = lambda _world: True


async def kill_service(world: World, _longest: float) -> None:
    """Kill the service with SIGKILL and start it again, as a supervisor would."""
    world.service.kill()
    await world.service.ended(_GONE_S)
    # The kernel signals the workers and the embedded PostgreSQL, which take a moment to end.
    await world.service.start(again=world.workers > 1)


async def stop_service(world: World, _longest: float) -> None:
    """Stop the service with SIGTERM, which answers requests under way, and start it again."""
    await world.service.stop()
    await world.service.start()


async def kill_postmaster(world: World, _longest: float) -> None:
    """Kill the embedded PostgreSQL with SIGKILL: the service logs that and ends, and is started again."""
    processes.send(world.postmaster, SIGKILL)
    status = await world.service.ended(_GONE_S)
    if status != 1 or _POSTGRES_ENDED not in world.service.log:
        raise Violation(
            f"PostgreSQL was killed, and the service ended with status {status}:\n{world.service.log[-2000:]}"
        )
    await world.service.start()


async def kill_both(world: World, _longest: float) -> None:
    """Kill the service and PostgreSQL at once with SIGKILL, as in a power failure."""
    processes.send(world.postmaster, SIGKILL)
    await kill_service(world, _longest)


async def kill_server_beside(world: World, _longest: float) -> None:
    """Kill the PostgreSQL beside the service with SIGKILL and start it again; the service waits for it."""
    processes.send(world.postmaster, SIGKILL)
    assert world.server is not None  # noqa: S101  this fault needs a world of kind beside
    world.server.restart()


async def kill_backend(world: World, _longest: float) -> None:
    """Kill one backend with SIGKILL: PostgreSQL ends all others and recovers."""
    processes.send(world.random.choice(sorted(processes.backends(world.postmaster))), SIGKILL)


async def kill_worker(world: World, _longest: float) -> None:
    """Kill one worker with SIGKILL; the service replaces it."""
    await _wait_for_replacement(world, _kill_one_worker(world))


async def kill_worker_in_need(world: World, longest: float) -> None:
    """Kill one worker with SIGKILL while PostgreSQL is unreachable; its replacement connects later."""
    async with world.proxy.refusing():
        killed = _kill_one_worker(world)
        await _pause(world, longest)
    await _wait_for_replacement(world, killed)


async def stop_in_need(world: World, _longest: float) -> None:
    """Stop the service with SIGTERM while PostgreSQL is unreachable: it still ends with status 0. Start it again."""
    async with world.proxy.refusing():
        await world.service.stop()
    await world.service.start()


async def stop_while_stalled(world: World, _longest: float) -> None:
    """Stop the service with SIGTERM while PostgreSQL does not answer: it still ends with status 0, but not soon."""
    async with world.proxy.stalled():
        await world.service.stop()
    await world.service.start()


def _kill_one_worker(world: World) -> int:
    killed = world.random.choice(sorted(world.service.workers()))
    processes.send(killed, SIGKILL)
    return killed


async def _wait_for_replacement(world: World, killed: int) -> None:
    async def replaced() -> bool:
        left = set(world.service.workers())
        return killed not in left and len(left) == world.workers

    await until(replaced, "a killed worker is replaced", _GONE_S)


async def kill_helper(world: World, _longest: float) -> None:
    """Kill a process that is neither the supervisor nor a worker, such as a projector, with SIGKILL."""
    processes.send(world.random.choice(sorted(world.service.helpers())), SIGKILL)


async def pause_service(world: World, longest: float) -> None:
    """Stop one of the service's processes with SIGSTOP, as on an overcommitted machine."""
    async with _stopped([world.random.choice(sorted(world.service.own()))]):
        await _pause(world, longest)


async def pause_backends(world: World, longest: float) -> None:
    """Stop some backends with SIGSTOP; they may hold the lock on the ledger head."""
    found = sorted(processes.backends(world.postmaster))
    async with _stopped(world.random.sample(found, min(len(found), world.random.randrange(1, 6)))):
        await _pause(world, longest)


async def pause_postgres(world: World, longest: float) -> None:
    """Stop all of PostgreSQL with SIGSTOP, as when its disk hangs."""
    async with _stopped(processes.server_processes(world.postmaster)):
        await _pause(world, longest)


async def terminate_some(world: World, _longest: float) -> None:
    """End some connections with pg_terminate_backend."""
    found = sorted(await world.database.connections())
    await world.database.terminate(world.random.sample(found, world.random.randrange(1, len(found) + 1)))


async def terminate_all(world: World, _longest: float) -> None:
    """End all connections, three times."""
    for _ in range(3):
        await world.database.terminate(await world.database.connections())


async def lose_answers(world: World, _longest: float) -> None:
    """Cut connections after PostgreSQL has answered: the commit is done and its answer is lost."""
    async with world.proxy.harming("answers", 0.2):
        await _wait_for_harm(world)


async def cut_requests(world: World, _longest: float) -> None:
    """Cut connections in the middle of a statement."""
    async with world.proxy.harming("requests", 0.2):
        await _wait_for_harm(world)


async def cut_connections(world: World, _longest: float) -> None:
    """Cut every connection to PostgreSQL, three times."""
    for _ in range(3):
        world.proxy.cut()
        await _wait_for_connections(world)


async def stall(world: World, longest: float) -> None:
    """Delay everything that is sent to and from PostgreSQL."""
    async with world.proxy.stalled():
        await _pause(world, longest)


async def refuse(world: World, longest: float) -> None:
    """Cut every connection and refuse new ones."""
    async with world.proxy.refusing():
        await _pause(world, longest)


async def _pause(world: World, longest: float) -> None:
    """Sleep for a random time: one pause in four takes `longest` seconds, the others at most a third of it."""
    await asyncio.sleep(longest if world.random.random() < 0.25 else world.random.uniform(0.1, longest / 3))


async def _wait_for_harm(world: World) -> None:
    before = world.proxy.harm

    async def harmed() -> bool:
        return world.proxy.harm >= before + _HARM

    await until(harmed, "the proxy has cut statements or answers", _GONE_S)


async def _wait_for_connections(world: World) -> None:
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
    Fault("an API key is revoked while it is used", revoke_key),
    Fault("ACCESS EXCLUSIVE lock on runfold.events", lock_events),
    Fault("a repeatable-read transaction is open", open_snapshot),
    Fault("the database's clock two hours ahead", clock_far_ahead),
    Fault("the database's clock a little ahead, and back", clock_ahead),
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
    Fault("API keys cannot be read while one is revoked", hide_keys),
    Fault("PostgreSQL's disk is full", fill_disk, applies=has_disk),
    Fault("kill -9 of a worker while connections are refused", kill_worker_in_need),
    Fault("SIGTERM and restart while connections are refused", stop_in_need, survived=False),
    Fault("SIGTERM and restart while connections are stalled", stop_while_stalled, survived=False, slow=True),
)


FAULTS = tuple(dict.fromkeys(fault.strike.__name__ for fault in (*_ANYWHERE, *_EMBEDDED, *_WORKERS, *_BESIDE)))
"""All names that --only accepts."""


def faults_for(world: World) -> list[Fault]:
    """Return the faults that apply to a world."""
    found = [*_ANYWHERE, *(_EMBEDDED if world.server is None else _BESIDE), *(_WORKERS if world.workers > 1 else ())]
    return [fault for fault in found if fault.applies(world)]
