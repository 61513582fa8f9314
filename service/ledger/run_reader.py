"""Coalesced reads: whoever asks for a run while a query is under way shares the next one."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from service.database.connections import Connections
from service.domain.event import Subject
from service.domain.run import RunRegisters
from service.errors import DatabaseUnavailable, Overloaded, Unavailable, ValueRefused
from service.ledger.events import StreamState, read_streams

_log = logging.getLogger(__name__)

_TRIES = 3
_PAUSE_AFTER_LOSS = 0.2


class RunReader:
    """Reads runs. A read starts after it was asked for, so it sees whatever was acknowledged before."""

    def __init__(self, connections: Connections, *, capacity: int = 10_000, max_batch: int = 500) -> None:
        """Take one connection a task, how many runs may be waited for, and how many go into one query."""
        self._connections = connections
        self._capacity = capacity
        self._max_batch = max_batch
        self._waiting: dict[UUID, list[asyncio.Future[RunRegisters | None]]] = {}
        self._idle: list[asyncio.Future[None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    def start(self) -> None:
        """Start reading."""
        self._tasks = [asyncio.create_task(self._run(), name="reader") for _ in range(self._connections.size)]

    async def drain(self) -> None:
        """Answer who waits, take nobody more, stop."""
        self._closing = True
        self._wake()
        await asyncio.gather(*self._tasks)

    def read(self, run_id: UUID) -> asyncio.Future[RunRegisters | None]:
        """Read a run; None where nothing is known of it. Raises Overloaded or Unavailable."""
        if self._closing:
            raise Unavailable("the service is shutting down")
        if len(self._waiting) >= self._capacity:
            raise Overloaded(f"{self._capacity} reads are waiting already")
        answer: asyncio.Future[RunRegisters | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(run_id, []).append(answer)
        if self._idle:
            self._wake()
        return answer

    def _wake(self) -> None:
        for sleeper in self._idle:
            if not sleeper.done():
                sleeper.set_result(None)
        self._idle.clear()

    async def _run(self) -> None:
        while True:
            batch = self._take()
            if batch:
                await self._answer(batch)
            elif self._closing:
                return
            else:
                sleeper = asyncio.get_running_loop().create_future()
                self._idle.append(sleeper)
                await sleeper

    def _take(self) -> dict[UUID, list[asyncio.Future[RunRegisters | None]]]:
        if len(self._waiting) <= self._max_batch:
            batch, self._waiting = self._waiting, {}
            return batch
        return {run_id: self._waiting.pop(run_id) for run_id in list(self._waiting)[: self._max_batch]}

    async def _answer(self, batch: dict[UUID, list[asyncio.Future[RunRegisters | None]]]) -> None:
        try:
            read = await self._read(list(batch))
        except (DatabaseUnavailable, ValueRefused) as error:
            _fail(batch, error)
            return
        except Exception as error:  # noqa: BLE001  the task must outlive whatever happens to one batch
            _log.exception("a read of %d runs failed", len(batch))
            _fail(batch, error)
            return
        for waiters, stream in zip(batch.values(), read, strict=True):
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(stream.registers)

    async def _read(self, run_ids: list[UUID]) -> list[StreamState]:
        for attempt in range(1, _TRIES + 1):
            try:
                return await read_streams(self._connections, Subject.RUN, run_ids, [None] * len(run_ids))
            except (DatabaseUnavailable, ValueRefused):
                if attempt == _TRIES:
                    raise
                await asyncio.sleep(_PAUSE_AFTER_LOSS)
        raise AssertionError


def _fail(batch: dict[UUID, list[asyncio.Future[RunRegisters | None]]], error: Exception) -> None:
    failure = Unavailable(f"the run could not be read ({type(error).__name__})")
    for waiters in batch.values():
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(failure)
