"""Remembers whether the database refuses to record events, as with a full disk, and how long commits take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from service.errors import DatabaseUnavailable
from service.histograms import Histogram
from service.tracing import Tracing

_REFUSALS = frozenset({"25", "42", "53", "58", "XX"})
"""Classes of SQLSTATEs after which further appends will fail as well: a server that is read-only, lacks rights, disk or
memory, or cannot use its files. A lost connection is not among them: a read finds that out, too."""

_MEMORY_S = 30.0
"""A process that is not ready gets no requests, and would never learn that it can append again."""

COMMIT_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the buckets for the duration of a commit, in seconds."""


class AppendHealth:
    """The last failure of an append since the last success, and figures of all appends of a process."""

    def __init__(self, tracing: Tracing | None = None) -> None:
        """Begin without a failure. `tracing`: records a span for each commit."""
        self._tracing = tracing
        self._problem: str | None = None
        self._at = 0.0
        self.commits = Histogram(COMMIT_BOUNDS)
        """Seconds from sending a batch to the database to its commit."""
        self.failures = 0
        """How many batches the database did not commit, or may not have committed. They are tried again."""

    @contextmanager
    def commit(self, events: int) -> Iterator[None]:
        """Measure a commit of some events, which the block awaits; it counts if no error is raised."""
        began = time.perf_counter()
        with self._tracing.commit(events) if self._tracing is not None else nullcontext():
            yield
        self.commits.observe(time.perf_counter() - began)

    def succeeded(self) -> None:
        """Record that events were appended."""
        self._problem = None

    def failed(self, error: DatabaseUnavailable) -> None:
        """Record that an append failed."""
        self.failures += 1
        if error.sqlstate is not None and error.sqlstate[:2] in _REFUSALS:
            self._problem, self._at = error.detail, time.monotonic()

    @property
    def problem(self) -> str | None:
        """Why the last append was refused; None where it was not, or where that was more than _MEMORY_S ago."""
        return self._problem if time.monotonic() - self._at < _MEMORY_S else None
