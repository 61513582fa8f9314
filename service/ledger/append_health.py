"""Remembers whether the database refuses to record events, as with a full disk; /readyz shows it."""

from __future__ import annotations

import time

from service.errors import DatabaseUnavailable

_REFUSALS = frozenset({"25", "42", "53", "58", "XX"})
"""Classes of SQLSTATEs after which further appends will fail as well: a server that is read-only, lacks rights, disk or
memory, or cannot use its files. A lost connection is not among them: a read finds that out, too."""

_MEMORY_S = 30.0
"""A process that is not ready gets no requests, and would never learn that it can append again."""


class AppendHealth:
    """The last failure of an append since the last success."""

    def __init__(self) -> None:
        """Begin without a failure."""
        self._problem: str | None = None
        self._at = 0.0

    def succeeded(self) -> None:
        """Record that events were appended."""
        self._problem = None

    def failed(self, error: DatabaseUnavailable) -> None:
        """Record that an append failed."""
        if error.sqlstate is not None and error.sqlstate[:2] in _REFUSALS:
            self._problem, self._at = error.detail, time.monotonic()

    @property
    def problem(self) -> str | None:
        """Why the last append was refused; None where it was not, or where that was more than _MEMORY_S ago."""
        return self._problem if time.monotonic() - self._at < _MEMORY_S else None
