"""Which failures of the projection are caused by what is projected, and how its culprit is found."""

from __future__ import annotations

from service.errors import DatabaseUnavailable, OperatorError, Unavailable
from service.ledger.stored_registers import NewerRegisters

_CAUSED_BY_VALUES = frozenset({"21", "22", "23", "54", "P0"})
"""Classes of SQLSTATEs that the values of a statement cause: cardinality, data, constraints, limits, functions."""

_CAUSED_BY_ROWS = frozenset({"XX001"})
"""SQLSTATEs that the rows cause which a statement reads: corrupted data."""


class PageTooLarge(Exception):
    """The registers of a page's runs, jobs or namespaces have too many bytes: project fewer events at once."""


class PageSize:
    """The number of events in a page: halved while pages fail, until the page of one event that fails is found."""

    def __init__(self, events: int) -> None:
        """Take the number of events of a page that does not fail."""
        self._full = events
        self._end: int | None = None
        self.events = events

    def shrink(self, end: int | None = None) -> bool:
        """Halve the page after a failure; return False where it has one event already.

        `end`: the last position of the page that failed; pages stay small up to there.
        """
        if end is not None:
            self._end = max(self._end or 0, end)
        if self.events == 1:
            return False
        self.events = max(1, self.events // 2)
        return True

    def succeeded(self, position: int) -> None:
        """Return to whole pages where the events up to a position include those of the page that failed."""
        if self._end is not None and position >= self._end:
            self._end, self.events = None, self._full


def is_caused_by_page(error: Exception) -> bool:
    """Return whether a failure is caused by the events or rows of a page, so that it will not succeed later.

    Whatever says that the database is unavailable or has another schema is not; nor is a row of a newer version, an
    archive that cannot be read, or a pipe that is closed.
    """
    if isinstance(error, DatabaseUnavailable):
        sqlstate = error.sqlstate or ""
        return sqlstate[:2] in _CAUSED_BY_VALUES or sqlstate in _CAUSED_BY_ROWS
    return not isinstance(error, (Unavailable, OperatorError, OSError, NewerRegisters))


def reason_of(error: Exception) -> str:
    """Return the class of an error, and the SQLSTATE; messages may repeat values that callers sent."""
    cause = error.__cause__ or error
    sqlstate = getattr(cause, "sqlstate", None)
    return f"{type(cause).__name__}, SQLSTATE {sqlstate}" if sqlstate else type(cause).__name__
