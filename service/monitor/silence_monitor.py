"""Infers the end of silent runs: appends an event of source `monitor` to each, over the appender, like a command.

docs/decisions/0037-silent-runs.md says what keeps it from ending runs that are alive.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from service.database.connections import Connections
from service.domain.decisions import Decision, InferEnd
from service.errors import DatabaseUnavailable, Unavailable
from service.ledger import drafts
from service.ledger.appender import Appender
from service.ledger.batch import AppendResult
from service.ledger.ledger_end import LedgerEnd
from service.monitor.lease import MonitorLease
from service.monitor.silent_runs import MAX_LEVELS, Levels, SilentRun, SilentRuns

_log = logging.getLogger(__name__)

MAX_INTERVAL_S, MIN_INTERVAL_S = 15.0, 0.5
"""Bounds of the time between two cycles, which is a quarter of the shortest allowance."""

MAX_PER_CYCLE = 200
"""Most ends that one cycle infers, so that a mistake has no time to grow: 800 in a minute."""

_AT_ONCE = 20
"""Ends in one batch of the appender, beside those of requests."""

_CYCLE_S = 5.0
"""Time after which a cycle ends; the next one goes on where it was."""

_FRESH_S = 3600.0
"""Seconds after which all RUNNING runs are looked at again, whatever was looked at before."""

_CLOSE_S = 1.0


class SilenceMonitor:
    """The task of this process that looks for silent runs while the process holds the lease."""

    def __init__(self, connections: Connections, appender: Appender, end: LedgerEnd, default: int) -> None:
        """Take connections, of which one is used at a time, and the allowance of the service in seconds; OFF: none.

        `end`: what this process knows of the ledger's end.
        """
        self._runs = SilentRuns(connections, default)
        self._lease = MonitorLease(connections)
        self._appender = appender
        self._end = end
        self._task: asyncio.Task[None] | None = None
        self._interval_s = MAX_INTERVAL_S
        self._looked_upto: dict[int, int] = {}
        """By allowance: the position up to which runs with it were looked at."""
        self._known = (0, 0)
        self._fresh_until = 0.0
        self._above = 0
        self._acted = 0
        self.inferred = 0
        """Ends that this process has inferred."""
        self.limited = 0
        """Cycles of this process that ended with silent runs left for the next one."""
        self.problem: str | None = None
        """Why the last cycle failed, as a sentence."""

    @property
    def holds_lease(self) -> bool:
        """Whether this process is the one that looks."""
        return self._lease.held

    def start(self) -> None:
        """Start looking."""
        self._task = asyncio.create_task(self._run(), name="silence monitor")

    async def close(self) -> None:
        """Stop, and let another process look at once."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task], timeout=_CLOSE_S)
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._lease.release()
        except (Unavailable, TimeoutError):
            pass  # it expires

    async def _run(self) -> None:
        while True:
            try:
                await self._cycle()
            except Unavailable as error:
                self._fail(error.detail, logged=isinstance(error, DatabaseUnavailable))  # by its connections
            except Exception as error:  # noqa: BLE001  the task must outlive any failure of one cycle
                _log.exception("silent runs could not be looked for")
                self.problem = f"silent runs cannot be looked for ({type(error).__name__})"
            else:
                self.problem = None
            await asyncio.sleep(self._interval_s)

    def _fail(self, reason: str, *, logged: bool) -> None:
        problem = f"silent runs cannot be looked for: {reason}"
        if problem != self.problem and not logged:
            _log.warning("%s", problem)
        self.problem = problem

    async def _cycle(self) -> None:
        shortest = await self._runs.levels()
        if not shortest.seconds:
            await self._lease.release()
            return
        self._interval_s = min(MAX_INTERVAL_S, max(MIN_INTERVAL_S, shortest.seconds[0] / 4))
        problem = self._end.clock_problem() or self._appender.health.problem
        if problem is not None:
            raise Unavailable(problem)
        claim = await self._lease.claim(self._interval_s)
        if claim is None:
            return
        levels = await self._turn(shortest)
        active_s = (claim.now - claim.active_since).total_seconds()
        due = [level for level in levels if level <= active_s]
        thresholds = await self._runs.thresholds(due, claim.now)
        await self._look(due, [thresholds[level] for level in due])

    async def _turn(self, shortest: Levels) -> Sequence[int]:
        """Return the allowances of this cycle.

        What was looked at is forgotten where a setting was changed since, or the ledger lost its tail.
        """
        now, known = time.monotonic(), (shortest.changed, self._end.losses)
        if known != self._known or now >= self._fresh_until:
            self._looked_upto.clear()
            self._known, self._fresh_until = known, now + _FRESH_S
        following = (await self._runs.levels(self._above)).seconds if self._above else ()
        return following or shortest.seconds

    async def _look(self, levels: Sequence[int], thresholds: Sequence[int]) -> None:
        end = time.monotonic() + _CYCLE_S
        before, limited = self.inferred, self.limited
        self._acted = 0
        self._above = levels[-1] if len(levels) == MAX_LEVELS else 0
        for level, upto in zip(levels, thresholds, strict=True):
            if not await self._look_at(level, upto, end):
                self._above = level - 1  # the next cycle goes on with this one
                break
        if self.inferred > before:
            more = "; more are silent" if self.limited > limited else ""
            _log.warning("the ends of %d silent runs were inferred: ABORTED%s", self.inferred - before, more)

    async def _look_at(self, level: int, upto: int, end: float) -> bool:
        """Infer the ends of runs that are silent by an allowance. Returns whether all were looked at."""
        after: int | None = self._looked_upto.get(level, 0)
        while after is not None and after < upto:
            page = await self._runs.find(level, after, upto)
            room = MAX_PER_CYCLE - self._acted
            for start in range(0, min(room, len(page.runs)), _AT_ONCE):
                runs = page.runs[start : min(start + _AT_ONCE, room)]
                await self._infer(runs)
                self._looked_upto[level] = runs[-1].silence.last_position
            if len(page.runs) > room:
                self.limited += 1
                return False
            after = page.following
            self._looked_upto[level] = upto if after is None else after
            if time.monotonic() > end and after is not None:
                return False
        return True

    async def _infer(self, runs: Sequence[SilentRun]) -> None:
        """Append the ends of some runs, of each if the run's last event still is the one that was read."""
        self._acted += len(runs)
        results = await asyncio.gather(*(self._append(run) for run in runs), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
            self.inferred += result.decision is Decision.APPEND

    async def _append(self, run: SilentRun) -> AppendResult:
        draft = drafts.inferred_end(run.id, run.silence, run.set_by)
        return await self._appender.command(draft, InferEnd(run.silence.last_position))
