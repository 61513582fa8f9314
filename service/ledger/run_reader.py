"""Coalesces reads: runs that are requested while a query is running share the next query."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from uuid import UUID

from service.database.connections import Connections
from service.domain.event import Subject
from service.domain.run import RunRegisters
from service.errors import DatabaseUnavailable, Overloaded, RunfoldError, Unavailable, ValueRefused
from service.ledger.events import StreamState, read_streams
from service.ledger.expiry import expire

_log = logging.getLogger(__name__)

_MAX_ATTEMPTS = 3
_PAUSE_AFTER_LOSS_S = 0.2

_Waiting = dict[UUID, list[asyncio.Future[RunRegisters | None]]]


class RunReader:
    """Reads runs. A query starts after its runs were requested, so it returns all events acknowledged before."""

    def __init__(self, connections: Connections, *, capacity: int = 10_000, max_batch: int = 500) -> None:
        """Take a connection for each task, the number of runs that may wait, and the number of runs in a query.

        A read fails when it has waited as long as a statement of the connections may take.
        """
        self._in_flight: list[_Waiting] = []
        self._expiry: asyncio.Task[None] | None = None
        self._connections = connections
        self._capacity = capacity
        self._max_batch = max_batch
        self._waiting: _Waiting = {}
        self._idle: list[asyncio.Future[None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    def start(self) -> None:
        """Start the tasks that read."""
        self._tasks = [asyncio.create_task(self._run(), name="reader") for _ in range(self._connections.size)]
        self._expiry = asyncio.create_task(
            expire(self._connections.command_timeout_s, self._pending, "ask again"), name="reader expiry"
        )

    async def drain(self) -> None:
        """Reject new reads, finish those that wait, stop."""
        self._closing = True
        self._wake()
        await asyncio.gather(*self._tasks)
        if self._expiry is not None:
            self._expiry.cancel()

    def _pending(self) -> Iterator[asyncio.Future[RunRegisters | None]]:
        """Yield the futures of all reads that wait or are under way."""
        return (
            future for batch in (*self._in_flight, self._waiting) for futures in batch.values() for future in futures
        )

    def read(self, run_id: UUID) -> asyncio.Future[RunRegisters | None]:
        """Read a run; None if it does not exist. Raises Overloaded and Unavailable."""
        if self._closing:
            raise Unavailable("the service is shutting down")
        self._connections.state.raise_if_down()
        if len(self._waiting) >= self._capacity:
            raise Overloaded(f"{self._capacity} reads are waiting already")
        future: asyncio.Future[RunRegisters | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(run_id, []).append(future)
        if self._idle:
            self._wake()
        return future

    async def read_all(self, run_ids: Iterable[UUID]) -> list[RunRegisters | None]:
        """Read runs. If one cannot be read, none is returned, but all reads are awaited: no error stays unseen.

        Raises Overloaded and Unavailable.
        """
        reads: list[asyncio.Future[RunRegisters | None]] = []
        try:
            for run_id in run_ids:
                reads.append(self.read(run_id))  # noqa: PERF401  those before one that is rejected are awaited
        finally:
            results = await asyncio.gather(*reads, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if not isinstance(result, BaseException)]

    def _wake(self) -> None:
        for idle in self._idle:
            if not idle.done():
                idle.set_result(None)
        self._idle.clear()

    async def _run(self) -> None:
        while True:
            batch = self._take()
            if batch:
                self._in_flight.append(batch)
                await self._resolve(batch)
                self._in_flight.remove(batch)
            elif self._closing:
                return
            else:
                idle = asyncio.get_running_loop().create_future()
                self._idle.append(idle)
                await idle

    def _take(self) -> _Waiting:
        if len(self._waiting) <= self._max_batch:
            batch, self._waiting = self._waiting, {}
            return batch
        return {run_id: self._waiting.pop(run_id) for run_id in list(self._waiting)[: self._max_batch]}

    async def _resolve(self, batch: _Waiting) -> None:
        try:
            states = await self._read(list(batch))
        except (DatabaseUnavailable, ValueRefused) as error:
            _fail(batch, error)
            return
        except Exception as error:  # noqa: BLE001  an error of one batch must not end the task
            _log.exception("a read of %d runs failed", len(batch))
            _fail(batch, error)
            return
        for futures, state in zip(batch.values(), states, strict=True):
            for future in futures:
                if not future.done():
                    future.set_result(state.registers)

    async def _read(self, run_ids: list[UUID]) -> list[StreamState]:
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                return await read_streams(self._connections, Subject.RUN, run_ids, [None] * len(run_ids))
            except (DatabaseUnavailable, ValueRefused):
                if attempt == _MAX_ATTEMPTS or self._connections.state.is_down:
                    raise
                await asyncio.sleep(_PAUSE_AFTER_LOSS_S)
        raise AssertionError


def _fail(batch: _Waiting, error: Exception) -> None:
    reason = error.detail if isinstance(error, RunfoldError) else type(error).__name__
    failure = Unavailable(f"the run could not be read: {reason}")
    for futures in batch.values():
        for future in futures:
            if not future.done():
                future.set_exception(failure)
