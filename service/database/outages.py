"""Whether the database answers, as the statements of a process show it. An outage is logged once, not by each request.

One object is shared by all Connections of a serving process. There the ledger watch reads the database several times a
second, so other requests need not try: while the database is known to be down, they fail at once.
"""

from __future__ import annotations

import logging
import time

from service.errors import DatabaseUnavailable

_log = logging.getLogger(__name__)

_REMINDER_S = 60.0
"""Seconds between two log records about an outage that goes on."""

_QUIET_S = 2.0
"""Seconds without a failed statement after which an outage has ended: one lock fails some statements, not others."""

_MAX_DETAILS = 20
"""Different errors of one outage that are logged, each once."""


class DatabaseState:
    """Counts failed statements, and logs when failures begin, once a minute while they go on, and when they end."""

    def __init__(self, *, probed: bool = False) -> None:
        """Take whether a task probes the database: only then may other statements be refused without a try."""
        self._probed = probed
        self._down: DatabaseUnavailable | None = None
        self._began = self._last = self._reminder = 0.0
        self._failures = 0
        self._details: set[str] = set()
        self.troubled = False
        """Whether a statement failed since the last outage ended."""

    @property
    def is_down(self) -> bool:
        """Whether the last connection or statement was not answered at all."""
        return self._down is not None

    def raise_if_down(self) -> None:
        """Raise DatabaseUnavailable if the database is known to be down and a probe will find out when it is back."""
        if self._down is not None and self._probed:
            raise DatabaseUnavailable(self._down.detail, self._down.reason, self._down.sqlstate)

    def record_failure(self, error: DatabaseUnavailable, *, unanswered: bool) -> None:
        """Record a failed statement. `unanswered`: no connection was accepted, or no answer came in time."""
        now = time.monotonic()
        if unanswered:
            self._down = error
        if not self.troubled:
            self.troubled, self._failures = True, 0
            self._began, self._reminder = now, now + _REMINDER_S
            self._details.clear()
        self._failures += 1
        self._last = now
        if error.detail not in self._details and len(self._details) < _MAX_DETAILS:
            self._details.add(error.detail)
            _log.warning("database: %s", error)
        elif now >= self._reminder:
            self._reminder = now + _REMINDER_S
            _log.warning(
                "database: failing for %.0f s, %d statements; the latest: %s", now - self._began, self._failures, error
            )

    def record_success(self) -> None:
        """Record an executed statement; the caller may leave that out while `troubled` is false."""
        self._down = None
        if self.troubled and time.monotonic() - self._last >= _QUIET_S:
            self.troubled = False
            took = self._last - self._began
            _log.warning("database: answers again; %d statements failed within %.0f s", self._failures, took)
