"""Follows the end of the ledger, reading each event once for all listeners of a process.

One task reads what is new and keeps the latest batches. A listener takes batches at its own pace; one that
has fallen behind them reads the ledger itself, so that no listener waits for another. Appends of this process wake the
task. Appends of other processes are found by polling while there are listeners.

A process has two such tasks: one for listeners that get every event with its payload, at once (tail_batch.py), and one
for those that get in brief, once a second at most, what was recorded (brief_batch.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, Self

from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.errors import Unavailable

_log = logging.getLogger(__name__)

_RETRY_DELAY_S = 0.5


class Batch(Protocol):
    """Consecutive events: those after one position and up to another."""

    @property
    def after(self) -> int:
        """The position before the first one."""

    @property
    def upto(self) -> int:
        """The position of the last one."""

    @property
    def size(self) -> int:
        """Bytes that it has in memory."""

    @property
    def full(self) -> bool:
        """Whether more events may follow that were recorded when it was read."""

    @property
    def erases(self) -> bool:
        """Whether an event of it erased the payload of an earlier event, which an earlier batch may have in memory."""

    async def sse_frames(self, filters: EventFilters, after: int) -> bytes:
        """Return the events of a filter after a position, as server-sent events; may be empty. Raises Unavailable.

        Filters that differ in the order of their values are different here: callers sort them.
        """


class Form(NamedTuple):
    """What listeners get, and at which intervals.

    `read` returns the first events after a position, None where there are none; `pause_s` the seconds between two
    batches by the number of listeners; `poll_s`: seconds between two queries for events of other processes;
    `kept_batches` and `kept_bytes`: how much is kept for listeners.
    """

    read: Callable[[LedgerReader, int], Awaitable[Batch | None]]
    pause_s: Callable[[int], float]
    poll_s: float
    kept_batches: int
    kept_bytes: int


class NextBatch(NamedTuple):
    """What a listener needs first: a batch that is kept; `behind`: one that is no longer kept; or there is none yet."""

    batch: Batch | None
    behind: bool


class LedgerTail:
    """A task of this process that reads the end of the ledger while there are listeners."""

    def __init__(self, reader: LedgerReader, form: Form) -> None:
        """Take the reader of the ledger, and what listeners get."""
        self._reader = reader
        self._form = form
        self._kept: deque[Batch] = deque()
        self._kept_size = 0
        self._position = -1
        self.listeners = 0
        """Number of listeners."""
        self._wake = asyncio.Event()
        self._progress: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.closing = False
        self.generation = 0
        """Grows whenever all listeners have to end because the ledger lost its tail."""

    def start(self) -> None:
        """Start; nothing is read before there is a listener."""
        self._progress = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="tail")

    async def close(self) -> None:
        """Stop, after disconnecting all listeners."""
        self.disconnect_all()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def disconnect_all(self) -> None:
        """Wake all listeners; `closing` tells them to end."""
        self.closing = True
        self._notify()

    def forget_positions(self) -> None:
        """End all listeners: the ledger has lost its tail, and their places may lie beyond its end.

        A listener that resumes from such a place is refused; any other one goes on.
        """
        self.generation += 1
        self._clear()
        self._notify()
        self._wake.set()

    def notify_appended(self, _position: int) -> None:
        """Report that this process appended events."""
        if self.listeners:
            self._wake.set()

    def __enter__(self) -> Self:
        """Add a listener."""
        self.listeners += 1
        self._wake.set()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove a listener; after the last one, all batches are dropped."""
        self.listeners -= 1

    def next_after(self, position: int, head: int = 0) -> NextBatch:
        """Return the batch with the first events after a position.

        `head`: that of the ledger when the listener came, where batches have payloads: until the task has read all up
        to it, a batch that is kept may have a payload that was erased before the listener came.
        """
        if self._position <= position:
            return NextBatch(None, behind=False)
        if self._position < head:
            return NextBatch(None, behind=True)
        for batch in reversed(self._kept):
            if batch.after <= position:
                return NextBatch(batch, behind=False)
        return NextBatch(None, behind=True)

    async def read_ledger(self, position: int) -> Batch | None:
        """Return the first events after a position, read from the ledger for one listener; None: there are none."""
        return await self._form.read(self._reader, position)

    async def wait(self, position: int, seconds: float, gone: asyncio.Future[None]) -> None:
        """Wait for an event after a position, for an end, until the listener is gone, or for some seconds."""
        generation, loop = self.generation, asyncio.get_running_loop()
        end = loop.time() + seconds
        while (
            self._position <= position
            and not (self.closing or gone.done() or self.generation != generation)
            and (left := end - loop.time()) > 0
        ):
            assert self._progress is not None  # noqa: S101  start() comes before any listener
            await asyncio.wait((self._progress, gone), timeout=left, return_when=asyncio.FIRST_COMPLETED)

    async def _run(self) -> None:
        while True:
            if not self.listeners:
                self._clear()
                await self._wake.wait()
            self._wake.clear()
            batch = None
            try:
                batch = await self._read_next()
            except Unavailable:
                await asyncio.sleep(_RETRY_DELAY_S)
            except Exception:  # noqa: BLE001  the task must outlive any failure of one query
                _log.exception("the end of the ledger could not be read")
                await asyncio.sleep(_RETRY_DELAY_S)
            if self.listeners and not (batch is not None and batch.full):
                if batch is not None:
                    await asyncio.sleep(self._form.pause_s(self.listeners))
                await self._wait_for_work()

    async def _wait_for_work(self) -> None:
        try:
            async with asyncio.timeout(self._form.poll_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _read_next(self) -> Batch | None:
        """Read the next batch; None: there is nothing new."""
        generation = self.generation
        if self._position < 0:
            position = (await self._reader.head()).position
            if self.generation == generation:
                self._position = position
                self._notify()
            return None
        batch = await self.read_ledger(self._position)
        if batch is None or self.generation != generation:
            return None
        self._retain(batch)
        self._position = batch.upto
        self._notify()
        return batch

    def _retain(self, batch: Batch) -> None:
        form = self._form
        if batch.erases:
            self._kept.clear()
            self._kept_size = 0
        self._kept.append(batch)
        self._kept_size += batch.size
        while len(self._kept) > 1 and (self._kept_size > form.kept_bytes or len(self._kept) > form.kept_batches):
            self._kept_size -= self._kept.popleft().size

    def _clear(self) -> None:
        self._kept.clear()
        self._kept_size = 0
        self._position = -1

    def _notify(self) -> None:
        progress = self._progress
        if progress is None:
            return
        self._progress = asyncio.get_running_loop().create_future()
        if not progress.done():
            progress.set_result(None)
