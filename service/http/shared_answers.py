"""Answers that are shared by clients that ask the same within a few seconds, such as open pages of the web interface.

Requests that allow it share a round: the catalog catches up with the ledger once for all of them, and each question is
answered once. A round lasts for as long as the requests allow, at most MAX_AGE_S, so each answer has everything that
was recorded up to so many seconds before it was asked for. A request that allows nothing (the default) takes no part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any

from service.single_flight import begin, has_failed

MAX_AGE_S = 3.0
"""Seconds after which a round ends, whatever requests allow. It is longer than the time within which two requests make
the projector work for low latency (catalog/projector.py): any number of open pages costs one projection in 3 s."""

_KEPT_BYTES = 16 * 1024 * 1024
"""Bytes of the answers that a round keeps. Those that are made later are given only to those that ask meanwhile."""

_QUESTION_BYTES = 4096
"""What a question takes, roughly: its filters have names of jobs and namespaces."""

Wait = Callable[[], Awaitable[None]]
"""Waits until the catalog has what an answer must have."""


class _Round:
    """The answers that have everything that was recorded before a time of the event loop's clock."""

    def __init__(self, begun: float, wait: Wait) -> None:
        self.begun = begun
        self._wait = wait
        self._current: asyncio.Task[None] | None = None
        self._answers: dict[Hashable, asyncio.Task[bytes]] = {}
        self._size = 0

    async def wait(self) -> None:
        """Wait until the catalog has everything that was recorded before the round. The first one to wait asks it."""
        if self._current is None or has_failed(self._current):
            self._current = begin(self._wait())
        await asyncio.shield(self._current)

    async def answer(self, question: Hashable, make: Callable[[Wait], Coroutine[Any, Any, bytes]]) -> bytes:
        """Return the answer to a question, which is made once."""
        task = self._answers.get(question)
        if task is None:
            task = self._answers[question] = begin(make(self.wait))
            task.add_done_callback(lambda made: self._on_made(question, made))
        return await asyncio.shield(task)

    def _on_made(self, question: Hashable, made: asyncio.Task[bytes]) -> None:
        """Keep an answer. One that could not be made is made anew for the next request."""
        size = 0 if has_failed(made) else len(made.result()) + _QUESTION_BYTES
        if size and self._size + size <= _KEPT_BYTES:
            self._size += size
        else:
            del self._answers[question]


class SharedAnswers:
    """The round of a process."""

    def __init__(self, wait: Wait) -> None:
        """Take what waits until the catalog has everything that was recorded before the call."""
        self._wait = wait
        self._round: _Round | None = None

    async def answer(
        self, question: Hashable, max_age_s: float, make: Callable[[Wait], Coroutine[Any, Any, bytes]]
    ) -> bytes:
        """Return what `make` returns, or returned for the same question up to `max_age_s` ago. Raises what it raises.

        `question`: all on which the answer depends besides what is recorded, thus what the API key may see, too.
        `make` takes what to await before the catalog is read.
        """
        if max_age_s <= 0:
            return await make(self._wait)
        loop = asyncio.get_running_loop()
        if self._round is None or loop.time() - self._round.begun > min(max_age_s, MAX_AGE_S):
            self._round = _Round(loop.time(), self._wait)
            loop.call_later(MAX_AGE_S, self._end, self._round)
        return await self._round.answer(question, make)

    def forget_positions(self) -> None:
        """End the round: the ledger has lost its tail, which the answers may have."""
        self._round = None

    def _end(self, ended: _Round) -> None:
        if self._round is ended:
            self._round = None
