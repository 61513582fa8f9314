"""The meaning of the driver's exceptions. tests/integration/database/test_database_errors.py provokes real ones."""

import socket
import ssl

import asyncpg
import pytest

from service.database import failures
from service.database.failures import translate
from service.errors import DatabaseUnavailable, ValueRefused


def server_error(sqlstate, message="its own words"):
    return asyncpg.PostgresError.new({"C": sqlstate, "M": message})


def of_driver(error):
    """Return an error as if the driver had raised it."""
    scope = {"__name__": "asyncpg.connect_utils", "error": error}
    try:
        exec("raise error", scope)  # noqa: S102
    except OSError as raised:
        return raised
    raise AssertionError


def known_to_driver():
    classes = [found for found in vars(asyncpg.exceptions).values() if isinstance(found, type)]
    return {found.sqlstate for found in classes if getattr(found, "sqlstate", None)}


def test_every_sqlstate_of_the_table_exists():
    assert set(failures._BY_SQLSTATE) <= known_to_driver()
    assert set(failures._BY_CLASS) <= {sqlstate[:2] for sqlstate in known_to_driver()}


@pytest.mark.parametrize(
    ("sqlstate", "message"),
    [
        ("08006", "the connection to the database was lost"),
        ("25P04", "took too long"),
        ("28P01", "refuses the login"),
        ("42704", "run: runfold migrate"),
        ("53000", "lacks a resource"),
        ("53100", "disk is full"),
        ("53200", "out of memory"),
        ("53400", "limit of its configuration"),
        ("57P02", "after a crash"),
        ("57P03", "starting, stopping or recovering"),
        ("57P04", "was dropped"),
        ("58030", "input/output error"),
        ("58P01", "cannot read or write its files"),
        ("XX000", "internal error"),
        ("XX001", "corrupted data"),
        ("XX002", "corrupted index"),
        ("72000", "failed with SQLSTATE 72000"),
        ("99999", "failed with SQLSTATE 99999"),
    ],
)
def test_what_is_wrong_is_said_by_sqlstate(sqlstate, message):
    error = translate(server_error(sqlstate))
    assert isinstance(error, DatabaseUnavailable)
    assert message in error.detail
    assert (error.reason, error.sqlstate) == ("its own words", sqlstate)


@pytest.mark.parametrize("sqlstate", sorted(known_to_driver() - {"08001"}))
def test_only_a_server_that_does_not_answer_is_said_not_to_answer(sqlstate):
    error = translate(server_error(sqlstate))
    assert error is None or "does not answer" not in error.detail


@pytest.mark.parametrize("sqlstate", sorted(code for code in known_to_driver() if code[:2] in ("22", "54")))
def test_a_value_that_postgresql_refuses_is_the_callers(sqlstate):
    assert isinstance(translate(server_error(sqlstate)), ValueRefused)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionRefusedError(111, "refused"), "the database does not answer"),
        (FileNotFoundError(2, "no socket"), "the database does not answer"),
        (TimeoutError(), "did not answer in time"),
        (socket.gaierror(-2, "unknown"), "cannot be resolved"),
        (ssl.SSLError(1, "handshake"), "TLS"),
        (ConnectionError('PostgreSQL server at "h:5432" rejected SSL upgrade'), "does not accept TLS"),
    ],
)
def test_errors_of_the_drivers_sockets_are_the_databases(error, message):
    assert message in translate(of_driver(error)).detail
    assert translate(error.with_traceback(None)) is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (asyncpg.InterfaceError("connection is closed"), "was lost"),
        (asyncpg.InternalClientError("got result for unknown protocol state"), "was lost"),
        (asyncpg.ClientConfigurationError("invalid DSN"), "URL cannot be used"),
        (asyncpg.TargetServerAttributeNotMatched("none is a primary"), "no host of the database"),
    ],
)
def test_errors_of_the_driver_itself_are_told_apart(error, message):
    assert message in translate(error).detail


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), OSError(28, "No space left on device")])
def test_anything_else_is_not_the_databases(error):
    assert translate(error) is None


def test_the_reason_is_one_line():
    fields = {"C": "42501", "M": "permission denied", "D": "Only roles with\nCREATEROLE may.", "H": "Ask an owner."}
    reason = translate(asyncpg.PostgresError.new(fields)).reason
    assert reason == "permission denied; DETAIL:  Only roles with; CREATEROLE may.; HINT:  Ask an owner."


@pytest.mark.parametrize(
    ("error", "may_be"),
    [
        (server_error("57P03"), True),
        (server_error("53300"), True),
        (of_driver(ConnectionRefusedError(111, "refused")), True),
        (of_driver(socket.gaierror(-2, "unknown")), True),
        (server_error("28P01"), False),
        (server_error("3D000"), False),
        (asyncpg.ClientConfigurationError("invalid DSN"), False),
    ],
)
def test_waiting_helps_only_where_the_server_may_be_starting(error, may_be):
    assert failures.may_be_starting(translate(error)) is may_be


def test_the_reason_is_never_empty():
    assert translate(of_driver(TimeoutError())).reason == "TimeoutError"
