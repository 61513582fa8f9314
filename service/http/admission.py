"""Refuses requests while more arrive than this process can answer, so that those it takes are answered quickly.

While the event loop keeps up, every request is taken. If its turns are long, requests wait in the buffers of their
sockets, where nothing bounds the time. So the number of requests under way is limited while turns are long and requests
take long, or while more events wait than the next batch takes. The limit follows these signals: it falls while turns
are too long or refusals wait for long to be written, and rises while neither is so and requests are refused for it.

Decision record: docs/decisions/0040-overload.md.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from math import inf

from aiohttp import web

from service.auth.keys import Scope
from service.errors import Overloaded
from service.http.early_refusal import UnwrittenRefusals
from service.http.paths import METRICS
from service.http.route import Route

ALWAYS = 64
"""Requests under way that are taken without a measurement."""

LEAST = 4
"""The lowest limit. By Little's law, the fewer requests are under way, the sooner each is answered at a given rate."""

SPAN_S = 0.05
"""Seconds over which the service is measured."""

LONG_S, LATE_S, BEHIND_SPANS = 0.008, 0.05, 2
"""The service is overloaded when, in several spans one after the other, turns of the event loop take more than LONG_S
and requests more than LATE_S. Either alone is none: requests may wait for the database, and one turn may be long.
"""

TARGET_S = 0.002
"""While requests are refused, turns may take so long, of which a request that is recorded takes several, and refusals
may wait so long to be written."""

TARGET_BATCHES, FULL_SPANS = 0.25, 10
"""It is overloaded, too, when a full batch of events has always waited in several spans: the database is behind. While
requests are refused, TARGET_BATCHES may wait."""

QUIET_S = 0.5
"""Seconds without a refusal after which every request is taken again."""

UNLIMITED = sys.maxsize

TOO_MANY_REQUESTS = "more requests arrive than can be answered; nothing was recorded"

_LEAST_CUT, _GREATEST_CUT = 0.9, 0.5
"""What is left of the limit after a span in which turns were a little, or much, too long."""

_PERIOD_S = 0.002
_LOG_INTERVAL_S = 60.0

_clock = time.monotonic
_log = logging.getLogger(__name__)


def _nothing_waits() -> float:
    return 0.0


def _ignore() -> None:
    pass


class Admission:
    """Counts the requests under way, and limits them while the service is overloaded."""

    def __init__(self) -> None:
        """Begin without a limit."""
        self.under_way = 0
        """Requests whose head was received and that are not answered; without those that last as long as they like."""
        self.limit = UNLIMITED
        """Requests that may be under way."""
        self.behind = False
        """Whether refusals have waited for long to be written: until they are, only LEAST may be under way."""
        self.answered = 0
        """Requests that were counted as under way, and are not any more."""
        self.refused_early = self._refused_late = 0
        """Requests that were refused before they were parsed, and after it."""
        self.unwritten = UnwrittenRefusals()
        """What was refused early and is not answered yet."""
        self.watching = False
        self.batches_waiting: Callable[[], float] = _nothing_waits
        """Returns how many full batches of events wait to be appended."""
        self.on_limiting: Callable[[], None] = _ignore
        """Is called when it begins, and ceases, to limit the number of requests."""
        self._looked = self._busy_at = self._refused_at = 0.0
        self._late = self._full = 0
        """Spans in which the event loop, and the database, were behind."""
        self._waiting = inf
        self._start_span()
        self._logged_at = -_LOG_INTERVAL_S

    @property
    def refused(self) -> int:
        """Requests that were refused."""
        return self.refused_early + self._refused_late

    @property
    def limiting(self) -> bool:
        """Whether requests are refused now."""
        return self.limit != UNLIMITED

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
        self._looked = self._busy_at = _clock()
        self._late = self._full = 0
        self._start_span()
        asyncio.get_running_loop().call_later(_PERIOD_S, self._look)

    def _look(self) -> None:
        now = _clock()
        passed, self._looked = now - self._looked, now
        self._span_s += passed
        waited = self.unwritten.waited(now)
        self.behind = waited > TARGET_S
        self._turns += passed * max(0.0, passed - _PERIOD_S, waited)
        self._waiting = min(self._waiting, self.batches_waiting())
        if self._span_s >= SPAN_S:
            self._adjust(now)
            self._start_span()
        if self.under_way > ALWAYS or self.limiting:
            self._busy_at = now
        if now - self._busy_at > QUIET_S:
            self.watching = False
            return
        asyncio.get_running_loop().call_later(_PERIOD_S, self._look)

    def _start_span(self) -> None:
        self._span_s = self._turns = 0.0
        self._waiting = inf
        self._answered_before, self._refused_before = self.answered, self.refused

    def _adjust(self, now: float) -> None:
        """Set the limit by what a span has shown."""
        turn = self._turns / self._span_s
        answered, refused = self.answered - self._answered_before, self.refused - self._refused_before
        if self.limiting:
            self._follow(now, turn, refused)
            return
        # By Little's law, a request takes the number of requests under way, divided by the rate of answers.
        late = self.under_way * self._span_s > LATE_S * answered
        self._late = self._late + 1 if turn > LONG_S and late else 0
        self._full = self._full + 1 if self._waiting >= 1 else 0
        if self.under_way > ALWAYS and (self._late >= BEHIND_SPANS or self._full >= FULL_SPANS):
            self._begin(now)

    def _follow(self, now: float, turn: float, refused: int) -> None:
        """Adjust the limit, or end it."""
        if turn > TARGET_S or self._waiting > TARGET_BATCHES:
            kept = min(_LEAST_CUT, max(_GREATEST_CUT, TARGET_S / max(turn, TARGET_S)))
            self.limit = max(LEAST, int(self.limit * kept))
        elif refused:
            self.limit += max(1, self.limit // 8)
        if refused:
            self._refused_at = now
        elif now - self._refused_at > QUIET_S:
            self.limit = UNLIMITED
            self.on_limiting()

    def _begin(self, now: float) -> None:
        self.limit = max(ALWAYS, self.under_way // 4)
        self._refused_at = now
        self.on_limiting()
        if now - self._logged_at > _LOG_INTERVAL_S:
            self._logged_at = now
            _log.warning("overloaded: %d requests are under way; some are answered 503 now", self.under_way)


ADMISSION = web.AppKey("admission", Admission)
