"""Finds out whether a refused command repeats a transition that is recorded, beside the writer and not within it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from itertools import chain

from service.database.connections import Connections
from service.domain.decisions import Decision
from service.errors import DatabaseUnavailable, RunfoldError, Unavailable
from service.ledger.batch import AppendResult, RefusedTransition
from service.ledger.events import find_recorded_transitions

_log = logging.getLogger(__name__)

_MAX_ATTEMPTS = 3
_PAUSE_AFTER_LOSS_S = 0.2
_MAX_BATCH = 500


class RepeatLookup:
    """Answers refused transitions: by rule 0 of the decision table, one that is recorded is no conflict.

    Such a command appends nothing, so the writer goes on with the next batch meanwhile.
    """

    def __init__(self, connections: Connections) -> None:
        """Take connections, of which one is used at a time."""
        self._connections = connections
        self._waiting: list[RefusedTransition] = []
        self._in_flight: list[RefusedTransition] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """Number of commands that wait for their answer."""
        return len(self._waiting) + len(self._in_flight)

    def pending(self) -> Iterator[asyncio.Future[AppendResult]]:
        """Yield the futures of all commands that wait for their answer."""
        return (each.item.future for each in chain(self._in_flight, self._waiting))

    def add(self, refused: Sequence[RefusedTransition]) -> None:
        """Look up transitions; each is resolved as UNCHANGED where it is recorded, else as CONFLICT."""
        self._waiting += refused
        if refused and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name="repeats")

    async def drain(self) -> None:
        """Wait until all are answered."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting:
            self._in_flight, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
            try:
                recorded = await self._find()
            except Exception as error:  # noqa: BLE001  an error of one batch must not leave the others without an answer
                self._fail(error)
            else:
                for index, (item, registers) in enumerate(self._in_flight):
                    decision = Decision.UNCHANGED if index in recorded else Decision.CONFLICT
                    item.resolve(AppendResult(decision, registers, None, None))
            self._in_flight = []

    async def _find(self) -> set[int]:
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                return await find_recorded_transitions(self._connections, [each.item.draft for each in self._in_flight])
            except DatabaseUnavailable:
                if attempt == _MAX_ATTEMPTS or self._connections.state.is_down:
                    raise
                await asyncio.sleep(_PAUSE_AFTER_LOSS_S)
        raise AssertionError

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, RunfoldError):
            _log.error("a look-up of %d refused commands failed", len(self._in_flight), exc_info=error)
        reason = error.detail if isinstance(error, RunfoldError) else type(error).__name__
        for each in self._in_flight:
            each.item.fail(Unavailable(f"{reason}; nothing was recorded"))
