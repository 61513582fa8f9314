"""What a process knows of the end of the ledger: its position, and the time that the next event will have.

Positions only grow, except where the database lost its tail: an asynchronous standby that is promoted without the last
WAL, or a backup that is restored under a running service. Then everything that remembers a position must forget it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from service.domain import timestamps

_log = logging.getLogger(__name__)

MAX_AHEAD = timedelta(hours=1)
"""How far the time of an event may lie ahead of the clock of the process that appends it."""

_WARN_AHEAD = timedelta(seconds=10)
"""From here on, a time that lies ahead is logged: clocks that are synchronised differ by milliseconds."""

_REMINDER_S = 60.0

OnLoss = Callable[[], None]
"""Is called when the ledger lost its tail, before anything else learns of the new end."""


def _do_nothing() -> None:
    """Nothing remembers a position."""


class LedgerEnd:
    """The greatest position that this process knows to be recorded, and how far recorded times lie ahead."""

    def __init__(self, max_ahead: timedelta = MAX_AHEAD, on_loss: OnLoss = _do_nothing) -> None:
        """Take how far a recorded time may lie ahead of this process's clock, and what to do when the tail is lost."""
        self._max_ahead = max_ahead
        self._on_loss = on_loss
        self._reminder = 0.0
        self._ahead = timedelta()
        self.position = 0
        """The greatest position that is known."""
        self.losses = 0
        """How often the ledger ended before a position that was known."""

    @property
    def latest(self) -> datetime:
        """The latest time with which an event may be recorded now."""
        return timestamps.now() + self._max_ahead

    @property
    def ahead_s(self) -> float:
        """How many seconds the time of an event that is recorded now lies ahead of this process's clock."""
        return max(0.0, self._ahead.total_seconds())

    def clock_problem(self) -> str | None:
        """Return why nothing can be recorded, as a sentence; None while the clocks agree. For /readyz."""
        if self._ahead <= self._max_ahead:
            return None
        return f"an event would be recorded {self._ahead} ahead of the service's clock; {self._max_ahead} is allowed"

    def record_head(self, known: int, position: int, next_time: datetime | None = None) -> None:
        """Record the ledger's end as it was read; `known` is the position that was known before reading began.

        `next_time` is the time that an event would have that is recorded now.
        """
        if next_time is not None:
            self._record_time(next_time)
        if position < known:
            self._lose(position, known)
        self.position = max(self.position, position)

    def record_append(self, known: int, first: int, last: int, recorded_at: datetime) -> None:
        """Record an append of new events; `known` is the position that was known before it began.

        The ledger gives each position once, so one that is not greater than `known` proves that its tail was lost.
        """
        self._record_time(recorded_at)
        if first <= known:
            self._lose(first - 1, known)
        self.position = max(self.position, last)

    def _lose(self, position: int, known: int) -> None:
        if self.position < known:
            return  # another statement that began before the loss found it already
        self.losses += 1
        _log.error(
            "the ledger ends at position %d, but events up to position %d were recorded: they are lost. Was an older"
            " state of the database restored, or a standby promoted that had not received everything?",
            position,
            known,
        )
        self.position = position
        self._on_loss()

    def _record_time(self, recorded_at: datetime) -> None:
        self._ahead = recorded_at - timestamps.now()
        if self._ahead > _WARN_AHEAD and time.monotonic() >= self._reminder:
            self._reminder = time.monotonic() + _REMINDER_S
            _log.warning("events are recorded %s ahead of this machine's clock; check both clocks", self._ahead)
