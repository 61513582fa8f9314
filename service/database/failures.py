"""Translates the driver's exceptions into errors of Runfold whose messages name what is wrong with the database."""

from __future__ import annotations

import socket
import ssl

import asyncpg

from service.errors import ClockAhead, DatabaseUnavailable, RunfoldError, ValueRefused

_NO_ANSWER = "the database does not answer"
_TIMED_OUT = "the database did not answer in time"
_HOST_UNKNOWN = "the host name of the database cannot be resolved"
_NOT_ACCEPTING = "the database accepts no connections now: it is starting, stopping or recovering"
_FULL = "the database takes no more connections"
_LOST = "the connection to the database was lost"
_NO_PRIMARY = "no host of the database is of the kind that target_session_attrs in its URL requires"
_OTHER_SCHEMA = "the database's schema does not fit this version of Runfold; run: runfold migrate"
_NO_RIGHT = (
    "the database role lacks a right that Runfold needs; as the owner of the tables, run: runfold migrate --role NAME"
)
_LOGIN_REFUSED = "the database refuses the login"
_FILES = "the database cannot read or write its files"
_CLOCK_AHEAD = "RF001"
"""Raised by runfold.append_events_by (alembic/sql/0008_clock.up.sql)."""

_POOLER = "a connection pooler mixes up prepared statements; set --statement-cache-size 0"
_STATEMENT_POOLING = "the connection pooler allows no transactions; set its pool mode to transaction or session"

_TLS_REJECTED = "rejected SSL upgrade"
"""In the message of the ConnectionError that asyncpg raises when the server refuses TLS."""

_BY_SQLSTATE = {
    "08001": _NO_ANSWER,
    "08004": "the database rejected the connection",
    "08P01": "the database, or a connection pooler in front of it, refused a message of the protocol",
    "0A000": "the database does not support a statement of Runfold",
    "25006": "the database is read-only: it is a standby, or set to read-only",
    "25P03": "the database ended a transaction that was idle for too long",
    "25P04": "the database ended a transaction that took too long",
    "26000": _POOLER,
    "3D000": "the database does not exist",
    "3F000": _OTHER_SCHEMA,
    "40001": "the database could not serialize a transaction with others",
    "40P01": "the database ended a transaction in a deadlock",
    "42501": _NO_RIGHT,
    "42P05": _POOLER,
    "53100": "the database's disk is full",
    "53200": "the database is out of memory",
    "53300": _FULL,
    "53400": "the database exceeded a limit of its configuration",
    "55000": "the database refused an operation in its current state; the ledger, for one, is append-only",
    "55006": "an object of the database is in use",
    "55P03": "a lock in the database was not free in time",
    "57014": "the database cancelled a statement: it took too long, or an operator cancelled it",
    "57P01": "the database ended the connection: it is stopping, or an administrator ended it",
    "57P02": "the database ended the connection after a crash",
    "57P03": _NOT_ACCEPTING,
    "57P04": "the database was dropped",
    "57P05": "the database ended a connection that was idle for too long",
    "58030": "the database had an input/output error",
    "F0000": "the database's configuration file has an error",
    "XX001": "the database found corrupted data",
    "XX002": "the database found a corrupted index",
}
"""Messages by SQLSTATE (PostgreSQL 18 manual, appendix A)."""

_BY_CLASS = {
    "08": _LOST,
    "23": "the database refused rows that violate a constraint",
    "28": _LOGIN_REFUSED,
    "40": "the database rolled a transaction back",
    "42": _OTHER_SCHEMA,
    "53": "the database lacks a resource",
    "57": "the database was interrupted by an operator",
    "58": _FILES,
    "P0": "a function in the database failed",
    "XX": "the database had an internal error",
}
"""Messages for the other SQLSTATEs of a class: their first two characters."""


def translate(error: Exception) -> RunfoldError | None:
    """Return the error that a driver's exception means for a caller; None if the exception is not the driver's.

    ValueRefused: PostgreSQL refuses a value that was sent. ClockAhead: an append was rolled back.
    DatabaseUnavailable: everything else, with the server's own message as its `reason`.
    """
    if isinstance(error, (asyncpg.DataError, asyncpg.ProgramLimitExceededError, UnicodeEncodeError)):
        return ValueRefused(str(error))
    if isinstance(error, asyncpg.PostgresError):
        if error.sqlstate == _CLOCK_AHEAD:
            return ClockAhead(f"{error}; nothing was recorded")
        return DatabaseUnavailable(_of_sqlstate(error), _reason(error), error.sqlstate)
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)):
        return DatabaseUnavailable(_of_client_error(error), _reason(error))
    if isinstance(error, OSError) and _comes_from_driver(error):
        return DatabaseUnavailable(_of_os_error(error), _reason(error))
    return None


_WHILE_STARTING = frozenset({_NO_ANSWER, _TIMED_OUT, _HOST_UNKNOWN, _NOT_ACCEPTING, _FULL, _LOST, _NO_PRIMARY})


def may_be_starting(error: DatabaseUnavailable) -> bool:
    """Return whether the database may be about to start, so that waiting for it helps; not for a refused login."""
    return error.detail in _WHILE_STARTING


def _of_sqlstate(error: asyncpg.PostgresError) -> str:
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return "the database's schema changed while a statement was prepared"
    if "statement pooling mode" in str(error):  # PgBouncer with pool_mode = statement
        return _STATEMENT_POOLING
    sqlstate = error.sqlstate or "unknown"
    return _BY_SQLSTATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2]) or f"the database failed with SQLSTATE {sqlstate}"


def _of_client_error(error: Exception) -> str:
    """The driver raises InterfaceError for a broken connection, InternalClientError where one confuses its state."""
    if isinstance(error, asyncpg.ClientConfigurationError):
        return "the database URL cannot be used"
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return _NO_PRIMARY
    if isinstance(error, asyncpg.UnsupportedServerFeatureError):
        return "the database server is not of the kind that is needed"
    return _LOST


def _of_os_error(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return _TIMED_OUT
    if isinstance(error, socket.gaierror):
        return _HOST_UNKNOWN
    if isinstance(error, ssl.SSLError):
        return "the TLS connection to the database failed"
    if _TLS_REJECTED in str(error):
        return "the database server does not accept TLS connections, which sslmode in the database URL requires"
    return _NO_ANSWER


def _comes_from_driver(error: OSError) -> bool:
    """Distinguish errors of the driver's sockets and timers from those of files and timers used in the same block."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "asyncpg":
            return True
        traceback = traceback.tb_next
    return False


def _reason(error: Exception) -> str:
    """Return the driver's message on one line: it appends DETAIL and HINT of the server on lines of their own."""
    lines = (line.strip() for line in str(error).splitlines())
    return "; ".join(line for line in lines if line) or type(error).__name__
