"""Refuses requests while more arrive than this process can answer, so that those it takes are answered quickly.

While the event loop keeps up, every request is taken. It is behind if its turns are long: then requests wait in the
buffers of their sockets, where nothing bounds the time. So the number of requests under way is limited while turns are
long, or while more events wait than the next batch takes. The limit follows these two signals: it falls with each turn
that is too long, and rises while turns are short and requests are refused for it.

Decision record: docs/decisions/0037-overload.md.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable

from aiohttp import web

from service.auth.keys import Scope
from service.errors import Overloaded
from service.http.paths import METRICS
from service.http.route import Route

ALWAYS = 64
"""Requests under way that are always taken. No measurement is made while there are no more."""

BEHIND_S, PATIENCE_S = 0.04, 0.1
"""The service is overloaded when each turn of the event loop has taken more than BEHIND_S for PATIENCE_S."""

QUEUE_PATIENCE_S = 0.5
"""It is overloaded, too, when more than two batches of events have waited for this time: the database is behind."""

TARGET_S = 0.008
"""Seconds of a turn that the requests that were taken may need while others are refused. They may need half of the turn
in any case: however many are refused, the others get on."""

QUIET_S = 0.5
"""Seconds without a refusal after which every request is taken again."""

TOO_MANY_REQUESTS = "more requests arrive than can be answered; nothing was recorded"

_REFUSAL = 1 / 6
"""The time that an early refusal takes relative to a request that is answered."""

_LEAST_CUT, _GREATEST_CUT = 0.9, 0.5
"""What is left of the limit after a turn that is a little, or much, too long."""

_PERIOD_S = 0.002
_UNLIMITED = sys.maxsize
_LOG_INTERVAL_S = 60.0

_clock = time.monotonic
_log = logging.getLogger(__name__)


def _nothing_waits() -> float:
    return 0.0


class Admission:
    """Counts the requests under way, and limits them while the service is overloaded."""

    def __init__(self) -> None:
        """Begin without a limit."""
        self.under_way = 0
        """Requests whose head was received and that are not answered; without those that last as long as they like."""
        self.limit = _UNLIMITED
        self.answered = 0
        """Requests that were counted as under way, and are not any more."""
        self.refused_early = self._refused_late = 0
        """Requests that were refused before they were parsed, and after it."""
        self.watching = False
        self.batches_waiting: Callable[[], float] = _nothing_waits
        """Returns how many full batches of events wait to be appended."""
        self._looked = self._idle_since = self._turns_short_at = self._queue_short_at = self._refused_at = 0.0
        self._answered_before = self._refused_before = 0
        self._logged_at = -_LOG_INTERVAL_S

    @property
    def refused(self) -> int:
        """Requests that were refused."""
        return self.refused_early + self._refused_late

    @property
    def limiting(self) -> bool:
        """Whether requests are refused now."""
        return self.limit is not _UNLIMITED

    def check(self, route: Route) -> None:
        """Raise Overloaded for a request that was not refused early, where there are too many of these.

        Probes and scrapes are always answered. A limit that has just fallen does not concern requests under way.
        """
        if self.under_way > 2 * self.limit and route.scope is not Scope.OPEN and route.path != METRICS:
            self._refused_late += 1
            raise Overloaded(TOO_MANY_REQUESTS)

    def watch(self) -> None:
        """Measure the turns of the event loop until few requests are under way. Called when there are many."""
        self.watching = True
        self._looked = self._idle_since = self._turns_short_at = self._queue_short_at = _clock()
        asyncio.get_running_loop().call_later(_PERIOD_S, self._look)

    def _look(self) -> None:
        now = _clock()
        turn, self._looked = now - self._looked - _PERIOD_S, now
        self._adjust(now, turn, self.batches_waiting())
        if self.under_way > ALWAYS or self.limiting:
            self._idle_since = now
        if now - self._idle_since > QUIET_S:
            self.watching = False
            return
        asyncio.get_running_loop().call_later(_PERIOD_S, self._look)

    def _adjust(self, now: float, turn: float, waiting: float) -> None:
        """Set the limit by the duration of a turn of the event loop in seconds, and the number of waiting batches."""
        if not self.limiting:
            if turn < BEHIND_S:
                self._turns_short_at = now
            if waiting < 2:  # noqa: PLR2004  one is being appended, the next one is full
                self._queue_short_at = now
            if now - self._turns_short_at > PATIENCE_S or now - self._queue_short_at > QUEUE_PATIENCE_S:
                self._begin(now)
            return
        refused, answered = self.refused - self._refused_before, self.answered - self._answered_before
        self._refused_before, self._answered_before = self.refused, self.answered
        refusing = refused > 0
        share = (answered + 1) / (answered + 1 + _REFUSAL * refused)
        needed = turn * share
        if (needed > TARGET_S and share > 0.5) or waiting > 1:  # noqa: PLR2004  half
            kept = min(_LEAST_CUT, max(_GREATEST_CUT, TARGET_S / max(needed, TARGET_S)))
            self.limit = max(ALWAYS, int(self.limit * kept))
        elif refusing:
            self.limit += 1 + self.limit // 64
        if refusing:
            self._refused_at = now
        elif now - self._refused_at > QUIET_S:
            self._end(now)

    def _begin(self, now: float) -> None:
        self.limit = max(ALWAYS, self.under_way // 4)
        self._refused_at = now
        if now - self._logged_at > _LOG_INTERVAL_S:
            self._logged_at = now
            _log.warning("overloaded: %d requests are under way; some are answered 503 now", self.under_way)

    def _end(self, now: float) -> None:
        self.limit = _UNLIMITED
        self._turns_short_at = self._queue_short_at = now


ADMISSION = web.AppKey("admission", Admission)
