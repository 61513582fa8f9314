"""Translates the driver's exceptions into errors of Runfold, each saying what is wrong with the database."""

from __future__ import annotations

import asyncpg

from service.errors import DatabaseUnavailable, RunfoldError, ValueRefused

_UNREACHABLE = "the database does not answer"

_BY_SQLSTATE = {
    "25006": "the database is read-only: it is a standby, or set to read-only",
    "28000": "the database refuses the login",
    "28P01": "the database refuses the login",
    "3D000": "the database does not exist",
    "3F000": "the database's schema does not fit this version of Runfold; run: runfold migrate",
    "40P01": "the database ended a transaction in a deadlock",
    "42501": "the database role lacks a right that Runfold needs; run: runfold migrate --role",
    "42703": "the database's schema does not fit this version of Runfold; run: runfold migrate",
    "42883": "the database's schema does not fit this version of Runfold; run: runfold migrate",
    "42P01": "the database's schema does not fit this version of Runfold; run: runfold migrate",
    "53100": "the database's disk is full",
    "53200": "the database is out of memory",
    "53300": "the database takes no more connections",
    "55P03": "a lock in the database was not free in time",
    "57014": "the database cancelled a statement",
}
"""What is wrong, by SQLSTATE (PostgreSQL manual, appendix A)."""

_UNREACHABLE_CLASSES = ("08", "57P")
"""SQLSTATEs of a broken connection, and of a server that is stopping or starting."""

_BROKEN = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver raises for a connection that broke; the second where a dead connection confuses it."""


def translate(error: Exception) -> RunfoldError | None:
    """Return what a driver's exception means to a caller; None for an exception that is not the driver's.

    ValueRefused: PostgreSQL does not take a value that was sent. DatabaseUnavailable: everything else, with the server's
    own message as its `reason`.
    """
    if isinstance(error, (asyncpg.DataError, asyncpg.ProgramLimitExceededError, UnicodeEncodeError)):
        return ValueRefused(f"a value cannot be used: {error}")
    if isinstance(error, asyncpg.PostgresError):
        return DatabaseUnavailable(_cause(error), _reason(error), error.sqlstate)
    if isinstance(error, _BROKEN):
        return DatabaseUnavailable(_UNREACHABLE, _reason(error))
    if isinstance(error, OSError) and _comes_from_driver(error):
        timed_out = isinstance(error, TimeoutError)
        return DatabaseUnavailable("the database did not answer in time" if timed_out else _UNREACHABLE, _reason(error))
    return None


def _comes_from_driver(error: OSError) -> bool:
    """Tell errors of the driver's sockets and timers from those of files and timers that are used beside it."""
    frames = error.__traceback__
    while frames is not None:
        if frames.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "asyncpg":
            return True
        frames = frames.tb_next
    return False


def _cause(error: asyncpg.PostgresError) -> str:
    sqlstate = error.sqlstate or ""
    if sqlstate.startswith(_UNREACHABLE_CLASSES):
        return _UNREACHABLE
    return _BY_SQLSTATE.get(sqlstate, f"the database failed with SQLSTATE {sqlstate or 'unknown'}")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
